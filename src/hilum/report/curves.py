"""Probabilities of test and validation films in; curves with bands and operating points out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

from hilum.evaluate.bootstrap import interval, sum_draws
from hilum.evaluate.calibration import N_BINS, Reliability, bins_of, reliability, temperature_scaling
from hilum.evaluate.classification import known
from hilum.evaluate.curve import Band, precision_recall_band, roc_band
from hilum.evaluate.operating_point import OperatingPoint, Rates, operating_point, rates_at

POINTS = ("youden", "sensitivity(0.9)", "ppv(0.5)")
"""Operating points that a page shows besides those of its recipe."""


@dataclass(frozen=True)
class Curves:
    """What curves and tables of the probabilities need beside these themselves.

    Attributes:
        roc: Sensitivity at each false positive rate, with its band.
        precision_recall: Precision at each recall, with its band.
        reliability: Bins of the probabilities; None where they are no probabilities.
        reliability_band: Ends of the 95 % interval of the share in each bin.
        scaled: The bins once more after temperature scaling on validation films; None without these.
        points: Cuts chosen on validation films, and what they do on the test films; none without these.
    """

    roc: Band
    precision_recall: Band
    reliability: Reliability | None
    reliability_band: tuple[Float[np.ndarray, "f b"], Float[np.ndarray, "f b"]] | None
    scaled: Reliability | None
    points: Sequence[tuple[OperatingPoint, Rates]]


def curves_from(
    probabilities: Float[np.ndarray, "n f"],
    labels: Float[np.ndarray, "n f"],
    patient: Shaped[np.ndarray, " n"],
    validation: tuple[Float[np.ndarray, "v f"], Float[np.ndarray, "v f"]] | None,
    n_draws: int,
    rng: np.random.Generator,
    points: Sequence[str] = POINTS,
) -> Curves:
    """Curves with bands over redrawn patients, and operating points that are chosen on validation films.

    Args:
        probabilities: Of the test films; a film with NaN is left out of that finding.
        labels: Of the same: 1, 0 or NaN.
        patient: Patient of each test film.
        validation: Probabilities and labels of films of other patients.
        n_draws: How often the patients are redrawn.
        rng: Source of the draws.
        points: Calls of `OPERATING_POINTS`; failures are looked for at the first.
    """
    films = probabilities, labels, patient
    likely = _are_probabilities(probabilities)
    bins = reliability(probabilities, labels) if likely else None
    scaled, cut = None, []
    if validation is not None:
        if likely and _are_probabilities(validation[0]):
            scaled = reliability(temperature_scaling(*validation)(probabilities), labels)
        for name in points:
            point = operating_point(name, *validation)
            cut.append((point, rates_at(point.cut, *films, n_draws, rng)))
    return Curves(
        roc=roc_band(*films, n_draws, rng),
        precision_recall=precision_recall_band(*films, n_draws, rng),
        reliability=bins,
        reliability_band=_share_band(*films, n_draws, rng) if likely else None,
        scaled=scaled,
        points=tuple(cut),
    )


def _share_band(
    probabilities: np.ndarray, labels: np.ndarray, patient: np.ndarray, n_draws: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Interval of the share of positives in each bin; each film keeps the bin it has in the cohort itself."""
    labels = known(probabilities, labels)
    n, n_findings = labels.shape
    inside, positive = np.zeros((2, n, n_findings, N_BINS))
    for column, truth in enumerate(labels.T):
        rows = np.flatnonzero(~np.isnan(truth))
        bins = bins_of(probabilities[rows, column])
        inside[rows, column, bins] = 1.0
        positive[rows, column, bins] = truth[rows]
    both = np.stack([positive, inside], axis=1).reshape(n, 2 * n_findings * N_BINS)
    drawn_positive, drawn = np.split(sum_draws(both, patient, n_draws, rng), 2, axis=1)
    share = np.divide(drawn_positive, drawn, out=np.full_like(drawn, np.nan), where=drawn > 0)
    low, high = (end.reshape(n_findings, N_BINS) for end in interval(share))
    return low, high


def _are_probabilities(numbers: np.ndarray) -> bool:
    return not ((numbers < 0) | (numbers > 1)).any()
