"""Verdicts of every kind of claim, worked by hand from draws whose percentiles are known."""

import numpy as np
import pytest

from hilum.evaluate.claims import CLAIMS, claim_from, judge

STEPS = np.linspace(-1.0, 1.0, 201)
"""Of which the 2.5th and the 97.5th percentile are -0.95 and 0.95."""

CASES = {
    # a difference of 0.1, its interval 0.1 +- half
    "better": [
        ("better", [0.6], [0.5], 0.05, "holds", 0.1),
        ("better", [0.6], [0.5], 0.2, "undecided", 0.1),
        ("better", [0.5], [0.6], 0.05, "does not hold", -0.1),
        ("better", [0.6, 0.4], [0.5], 0.05, "does not hold", -0.1),  # one pair is enough
        ("better", [0.7, 0.6], [0.5, 0.4], 0.05, "holds", 0.1),  # the least of four
        ("better", [0.5], [0.5], 0.0, "undecided", 0.0),
        ("better(0.2)", [0.5], [0.6], 0.05, "holds", -0.1),
        ("better(0.1)", [0.5], [0.6], 0.05, "undecided", -0.1),
        ("better(0.01)", [0.5], [0.6], 0.05, "does not hold", -0.1),
    ],
    "at_least": [
        ("at_least(2)", [0.6, 0.7, 0.3], [0.5], 0.05, "holds", 2.0),
        ("at_least(3)", [0.6, 0.7, 0.3], [0.5], 0.05, "does not hold", 2.0),
        ("at_least(2)", [0.6, 0.52, 0.3], [0.5], 0.05, "undecided", 2.0),
        ("at_least(1)", [0.51, 0.49, 0.5], [0.5], 0.05, "undecided", 1.0),  # luck alone lifts one of many
        ("at_least(1)", [0.3, 0.4], [0.5], 0.05, "does not hold", 0.0),
        # of 201 differences three are not above 0, so p is 2 x 4 / 202 = 0.040: enough for a pair alone, ...
        ("at_least(1)", [0.6], [0.5], 0.1025, "holds", 1.0),
        ("better", [0.6, 0.6], [0.5], 0.1025, "holds", 0.1),  # ... which every pair is asked for here, ...
        ("at_least(1)", [0.6, 0.6], [0.5], 0.1025, "undecided", 2.0),  # ... but 0.079 for the best of two
        # none not above: p is 2 / 202, and no more than five pairs keep five of it below 0.05
        ("at_least(5)", [0.6] * 5, [0.5], 0.05, "holds", 5.0),
        ("at_least(1)", [0.6] * 6, [0.5], 0.05, "undecided", 6.0),
        ("at_least(1)", [0.4] * 5, [0.5], 0.05, "does not hold", 0.0),
        ("at_least(1)", [0.4] * 6, [0.5], 0.05, "undecided", 0.0),
        # Holm's second step: the best pair passes at 3 x 0.0099, then 0.0198 is taken twice, not three times
        ("at_least(2)", [0.7, 0.603, 0.5], [0.5], 0.1035, "holds", 2.0),
    ],
    "similar": [
        ("similar(0.2)", [0.6], [0.5], 0.05, "holds", 0.1),
        ("similar(0.2)", [0.5], [0.6], 0.05, "holds", -0.1),
        ("similar(0.01)", [0.6], [0.5], 0.05, "does not hold", 0.1),
        ("similar(0.01)", [0.5], [0.6], 0.05, "does not hold", -0.1),
        ("similar(0.1)", [0.6], [0.5], 0.05, "undecided", 0.1),
    ],
    "ratio": [
        ("ratio(0.4, 0.7)", [0.2, 0.3], [0.5], 0.05, "holds", 0.5),
        ("ratio(0.55, 0.7)", [0.25], [0.5], 0.05, "undecided", 0.5),
        ("ratio(0.7, 0.8)", [0.25], [0.5], 0.05, "does not hold", 0.5),
        ("ratio(0.1, 0.2)", [0.25], [0.5], 0.05, "does not hold", 0.5),
    ],
    "more_spread": [
        ("more_spread", [0.1, 0.9, 0.4], [0.5, 0.6], 0.05, "holds", 0.7),
        ("more_spread", [0.5, 0.6], [0.1, 0.9], 0.05, "does not hold", -0.7),
        ("more_spread", [0.5, 0.6], [0.3, 0.4], 0.05, "undecided", 0.0),
    ],
}


