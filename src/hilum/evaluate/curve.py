"""ROC and precision-recall curves, each point exact with ties, and bands over redrawn patients."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped

from hilum.evaluate.bootstrap import drawn_weights, interval
from hilum.evaluate.classification import counts, known

GRID = np.linspace(0.0, 1.0, 101)
"""False positive rates, or recalls, at which bands are taken."""

AtGrid = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Band:
    """A curve of each finding with its pointwise 95 % band; NaN for a finding with one label value.

    Attributes:
        x: False positive rate, or recall.
        value: Sensitivity, or precision, of the films themselves.
        median: Of the redrawn cohorts.
        low: 2.5th percentile of the redrawn cohorts, each x for itself.
        high: 97.5th percentile.
        draws_left_out: Redrawn cohorts with one label value only.
    """

    x: Float[np.ndarray, " g"]
    value: Float[np.ndarray, "f g"]
    median: Float[np.ndarray, "f g"]
    low: Float[np.ndarray, "f g"]
    high: Float[np.ndarray, "f g"]
    draws_left_out: Int[np.ndarray, " f"]


def roc_curve(
    probability: Float[np.ndarray, " n"], label: Float[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"]]:
    """False and true positive rate at each distinct cut, from none called to all called.

    Straight lines between the points enclose the AUROC.

    Args:
        probability: Of one finding; a film with NaN is left out.
        label: 1, 0, or NaN for a film that is left out.

    Returns:
        Two rows that rise from 0 to 1; without points where one label value only is left.

    Example:
        >>> roc_curve(np.array([0.9, 0.4, 0.4]), np.array([1.0, 1.0, 0.0]))
        (array([0., 0., 1.]), array([0. , 0.5, 1. ]))
    """
    positive, negative = _called(probability, label)
    return negative / negative[-1:], positive / positive[-1:]


def precision_recall_curve(
    probability: Float[np.ndarray, " n"], label: Float[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"]]:
    """Recall and precision at each distinct cut, falling; arguments as for `roc_curve`.

    Steps, each as high as the point at its right end, enclose the average precision.

    Example:
        >>> precision_recall_curve(np.array([0.9, 0.4, 0.4]), np.array([1.0, 1.0, 0.0]))
        (array([0.5, 1. ]), array([1.        , 0.66666667]))
    """
    positive, negative = (total[1:] for total in _called(probability, label))
    return positive / positive[-1:], positive / (positive + negative)


def roc_band(
    probabilities: Float[np.ndarray, "n f"],
    labels: Float[np.ndarray, "n f"],
    patient: Shaped[np.ndarray, " n"],
    n_draws: int,
    rng: np.random.Generator,
) -> Band:
    """Sensitivity at each false positive rate of `GRID`; on an upright part of the curve, its upper end.

    Args:
        probabilities: A film with NaN is left out of that finding.
        labels: 1, 0, or NaN for a film that is left out of that finding.
        patient: Patient of each film.
        n_draws: How often the cohort is redrawn.
        rng: Source of the draws; all findings see the same patients.
    """
    return _band(_sensitivity, probabilities, labels, patient, n_draws, rng)


def precision_recall_band(
    probabilities: Float[np.ndarray, "n f"],
    labels: Float[np.ndarray, "n f"],
    patient: Shaped[np.ndarray, " n"],
    n_draws: int,
    rng: np.random.Generator,
) -> Band:
    """Precision at each recall of `GRID`: that of the highest cut which reaches it; as `roc_band`."""
    return _band(_precision, probabilities, labels, patient, n_draws, rng)


def _called(probability: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Films with and without the finding that are called at each cut, from none on."""
    truth = known(probability[:, None], label[:, None])[:, 0]
    rows = ~np.isnan(truth)
    _, positive, negative = counts(probability[rows], truth[rows] == 1)
    if not (positive.any() and negative.any()):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    return np.append(0, positive.cumsum()), np.append(0, negative.cumsum())


def _band(
    at_grid: AtGrid,
    probabilities: np.ndarray,
    labels: np.ndarray,
    patient: np.ndarray,
    n_draws: int,
    rng: np.random.Generator,
) -> Band:
    labels = known(probabilities, labels)
    names, row_of = np.unique(patient, return_inverse=True)
    weights = np.concatenate([some.astype(np.int16) for some in drawn_weights(len(names), n_draws, rng)])
    lines = np.full((4, labels.shape[1], len(GRID)), np.nan)
    left_out = np.full(labels.shape[1], n_draws)
    for column, truth in enumerate(labels.T):
        rows = np.flatnonzero(~np.isnan(truth))
        rows = rows[np.argsort(-probabilities[rows, column])]
        ranked, present = probabilities[rows, column], truth[rows] == 1
        if 0 < present.sum() < len(present):
            last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
            own = _drawn_curve(at_grid, np.ones(len(rows), np.int64), present, last)
            draws = np.stack([_drawn_curve(at_grid, row[row_of[rows]], present, last) for row in weights])
            defined = ~np.isnan(draws[:, 0])
            left_out[column] -= defined.sum()
            middle = np.median(draws[defined], axis=0) if 2 * defined.sum() >= n_draws else np.nan
            lines[:, column] = np.stack(np.broadcast_arrays(own, middle, *interval(draws)))
    value, median, low, high = lines
    return Band(GRID, value, median, low, high, left_out)


def _drawn_curve(at_grid: AtGrid, weight: np.ndarray, present: np.ndarray, last: np.ndarray) -> np.ndarray:
    """The curve of films in falling order that count as often as their patients were drawn.

    Args:
        at_grid: From films called with and without the finding to heights at `GRID`.
        weight: Of each film.
        present: Whether it has the finding.
        last: Place of the last film of each distinct probability.
    """
    positive = np.cumsum(weight * present)[last]
    negative = np.cumsum(weight)[last] - positive
    if not (positive[-1] and negative[-1]):
        return np.full(len(GRID), np.nan)
    return at_grid(positive, negative)


def _sensitivity(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    positive, negative = np.append(0, positive), np.append(0, negative)
    # in films, not shares, and without the last digits: 0.29 of 100 films are 28.999999999999996
    wanted = np.round(GRID * negative[-1], 9)
    left = np.searchsorted(negative, wanted, "right") - 1
    right = np.minimum(left + 1, len(negative) - 1)
    way = (wanted - negative[left]) / np.maximum(negative[right] - negative[left], 1)
    return (positive[left] + way * (positive[right] - positive[left])) / positive[-1]


def _precision(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    called = positive + negative
    place = np.searchsorted(positive, np.round(GRID * positive[-1], 9), "left")
    place = np.maximum(place, np.searchsorted(called, 1))  # recall 0 is reached by the first film drawn
    return positive[place] / called[place]
