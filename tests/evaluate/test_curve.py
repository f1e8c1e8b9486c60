import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilum.evaluate.classification import auroc, average_precision
from hilum.evaluate.curve import (
    GRID,
    precision_recall_band,
    precision_recall_curve,
    roc_band,
    roc_curve,
)

NAN = np.nan


def _column(numbers) -> np.ndarray:
    return np.array(numbers, float).reshape(-1, 1)


def _films(n: int = 150):
    rng = np.random.default_rng(0)
    labels = (rng.random((n, 2)) < 0.4).astype(float)
    labels[rng.random((n, 2)) < 0.1] = NAN
    likely = (rng.random((n, 2)) + 0.3 * np.nan_to_num(labels)).round(1)  # many ties
    return likely, labels, rng.integers(0, 40, n)


@pytest.mark.parametrize(
    ("likely", "labels", "roc", "precision_recall"),
    [
        ([0.9, 0.8, 0.2], [1, 0, 1], ([0, 0, 1, 1], [0, 0.5, 0.5, 1]), ([0.5, 0.5, 1], [1, 0.5, 2 / 3])),
        ([0.5, 0.5, 0.5], [1, 0, 0], ([0, 1], [0, 1]), ([1], [1 / 3])),  # one cut: a straight line
        ([0.9, 0.5, 0.5], [0, 1, 0], ([0, 0.5, 1], [0, 0, 1]), ([0, 1], [0, 1 / 3])),
        ([0.9, NAN, 0.5, 0.1], [1, 1, 0, NAN], ([0, 0, 1], [0, 1, 1]), ([1, 1], [1, 0.5])),
        ([], [], ([], []), ([], [])),
        ([0.9, 0.1], [1, 1], ([], []), ([], [])),  # one label value only
    ],
)
def test_hand_worked_points(likely, labels, roc, precision_recall) -> None:
    films = np.array(likely, float), np.array(labels, float)
    for found, expected in ((roc_curve(*films), roc), (precision_recall_curve(*films), precision_recall)):
        np.testing.assert_allclose(found, expected)


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_areas_are_the_metrics(data) -> None:
    n = data.draw(st.integers(2, 40))
    likely = np.array(data.draw(st.lists(st.integers(0, 9), min_size=n, max_size=n))) / 9
    labels = np.array(data.draw(st.lists(st.sampled_from([0.0, 1.0]), min_size=n, max_size=n)))
    if 0 < labels.sum() < n:
        false, true = roc_curve(likely, labels)
        assert ((true[1:] + true[:-1]) / 2 * np.diff(false)).sum() == pytest.approx(
            auroc(likely[:, None], labels[:, None])[0]
        )
        recall, precision = precision_recall_curve(likely, labels)
        steps = (np.diff(recall, prepend=0) * precision).sum()
        assert steps == pytest.approx(average_precision(likely[:, None], labels[:, None])[0])
        order = data.draw(st.permutations(range(n)))
        np.testing.assert_array_equal(roc_curve(likely[order] ** 3, labels[order]), (false, true))


def _heights(likely, labels, at) -> np.ndarray:
    """Of the ROC at each rate, from its points one by one: the highest there, else between two neighbours."""
    false, true = roc_curve(likely, labels)
    heights = []
    for rate in at:
        there = np.isclose(false, rate, atol=1e-12)
        right = int(np.argmax(false > rate))
        way = (rate - false[right - 1]) / (false[right] - false[right - 1])
        between = true[right - 1] + way * (true[right] - true[right - 1])
        heights.append(true[there].max() if there.any() else between)
    return np.array(heights)


def test_a_band_holds_the_curves_of_the_repeated_films() -> None:
    likely, labels, patient = _films()
    n_draws = 150  # more than are weighed at once
    roc = roc_band(likely, labels, patient, n_draws, np.random.default_rng(5))
    both = precision_recall_band(likely, labels, patient, n_draws, np.random.default_rng(5))
    names = np.unique(patient)
    picks = np.random.default_rng(5).integers(0, len(names), (n_draws, len(names)), dtype=np.int32)
    curves, precisions = [], []
    for pick in picks:
        films = np.concatenate([np.flatnonzero(patient == name) for name in names[pick]])
        drawn = likely[films, 1], labels[films, 1]
        curves.append(_heights(*drawn, GRID))
        recall, precision = precision_recall_curve(*drawn)
        precisions.append([precision[int(np.argmax(recall >= at - 1e-12))] for at in GRID])
    for band, of_draws in ((roc, curves), (both, precisions)):
        low, median, high = np.percentile(of_draws, (2.5, 50, 97.5), axis=0)
        np.testing.assert_allclose(band.low[1], low, atol=1e-12)
        np.testing.assert_allclose(band.median[1], median, atol=1e-12)
        np.testing.assert_allclose(band.high[1], high, atol=1e-12)
        assert band.draws_left_out.tolist() == [0, 0]
    np.testing.assert_allclose(roc.value[0], _heights(likely[:, 0], labels[:, 0], GRID), atol=1e-12)


def test_a_grid_point_on_an_upright_part_is_its_upper_end() -> None:
    """29 of 100 negatives lie above the positive: at 0.29 it rises, though 0.29 x 100 < 29 in binary."""
    likely, labels = _column(np.arange(101, 0, -1)), _column([0] * 29 + [1] + [0] * 71)
    band = roc_band(likely, labels, np.arange(101), 5, np.random.default_rng(0))
    assert band.value[0, 28:30].tolist() == [0.0, 1.0]


def test_recall_zero_is_the_first_film_called() -> None:
    likely, labels = _column([0.9, 0.8, 0.7]), _column([0, 1, 1])
    band = precision_recall_band(likely, labels, np.arange(3), 5, np.random.default_rng(0))
    assert band.value[0, [0, 1, 50, 51, 100]].tolist() == [0.0, 0.5, 0.5, 2 / 3, 2 / 3]


@pytest.mark.parametrize("band_of", [roc_band, precision_recall_band])
@pytest.mark.parametrize("n", [0, 1, 6])
def test_one_label_value_has_no_curve(band_of, n) -> None:
    band = band_of(np.zeros((n, 1)), np.ones((n, 1)), np.arange(n), 10, np.random.default_rng(0))
    assert np.isnan([band.value, band.median, band.low, band.high]).all()
    assert band.draws_left_out.tolist() == [10]


def test_draws_with_one_label_are_left_out_and_counted() -> None:
    likely, labels = _column([0.9, 0.1]), _column([1, 0])
    band = roc_band(likely, labels, np.arange(2), 400, np.random.default_rng(0))
    assert band.draws_left_out[0] == pytest.approx(200, abs=40)
    assert set(band.value[0]) == {1.0}
    assert np.isnan(band.median).all() == (band.draws_left_out[0] > 200)
