"""Learning rates and stopping, by hand."""

import math

import pytest

from hilum.training.schedule import (
    best_epoch,
    constant,
    gradual,
    one_cycle,
    plateau,
    schedule_from,
    should_stop,
    step,
    unfreezing_from,
)


def test_one_cycle_rises_then_falls() -> None:
    rates = [one_cycle(share / 100, 0, []) for share in range(101)]
    assert rates[0] == pytest.approx(0.04)
    assert max(rates) == rates[30] == pytest.approx(1.0)
    assert rates[100] == pytest.approx(0.0)
    assert rates[:31] == sorted(rates[:31])
    assert rates[30:] == sorted(rates[30:], reverse=True)


def test_constant_is_constant() -> None:
    assert constant(0.5, 3, [0.1, 0.0]) == 1.0


@pytest.mark.parametrize(
    ("history", "cuts"),
    [
        ([], 0),
        ([0.5], 0),
        ([0.5, 0.4], 0),
        ([0.5, 0.5, 0.5], 1),  # equal is no improvement
        ([0.5, 0.4, 0.4, 0.4, 0.4], 2),  # the wait starts anew after a cut
        ([0.5, 0.4, 0.6, 0.5], 0),
    ],
)
def test_plateau_cuts_after_its_patience(history: list[float], cuts: int) -> None:
    assert plateau(0.0, len(history), history, 2.0, 0.5) == 0.5**cuts


@pytest.mark.parametrize(
    ("history", "stops"),
    [
        ([], False),
        ([0.5], False),
        ([0.5, 0.4], False),
        ([0.5, 0.4, 0.4], True),
        ([math.nan, 0.4, 0.5], False),
    ],
)
def test_stops_after_its_patience(history: list[float], stops: bool) -> None:
    assert should_stop(history, patience=2) is stops


def test_nan_is_never_the_best_and_the_first_of_equals_is() -> None:
    assert best_epoch([math.nan, 0.4, 0.4]) == 1


def test_step_falls_at_its_epochs() -> None:
    assert [step(0.0, epoch, [], 20.0, 0.1) for epoch in (0, 19, 20, 40)] == pytest.approx([1, 1, 0.1, 0.01])


def test_warm_up_is_a_line_and_multiplies_the_schedule() -> None:
    scale = schedule_from("step(1, 0.5)", warmup=0.2)
    assert [scale(share, 0, []) for share in (0.0, 0.1, 0.2)] == pytest.approx([0.0, 0.5, 1.0])
    assert scale(0.1, 1, []) == pytest.approx(0.25)


@pytest.mark.parametrize("text", ["nonsense", "plateau(0)", "step(0.5)", "step(1, 2, 3)", "constant(1)"])
def test_a_schedule_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"unknown schedule|whole number|numbers"):
        schedule_from(text)


def test_gradual_unfreezing_as_the_capsule_paper_does_it() -> None:
    opened = [gradual(6, epoch, 4.0, 0.2) for epoch in range(8)]
    assert opened == [(1, 1.0, 0)] * 4 + [(2, 0.2, 0), (3, 0.2, 0), (4, 0.2, 0), (5, 0.2, 0)]
    with pytest.raises(ValueError, match="whole number"):
        unfreezing_from("gradual(0)")
