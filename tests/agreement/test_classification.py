"""Ranking, curves and calibration beside scikit-learn's and torchmetrics', where the definitions meet."""

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV, calibration_curve
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    confusion_matrix,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)
from torchmetrics.functional.classification import binary_calibration_error, multilabel_auroc

from hilum.evaluate import curve
from hilum.evaluate.bootstrap import auroc_draws, ranking_draws
from hilum.evaluate.calibration import (
    N_BINS,
    brier,
    expected_calibration_error,
    logits_from,
    platt_scaling,
    reliability,
    temperature_scaling,
)
from hilum.evaluate.classification import auroc, average_precision
from hilum.evaluate.operating_point import operating_point, rates

N_FINDINGS = 14


def _films(n: int, decimals: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(decimals)
    labels = (rng.random((n, N_FINDINGS)) < np.linspace(0.02, 0.3, N_FINDINGS)).astype(float)
    return (rng.random((n, N_FINDINGS)) + 0.2 * labels).round(decimals).astype(np.float32), labels


@pytest.mark.parametrize("decimals", [1, 3, 7])  # ties everywhere, some, hardly any
def test_the_14_numbers(decimals) -> None:
    probabilities, labels = _films(3000, decimals)
    peers = [(roc_auc_score, auroc), (average_precision_score, average_precision)]
    for theirs, ours in peers:
        expected = [theirs(labels[:, f], probabilities[:, f]) for f in range(N_FINDINGS)]
        np.testing.assert_allclose(ours(probabilities, labels), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("decimals", [1, 7])
def test_draws_are_weighted_numbers(decimals) -> None:
    n_patients, n_draws = 400, 5
    probabilities, labels = _films(1500, decimals)
    patient = np.random.default_rng(0).permutation(np.arange(1500) % n_patients)
    draws = ranking_draws(probabilities, labels, patient, n_draws, np.random.default_rng(1))
    picks = np.random.default_rng(1).integers(0, n_patients, (n_draws, n_patients), dtype=np.int32)
    for draw in range(n_draws):
        weight = np.bincount(picks[draw], minlength=n_patients)[patient]
        for theirs, ours in zip((roc_auc_score, average_precision_score), draws, strict=True):
            expected = [
                theirs(labels[:, f], probabilities[:, f], sample_weight=weight) for f in range(N_FINDINGS)
            ]
            np.testing.assert_allclose(ours[draw], expected, rtol=0, atol=1e-12)


def test_torchmetrics_draws() -> None:
    probabilities, labels = _films(1500, 3)
    patient = np.arange(1500) % 400
    draws = auroc_draws(probabilities, labels, patient, 5, np.random.default_rng(1))
    picks = np.random.default_rng(1).integers(0, 400, (5, 400), dtype=np.int32)
    for draw in range(5):
        rows = np.repeat(np.arange(1500), np.bincount(picks[draw], minlength=400)[patient])
        drawn = torch.from_numpy(probabilities[rows]), torch.from_numpy(labels[rows]).long()
        theirs = multilabel_auroc(*drawn, N_FINDINGS, average=None)
        np.testing.assert_allclose(draws[draw], theirs, rtol=0, atol=1e-6)  # float32 inside


@pytest.mark.parametrize("decimals", [1, 7])
def test_points_of_the_curves(decimals) -> None:
    probabilities, labels = _films(2000, decimals)
    for column in range(0, N_FINDINGS, 5):
        films = labels[:, column], probabilities[:, column]
        ours = curve.roc_curve(*films[::-1])
        np.testing.assert_allclose(ours, roc_curve(*films, drop_intermediate=False)[:2], atol=1e-12)
        precision, recall, _ = precision_recall_curve(*films)  # rising cuts, and a point of no film
        ours = curve.precision_recall_curve(*films[::-1])
        np.testing.assert_allclose(ours, (recall[-2::-1], precision[-2::-1]), atol=1e-12)


@pytest.mark.parametrize("name", ["youden", "sensitivity(0.9)", "ppv(0.3)"])
def test_rates_at_an_operating_point(name) -> None:
    probabilities, labels = _films(2000, 2)
    cut = operating_point(name, probabilities, labels).cut
    found = rates(cut, probabilities, labels)
    assert np.isfinite(cut).sum() > 5
    for column in np.flatnonzero(np.isfinite(cut)):
        tn, fp, fn, tp = confusion_matrix(labels[:, column], probabilities[:, column] >= cut[column]).ravel()
        n = tn + fp + fn + tp
        with np.errstate(invalid="ignore"):
            expected = np.array(
                [tp / (tp + fn), tn / (tn + fp), tp / (tp + fp), tn / (tn + fn), (tp + fn) / n, (tp + fp) / n]
            )
        np.testing.assert_allclose(found[:, column], expected, atol=1e-12)


def _calibrated(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities without ties and labels that follow them, too surely."""
    rng = np.random.default_rng(0)
    logit = rng.normal(-1, 1.5, (n, 1))
    return 1 / (1 + np.exp(-logit)), (rng.random((n, 1)) < 1 / (1 + np.exp(-0.6 * logit - 0.2))) * 1.0


def test_brier() -> None:
    probabilities, labels = _calibrated(1000)
    expected = brier_score_loss(labels[:, 0], probabilities[:, 0])
    np.testing.assert_allclose(brier(probabilities, labels), [expected], atol=1e-12)


def test_reliability_with_quantile_bins() -> None:
    """Quantiles lie between the same films as our edges where films fill the bins evenly and none tie."""
    probabilities, labels = _calibrated(20 * N_BINS)
    share, mean = calibration_curve(labels[:, 0], probabilities[:, 0], n_bins=N_BINS, strategy="quantile")
    table = reliability(probabilities, labels)
    np.testing.assert_allclose(table.share[0], share, atol=1e-12)
    np.testing.assert_allclose(table.probability[0], mean, atol=1e-12)


def test_calibration_error_where_bins_of_equal_mass_are_of_equal_width() -> None:
    rng = np.random.default_rng(0)
    probabilities = ((np.arange(N_BINS * 40) // 40 + rng.uniform(0.1, 0.9, N_BINS * 40)) / N_BINS)[:, None]
    labels = (rng.random(probabilities.shape) < probabilities**1.5) * 1.0
    drawn = torch.from_numpy(probabilities[:, 0]), torch.from_numpy(labels[:, 0]).long()
    expected = binary_calibration_error(*drawn, n_bins=N_BINS, norm="l1")
    np.testing.assert_allclose(expected_calibration_error(probabilities, labels), [expected], atol=1e-6)


class _Logits(ClassifierMixin, BaseEstimator):
    """A fitted classifier whose decision is its one input."""

    def fit(self, rows, labels):
        self.classes_ = np.array([0, 1])
        return self

    def decision_function(self, rows):
        return rows[:, 0]

    def predict(self, rows):
        return (rows[:, 0] > 0).astype(int)


@pytest.mark.parametrize(
    ("method", "fit"), [("sigmoid", platt_scaling), ("temperature", temperature_scaling)]
)
def test_scalings(method, fit) -> None:
    probabilities, labels = _calibrated(2000)
    logits, present = logits_from(probabilities), labels[:, 0].astype(int)
    peer = CalibratedClassifierCV(FrozenEstimator(_Logits().fit(logits, present)), method=method)
    expected = peer.fit(logits, present).predict_proba(logits)[:, 1]
    ours = fit(probabilities, labels)(probabilities)[:, 0]
    np.testing.assert_allclose(ours, expected, atol=1e-7)
