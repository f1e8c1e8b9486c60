import numpy as np
import pytest

from hilum.evaluate.bootstrap import auroc_draws, interval, mean_draws, ranking_draws, sum_draws
from hilum.evaluate.classification import auroc, average_precision


def _films(n: int, n_patients: int, seed: int, *, decimals: int = 2):
    rng = np.random.default_rng(seed)
    patient = rng.integers(0, n_patients, n)
    labels = (rng.random((n, 3)) < 0.3).astype(float)
    labels[rng.random((n, 3)) < 0.1] = np.nan
    probabilities = (rng.random((n, 3)) + 0.3 * np.nan_to_num(labels)).round(decimals)
    return probabilities, labels, patient


@pytest.mark.parametrize("decimals", [1, 2, 12])  # many ties, some, none
def test_a_draw_is_the_metric_of_the_repeated_films(decimals) -> None:
    probabilities, labels, patient = _films(120, 40, seed=1, decimals=decimals)
    n_draws = 150  # more than one block
    areas, precisions = ranking_draws(probabilities, labels, patient, n_draws, np.random.default_rng(5))
    picks = np.random.default_rng(5).integers(0, len(np.unique(patient)), (n_draws, 40), dtype=np.int32)
    for draw in range(n_draws):
        films = np.concatenate([np.flatnonzero(patient == np.unique(patient)[pick]) for pick in picks[draw]])
        repeated = probabilities[films], labels[films]
        np.testing.assert_allclose(areas[draw], auroc(*repeated), atol=1e-12)
        np.testing.assert_allclose(precisions[draw], average_precision(*repeated), atol=1e-12)


def test_equal_generators_draw_the_same_patients() -> None:
    films = _films(60, 20, seed=2)
    first, second = (auroc_draws(*films, 50, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    turned = auroc_draws(1 - films[0], films[1], films[2], 50, np.random.default_rng(3))
    np.testing.assert_allclose(first + turned, 1.0, atol=1e-12)  # so systems can be compared draw by draw


def test_draws_with_one_label_are_nan() -> None:
    probabilities, labels = np.array([[0.9], [0.2], [0.1]]), np.array([[1.0], [0.0], [0.0]])
    draws = auroc_draws(probabilities, labels, np.arange(3), 2000, np.random.default_rng(0))[:, 0]
    without = (2 / 3) ** 3 + (1 / 3) ** 3  # no positive drawn, or nothing else
    assert np.isnan(draws).mean() == pytest.approx(without, abs=0.04)
    assert set(draws[~np.isnan(draws)]) == {1.0}


@pytest.mark.parametrize("n_findings", [0, 2])
def test_no_films_give_no_numbers(n_findings) -> None:
    nothing = np.zeros((0, n_findings))
    draws = auroc_draws(nothing, nothing, np.zeros(0, int), 10, np.random.default_rng(0))
    assert draws.shape == (10, n_findings)
    assert np.isnan(draws).all()
    assert mean_draws(nothing, np.zeros(0, int), np.zeros(0, int), 10, np.random.default_rng(0)).size == 0


def test_mean_draws_weigh_entries_by_their_patient() -> None:
    rng = np.random.default_rng(4)
    values, group, patient = rng.random((30, 2)), np.arange(30) % 3, rng.integers(0, 8, 30)
    draws = mean_draws(values, group, patient, 20, np.random.default_rng(6))
    names = np.unique(patient)
    picks = np.random.default_rng(6).integers(0, len(names), (20, len(names)), dtype=np.int32)
    for draw in range(20):
        entries = np.concatenate([np.flatnonzero(patient == names[pick]) for pick in picks[draw]])
        for g in range(3):
            wanted = values[entries[group[entries] == g]]
            expected = wanted.mean(axis=0) if len(wanted) else np.full(2, np.nan)
            np.testing.assert_allclose(draws[draw, g], expected, atol=1e-12)


def test_interval_needs_half_of_the_draws() -> None:
    half = np.where(np.arange(100) % 2 == 0, np.arange(100.0), np.nan)
    fewer = np.where(np.arange(100) == 0, np.nan, half)
    low, high = interval(np.stack([half, fewer, np.full(100, np.nan)], axis=1))
    np.testing.assert_allclose(low, [98 * 0.025, np.nan, np.nan])
    np.testing.assert_allclose(high, [98 * 0.975, np.nan, np.nan])


def test_interval_covers_the_truth() -> None:
    """Two normals one apart: AUROC = Phi(1 / sqrt 2) = 0.7602; four like films a patient."""
    rng = np.random.default_rng(7)
    covered = 0
    for _ in range(200):
        labels = np.repeat(np.arange(60) % 2, 4).astype(float)[:, None]
        marks = np.repeat(rng.normal(size=60), 4)[:, None] + labels
        patient = np.repeat(np.arange(60), 4)
        low, high = interval(auroc_draws(marks, labels, patient, 200, rng))
        covered += low[0] <= 0.7602 <= high[0]
    assert 0.88 <= covered / 200 <= 0.99


def test_like_films_of_one_patient_widen_the_interval() -> None:
    rng = np.random.default_rng(8)
    labels = np.repeat(np.arange(60) % 2, 4).astype(float)[:, None]
    marks = np.repeat(rng.normal(size=60), 4)[:, None] + labels
    widths = []
    for patient in (np.repeat(np.arange(60), 4), np.arange(240)):
        low, high = interval(auroc_draws(marks, labels, patient, 1000, rng))
        widths.append(high[0] - low[0])
    assert widths[0] / widths[1] == pytest.approx(2.0, rel=0.2)  # the root of four films a patient


def test_sums_of_redrawn_cohorts() -> None:
    rng = np.random.default_rng(9)
    values, patient = rng.random((50, 3)), rng.permutation(np.arange(50) % 13)
    draws = sum_draws(values, patient, 200, np.random.default_rng(6))  # more than are weighed at once
    picks = np.random.default_rng(6).integers(0, 13, (200, 13), dtype=np.int32)
    for draw in range(200):
        expected = sum(values[patient == name].sum(axis=0) for name in picks[draw])
        np.testing.assert_allclose(draws[draw], expected, atol=1e-12)
    nothing = sum_draws(np.zeros((0, 2)), np.zeros(0, int), 4, np.random.default_rng(0))
    np.testing.assert_array_equal(nothing, np.zeros((4, 2)))
