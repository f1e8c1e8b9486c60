"""A recipe and a space in; many trained runs, the best of them whole, and a page of all out."""

import contextlib
import fcntl
import io
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from hilum import recipe as recipes
from hilum.data.store import silent
from hilum.distribute.cluster import cluster, demand_ray
from hilum.distribute.record import TRIALS, trials_in
from hilum.distribute.trial import Job, run_trial
from hilum.errors import UsageError
from hilum.files import disk_errors, write_text
from hilum.recipe import Recipe
from hilum.recipe.space import Space, demand_fitting, load_space
from hilum.report import Searched, SearchRecord, csv_of, search_page, search_table
from hilum.study.folder import read_json, versions, write_json
from hilum.study.opening import decode, open_films
from hilum.study.run import Show, run_recipe


def sweep(
    recipe: str,
    space: str,
    data: Path,
    out: Path,
    *,
    trials: int,
    at_once: int = 1,
    address: str = "",
    seed: int = 0,
    changes: Mapping[str, str] | None = None,
    show: Show = lambda _: silent,
) -> SearchRecord:
    """Trains `trials` runs below `out`, the same command going on where it stopped, and ends the best one.

    Every trial is trained only; the one with the best validation figure is explained, localized, scored and
    reported. Writes `sweep.html` and `sweep.csv` after every trial.

    Args:
        recipe: A shipped name or a .toml file; of a grid only the recipe itself is taken.
        space: A shipped name or a .toml file.
        data: Folder with tables and films.
        out: Where all goes; on a cluster, as `data`, at the same path on every machine.
        trials: In all, those of earlier commands among them.
        at_once: Trials at the same time.
        address: Of a Ray cluster; empty for this machine alone.
        seed: Of what is drawn.
        changes: See `hilum.recipe.load`.
        show: Where to tell of progress.

    Raises:
        UsageError: Ray is missing, the space does not fit the recipe, or `out` holds another sweep.
        HilumError: Recipe or data cannot be used. Of a trial that fails the reason is kept; the others go on.
    """
    demand_ray()
    resolved, searched = recipes.alone(recipes.load(recipe, changes)), load_space(space)
    _demand_sound(resolved, searched, trials, at_once)
    data, out = data.absolute(), out.absolute()
    decode(open_films(data, resolved.data), resolved.data, show("decode films"))
    with _held(out):
        _prepared(out, resolved, searched, data, seed)
        job = Job(recipes.toml_from(resolved), searched.text, str(data))
        _run(job, resolved, searched, out, trials, at_once, address, seed, show)
        record = written(resolved, searched, out, seed)
        if record.chosen:
            best = out / TRIALS / record.chosen
            values = next(trial.values for trial in record.trials if trial.name == record.chosen)
            run_recipe(job.of(values), data, best, show)
    return record


def written(recipe: Recipe, space: Space, out: Path, seed: int) -> SearchRecord:
    """The record of the folders as they are, and its page and table on disk."""
    searched = {}
    for name, drawn in space.drawn.items():
        kind = "choice" if drawn.choice else "uniform" if drawn.uniform else "log_uniform"
        searched[name] = Searched(kind, drawn.ends)
    told = [trial.told for trial in trials_in(out)]
    record = SearchRecord(recipe.report.title, recipe.training.monitor, searched, told, seed)
    write_text(out / "sweep.html", search_page(record))
    write_text(out / "sweep.csv", csv_of(search_table(record)))
    return record


def _run(
    job: Job,
    recipe: Recipe,
    space: Space,
    out: Path,
    trials: int,
    at_once: int,
    address: str,
    seed: int,
    show: Show,
) -> None:
    """Runs what is missing of so many trials."""
    before = trials_in(out)
    n_done = sum(trial.done for trial in before)
    if n_done >= trials:
        return
    progress, monitor = show("trials"), recipe.training.monitor

    def ended() -> None:
        record = written(recipe, space, out, seed)
        progress(sum(trial.state != "interrupted" for trial in record.trials), trials)

    with cluster(address, at_once) as resources, contextlib.redirect_stdout(io.StringIO()):
        from ray import tune

        from hilum.distribute.search import Search, halving

        own = out / ".ray"  # Ray's record of what the folders say better
        tuner = tune.Tuner(
            tune.with_resources(tune.with_parameters(run_trial, job=job), resources),
            tune_config=tune.TuneConfig(
                search_alg=Search(space, out, monitor, before, seed, ended),
                scheduler=halving(sum(stage.epochs for stage in recipe.stages), monitor, before),
                num_samples=trials - n_done,
                max_concurrent_trials=at_once,
            ),
            run_config=tune.RunConfig(storage_path=str(own), verbose=0),
        )
        try:
            tuner.fit()
        finally:
            shutil.rmtree(own, ignore_errors=True)


def _demand_sound(recipe: Recipe, space: Space, trials: int, at_once: int) -> None:
    if trials < 1 or at_once < 1:
        raise UsageError(f"--trials {trials} --at-once {at_once}; at least 1 of each")
    if any(stage.devices > 1 for stage in recipe.stages):
        raise UsageError("training.devices is above 1; a trial has one, and several trials run --at-once")
    demand_fitting(recipe, space)


@contextlib.contextmanager
def _held(out: Path) -> Iterator[None]:
    """The folder for this process alone."""
    with disk_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        with (out / ".lock").open("w") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UsageError(f"{out}: another sweep is running in it; wait for it") from None
            yield


def _prepared(out: Path, recipe: Recipe, space: Space, data: Path, seed: int) -> None:
    """The folder with what the sweep is made from, new or of this very sweep.

    Raises:
        UsageError: It holds another one.
    """
    texts = {"recipe.toml": recipes.toml_from(recipe), "space.toml": space.text}
    record = {"data": str(data), "seed": seed}
    if (out / "sweep.json").is_file():
        there = read_json(out / "sweep.json")
        other = [name for name, text in texts.items() if (out / name).read_text(encoding="utf-8") != text]
        other += [key for key, value in record.items() if there[key] != value]
        if other:
            raise UsageError(f"{out}: holds a sweep with another {other[0]}; choose another --out")
        return
    for name, text in texts.items():
        write_text(out / name, text)
    write_json(out / "sweep.json", {**record, "versions": versions()})
