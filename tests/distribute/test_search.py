"""What is tried next and what is stopped: repeats, interrupted trials, rungs that outlive a kill."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("ray")
pytest.importorskip("optuna")

from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from hilum.distribute.record import TrialFolder, new_trial, read_trial, trials_in
from hilum.distribute.search import DIED, Search, halving
from hilum.recipe.space import Space, parsed

RATE = "training.learning_rate"
RATES = parsed(f"{RATE} = {{ log_uniform = [1e-5, 1e-1] }}", "it")
CHOICES = parsed("training.seed = { choice = [0, 1, 2] }", "it")


def _search(space: Space, out: Path, monitor: str = "val_auroc", seed: int = 0) -> Search:
    return Search(space, out, monitor, trials_in(out), seed, lambda: None)


def _folder(given: dict | None) -> TrialFolder:
    assert given is not None
    return read_trial(Path(given["folder"]))


def _with_history(trial: TrialFolder, *figures: float) -> TrialFolder:
    lines = [json.dumps({"epoch": n, "val_auroc": figure}) for n, figure in enumerate(figures)]
    (trial.path / "history.jsonl").write_text("\n".join(lines) + "\n")
    return trial


def test_every_suggestion_has_its_folder_and_lies_in_the_space(tmp_path: Path) -> None:
    search = _search(RATES, tmp_path)
    trials = [_folder(search.suggest(str(n))) for n in range(5)]
    assert [trial.path.name for trial in trials] == ["0001", "0002", "0003", "0004", "0005"]
    assert all(1e-5 <= trial.values[RATE] <= 1e-1 for trial in trials)
    assert len({trial.values[RATE] for trial in trials}) == 5


def test_the_seed_decides(tmp_path: Path) -> None:
    drawn = [
        _folder(_search(RATES, tmp_path / str(n), seed=seed).suggest("a")) for n, seed in enumerate((0, 0, 1))
    ]
    first, again, other = (trial.values[RATE] for trial in drawn)
    assert first == again != other


def test_a_continued_sweep_draws_on(tmp_path: Path) -> None:
    """The same seed anew would draw the same values anew."""
    first = _folder(_search(RATES, tmp_path).suggest("a"))
    _with_history(first, 0.6).save(state="finished")
    second = _folder(_search(RATES, tmp_path).suggest("a"))
    assert second.path.name == "0002"
    assert second.values != first.values


def test_an_interrupted_trial_comes_first_in_its_own_folder(tmp_path: Path) -> None:
    search = _search(RATES, tmp_path)
    done, cut = _folder(search.suggest("a")), _folder(search.suggest("b"))
    _with_history(done, 0.6).save(state="finished")
    again = _search(RATES, tmp_path)
    assert _folder(again.suggest("c")).path == cut.path
    again.on_trial_complete("c", {"figure": 0.7})
    assert read_trial(cut.path).state == "stopped"
    assert _folder(again.suggest("d")).path.name == "0003"


def test_what_was_tried_is_not_tried_again(tmp_path: Path) -> None:
    search = _search(CHOICES, tmp_path)
    seeds = []
    for n in range(3):
        trial = _folder(search.suggest(str(n)))
        seeds.append(trial.values["training.seed"])
        _with_history(trial, 0.6).save(state="finished")
        search.on_trial_complete(str(n), {"figure": 0.6})
    assert sorted(seeds) == [0, 1, 2]
    assert search.suggest("3") == Searcher.FINISHED
    assert _search(CHOICES, tmp_path).suggest("4") == Searcher.FINISHED


@pytest.mark.parametrize(
    ("before", "error", "after", "reason"),
    [
        ("running", False, "stopped", ""),
        ("finished", False, "finished", ""),
        ("failed", True, "failed", ""),
        ("running", True, "running", DIED),  # its worker died: it goes on next time
    ],
)
def test_what_became_of_a_trial(tmp_path: Path, before: str, error: bool, after: str, reason: str) -> None:
    told: list[int] = []
    search = Search(RATES, tmp_path, "val_auroc", [], 0, lambda: told.append(1))
    trial = _folder(search.suggest("a")).save(state=before)
    search.on_trial_complete("a", None if error else {"figure": 0.6}, error=error)
    assert (read_trial(trial.path).state, read_trial(trial.path).reason) == (after, reason)
    assert told == [1]


def test_earlier_trials_teach_the_sampler(tmp_path: Path) -> None:
    """Where high rates did well before, later draws lie high."""
    for n in range(30):
        rate = 10 ** (-5 + 4 * n / 29)
        _with_history(new_trial(tmp_path, {RATE: rate}), n / 30).save(state="finished")
    search = _search(RATES, tmp_path)
    drawn = [_folder(search.suggest(str(n))).values[RATE] for n in range(10)]
    assert sum(rate > 1e-3 for rate in drawn) >= 8


def _decision(scheduler: TrialScheduler, name: str, *figures: float) -> str:
    trial = SimpleNamespace(trial_id=name)
    scheduler.on_trial_add(None, trial)
    for n, figure in enumerate(figures, start=1):
        decision = scheduler.on_trial_result(None, trial, {"epochs": n, "figure": figure})
        if decision == TrialScheduler.STOP:
            return f"stopped at {n}"
    return "went on"


def test_a_bad_trial_is_stopped_and_a_good_one_is_not() -> None:
    scheduler = halving(9, "val_auroc", [])
    assert [_decision(scheduler, name, *[0.7] * 9) for name in "ab"] == ["went on", "went on"]
    assert _decision(scheduler, "c", 0.6) == "stopped at 1"
    assert _decision(scheduler, "d", 0.8, 0.8, 0.6) == "stopped at 3"


def test_a_small_loss_is_good() -> None:
    scheduler = halving(9, "val_loss", [])
    assert _decision(scheduler, "a", 0.3, 0.3, 0.3) == "went on"
    assert _decision(scheduler, "b", 0.4) == "stopped at 1"
    assert _decision(scheduler, "c", 0.2, 0.2, 0.2) == "went on"


def test_trials_of_earlier_commands_set_the_bar(tmp_path: Path) -> None:
    for figures in ((0.7, 0.7), (0.8, 0.8)):
        _with_history(new_trial(tmp_path, {}), *figures).save(state="finished")
    assert _decision(halving(9, "val_auroc", trials_in(tmp_path)), "a", 0.6) == "stopped at 1"
    assert _decision(halving(9, "val_auroc", []), "a", 0.6) == "went on"


@pytest.mark.parametrize("epochs", [2, 3, 10, 30])
def test_nobody_is_stopped_after_the_last_epoch(epochs: int) -> None:
    scheduler = halving(epochs, "val_auroc", [])
    for name in "abc":
        _decision(scheduler, name, *[0.9] * epochs)
    late = [0.9] * (epochs - 1) + [0.9]
    assert _decision(scheduler, "d", *late) == "went on"
    trial = SimpleNamespace(trial_id="e")
    scheduler.on_trial_add(None, trial)
    assert (
        scheduler.on_trial_result(None, trial, {"epochs": epochs, "figure": 0.9}) == TrialScheduler.CONTINUE
    )


def test_one_epoch_leaves_nothing_to_stop() -> None:
    assert type(halving(1, "val_auroc", [])) is FIFOScheduler
