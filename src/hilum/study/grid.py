"""All cells of a recipe's grid, each an ordinary run, and what seeds and splits have in common."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from hilum import recipe as recipes
from hilum.boxes import BoxTable, no_boxes
from hilum.data.cohort import Cohort
from hilum.data.store import silent
from hilum.errors import HilumError
from hilum.evaluate import Score, scores_from_json
from hilum.evaluate.bootstrap import auroc_draws, mean_draws
from hilum.evaluate.classification import auroc
from hilum.evaluate.comparison import pooled
from hilum.evaluate.localization import COLUMNS, best_overlaps, statistics
from hilum.evaluate.random_splits import pooled_scores
from hilum.evaluate.summary import mean_first
from hilum.files import write_text
from hilum.findings import in_mean
from hilum.recipe import Recipe, flat
from hilum.report import Cell, GridRecord, PooledRow, csv_of, grid_page, grid_tables
from hilum.study.folder import RunFolder, read_boxes, read_json
from hilum.study.opening import open_films
from hilum.study.run import Show, run_recipe
from hilum.study.score import protocol_of, scored_films

SEED, SPLIT_SEED = "training.seed", "data.split_seed"
POOLED = (("t_iou", 0.1), ("t_iou", 0.3), ("t_iou", 0.5), ("mean_iou_macro", None))
"""What is pooled over training seeds besides AUROC, under the headline."""


def grid(
    recipe: str,
    data: Path,
    out: Path,
    axes: Mapping[str, Sequence[Any]],
    changes: Mapping[str, str] | None = None,
    show: Show = lambda _: silent,
) -> GridRecord:
    """Runs every cell into a folder of its own below `out`; a cell that is done is not run again.

    Writes `grid.csv` and `grid.html`, and `pooled.csv` where cells differ in nothing but seeds.

    Args:
        recipe: A shipped name or a .toml file.
        data: Folder with tables and films.
        out: Where the folders go.
        axes: Further values by dotted key; see `hilum.recipe.cells_over`.
        changes: See `hilum.recipe.load`.
        show: Where to tell of progress.

    Raises:
        HilumError: The recipe or the data cannot be used. Of a cell that fails the reason is kept, and the
            others go on.
    """
    resolved = recipes.load(recipe, changes)
    cells = recipes.cells_over(resolved, axes)
    made, progress = [], show("cells of the grid")
    for done, (name, cell) in enumerate(cells.items(), start=1):
        made.append(_run(name, cell, resolved, data, out / name, show))
        progress(done, len(cells))
    rows = [row for group in _groups(cells, made) for row in _pooled(group, cells, out)]
    record = GridRecord(resolved.report.title, resolved.training.monitor, made, rows)
    write_text(out / "grid.html", grid_page(record))
    for file, table in grid_tables(record).items():
        write_text(out / f"{file}.csv", csv_of(table))
    return record


def _run(name: str, cell: Recipe, whole: Recipe, data: Path, path: Path, show: Show) -> Cell:
    folder, settings = RunFolder(path), _differing(cell, whole)
    try:
        if not folder.report.is_file() or folder.recipe.read_text(encoding="utf-8") != recipes.toml_from(
            cell
        ):
            run_recipe(cell, data, path, show)
    except HilumError as error:
        return Cell(name, settings, (), (), f"{error.code}: {error}")
    scores = [score for score in scores_from_json(read_json(folder.scores)) if score.stratum is None]
    lines = folder.history.read_text(encoding="utf-8").splitlines()
    headline = (cell.explain.methods[0], cell.localize.rules[0].name)
    own = [s for s in scores if s.method in (None, headline[0]) and s.box_rule in (None, headline[1])]
    return Cell(name, settings, own, [json.loads(line) for line in lines], "")


def _differing(cell: Recipe, whole: Recipe) -> dict[str, Any]:
    """Settings in which a cell differs from the recipe, and those of its grid."""
    of_cell, of_whole = (flat(each.model_dump()) for each in (cell, whole))
    axes = {key for table in whole.grid for key in flat(table)}
    return {key: value for key, value in of_cell.items() if key in axes or value != of_whole[key]}


@dataclass(frozen=True)
class _Group:
    """Runs that differ in one kind of seed only.

    Attributes:
        name: What they share.
        over: The key in which they differ.
        names: Their folders.
    """

    name: str
    over: str
    names: tuple[str, ...]


def _groups(cells: Mapping[str, Recipe], made: Sequence[Cell]) -> Iterator[_Group]:
    failed = {cell.name for cell in made if cell.error}
    for over in (SEED, SPLIT_SEED):
        alike: dict[str, list[str]] = {}
        for name, cell in cells.items():
            rest = {key: value for key, value in flat(cell.model_dump()).items() if key != over}
            if name not in failed:
                alike.setdefault(repr(rest), []).append(name)
        for names in alike.values():
            if len(names) > 1:
                key = over.rpartition(".")[2]
                shared = ",".join(p for p in names[0].split(",") if not p.startswith(f"{key}="))
                yield _Group(shared or "run", over, tuple(names))


def _pooled(group: _Group, cells: Mapping[str, Recipe], out: Path) -> Iterator[PooledRow]:
    runs = [_opened(cells[name], RunFolder(out / name)) for name in group.names]
    if group.over == SEED:
        yield from _over_seeds(group, runs)
    else:
        yield from _over_splits(group, runs, [RunFolder(out / name) for name in group.names])


@dataclass(frozen=True)
class _Opened:
    recipe: Recipe
    whole: Cohort
    cohort: Cohort
    probabilities: Float[np.ndarray, "n f"]
    boxes: BoxTable
    scores: list[Score]


def _opened(recipe: Recipe, folder: RunFolder) -> _Opened:
    films = open_films(Path(read_json(folder.record)["data"]), recipe.data)
    cohort, probabilities = scored_films(folder, films)
    headline = (recipe.explain.methods[0], recipe.localize.rules[0].name)
    boxes = read_boxes(folder, cohort, films.cohort).get(headline, no_boxes())
    scores = scores_from_json(read_json(folder.scores))
    return _Opened(recipe, films.cohort, cohort, probabilities, boxes, scores)


def _over_seeds(group: _Group, runs: Sequence[_Opened]) -> Iterator[PooledRow]:
    """Same test films: patients and seeds are redrawn together."""
    first, settings = runs[0].cohort, runs[0].recipe.evaluate

    def rng() -> np.random.Generator:
        return np.random.Generator(np.random.Philox(settings.seed))

    values = np.stack([auroc(run.probabilities, first.labels) for run in runs])
    counted = np.array(in_mean(first.findings)) & np.isfinite(values).all(axis=0)
    draws = [
        auroc_draws(run.probabilities, first.labels, first.patient, settings.bootstrap_draws, rng())
        for run in runs
    ]
    names = (None, *first.findings)
    yield from _rows(
        group, "auroc", None, names, mean_first(values, counted), mean_first(np.stack(draws), counted), rng()
    )
    if not len(first.reference):
        return
    present, finding = np.unique(first.reference.finding, return_inverse=True)
    patient, every = first.patient[first.reference.image], np.ones(len(present), bool)
    tables = [statistics(*best_overlaps(first.reference, run.boxes)) for run in runs]
    n_draws = settings.bootstrap_draws
    drawn = np.stack([mean_draws(table, finding, patient, n_draws, rng()) for table in tables])
    means = np.stack(
        [[table[finding == each].mean(axis=0) for each in range(len(present))] for table in tables]
    )
    names = (None, *(first.findings[place] for place in present))
    for metric, at in POOLED:
        column = COLUMNS.index((metric, at))
        of_runs, of_draws = mean_first(means[..., column], every), mean_first(drawn[..., column], every)
        yield from _rows(group, metric, at, names, of_runs, of_draws, rng())


def _rows(
    group: _Group,
    metric: str,
    at: float | None,
    names: Sequence[str | None],
    values: Float[np.ndarray, "s c"],
    draws: Float[np.ndarray, "s draws c"],
    rng: np.random.Generator,
) -> Iterator[PooledRow]:
    of_seeds = pooled(values, draws, rng)
    ends = np.clip([of_seeds.low, of_seeds.high], 0.0, 1.0)  # few seeds are stretched beyond
    columns = zip(names, of_seeds.mean, of_seeds.spread, *ends, strict=True)
    for name, *numbers in columns:
        mean, spread, low, high = map(float, numbers)
        what = group.name, group.over, "same test films", metric, at, name
        yield PooledRow(*what, mean, spread, low, high, of_seeds.n_seeds)


def _over_splits(group: _Group, runs: Sequence[_Opened], folders: Sequence[RunFolder]) -> Iterator[PooledRow]:
    """Other test films in each: AUROC as mean and spread; boxes pooled, all and those of test films."""
    by_name: dict[str | None, list[float]] = {}
    for run in runs:
        for score in run.scores:
            if score.metric == "auroc" and score.stratum is None:
                by_name.setdefault(score.finding, []).append(score.value)
    for name, values in by_name.items():
        mean, spread = float(np.mean(values)), float(np.std(values, ddof=1))
        what = group.name, group.over, "own test films", "auroc", None, name
        yield PooledRow(*what, mean, spread, math.nan, math.nan, len(values))
    if any(run.recipe.explain.pairs != "every_box" for run in runs) or not len(runs[0].whole.reference):
        return
    cohort, recipe = runs[0].whole, runs[0].recipe
    headline = (recipe.explain.methods[0], recipe.localize.rules[0].name)
    boxes = [read_boxes(folder, cohort).get(headline, no_boxes()) for folder in folders]
    values = [statistics(*best_overlaps(cohort.reference, each)) for each in boxes]
    tested = np.stack([run.whole.split == "test" for run in runs])
    films = open_films(Path(read_json(folders[0].record)["data"]), recipe.data)
    printed, clean = pooled_scores(
        cohort,
        values,
        {"random": np.full_like(values[0], np.nan)},
        tested,
        method=recipe.explain.methods[0],
        box_rule=recipe.localize.rules[0].name,
        protocol=protocol_of(recipe, films, cohort),
        n_draws=recipe.evaluate.bootstrap_draws,
        rng=np.random.Generator(np.random.Philox(recipe.evaluate.seed)),
    )
    for words, scores in (("all boxes for every model", printed), ("own test films", clean)):
        for s in scores:
            what = group.name, group.over, words, s.metric, s.at, s.finding
            yield PooledRow(*what, s.value, math.nan, s.low, s.high, len(runs))