def _judged(kind, first, second, half, **more):
    """Only the highest of the first sides is redrawn, by `half` either way; the second stand still."""
    first, second = np.array(first, float), np.array(second, float)
    moved = (first == first.max()) if kind.startswith("more_spread") else np.ones(len(first))
    first_draws = first + half * STEPS[:, None] * moved
    return judge(kind, first, second, first_draws, np.tile(second, (201, 1)), **{"n_behind": 50, **more})


def test_every_kind_is_worked() -> None:
    assert set(CASES) == set(CLAIMS)


@pytest.mark.parametrize("case", [case for cases in CASES.values() for case in cases], ids=str)
def test_a_verdict(case) -> None:
    *given, word, value = case
    found = _judged(*given)
    assert found.verdict == word
    assert found.value == pytest.approx(value)
    assert found.low <= found.value <= found.high
    assert found.reason == ""


def test_the_interval_is_that_of_the_pair_that_decides() -> None:
    found = _judged("better", [0.9, 0.6], [0.5], 0.1)
    assert (found.low, found.high) == (pytest.approx(0.1 - 0.095), pytest.approx(0.1 + 0.095))
    assert found.n_pairs == 2
    found = _judged("ratio(0, 9)", [0.25], [0.5], 0.1)
    assert (found.low, found.high) == (pytest.approx(0.155 / 0.5), pytest.approx(0.345 / 0.5))


def test_only_named_pairs_are_compared() -> None:
    ordered = np.array([[True, False], [False, True]])
    assert _judged("better", [0.3, 0.9], [0.2, 0.8], 0.01).verdict == "does not hold"
    found = _judged("better", [0.3, 0.9], [0.2, 0.8], 0.01, compared=ordered)
    assert (found.verdict, found.n_pairs) == ("holds", 2)


def test_what_patients_share_falls_out() -> None:
    shared = 10 * STEPS[:, None]
    found = judge("better", np.array([0.6]), np.array([0.5]), 0.6 + shared, 0.5 + shared, n_behind=50)
    assert found.verdict == "holds"


@pytest.mark.parametrize(
    ("first", "more", "reason"),
    [
        ([0.6], {"n_behind": 4}, "fewer than 5"),
        ([np.nan], {}, "a score is undefined"),
        ([0.6], {"compared": np.zeros((1, 1), bool)}, "nothing to compare"),
    ],
)
def test_where_nothing_can_be_said(first, more, reason: str) -> None:
    found = _judged("better", first, [0.5], 0.01, **more)
    assert found.verdict == "undecided"
    assert reason in found.reason
    assert np.isnan(found.value)
    assert found.n_pairs == 0


@pytest.mark.parametrize("kind", ["better", "at_least(1)", "similar(0.5)", "ratio(0, 9)", "more_spread"])
def test_draws_that_are_mostly_undefined_decide_nothing(kind: str) -> None:
    draws = np.tile([0.6, 0.7], (201, 1))
    draws[:150, 1] = np.nan
    still = np.tile([0.5, 0.5], (201, 1))
    found = judge(kind, np.array([0.6, 0.7]), np.array([0.5, 0.5]), draws, still, n_behind=50)
    assert (found.verdict, found.reason) == ("undecided", "undefined in half of the redrawn cohorts")
    draws[60:] = [0.6, 0.7]
    assert judge(kind, np.array([0.6, 0.7]), np.array([0.5, 0.5]), draws, still, n_behind=50).reason == ""


def test_a_ratio_over_nothing_is_undefined() -> None:
    zero = np.zeros((201, 1))
    found = judge("ratio(0, 1)", np.array([0.5]), np.zeros(1), zero + 0.5, zero, n_behind=50)
    assert found.verdict == "undecided"


@pytest.mark.parametrize("kind", ["best", "similar", "ratio(1)", "better(2, 3)", "similar(wide)"])
def test_other_kinds_are_refused(kind: str) -> None:
    with pytest.raises(ValueError, match="kind of claim"):
        claim_from(kind)
