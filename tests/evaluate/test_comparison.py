import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilum.evaluate.bootstrap import auroc_draws, mean_draws
from hilum.evaluate.classification import auroc
from hilum.evaluate.comparison import auroc_difference, holm, mean_difference, p_from, pooled

NAN = np.nan


def _rng(seed: int = 3) -> np.random.Generator:
    return np.random.default_rng(seed)


def _systems(cohort):
    rng = _rng(1)
    first = rng.random(cohort.labels.shape) + 0.2 * cohort.labels
    return first, first + 0.3 * cohort.labels * (np.arange(3) == 0)  # better on the first finding alone


def test_a_difference_is_of_equal_draws(cohort_of) -> None:
    cohort = cohort_of(200)
    first, second = _systems(cohort)
    found = auroc_difference(cohort, first, cohort, second, 300, _rng())
    values = auroc(second, cohort.labels) - auroc(first, cohort.labels)
    np.testing.assert_allclose(found.value, [values.mean(), *values])
    draws = [auroc_draws(p, cohort.labels, cohort.patient, 300, _rng()) for p in (first, second)]
    low, high = np.percentile(draws[1] - draws[0], (2.5, 97.5), axis=0)
    np.testing.assert_allclose(found.low[1:], low)
    np.testing.assert_allclose(found.high[1:], high)
    assert found.names == (None, *cohort.findings)
    assert found.p[1] == pytest.approx(2 / 301)  # the least there is
    assert found.p[2:].tolist() == [1.0, 1.0]  # the same system: no difference in any draw
    assert found.value[2:].tolist() == [0.0, 0.0]


def test_swapped_systems_swap_the_sign_and_keep_p(cohort_of) -> None:
    cohort = cohort_of(120)
    first, second = _rng(1).random((2, 120, 3))
    there = auroc_difference(cohort, first, cohort, second, 200, _rng())
    back = auroc_difference(cohort, second, cohort, first, 200, _rng())
    np.testing.assert_allclose(back.value, -there.value)
    np.testing.assert_allclose(back.low, -there.high)
    np.testing.assert_allclose(back.p, there.p)


def test_films_that_one_system_lacks_are_left_out_for_both(cohort_of) -> None:
    cohort = cohort_of(100)
    first, second = _systems(cohort)
    first[:30] = NAN
    found = auroc_difference(cohort, first, cohort, second, 50, _rng())
    values = auroc(second[30:], cohort.labels[30:]) - auroc(first[30:], cohort.labels[30:])
    np.testing.assert_allclose(found.value[1:], values)


def test_an_undefined_finding_is_nan_and_out_of_the_mean(cohort_of) -> None:
    cohort = cohort_of(100)
    cohort.labels[:, 1] = 0
    first, second = _systems(cohort)
    found = auroc_difference(cohort, first, cohort, second, 50, _rng())
    assert np.isnan([found.value[2], found.low[2], found.high[2], found.p[2]]).all()
    assert found.value[0] == pytest.approx(found.value[[1, 3]].mean())
    assert found.draws_left_out == (0, 0, 50, 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: {"films": c.films[::-1]}, "other films: row 0 is 0000.png in one, 0059.png in the other"),
        (lambda c: {"labels": 1 - c.labels}, "other labels: row 0"),
        (lambda c: {"patient": np.roll(c.patient, 1)}, "other patients: row 0 is p0 in one, p29"),
        (lambda c: {"findings": ("Mass", "Nodule", "Edema")}, "other findings: row 2"),
        (lambda c: {"reference": c.reference.rows(np.arange(3))}, "8 and 3 box entries"),
        (
            lambda c: {"reference": dataclasses.replace(c.reference, xyxy=c.reference.xyxy + 1)},
            "other box entries: row 0",
        ),
    ],
)
def test_systems_on_other_films_are_refused(cohort_of, change, message) -> None:
    cohort = cohort_of(60, 8)
    other = dataclasses.replace(cohort, **change(cohort))
    likely = np.zeros(cohort.labels.shape)
    with pytest.raises(ValueError, match=message):
        auroc_difference(cohort, likely, other, likely, 10, _rng())
    with pytest.raises(ValueError, match=message):
        mean_difference(cohort, np.zeros(8), other, np.zeros(len(other.reference)), 10, _rng())


def test_fewer_films_are_refused_and_unknown_labels_are_equal(cohort_of) -> None:
    cohort = cohort_of(60)
    with pytest.raises(ValueError, match="60 and 50 films"):
        auroc_difference(cohort, np.zeros((60, 3)), cohort.rows(np.arange(50)), np.zeros((50, 3)), 10, _rng())
    cohort.labels[0] = NAN
    auroc_difference(cohort, np.zeros((60, 3)), cohort, np.zeros((60, 3)), 10, _rng())


def test_means_of_box_entries(cohort_of) -> None:
    cohort = cohort_of(60, 40)
    first, second = _rng(2).random((2, 40))
    found = mean_difference(cohort, first, cohort, second, 200, _rng())
    finding = cohort.reference.finding
    values = [(second - first)[finding == column].mean() for column in (0, 1)]
    np.testing.assert_allclose(found.value, [np.mean(values), *values])
    patient = cohort.patient[cohort.reference.image]
    systems = [mean_draws(v[:, None], finding, patient, 200, _rng())[..., 0] for v in (first, second)]
    low, _ = np.percentile(systems[1] - systems[0], (2.5, 97.5), axis=0)
    np.testing.assert_allclose(found.low[1:], low)
    assert found.names == (None, "Mass", "Nodule")  # Effusion has no boxes


