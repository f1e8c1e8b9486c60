"""Whether a probability of 0.3 comes true in 3 films of 10, and what to change where it does not.

Bins are of equal mass: films sorted by probability, a fifteenth of them in each bin. Films of equal
probability are never parted: all of them stand where the lowest of them would.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped

from hilum.evaluate.bootstrap import sum_draws
from hilum.evaluate.classification import known

N_BINS = 15

EDGE = 1e-7
"""Probabilities nearer to 0 or 1 are moved to this distance before their logit is taken; a sigmoid in
float32 gives no other number between 1 - 6e-8 and 1."""

SLOPES = (0.01, 100.0)
"""Ends of 1 / temperature; nothing else ends it where films are parted without error, or ranked backwards."""

N_LABEL_SETS = 100
"""Sets of labels behind the ECE that a calibrated system would get."""

MAX_STEPS = 100


@dataclass(frozen=True)
class Reliability:
    """The bins of each finding, for a figure.

    Attributes:
        n: Films in the bin; 0 where ties left it empty.
        probability: Mean probability in the bin; NaN in an empty one.
        share: Share of films with the finding; NaN in an empty bin.
    """

    n: Int[np.ndarray, "f b"]
    probability: Float[np.ndarray, "f b"]
    share: Float[np.ndarray, "f b"]


@dataclass(frozen=True)
class Scaling:
    """New logit = slope * logit + intercept, a number of each a finding; NaN where none could be fitted.

    Temperature is 1 / slope where the intercept is 0.
    """

    slope: Float[np.ndarray, " f"]
    intercept: Float[np.ndarray, " f"]

    def __call__(self, probabilities: Float[np.ndarray, "n f"]) -> Float[np.ndarray, "n f"]:
        """Calibrated probabilities; NaN throughout a finding without a fit."""
        return _sigmoid(self.slope * logits_from(probabilities) + self.intercept)


def expected_calibration_error(
    probabilities: Float[np.ndarray, "n f"], labels: Float[np.ndarray, "n f"]
) -> Float[np.ndarray, " f"]:
    """Mean over films of the gap between mean probability and share of positives in the film's bin.

    Source: Naeini, Cooper and Hauskrecht, AAAI 2015, with the equal-mass bins of Nixon et al. 2019
    (arXiv:1904.01685), `N_BINS` of them.

    Args:
        probabilities: In [0, 1]; a film with NaN is left out of that finding.
        labels: 1, 0, or NaN for a film that is left out of that finding.

    Returns:
        Numbers in [0, 1], 0 is best; NaN for a finding without films. Few films make it larger than it
        is: see `error_if_calibrated`.

    Example:
        >>> expected_calibration_error(np.array([[0.75], [0.75], [0.25]]), np.array([[1.0], [1.0], [0.0]]))
        array([0.25])
    """
    labels = _known(probabilities, labels)
    return _from_gaps(_gaps(probabilities, labels).sum(axis=0), (~np.isnan(labels)).sum(axis=0))


def expected_calibration_error_draws(
    probabilities: Float[np.ndarray, "n f"],
    labels: Float[np.ndarray, "n f"],
    patient: Shaped[np.ndarray, " n"],
    n_draws: int,
    rng: np.random.Generator,
) -> Float[np.ndarray, "draws f"]:
    """The same number in each redrawn cohort; each film keeps the bin it has in the cohort itself."""
    labels = _known(probabilities, labels)
    gaps = _gaps(probabilities, labels)
    columns = np.concatenate([gaps.reshape(len(labels), -1), ~np.isnan(labels)], axis=1)
    draws = sum_draws(columns, patient, n_draws, rng)
    n_findings = labels.shape[1]
    of_gaps = draws[:, : n_findings * N_BINS].reshape(n_draws, n_findings, N_BINS)
    return _from_gaps(of_gaps, draws[:, n_findings * N_BINS :])


def error_if_calibrated(
    probabilities: Float[np.ndarray, "n f"], labels: Float[np.ndarray, "n f"], rng: np.random.Generator
) -> Float[np.ndarray, " f"]:
    """Expected calibration error of a calibrated system on as many films: what is left to chance.

    Labels are drawn from the probabilities themselves, film by film, `N_LABEL_SETS` times, and the errors
    averaged.

    Source: Bröcker and Smith, Weather and Forecasting 2007 (consistency resampling).

    Args:
        probabilities: As for `expected_calibration_error`.
        labels: As for `expected_calibration_error`; only which films are left out is read from them.
        rng: Source of the labels.
    """
    errors = np.full(labels.shape[1], np.nan)
    for column, truth in enumerate(_known(probabilities, labels).T):
        ranked = np.sort(probabilities[~np.isnan(truth), column])
        if len(ranked):
            edges = np.flatnonzero(np.diff(bins_of(ranked), prepend=-1))
            gap = ranked - (rng.random((N_LABEL_SETS, len(ranked))) < ranked)
            errors[column] = np.abs(np.add.reduceat(gap, edges, axis=1)).sum(axis=1).mean() / len(ranked)
    return errors


def reliability(probabilities: Float[np.ndarray, "n f"], labels: Float[np.ndarray, "n f"]) -> Reliability:
    """Films, mean probability and share of positives of each bin; arguments as for the calibration error.

    Example:
        >>> table = reliability(np.array([[0.1], [0.3]]), np.array([[0.0], [1.0]]))
        >>> table.n[0].tolist()
        [1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]
        >>> table.share[0, [0, 7]]
        array([0., 1.])
    """
    labels = _known(probabilities, labels)
    n = np.zeros((labels.shape[1], N_BINS), np.int64)
    sums = np.zeros((2, *n.shape))
    for column, truth in enumerate(labels.T):
        rows = ~np.isnan(truth)
        bins = bins_of(probabilities[rows, column])
        n[column] = np.bincount(bins, minlength=N_BINS)
        for of_bins, values in zip(sums, (probabilities[rows, column], truth[rows]), strict=True):
            of_bins[column] = np.bincount(bins, values, minlength=N_BINS)
    probability, share = np.divide(sums, n, out=np.full_like(sums, np.nan), where=n > 0)
    return Reliability(n, probability, share)


def brier(
    probabilities: Float[np.ndarray, "n f"], labels: Float[np.ndarray, "n f"]
) -> Float[np.ndarray, " f"]:
    """Mean squared difference of probability and label; 0 is best, NaN for a finding without films.

    Source: Brier, Monthly Weather Review 1950, for one of two outcomes (half of its sum over both).

    Example:
        >>> brier(np.array([[0.5], [1.0]]), np.array([[1.0], [1.0]]))
        array([0.125])
    """
    labels = _known(probabilities, labels)
    n = (~np.isnan(labels)).sum(axis=0)
    total = np.nansum((probabilities.astype(float) - labels) ** 2, axis=0)
    return np.divide(total, n, out=np.full(len(n), np.nan), where=n > 0)


def temperature_scaling(probabilities: Float[np.ndarray, "n f"], labels: Float[np.ndarray, "n f"]) -> Scaling:
    """One temperature a finding: the slope of least log loss, between `SLOPES`; the order of films stays.

    An end of `SLOPES` is given where films are parted without error at 0.5, or ranked backwards.

    Source: Guo et al., ICML 2017 (arXiv:1706.04599), section 4.2. Differs from the paper: a temperature
    of its own for each finding, as findings are not exclusive.

    Args:
        probabilities: Of validation films; a film with NaN is left out of that finding.
        labels: As for the calibration error.

    Returns:
        NaN where one label value only is left.
    """
    slopes = np.full(labels.shape[1], np.nan)
    for column, (logit, present) in _both_labels(probabilities, labels):
        slopes[column] = _best_slope(logit, present)
    return Scaling(slopes, np.where(np.isnan(slopes), np.nan, 0.0))


def platt_scaling(probabilities: Float[np.ndarray, "n f"], labels: Float[np.ndarray, "n f"]) -> Scaling:
    """Slope and intercept of least log loss towards labels drawn in a little, so that a fit always exists.

    The slope is negative where films are ranked backwards.

    Source: Platt 1999, with its targets (P + 1) / (P + 2) and 1 / (N + 2) for P positives and N negatives.

    Args:
        probabilities: Of validation films; a film with NaN is left out of that finding.
        labels: As for the calibration error.

    Returns:
        NaN where one label value only is left.
    """
    fitted = np.full((labels.shape[1], 2), np.nan)
    for column, (logit, present) in _both_labels(probabilities, labels):
        n_positive = present.sum()
        target = np.where(present, (n_positive + 1) / (n_positive + 2), 1 / (len(present) - n_positive + 2))
        fitted[column] = _logistic_fit(np.stack([logit, np.ones_like(logit)], axis=1), target)
    return Scaling(fitted[:, 0], fitted[:, 1])


def logits_from(probabilities: Float[np.ndarray, "n f"]) -> Float[np.ndarray, "n f"]:
    """Log odds in float64, finite even for probabilities of exactly 0 and 1; see `EDGE`."""
    inner = np.clip(probabilities.astype(np.float64), EDGE, 1 - EDGE)
    return np.log(inner) - np.log1p(-inner)


def bins_of(probability: Float[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """The equal-mass bin of each film, from 0; equal probabilities share the bin of their lowest rank.

    Example:
        >>> bins_of(np.arange(30.0))[:5].tolist(), bins_of(np.array([0.0, 0.0, 0.7])).tolist()
        ([0, 0, 1, 1, 2], [0, 0, 10])
    """
    lowest = np.searchsorted(np.sort(probability), probability, "left")
    return N_BINS * lowest // max(len(probability), 1)


def _known(probabilities: np.ndarray, labels: np.ndarray) -> Float[np.ndarray, "n f"]:
    """The labels that can be scored; refuses numbers that are no probabilities, such as logits."""
    odd = probabilities[(probabilities < 0) | (probabilities > 1)]
    if len(odd):
        raise ValueError(f"a probability is {odd[0]}; calibration needs numbers in 0 to 1")
    return known(probabilities, labels)


def _gaps(probabilities: np.ndarray, labels: np.ndarray) -> Float[np.ndarray, "n f b"]:
    """Probability less label of each film, in the place of its bin."""
    gaps = np.zeros((*labels.shape, N_BINS))
    for column, truth in enumerate(labels.T):
        rows = np.flatnonzero(~np.isnan(truth))
        ours = probabilities[rows, column].astype(float)
        gaps[rows, column, bins_of(ours)] = ours - truth[rows]
    return gaps


def _from_gaps(gaps: Float[np.ndarray, "*d f b"], n: Shaped[np.ndarray, "*d f"]) -> Float[np.ndarray, "*d f"]:
    total = np.abs(gaps).sum(axis=-1)
    return np.divide(total, n, out=np.full_like(total, np.nan), where=n > 0)


def _both_labels(
    probabilities: np.ndarray, labels: np.ndarray
) -> Iterator[tuple[int, tuple[np.ndarray, np.ndarray]]]:
    """Column, logits and labels of each finding that has both label values."""
    labels = _known(probabilities, labels)
    logits = logits_from(probabilities)
    for column, truth in enumerate(labels.T):
        rows = ~np.isnan(truth)
        present = truth[rows] == 1
        if 0 < present.sum() < len(present):
            yield column, (logits[rows, column], present)


def _best_slope(logit: np.ndarray, present: np.ndarray) -> float:
    """Newton's root of the loss's slope, which rises; halved where a step would leave the bracket."""
    low, high = SLOPES

    def downhill(slope: float) -> tuple[float, float]:
        likely = _sigmoid(slope * logit)
        return float(logit @ (likely - present)), float(logit**2 @ (likely * (1 - likely)))

    if downhill(low)[0] >= 0:
        return low
    if downhill(high)[0] <= 0:
        return high
    slope = 1.0
    for _ in range(MAX_STEPS):
        gradient, curvature = downhill(slope)
        low, high = (slope, high) if gradient < 0 else (low, slope)
        step = slope - gradient / curvature if curvature > 0 else high
        new = step if low < step < high else (low + high) / 2
        if abs(new - slope) <= 1e-12 * slope:
            break
        slope = new
    return slope


def _logistic_fit(columns: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Newton's least log loss of a linear logit; steps are halved until the loss falls."""
    weights = np.zeros(columns.shape[1])
    loss = _log_loss(columns @ weights, target)
    for _ in range(MAX_STEPS):
        likely = _sigmoid(columns @ weights)
        curvature = columns.T @ (columns * (likely * (1 - likely))[:, None])
        # least squares: one logit for all films leaves slope and intercept undecided
        step = np.linalg.lstsq(curvature, columns.T @ (likely - target), rcond=None)[0]
        while (new := _log_loss(columns @ (weights - step), target)) > loss and np.abs(step).max() > 1e-12:
            step = step / 2
        if new >= loss:
            break
        weights, loss = weights - step, new
    return weights


def _log_loss(logit: np.ndarray, target: np.ndarray) -> float:
    return float((np.logaddexp(0.0, logit) - target * logit).sum())


def _sigmoid(logit: np.ndarray) -> np.ndarray:
    small = np.exp(-np.abs(logit))  # never overflows, and keeps the digits of tiny probabilities
    return np.where(logit < 0, small, 1.0) / (1.0 + small)
