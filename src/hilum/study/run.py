"""The stages of a study in order, on one run folder; stages that need torch import it when they run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hilum import recipe as recipes
from hilum.data.store import Progress, silent
from hilum.errors import RunError, UsageError
from hilum.files import disk_errors, write_text
from hilum.recipe import Recipe
from hilum.report import SummaryRow
from hilum.study.folder import RunFolder, read_json, versions, write_csv, write_json
from hilum.study.members import list_of
from hilum.study.opening import Films, Pixels, decode, open_films

Show = Callable[[str], Progress]
"""Given what is being done, where to tell how far it is."""

Told = Callable[[Sequence[Mapping[str, Any]]], None]
"""Called with the records of all epochs so far."""

STAGES = ("train", "explain", "localize", "score", "report")


@dataclass(frozen=True)
class Outcome:
    """What came of a study or a stage.

    Attributes:
        folder: The run.
        summary: The table that ends a run; empty unless it was reported.
        failures: Films that could not be read, with the reason.
    """

    folder: RunFolder
    summary: Sequence[SummaryRow] = ()
    failures: Mapping[str, str] = field(default_factory=dict)


def study(
    recipe: str,
    data: Path,
    out: Path,
    changes: Mapping[str, str] | None = None,
    show: Show = lambda _: silent,
) -> Outcome:
    """Runs a recipe end to end, or continues it where it stopped.

    Args:
        recipe: A shipped name or a .toml file.
        data: Folder with tables and films.
        out: The run folder.
        changes: See `hilum.recipe.load`.
        show: Where to tell of progress.

    Raises:
        HilumError: See `hilum.errors`; nothing is left half-written.
    """
    return run_recipe(recipes.alone(recipes.load(recipe, changes)), data, out, show)


def run_recipe(
    resolved: Recipe,
    data: Path,
    out: Path,
    show: Show = lambda _: silent,
    names: Sequence[str] = STAGES,
    told: Told = lambda _: None,
) -> Outcome:
    """The same of a recipe that is loaded and has no grid.

    Args:
        resolved: The recipe.
        data: Folder with tables and films.
        out: The run folder.
        show: Where to tell of progress.
        names: Which of `STAGES`, in their order.
        told: Called with the history of training after every epoch.
    """
    if data.is_dir() and not RunFolder(out).weights.exists():
        # First, and before training's heavy imports: nobody should wait long to hear that weights are absent.
        from hilum.models.weights import start_weights

        start_weights(resolved.model.backbone, resolved.model.weights)
    films = open_films(data, resolved.data)
    from hilum.study.train import check

    check(resolved)
    folder = _prepared(RunFolder(out), resolved, data, films)
    return _run(folder, resolved, films, names, show, told, all_findings=False)


def stage(name: str, run: Path, show: Show = lambda _: silent, *, all_findings: bool = False) -> Outcome:
    """Runs one stage on a run folder.

    Args:
        name: One of `STAGES`.
        run: A folder that a study made.
        show: Where to tell of progress.
        all_findings: For "explain": heatmaps of every finding of every test film.

    Raises:
        RunError: Not a run folder, or an earlier stage is missing.
        UsageError: The stage is one of networks, and this is an ensemble.
        HilumError: See `hilum.errors`.
    """
    folder = RunFolder(run)
    if not folder.recipe.is_file() or not folder.record.is_file():
        raise RunError(f"{run}: not a run folder; make one with `hilum study RECIPE --data DIR --out {run}`")
    if name in ("train", "explain") and list_of(folder).is_file():
        raise UsageError(f"{run}: an ensemble has no network; {name} its members and make it again")
    recipe = recipes.parse(folder.recipe.read_text(encoding="utf-8"), str(folder.recipe))
    films = open_films(Path(read_json(folder.record)["data"]), recipe.data)
    _demand_same_tables(folder, films)
    return _run(folder, recipe, films, (name,), show, lambda _: None, all_findings=all_findings)


def _run(
    folder: RunFolder,
    recipe: Recipe,
    films: Films,
    names: Sequence[str],
    show: Show,
    told: Told,
    *,
    all_findings: bool,
) -> Outcome:
    pixels, summary = None, ()
    if {"train", "explain", "report"} & set(names):
        films, pixels = decode(films, recipe.data, show("decode films"))
        write_csv(folder.failures, ("film", "reason"), sorted(pixels.failures.items()))
    for name in names:
        summary = _one(name, folder, recipe, films, pixels, show(name), told, all_findings)
    return Outcome(folder, summary, pixels.failures if pixels else {})


def _one(
    name: str,
    folder: RunFolder,
    recipe: Recipe,
    films: Films,
    pixels: Pixels | None,
    progress: Progress,
    told: Told,
    all_findings: bool,
) -> Sequence[SummaryRow]:
    if name == "train":
        from hilum.study.train import train

        assert pixels is not None
        train(folder, recipe, films, pixels, progress, told)
    elif name == "explain":
        from hilum.study.branches import predict_branches
        from hilum.study.explain import explain

        assert pixels is not None
        explain(folder, recipe, films, pixels, progress, all_findings)
        predict_branches(folder, films, pixels, progress)
    elif name == "localize":
        from hilum.study.localize import localize

        localize(folder, recipe, films, progress)
    elif name == "score":
        from hilum.study.score import score

        score(folder, recipe, films, progress)
    elif name == "report":
        from hilum.study.report import report

        assert pixels is not None
        return report(folder, recipe, films, pixels, progress)
    return ()


def _prepared(folder: RunFolder, recipe: Recipe, data: Path, films: Films) -> RunFolder:
    """The folder with its recipe and record, new or of this very recipe and data.

    Raises:
        UsageError: It holds a run of another recipe.
        RunError: The tables of the data changed since it was made.
    """
    text = recipes.toml_from(recipe)
    if folder.recipe.is_file():
        there = folder.recipe.read_text(encoding="utf-8")
        if there != text:
            lines = set(text.splitlines()) ^ set(there.splitlines())
            raise UsageError(
                f"{folder.path}: holds a run of another recipe (they differ in {sorted(lines)[0]!r}); "
                "choose another --out"
            )
        _demand_same_tables(folder, films)
        return folder
    with disk_errors(folder.path):
        folder.path.mkdir(parents=True, exist_ok=True)
    record = {
        "data": str(data.absolute()),
        "tables": films.cohort.tables,
        "split_hash": films.cohort.split_hash,
        "random_seeds": {
            "split": recipe.data.split_seed,
            "training": recipe.training.seed,
            "evaluation": recipe.evaluate.seed,
        },
        "versions": versions(),
    }
    write_json(folder.record, record)
    write_text(folder.recipe, text)
    return folder


def _demand_same_tables(folder: RunFolder, films: Films) -> None:
    before = read_json(folder.record)["tables"]
    changed = sorted(name for name in before if films.cohort.tables.get(name) != before[name])
    if changed:
        raise RunError(f"{folder.path}: {changed[0]} changed since this run was made; start a new run")
