"""Learning rates and stopping, by hand."""

import math

import pytest

from hilum.training.schedule import best_epoch, constant, one_cycle, plateau, should_stop


def test_one_cycle_rises_then_falls() -> None:
    rates = [one_cycle(share / 100, []) for share in range(101)]
    assert rates[0] == pytest.approx(0.04)
    assert max(rates) == rates[30] == pytest.approx(1.0)
    assert rates[100] == pytest.approx(0.0)
    assert rates[:31] == sorted(rates[:31])
    assert rates[30:] == sorted(rates[30:], reverse=True)


def test_constant_is_constant() -> None:
    assert constant(0.5, [0.1, 0.0]) == 1.0


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
    assert plateau(2, 0.5)(0.0, history) == 0.5**cuts


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
