"""A sweep from end to end: what is chosen, what is run again, what a kill costs."""

import contextlib
import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("ray")
pytest.importorskip("optuna")

from ray import tune
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher

from hilum.distribute import sweep as module
from hilum.distribute.record import TrialFolder, trials_in
from hilum.distribute.sweep import sweep
from hilum.errors import HilumError, UsageError
from hilum.recipe import Recipe
from hilum.report import SearchRecord

RATE = "training.learning_rate"
SPACE = f"{RATE} = {{ log_uniform = [1e-4, 1e-2] }}\n"
CHANGES = {"model.backbone": "resnet10t", "model.weights": "none"}


class _Stop(BaseException):
    """What a scheduler's decision does to a trial."""


class _InTurn:
    """Stands in for Ray's tuner: trials one after the other, in this process."""

    def __init__(self, trainable, tune_config, run_config) -> None:
        self.trainable, self.config = trainable, tune_config

    def fit(self) -> None:
        for n in range(self.config.num_samples):
            given = self.config.search_alg.suggest(str(n))
            if given == Searcher.FINISHED:
                return
            self._one(str(n), given)

    def _one(self, name: str, given: dict) -> None:
        last: dict = {}
        trial = type("Trial", (), {"trial_id": name})
        self.config.scheduler.on_trial_add(None, trial)

        def report(result: dict) -> None:
            last.update(result)
            if self.config.scheduler.on_trial_result(None, trial, result) == TrialScheduler.STOP:
                raise _Stop

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tune, "report", report)
            error = False
            try:
                self.trainable(given)
            except HilumError:
                error = True
            except _Stop:
                pass
        self.config.search_alg.on_trial_complete(name, last or None, error=error)


@pytest.fixture
def in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """No Ray, and of the best run an empty page; the slow test has both."""

    @contextlib.contextmanager
    def no_cluster(_address: str, _at_once: int) -> Iterator[dict[str, float]]:
        yield {"cpu": 1.0}

    def ended(_recipe: Recipe, _data: Path, out: Path, _show: object) -> None:
        (out / "report.html").touch()

    monkeypatch.setattr(module, "cluster", no_cluster)
    monkeypatch.setattr(module, "run_recipe", ended)
    monkeypatch.setattr(tune, "Tuner", _InTurn)
    monkeypatch.setattr(tune, "with_resources", lambda trainable, _resources: trainable)
    monkeypatch.setattr(
        tune, "with_parameters", lambda trainable, **more: lambda config: trainable(config, **more)
    )


@pytest.fixture
def space(tmp_path: Path) -> Path:
    path = tmp_path / "space.toml"
    path.write_text(SPACE)
    return path


def _histories(out: Path) -> list[list[float]]:
    return [[entry["val_auroc"] for entry in trial.history] for trial in trials_in(out)]


