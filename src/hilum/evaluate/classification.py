"""Probabilities and labels in, one number a finding out: ranking metrics."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float, Int


def auroc(
    probabilities: Float[np.ndarray, "n f"], labels: Float[np.ndarray, "n f"]
) -> Float[np.ndarray, " f"]:
    """Chance that a film with the finding gets more than a film without it; ties count one half.

    Source: Hanley and McNeil, Radiology 1982, section on the Wilcoxon statistic.

    Args:
        probabilities: Any number that grows with the belief; a film with NaN is left out of that finding.
        labels: 1 present, 0 absent; a film with NaN is left out of that finding.

    Returns:
        Numbers in [0, 1]; NaN where only one label value is left.

    Example:
        >>> auroc(np.array([[0.9], [0.4], [0.4], [0.1]]), np.array([[1.0], [1.0], [0.0], [0.0]]))
        array([0.875])
    """
    return _per_finding(_auroc, probabilities, labels)


def average_precision(
    probabilities: Float[np.ndarray, "n f"], labels: Float[np.ndarray, "n f"]
) -> Float[np.ndarray, " f"]:
    """Precision at each distinct probability, weighted by the recall gained there; no interpolation.

    Source: the step-wise sum of scikit-learn's `average_precision_score`.

    Args:
        probabilities: As for `auroc`.
        labels: As for `auroc`.

    Returns:
        Numbers in (0, 1]; NaN where only one label value is left. Chance reaches the prevalence.

    Example:
        >>> average_precision(np.array([[0.9], [0.4], [0.4], [0.1]]), np.array([[1.0], [1.0], [0.0], [0.0]]))
        array([0.83333333])
    """
    return _per_finding(_average_precision, probabilities, labels)


def known(
    probabilities: Float[np.ndarray, "n f"], labels: Float[np.ndarray, "n f"]
) -> Float[np.ndarray, "n f"]:
    """The labels that can be scored: NaN also where there is no probability.

    Raises:
        ValueError: The two tables differ in shape, or a label is neither 0, 1 nor NaN.
    """
    if probabilities.shape != labels.shape:
        raise ValueError(f"probabilities are {probabilities.shape}, labels {labels.shape}; they must match")
    odd = labels[~np.isnan(labels) & (labels != 0) & (labels != 1)]
    if len(odd):
        raise ValueError(f"a label is {odd[0]}; labels are 1, 0 or NaN")
    return np.where(np.isnan(probabilities), np.nan, labels)


def counts(
    probability: Float[np.ndarray, " n"], present: Bool[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, " k"], Int[np.ndarray, " k"], Int[np.ndarray, " k"]]:
    """The distinct probabilities, falling, with the films with and without the finding at each.

    Example:
        >>> counts(np.array([0.1, 0.4, 0.4]), np.array([False, True, False]))
        (array([0.4, 0.1]), array([1, 0]), array([1, 1]))
    """
    distinct, place = np.unique(probability, return_inverse=True)
    place = len(distinct) - 1 - place
    n_positive, n_negative = (
        np.bincount(place[rows], minlength=len(distinct)) for rows in (present, ~present)
    )
    return distinct[::-1], n_positive, n_negative


def _per_finding(
    metric: Callable[[np.ndarray, np.ndarray], float],
    probabilities: Float[np.ndarray, "n f"],
    labels: Float[np.ndarray, "n f"],
) -> Float[np.ndarray, " f"]:
    values = np.full(labels.shape[1], np.nan)
    labels = known(probabilities, labels)
    for column, truth in enumerate(labels.T):
        rows = ~np.isnan(truth)
        present = truth[rows] == 1
        if 0 < present.sum() < len(present):
            values[column] = metric(*counts(probabilities[rows, column], present)[1:])
    return values


def _auroc(positive: np.ndarray, negative: np.ndarray) -> float:
    below = negative.sum() - np.cumsum(negative)
    return float((positive * (below + 0.5 * negative)).sum() / (positive.sum() * negative.sum()))


def _average_precision(positive: np.ndarray, negative: np.ndarray) -> float:
    precision = np.cumsum(positive) / np.cumsum(positive + negative)
    return float((positive * precision).sum() / positive.sum())
