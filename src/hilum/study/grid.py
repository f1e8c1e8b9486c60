"""All cells of a recipe's grid, each an ordinary run, and what seeds and splits have in common."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hilum import recipe as recipes
from hilum.boxes import no_boxes
from hilum.data.store import silent
from hilum.errors import HilumError
from hilum.evaluate import scores_from_json
from hilum.evaluate.comparison import pooled
from hilum.evaluate.localization import best_overlaps, statistics
from hilum.evaluate.random_splits import pooled_scores
from hilum.files import write_text
from hilum.recipe import Recipe, flat
from hilum.report import Cell, GridRecord, PooledRow, csv_of, grid_page, grid_tables
from hilum.study.claim_scores import ScoredRun, Scores, headline_of, part_of, scored_run, scores_of
from hilum.study.folder import RunFolder, read_boxes, read_json
from hilum.study.opening import Films, open_films
from hilum.study.run import Show, run_recipe
from hilum.study.score import protocol_of

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
    opened: dict[str, Films] = {}
    rows = [row for group in _groups(cells, made) for row in _pooled(group, cells, out, opened)]
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
    method, rule = headline_of(cell)
    own = [score for score in scores if score.method in (None, method) and score.box_rule in (None, rule)]
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
        cells: The runs.
    """

    name: str
    over: str
    cells: tuple[Cell, ...]


def _groups(recipes_of: Mapping[str, Recipe], made: Sequence[Cell]) -> Iterator[_Group]:
    for over in (SEED, SPLIT_SEED):
        alike: dict[str, list[Cell]] = {}
        for cell in made:
            settings = flat(recipes_of[cell.name].model_dump())
            rest = {key: value for key, value in settings.items() if key != over}
            if not cell.error:
                alike.setdefault(repr(rest), []).append(cell)
        for cells in alike.values():
            if len(cells) > 1:
                key = over.rpartition(".")[2]
                shared = ",".join(p for p in cells[0].name.split(",") if not p.startswith(f"{key}="))
                yield _Group(shared or "run", over, tuple(cells))


def _pooled(
    group: _Group,
    recipes_of: Mapping[str, Recipe],
    out: Path,
    opened: dict[str, Films],
) -> Iterator[PooledRow]:
    """Rows of one group; `opened` keeps films for the next, for most cells share theirs."""
    runs, films = [], []
    for cell in group.cells:
        folder, recipe = RunFolder(out / cell.name), recipes_of[cell.name]
        data = read_json(folder.record)["data"]
        key = f"{data} {recipe.data!r}"
        if key not in opened:
            opened[key] = open_films(Path(data), recipe.data)
        films.append(opened[key])
        runs.append(scored_run(folder, recipe, films[-1]))
    if group.over == SEED:
        yield from _over_seeds(group, runs)
    else:
        yield from _over_splits(group, runs, films[0])


def _over_seeds(group: _Group, runs: Sequence[ScoredRun]) -> Iterator[PooledRow]:
    """Same test films: patients and seeds are redrawn together."""
    settings, findings = runs[0].recipe.evaluate, runs[0].cohort.findings

    def rng() -> np.random.Generator:
        return np.random.Generator(np.random.Philox(settings.seed))

    def of_runs(metric: str, at: float | None) -> list[Scores]:
        systems, n_draws = [headline_of(runs[0].recipe)], settings.bootstrap_draws
        return [scores_of(part_of(run, findings), metric, at, systems, n_draws, rng()) for run in runs]

    ranked = of_runs("auroc", None)
    yield from _rows(group, "auroc", None, ["", *findings], ranked, rng())
    if len(runs[0].cohort.reference):
        for metric, at in POOLED:
            located = of_runs(metric, at)
            yield from _rows(group, metric, at, located[0].names, located, rng())


def _rows(
    group: _Group,
    metric: str,
    at: float | None,
    names: Sequence[str],
    scores: Sequence[Scores],
    rng: np.random.Generator,
) -> Iterator[PooledRow]:
    """A row for each name; without numbers where the runs have no score of it."""
    known = [names.index(name) for name in scores[0].names]
    values = np.full((len(scores), len(names)), np.nan)
    draws = np.full((len(scores), len(scores[0].draws), len(names)), np.nan)
    values[:, known] = [each.values[0] for each in scores]
    draws[..., known] = [each.draws[:, 0] for each in scores]
    of_seeds = pooled(values, draws, rng)
    ends = np.clip([of_seeds.low, of_seeds.high], 0.0, 1.0)  # few seeds are stretched beyond
    columns = zip(names, of_seeds.mean, of_seeds.spread, *ends, strict=True)
    for name, *numbers in columns:
        mean, spread, low, high = map(float, numbers)
        what = group.name, group.over, "same test films", metric, at, name or None
        yield PooledRow(*what, mean, spread, low, high, of_seeds.n_seeds)


def _over_splits(group: _Group, runs: Sequence[ScoredRun], films: Films) -> Iterator[PooledRow]:
    """Other test films in each: AUROC as mean and spread; boxes pooled, all and those of test films."""
    by_name: dict[str | None, list[float]] = {}
    for cell in group.cells:
        for score in cell.scores:
            if score.metric == "auroc":
                by_name.setdefault(score.finding, []).append(score.value)
    for name, values in by_name.items():
        mean, spread = float(np.mean(values)), float(np.std(values, ddof=1))
        what = group.name, group.over, "own test films", "auroc", None, name
        yield PooledRow(*what, mean, spread, math.nan, math.nan, len(values))
    cohort, recipe = films.cohort, runs[0].recipe
    if recipe.explain.pairs != "every_box" or not len(cohort.reference):
        return
    method, rule = headline_of(recipe)
    boxes = (read_boxes(run.folder, cohort).get((method, rule), no_boxes()) for run in runs)
    values = [statistics(*best_overlaps(cohort.reference, each)) for each in boxes]
    printed, clean = pooled_scores(
        cohort,
        values,
        {"random": np.full_like(values[0], np.nan)},
        np.stack([run.whole.split == "test" for run in runs]),
        method=method,
        box_rule=rule,
        protocol=protocol_of(recipe, films, cohort),
        n_draws=recipe.evaluate.bootstrap_draws,
        rng=np.random.Generator(np.random.Philox(recipe.evaluate.seed)),
    )
    for words, scores in (("all boxes for every model", printed), ("own test films", clean)):
        for s in scores:
            what = group.name, group.over, words, s.metric, s.at, s.finding
            yield PooledRow(*what, s.value, math.nan, s.low, s.high, len(runs))
