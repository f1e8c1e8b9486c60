"""One trial: an ordinary run folder, one report an epoch, and what is left after a stop or a failure."""

from pathlib import Path

import pytest

pytest.importorskip("ray")
pytest.importorskip("optuna")

from ray import tune

from hilum import recipe as recipes
from hilum.distribute.record import TrialFolder, new_trial, read_trial
from hilum.distribute.trial import Job, run_trial
from hilum.errors import HilumError
from hilum.study import stage

RATE = "training.learning_rate"
SPACE = f"{RATE} = {{ log_uniform = [1e-5, 1.0] }}"


class _Stopped(BaseException):
    """What ends a process from without."""


@pytest.fixture
def job(tiny_recipe: Path, phantoms: Path) -> Job:
    recipe = recipes.load(str(tiny_recipe), {"model.backbone": "resnet10t", "model.weights": "none"})
    return Job(recipes.toml_from(recipe), SPACE, str(phantoms))


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    reports: list[dict] = []
    monkeypatch.setattr(tune, "report", reports.append)
    return reports


def _run(trial: TrialFolder, job: Job) -> TrialFolder:
    run_trial({"folder": str(trial.path)}, job)
    return read_trial(trial.path)


def test_a_trial_is_a_run_that_tells_of_every_epoch(job: Job, told: list[dict], tmp_path: Path) -> None:
    done = _run(new_trial(tmp_path, {RATE: 2e-3}), job)
    assert done.state == "finished"
    assert [report["epochs"] for report in told] == [1, 2]
    assert told[-1]["figure"] == max(entry["val_auroc"] for entry in done.history)
    assert recipes.load(str(done.path / "recipe.toml")).training.learning_rate == 2e-3
    assert (done.path / "weights.safetensors").is_file()
    stage("explain", done.path)
    assert (done.path / "probabilities.csv").is_file()
    told.clear()
    done.save(state="running")  # killed between the last epoch and this word
    assert _run(done, job).state == "finished"
    assert [report["epochs"] for report in told] == [1, 2]


def test_a_stopped_trial_goes_on_where_it_was(
    job: Job, told: list[dict], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(_report: dict) -> None:
        raise _Stopped

    trial = new_trial(tmp_path, {RATE: 2e-3})
    with monkeypatch.context() as patch:
        patch.setattr(tune, "report", stop)
        with pytest.raises(_Stopped):
            _run(trial, job)
    assert (read_trial(trial.path).state, len(trial.history)) == ("running", 1)
    first = trial.history[0]
    stage("train", trial.path)  # by hand, as any run
    assert len(trial.history) == 2
    assert trial.history[0] == first
    assert _run(trial, job).state == "finished"


def test_a_trial_that_fails_says_why(job: Job, told: list[dict], tmp_path: Path) -> None:
    trial = new_trial(tmp_path, {RATE: -1.0})
    with pytest.raises(HilumError):
        _run(trial, job)
    failed = read_trial(trial.path)
    assert (failed.state, told) == ("failed", [])
    assert failed.reason.startswith("usage: ")