def test_no_films_no_difference(cohort_of) -> None:
    nothing = cohort_of(0)
    likely = np.zeros((0, 3))
    assert np.isnan(auroc_difference(nothing, likely, nothing, likely, 10, _rng()).value).all()
    found = mean_difference(nothing, np.zeros(0), nothing, np.zeros(0), 10, _rng())
    assert found.names == (None,)
    assert np.isnan([found.value, found.low, found.high, found.p]).all()


@pytest.mark.parametrize(
    ("draws", "p"),
    [
        ([0.1] * 99, 2 / 100),  # the least of 99 draws
        ([-0.1] * 99, 2 / 100),  # two-sided
        ([0.1] * 97 + [-0.1] * 2, 6 / 100),
        ([0.1] * 97 + [-0.1, 0.0], 6 / 100),  # no difference counts against both sides
        ([0.0] * 99, 1.0),
        ([0.1, -0.1], 1.0),
        ([0.1] * 49 + [NAN] * 49, 2 / 50),
        ([0.1] * 48 + [NAN] * 50, NAN),  # fewer than half are left
        ([], NAN),
    ],
)
def test_hand_worked_p(draws, p) -> None:
    np.testing.assert_allclose(p_from(np.array(draws, float).reshape(-1, 1)), [p])


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32), st.floats(-3, 3))
def test_p_and_interval_agree(seed, shift) -> None:
    draws = (_rng(seed).normal(size=(1000, 1)) + shift).round(6)
    low, high = np.percentile(draws, (2.5, 97.5))
    p = p_from(draws)[0]
    if abs(p - 0.05) > 0.003:  # but for a draw at the end of the interval
        assert (p < 0.05) == (not low <= 0 <= high)


def test_p_is_rarely_small_where_nothing_differs() -> None:
    """Two systems that are equally good and half alike, patients of three films."""
    rng, small = _rng(0), 0
    labels = np.repeat(np.arange(80) % 2, 3).astype(float)[:, None]
    patient = np.repeat(np.arange(80), 3)
    for _ in range(200):
        shared = np.repeat(rng.normal(size=80), 3)
        marks = [(shared + np.repeat(rng.normal(size=80), 3))[:, None] + labels for _ in range(2)]
        seed = int(rng.integers(2**32))
        draws = [auroc_draws(m, labels, patient, 200, _rng(seed)) for m in marks]
        small += p_from(draws[1] - draws[0])[0] < 0.05
    assert 1 <= small <= 22


@pytest.mark.parametrize(
    ("p", "corrected"),
    [
        ([], []),
        ([0.03], [0.03]),
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),  # 4 x .005, 3 x .01, 2 x .03, then not less
        ([0.5, 0.6], [1.0, 1.0]),
        ([0.02, NAN, 0.02], [0.04, NAN, 0.04]),  # what was not tested is no test
    ],
)
def test_hand_worked_holm(p, corrected) -> None:
    np.testing.assert_allclose(holm(np.array(p, float)), corrected)


def test_pooled_seeds() -> None:
    values = np.array([[0.80, 0.5], [0.82, 0.5], [0.87, 0.5]])
    found = pooled(values, np.repeat(values[:, None], 4000, axis=1), _rng())
    np.testing.assert_allclose(found.mean, [0.83, 0.5])
    np.testing.assert_allclose(found.spread, [np.std([0.80, 0.82, 0.87], ddof=1), 0.0])
    assert found.n_seeds == 3
    assert (found.low[1], found.high[1]) == (0.5, 0.5)
    assert found.low[0] < 0.80 + 0.01
    assert found.high[0] > 0.86


def test_the_interval_of_pooled_seeds_has_both_parts() -> None:
    """Variance of the mean of s seeds: that of patients, shared by the seeds, and spread^2 / s."""
    rng, n_seeds, n_draws = _rng(0), 5, 20_000
    values = np.array([[-2.0], [-1.0], [0.0], [1.0], [2.0]])  # variance 2.5 with s - 1 below the line
    patients = rng.normal(0, 0.3, n_draws)
    found = pooled(values, np.broadcast_to(values[:, None] + patients[None, :, None], (5, n_draws, 1)), rng)
    half = 1.96 * np.sqrt(0.3**2 + 2.5 / n_seeds)
    np.testing.assert_allclose([found.low[0], found.high[0]], [-half, half], rtol=0.05)


def test_one_seed_has_the_interval_of_its_patients() -> None:
    draws = _rng().random((1, 500, 2))
    found = pooled(np.array([[0.5, 0.5]]), draws, _rng())
    np.testing.assert_allclose([found.low, found.high], np.percentile(draws[0], (2.5, 97.5), axis=0))
    assert np.isnan(found.spread).all()


@pytest.mark.parametrize(("n_values", "n_seeds"), [(2, 3), (0, 0)])
def test_values_and_draws_must_be_of_the_same_seeds(n_values, n_seeds) -> None:
    with pytest.raises((ValueError, TypeError)):  # the shape checker of the tests may come first
        pooled(np.zeros((n_values, 1)), np.zeros((n_seeds, 5, 1)), _rng())
