"""AUROC and average precision beside scikit-learn's."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from hilum.evaluate.bootstrap import ranking_draws
from hilum.evaluate.classification import auroc, average_precision

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
