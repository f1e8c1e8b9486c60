"""Where to cut probabilities, chosen on validation films, and what the cuts do on other films.

A cut means p >= cut. Tied films stand on the same side of every cut.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from hilum.evaluate.bootstrap import interval, sum_draws
from hilum.evaluate.classification import counts, known
from hilum.evaluate.summary import several_patients
from hilum.lookup import call


@dataclass(frozen=True)
class OperatingPoint:
    """The cut of each finding.

    Attributes:
        name: How it was chosen, a call of `OPERATING_POINTS`.
        cut: Probability of a validation film; NaN where there is no such point.
        missing: Why there is none, for each finding; empty where there is one.
    """

    name: str
    cut: Float[np.ndarray, " f"]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Rates:
    """What cuts do, a row for each of `RATES` in its order, a column for each finding.

    Attributes:
        value: Shares; NaN where nothing is there to divide by, or there is no cut.
        low: Lower end of the 95 % interval; NaN where fewer than 5 films or 2 patients are divided by.
        high: Upper end.
        n: Films that are divided by: positives, negatives, films called, films not called, all, all.
        draws_left_out: Redrawn cohorts in which the rate is undefined.
    """

    value: Float[np.ndarray, "r f"]
    low: Float[np.ndarray, "r f"]
    high: Float[np.ndarray, "r f"]
    n: Int[np.ndarray, "r f"]
    draws_left_out: Int[np.ndarray, "r f"]


def youden(called: Float[np.ndarray, "k 2"]) -> int | None:
    """The cut with the greatest sensitivity + specificity - 1; the highest of several.

    Source: Youden, Cancer 1950.

    Args:
        called: Films with and without the finding at or above each distinct probability, falling.
    """
    n_positive, n_negative = called[-1]
    # whole numbers: shares would part cuts that tie
    return int(np.argmax(called[:, 0] * n_negative - called[:, 1] * n_positive))


def sensitivity(called: Float[np.ndarray, "k 2"], least: float) -> int | None:
    """The highest cut that calls at least this share of the films with the finding."""
    _refuse_no_share("sensitivity", least)
    return int(np.argmax(called[:, 0] / called[-1, 0] >= least))


def ppv(called: Float[np.ndarray, "k 2"], least: float) -> int | None:
    """The lowest cut at which at least this share of the called films have the finding."""
    _refuse_no_share("ppv", least)
    reached = np.flatnonzero(called[:, 0] / called.sum(axis=1) >= least)
    return int(reached[-1]) if len(reached) else None


OPERATING_POINTS: dict[str, Callable[..., int | None]] = {
    "ppv": ppv,
    "sensitivity": sensitivity,
    "youden": youden,
}

RATES: dict[str, tuple[int, tuple[int, ...]]] = {
    "sensitivity": (0, (0, 2)),
    "specificity": (3, (1, 3)),
    "ppv": (0, (0, 1)),
    "npv": (3, (2, 3)),
    "prevalence": (4, (0, 1, 2, 3)),
    "called": (5, (0, 1, 2, 3)),
}
"""Above the line and, summed, below it: columns of true positives, false positives, false negatives, true
negatives, all with the finding, all called. The share of films called is the sensitivity of a blind guess."""


def operating_point(
    name: str, probabilities: Float[np.ndarray, "n f"], labels: Float[np.ndarray, "n f"]
) -> OperatingPoint:
    """The cut of each finding, chosen on these films; give it validation films.

    Args:
        name: A call of `OPERATING_POINTS`: "youden", "sensitivity(0.9)", "ppv(0.8)".
        probabilities: A film with NaN is left out of that finding.
        labels: 1, 0, or NaN for a film that is left out of that finding.

    Raises:
        ValueError: No such point, or a share outside (0, 1].

    Example:
        >>> validation = np.array([[0.9], [0.6], [0.4], [0.1]]), np.array([[1.0], [0.0], [1.0], [0.0]])
        >>> operating_point("ppv(0.6)", *validation).cut
        array([0.4])
        >>> operating_point("ppv(0.6)", validation[0], 0 * validation[1]).missing
        ('one label value only on these films',)
    """
    choose = call(OPERATING_POINTS, name, "operating point", n_given=1)
    choose(np.ones((1, 2)))  # a wrong number is named even where no finding can be cut
    labels = known(probabilities, labels)
    cut, missing = np.full(labels.shape[1], np.nan), [""] * labels.shape[1]
    for column, truth in enumerate(labels.T):
        rows = ~np.isnan(truth)
        distinct, positive, negative = counts(probabilities[rows, column], truth[rows] == 1)
        if not (positive.any() and negative.any()):
            missing[column] = "one label value only on these films"
            continue
        called = np.stack([positive, negative], axis=1).cumsum(axis=0).astype(float)
        place = choose(called)
        if place is None:
            best = (called[:, 0] / called.sum(axis=1)).max()
            missing[column] = f"{name} is not reached on these films; the most is {best:.3g}"
        else:
            cut[column] = distinct[place]
    return OperatingPoint(name, cut, tuple(missing))


def rates(
    cut: Float[np.ndarray, " f"], probabilities: Float[np.ndarray, "n f"], labels: Float[np.ndarray, "n f"]
) -> Float[np.ndarray, "r f"]:
    """Each of `RATES`, in its order, of each finding; arguments and NaN as for `rates_at`.

    Example:
        >>> test = np.array([[0.9], [0.4], [0.3]]), np.array([[1.0], [0.0], [1.0]])
        >>> dict(zip(RATES, rates(np.array([0.4]), *test)[:, 0].tolist()))["specificity"]
        0.0
    """
    return _rates_from(_cells(cut, probabilities, labels).sum(axis=0)[None])[0]


def rate_draws(
    cut: Float[np.ndarray, " f"],
    probabilities: Float[np.ndarray, "n f"],
    labels: Float[np.ndarray, "n f"],
    patient: Shaped[np.ndarray, " n"],
    n_draws: int,
    rng: np.random.Generator,
) -> Float[np.ndarray, "draws r f"]:
    """The same rates in each redrawn cohort; NaN where one holds nothing to divide by."""
    cells = _cells(cut, probabilities, labels)
    draws = sum_draws(cells.reshape(len(cells), -1).astype(float), patient, n_draws, rng)
    return _rates_from(draws.reshape(n_draws, *cells.shape[1:]))


def rates_at(
    cut: Float[np.ndarray, " f"],
    probabilities: Float[np.ndarray, "n f"],
    labels: Float[np.ndarray, "n f"],
    patient: Shaped[np.ndarray, " n"],
    n_draws: int,
    rng: np.random.Generator,
) -> Rates:
    """Sensitivity, specificity, PPV, NPV, prevalence and films called, with 95 % intervals over patients.

    The cuts are held as they are: that other validation films would give others is not in the interval.
    A rate of exactly 0 or 1 has an interval without width.

    Args:
        cut: Of each finding; where it is NaN, so are all of the finding's rates.
        probabilities: Of test films; a film with NaN is left out of that finding.
        labels: As for `operating_point`.
        patient: Patient of each film.
        n_draws: Bootstrap draws.
        rng: Source of the draws.
    """
    draws = rate_draws(cut, probabilities, labels, patient, n_draws, rng)
    low, high = (end.reshape(draws.shape[1:]) for end in interval(draws.reshape(n_draws, -1)))
    cells = _cells(cut, probabilities, labels)
    below = np.stack([cells[:, :, columns].any(axis=2) for _, columns in RATES.values()])
    enough = np.stack([several_patients(films, patient) for films in below])
    return Rates(
        value=rates(cut, probabilities, labels),
        low=np.where(enough, low, np.nan),
        high=np.where(enough, high, np.nan),
        n=below.sum(axis=1),
        draws_left_out=np.isnan(draws).sum(axis=0),
    )


def _rates_from(cells: Shaped[np.ndarray, "b f c"]) -> Float[np.ndarray, "b r f"]:
    found = np.full((cells.shape[0], len(RATES), cells.shape[1]), np.nan)
    for row, (above, below) in enumerate(RATES.values()):
        total = cells[:, :, below].sum(axis=2)
        np.divide(cells[:, :, above], total, out=found[:, row], where=total > 0)
    return found


def _cells(cut: np.ndarray, probabilities: np.ndarray, labels: np.ndarray) -> Bool[np.ndarray, "n f c"]:
    """Whether each film counts in each column that `RATES` names; in none where it is left out."""
    labels = known(probabilities, labels)
    positive, negative = ((labels == label) & ~np.isnan(cut) for label in (1, 0))
    called = probabilities >= cut
    columns = [positive & called, negative & called, positive & ~called, negative & ~called, positive]
    return np.stack([*columns, (positive | negative) & called], axis=2)


def _refuse_no_share(name: str, least: float) -> None:
    if not 0 < least <= 1:
        raise ValueError(f"{name}({least:g}): the share must be above 0 and at most 1, as 0.9 is")
