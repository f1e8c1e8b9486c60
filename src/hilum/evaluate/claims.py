"""Scores of the sides that a claim compares, and of redrawn cohorts, in; whether the claim holds out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from hilum.evaluate.bootstrap import interval
from hilum.evaluate.comparison import holm, p_from
from hilum.evaluate.summary import MIN_BEHIND
from hilum.lookup import call

LEVEL = 0.05
"""Below so small a p a difference is taken for one, as where its 95 % interval does not hold 0."""

Word = Literal["holds", "does not hold", "undecided"]


@dataclass(frozen=True)
class Verdict:
    """What became of a claim.

    Attributes:
        verdict: "undecided" where the interval allows both, or where nothing can be said.
        value: The figure of the claim's kind, of the pair that decides where there are several; NaN
            where there is none.
        low: Lower end of its 95 % interval over redrawn patients.
        high: Upper end.
        n_pairs: Pairs of sides that were compared; 0 where nothing was.
        reason: Why nothing can be said; empty otherwise.
    """

    verdict: Word
    value: float
    low: float
    high: float
    n_pairs: int
    reason: str = ""


@dataclass(frozen=True)
class Sides:
    """Scores of both groups of sides, larger is better, and the same in each redrawn cohort.

    Attributes:
        first: Said to be better, or alike, or to spread more.
        second: Than these.
        first_draws: From the same redrawn patients as `second_draws`.
        second_draws: See there.
        pairs: Places in first and second that are compared.
    """

    first: Float[np.ndarray, " a"]
    second: Float[np.ndarray, " b"]
    first_draws: Float[np.ndarray, "draws a"]
    second_draws: Float[np.ndarray, "draws b"]
    pairs: Int[np.ndarray, "p 2"]

    @property
    def gaps(self) -> tuple[Float[np.ndarray, " p"], Float[np.ndarray, "draws p"]]:
        """First less second of each pair, and in each redrawn cohort."""
        i, j = self.pairs.T
        return self.first[i] - self.second[j], self.first_draws[:, i] - self.second_draws[:, j]


def better(sides: Sides, margin: float = 0.0) -> Verdict:
    """Every first side is above every second side it is compared with; the figure is the least difference.

    Holds where the interval of every pair lies above 0, so that no correction for several pairs is due; does
    not hold where that of any pair lies below 0. A margin moves the 0 down: no worse than that much.
    """
    values, draws = sides.gaps
    low, high = interval(draws)
    holds, fails = (low > -margin).all(), (high < -margin).any()
    return _verdict(values, low, high, int(np.argmin(values)), holds, fails)


def at_least(sides: Sides, n: float) -> Verdict:
    """The first side is above the second in at least `n` of the pairs; the figure is how many they are.

    Its ends are the pairs that are above with a corrected p below 0.05, and those that are not below with
    one: a count in each redrawn cohort would find some above wherever there are many pairs, and so would
    intervals of the pairs one by one. `p_from` gives each p, `holm` corrects them as one family, so that the
    chance of one wrong pair at either end is at most 5 %. The
    least corrected p is 2 pairs / (draws + 1): fewer than 40 draws a pair decide nothing.

    Source: Holm, Scandinavian Journal of Statistics 1979.
    """
    values, draws = sides.gaps
    p = holm(p_from(draws))
    up = (draws > 0).sum(axis=0) > (draws < 0).sum(axis=0)
    defined = ~np.isnan(p)  # an undefined pair leaves the counts undefined
    sure = float(np.where(defined, (p < LEVEL) & up, np.nan).sum())
    possible = float(np.where(defined, (p >= LEVEL) | up, np.nan).sum())
    return Verdict(_word(sure >= n, possible < n), float((values > 0).sum()), sure, possible, len(values))


def similar(sides: Sides, margin: float) -> Verdict:
    """No pair differs by more than `margin`; the figure is the greatest difference.

    Holds where the interval of every pair lies within the margin; does not hold where that of any lies
    wholly outside.
    """
    values, draws = sides.gaps
    low, high = interval(draws)
    within, outside = (low >= -margin) & (high <= margin), (low > margin) | (high < -margin)
    return _verdict(values, low, high, int(np.argmax(np.abs(values))), within.all(), outside.any())


def ratio(sides: Sides, low: float, high: float) -> Verdict:
    """Mean of the first sides over mean of the second lies between `low` and `high`.

    Holds where all of its interval does; does not hold where none does.
    """
    value = _over(sides.first, sides.second)
    ends = interval(_over(sides.first_draws, sides.second_draws)[:, None])
    least, most = float(ends[0][0]), float(ends[1][0])
    word = _word(low <= least and most <= high, most < low or least > high)
    return Verdict(word, float(value), least, most, len(sides.pairs))


def more_spread(sides: Sides) -> Verdict:
    """The first sides lie further apart than the second; the figure is the difference of their ranges.

    The range of redrawn scores is wider than that of the scores, more so for more sides.
    """
    value = float(np.ptp(sides.first) - np.ptp(sides.second))
    draws = np.ptp(sides.first_draws, axis=1) - np.ptp(sides.second_draws, axis=1)
    ends = interval(draws[:, None])
    low, high = float(ends[0][0]), float(ends[1][0])
    return Verdict(_word(low > 0, high < 0), value, low, high, len(sides.pairs))


CLAIMS: dict[str, Callable[..., Verdict]] = {
    "better": better,
    "at_least": at_least,
    "similar": similar,
    "ratio": ratio,
    "more_spread": more_spread,
}
"""Kinds of claims."""


def claim_from(kind: str) -> Callable[[Sides], Verdict]:
    """The function of a kind, with its numbers bound.

    Raises:
        ValueError: No such kind, or other numbers than it takes.

    Example:
        >>> claim_from("beter")
        Traceback (most recent call last):
        ValueError: unknown kind of claim 'beter'; did you mean 'better'? known: at_least, better, ...
    """
    return call(CLAIMS, kind, "kind of claim", n_given=1)


def judge(
    kind: str,
    first_values: Float[np.ndarray, " a"],
    second_values: Float[np.ndarray, " b"],
    first_draws: Float[np.ndarray, "draws a"],
    second_draws: Float[np.ndarray, "draws b"],
    *,
    n_behind: int,
    compared: Bool[np.ndarray, "a b"] | None = None,
) -> Verdict:
    """Whether a claim holds, by 95 % intervals over redrawn patients.

    Args:
        kind: Call of `CLAIMS`: "better", "similar(0.02)".
        first_values: Scores of the first sides; larger is better.
        second_values: Of the second.
        first_draws: Scores in each redrawn cohort.
        second_draws: From the same redrawn patients.
        n_behind: Box entries, or positive films, behind the score that has fewest.
        compared: Which first side is compared with which second; None for each with each.

    Returns:
        "undecided" with a reason where a score is undefined, fewer than 5 entries are behind one, or half of
        the redrawn cohorts leave the figure undefined.

    Raises:
        ValueError: No such kind.

    Example:
        >>> drawn = np.linspace(-0.01, 0.01, 101)[:, None]
        >>> judge("better", np.array([0.6]), np.array([0.5]), 0.6 + drawn, 0.5 - drawn, n_behind=40).verdict
        'holds'
    """
    claim = claim_from(kind)
    if compared is None:
        compared = np.ones((len(first_values), len(second_values)), bool)
    pairs = np.argwhere(compared)
    if not len(pairs):
        return unjudged("nothing to compare")
    if np.isnan(first_values).any() or np.isnan(second_values).any():
        return unjudged("a score is undefined")
    if n_behind < MIN_BEHIND:
        return unjudged(f"fewer than {MIN_BEHIND} behind a score")
    found = claim(Sides(first_values, second_values, first_draws, second_draws, pairs))
    if not np.isfinite([found.value, found.low, found.high]).all():
        return unjudged("undefined in half of the redrawn cohorts")
    return found


def unjudged(reason: str) -> Verdict:
    """Nothing can be said."""
    return Verdict("undecided", np.nan, np.nan, np.nan, 0, reason)


def _verdict(
    values: Float[np.ndarray, " p"],
    low: Float[np.ndarray, " p"],
    high: Float[np.ndarray, " p"],
    shown: int,
    holds: np.bool_,
    fails: np.bool_,
) -> Verdict:
    """A verdict over all pairs, with the figures of one; undefined where any pair's interval is."""
    if np.isnan(low).any():
        shown = int(np.argmax(np.isnan(low)))
    ends = float(low[shown]), float(high[shown])
    return Verdict(_word(bool(holds), bool(fails)), float(values[shown]), *ends, len(values))


def _word(holds: bool, fails: bool) -> Word:
    if holds:
        return "holds"
    return "does not hold" if fails else "undecided"


def _over(first: Float[np.ndarray, "*d a"], second: Float[np.ndarray, "*d b"]) -> np.ndarray:
    """Mean over mean; NaN where the second is 0."""
    above, below = first.mean(axis=-1), second.mean(axis=-1)
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below != 0)