def test_a_sweep_chooses_ends_the_best_and_goes_on(
    in_turn: None, tiny_recipe: Path, phantoms: Path, space: Path, tmp_path: Path
) -> None:
    out = tmp_path / "sweep"

    def run(trials: int) -> SearchRecord:
        return sweep(str(tiny_recipe), str(space), phantoms, out, trials=trials, changes=CHANGES)

    record = run(2)
    assert [trial.name for trial in record.trials] == ["0001", "0002"]
    figures = {t.name: t.figure("val_auroc") for t in record.trials if t.state == "finished"}
    assert record.chosen == max(figures, key=lambda name: figures[name])
    best = out / "trials" / record.chosen
    assert (best / "report.html").is_file()
    assert len(list(out.glob("trials/*/report.html"))) == 1
    with (out / "sweep.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["trial"] for row in rows if row["chosen"] == "true"] == [record.chosen]
    before, stamps = _histories(out), {p: p.stat().st_mtime_ns for p in out.glob("trials/*/history.jsonl")}
    assert run(2) == record
    assert {p: p.stat().st_mtime_ns for p in out.glob("trials/*/history.jsonl")} == stamps
    more = run(3)
    assert [trial.name for trial in more.trials] == ["0001", "0002", "0003"]
    assert _histories(out)[:2] == before
    assert len({trial.values[RATE] for trial in more.trials}) == 3
    with pytest.raises(UsageError, match=r"holds a sweep with another recipe.toml; choose another --out"):
        sweep(str(tiny_recipe), str(space), phantoms, out, trials=3)
    with pytest.raises(UsageError, match="holds a sweep with another seed"):
        sweep(str(tiny_recipe), str(space), phantoms, out, trials=3, changes=CHANGES, seed=1)


def test_a_trial_that_fails_leaves_the_others_alone(
    in_turn: None, tiny_recipe: Path, phantoms: Path, tmp_path: Path
) -> None:
    """1e30 diverges."""
    space = tmp_path / "space.toml"
    space.write_text(f"{RATE} = {{ choice = [1e30, 1e-3] }}\n")
    out = tmp_path / "sweep"
    record = sweep(str(tiny_recipe), str(space), phantoms, out, trials=5, changes=CHANGES)
    assert sorted(trial.state for trial in record.trials) == ["failed", "finished"]
    failed = next(trial for trial in record.trials if trial.state == "failed")
    assert failed.reason.startswith("training: ")
    assert failed.name in (out / "sweep.html").read_text()
    assert record.trials[int(record.chosen) - 1].values == {RATE: 1e-3}


@pytest.mark.parametrize(
    ("changes", "more", "words"),
    [
        ({}, {"trials": 0}, "--trials 0 --at-once 1; at least 1 of each"),
        ({}, {"at_once": 0}, "at least 1 of each"),
        ({"training.devices": "2"}, {}, "training.devices is above 1"),
    ],
)
def test_what_cannot_be_swept_is_refused(
    changes: dict, more: dict, words: str, tiny_recipe: Path, phantoms: Path, space: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=words):
        sweep(
            str(tiny_recipe), str(space), phantoms, tmp_path / "o", **{"trials": 1, **more}, changes=changes
        )
    assert not (tmp_path / "o").exists()


def test_a_folder_has_one_sweep_at_a_time(
    tiny_recipe: Path, phantoms: Path, space: Path, tmp_path: Path
) -> None:
    with (
        module._held(tmp_path / "o"),
        pytest.raises(UsageError, match="another sweep is running in it"),
    ):
        sweep(str(tiny_recipe), str(space), phantoms, tmp_path / "o", trials=1)


def _begun(recipe: Path, space: Path, data: Path, out: Path, trials: int) -> subprocess.Popen:
    """The command in a session of its own, so that all its processes can be killed at one stroke."""
    words = ["sweep", recipe, "--space", space, "--data", data, "--out", out, "--trials", trials]
    words += ["--at-once", 2, "--quiet", "--set", "model.backbone=resnet10t", "--set", "model.weights=none"]
    words += ["--set", "training.epochs=4"]
    call = "import sys; from hilum.apps.cli import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", call, *map(str, words)]
    return subprocess.Popen(
        command, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def _waited(out: Path, enough, process: subprocess.Popen) -> list[TrialFolder]:
    """The trials at the first moment at which they are enough."""
    for _ in range(3000):
        trials = trials_in(out)
        if enough(trials):
            return trials
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    raise AssertionError(f"never came so far: {[(t.path.name, t.state) for t in trials_in(out)]}")


@pytest.mark.slow
@pytest.mark.parametrize("killed", ["the whole session", "the command alone"])
def test_a_killed_sweep_goes_on(
    killed: str, tiny_recipe: Path, phantoms: Path, space: Path, tmp_path: Path
) -> None:
    """SIGKILL in the middle: done trials stay as they are, begun ones go on after their last epoch."""
    out = tmp_path / "sweep"
    process = _begun(tiny_recipe, space, phantoms, out, 4)
    before = _waited(
        out,
        lambda trials: any(t.done for t in trials) and any(t.history and not t.done for t in trials),
        process,
    )
    if killed == "the whole session":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()
    for stream in (process.stdout, process.stderr):
        assert stream is not None
        stream.close()
    histories = {t.path.name: t.history for t in before}
    again = _begun(tiny_recipe, space, phantoms, out, 4)
    told, complaints = again.communicate(timeout=900)
    assert again.returncode == 0, complaints
    assert "best val_auroc: 000" in told
    after = {t.path.name: t for t in trials_in(out)}
    assert len(after) == 4
    assert all(t.done for t in after.values())
    for trial in before:
        now = after[trial.path.name].history
        assert now[: len(histories[trial.path.name])] == histories[trial.path.name]
        if trial.done:
            assert len(now) == len(histories[trial.path.name])
    assert len({json.dumps(dict(t.values)) for t in after.values()}) == 4
    assert not (out / ".ray").exists()
    assert len(list(out.glob("trials/*/report.html"))) == 1
