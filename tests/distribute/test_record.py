"""Trials on disk: numbered, read back, told to the page."""

from pathlib import Path

from hilum.distribute.record import new_trial, read_trial, trials_in


def test_trials_are_numbered_in_the_order_of_their_beginning(tmp_path: Path) -> None:
    assert trials_in(tmp_path) == []
    made = [new_trial(tmp_path, {"training.seed": seed}) for seed in (3, 1)]
    assert [trial.path.name for trial in made] == ["0001", "0002"]
    assert trials_in(tmp_path) == made
    made[0].save(state="failed", reason="diverged")
    again = read_trial(made[0].path)
    assert (again.state, again.reason, again.values, again.done) == (
        "failed",
        "diverged",
        {"training.seed": 3},
        True,
    )


def test_a_trial_without_an_epoch_is_interrupted(tmp_path: Path) -> None:
    trial = new_trial(tmp_path, {})
    assert not trial.done
    assert (trial.told.state, trial.told.history) == ("interrupted", [])


def test_the_history_is_that_of_the_run(tmp_path: Path) -> None:
    trial = new_trial(tmp_path, {"a.b": 0.1}).save(state="stopped")
    (trial.path / "history.jsonl").write_text('{"epoch": 0.0, "val_auroc": 0.5}\n')
    assert trial.told.state == "stopped"
    assert trial.told.figure("val_auroc") == 0.5


def test_drawn_numbers_come_back_to_the_last_digit(tmp_path: Path) -> None:
    values = {"training.learning_rate": 0.1 + 0.2, "model.name.k": 1, "training.flip": True, "a.b": "c"}
    assert read_trial(new_trial(tmp_path, values).path).values == values
