import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilum.evaluate.calibration import (
    EDGE,
    N_BINS,
    SLOPES,
    bins_of,
    brier,
    error_if_calibrated,
    expected_calibration_error,
    expected_calibration_error_draws,
    logits_from,
    platt_scaling,
    reliability,
    temperature_scaling,
)

NAN = np.nan


def _column(numbers) -> np.ndarray:
    return np.array(numbers, float).reshape(-1, 1)


def _drawn(n: int, slope: float, intercept: float = 0.0, seed: int = 0):
    """Films whose true logit is slope times the stated one plus intercept."""
    rng = np.random.default_rng(seed)
    logit = rng.normal(0, 1.5, n)
    true = 1 / (1 + np.exp(-(slope * logit + intercept)))
    return _column(1 / (1 + np.exp(-logit))), _column(rng.random(n) < true)


@pytest.mark.parametrize(
    ("probability", "bins"),
    [
        ([], []),
        ([0.3], [0]),
        (np.arange(15), range(15)),
        (np.arange(30), np.repeat(range(15), 2)),
        ([0.5] * 20, [0] * 20),  # equal films are never parted
        ([0.0] * 8 + list(range(1, 8)), [0] * 8 + list(range(8, 15))),  # nor do they push others down
        (np.arange(29, -1, -1), np.repeat(range(14, -1, -1), 2)),  # order of films does not matter
    ],
)
def test_bins_are_of_equal_mass(probability, bins) -> None:
    assert bins_of(np.array(probability, float)).tolist() == list(bins)


@pytest.mark.parametrize("n", [16, 29, 100, 997])
def test_without_ties_bins_differ_by_one_film(n) -> None:
    sizes = np.bincount(bins_of(np.random.default_rng(0).random(n)))
    assert len(sizes) == N_BINS
    assert np.ptp(sizes) <= 1


@pytest.mark.parametrize(
    ("probabilities", "labels", "expected"),
    [
        ([], [], NAN),
        ([1.0, 0.0], [1, 0], 0.0),
        ([1.0, 0.0], [0, 1], 1.0),
        ([0.75] * 4, [1, 1, 1, 0], 0.0),  # 0.75 comes true in 3 of 4
        ([0.75] * 4, [1, 0, 0, 0], 0.5),
        ([0.2, 0.2, 0.6, 0.6], [0, 1, 1, 1], (2 * 0.3 + 2 * 0.4) / 4),  # two bins that tie within
        ([0.2, 0.2, 0.6, NAN], [0, 1, 1, 1], (2 * 0.3 + 0.4) / 3),
        ([0.2, 0.2, 0.6, 0.6], [0, 1, 1, NAN], (2 * 0.3 + 0.4) / 3),
        ([NAN], [1], NAN),
        ([0.2, 0.4], [0, 0], 0.3),  # one label value is enough
    ],
)
def test_hand_worked_errors(probabilities, labels, expected) -> None:
    found = expected_calibration_error(_column(probabilities), _column(labels))
    np.testing.assert_allclose(found, [expected], atol=1e-12)


@pytest.mark.parametrize(
    "function", [expected_calibration_error, reliability, brier, temperature_scaling, platt_scaling]
)
def test_logits_are_refused(function) -> None:
    with pytest.raises(ValueError, match=r"a probability is -0.5; calibration needs numbers in 0 to 1"):
        function(_column([-0.5, 0.2]), _column([0, 1]))


def test_the_table_adds_up_to_the_error() -> None:
    likely, labels = _drawn(500, 0.5)
    labels[::7] = NAN
    table = reliability(likely.round(2), labels)
    assert table.n.sum() == (~np.isnan(labels)).sum()
    gap = np.nansum(table.n * np.abs(table.probability - table.share)) / table.n.sum()
    assert gap == pytest.approx(expected_calibration_error(likely.round(2), labels)[0], abs=1e-12)
    middle = table.probability[0][table.n[0] > 0]
    assert (np.diff(middle) > 0).all()


def test_an_empty_bin_of_the_table_is_nan() -> None:
    table = reliability(_column([0.4] * 30), _column([1, 0] * 15))
    assert (table.n[0, 0], table.probability[0, 0], table.share[0, 0]) == (30, pytest.approx(0.4), 0.5)
    assert (table.n[0, 1:] == 0).all()
    assert np.isnan([table.probability[0, 1:], table.share[0, 1:]]).all()


def test_a_draw_keeps_the_bins_of_the_cohort() -> None:
    likely, labels = _drawn(120, 0.6)
    labels[::9] = NAN
    patient = np.arange(120) // 3
    draws = expected_calibration_error_draws(likely, labels, patient, 10, np.random.default_rng(2))
    picks = np.random.default_rng(2).integers(0, 40, (10, 40), dtype=np.int32)
    known = ~np.isnan(labels[:, 0])
    bins = np.full(120, -1)
    bins[known] = bins_of(likely[known, 0])
    for draw in range(10):
        films = (3 * picks[draw][:, None] + np.arange(3)).ravel()
        films = films[known[films]]
        sums = np.bincount(bins[films], (likely - labels)[films, 0], minlength=N_BINS)
        assert draws[draw, 0] == pytest.approx(np.abs(sums).sum() / len(films), abs=1e-12)


def test_a_calibrated_system_is_left_with_chance() -> None:
    likely, labels = _drawn(2000, 1.0)
    chance = error_if_calibrated(likely, labels, np.random.default_rng(0))[0]
    assert expected_calibration_error(likely, labels)[0] == pytest.approx(chance, rel=0.35)
    # 15 bins with about 133 films of p (1 - p) = 0.17: sum of |normal| over them
    bins = bins_of(likely[:, 0])
    spread = np.bincount(bins, (likely * (1 - likely))[:, 0])
    assert chance == pytest.approx(np.sqrt(2 / np.pi * spread).sum() / 2000, rel=0.05)
    assert np.isnan(error_if_calibrated(_column([NAN]), _column([1]), np.random.default_rng(0)))


@pytest.mark.parametrize(
    ("probabilities", "labels", "expected"),
    [
        ([], [], NAN),
        ([0.9, 0.2], [1, 0], (0.01 + 0.04) / 2),
        ([0.9, NAN, 0.2], [1, 1, NAN], 0.01),
        ([0.0, 1.0], [1, 0], 1.0),
    ],
)
def test_hand_worked_brier(probabilities, labels, expected) -> None:
    np.testing.assert_allclose(brier(_column(probabilities), _column(labels)), [expected], atol=1e-12)


def test_logits_of_certainty_are_finite() -> None:
    logits = logits_from(_column([0, EDGE / 2, 0.5, 1]))[:, 0]
    assert (logits[1], logits[2], -logits[0]) == (logits[0], 0.0, pytest.approx(logits[3], abs=1e-8))
    assert logits[3] == pytest.approx(16.118, abs=1e-3)
    assert logits_from(np.array([[0.25]], np.float32)).dtype == np.float64


@pytest.mark.parametrize("slope", [0.4, 1.0, 2.5])
def test_temperature_finds_the_slope(slope) -> None:
    likely, labels = _drawn(40_000, slope)
    scaling = temperature_scaling(likely, labels)
    assert scaling.slope[0] == pytest.approx(slope, rel=0.05)
    assert scaling.intercept[0] == 0
    scaled = scaling(likely)
    assert expected_calibration_error(scaled, labels)[0] < 0.012
    assert (np.argsort(scaled[:, 0]) == np.argsort(likely[:, 0])).all()


def test_a_temperature_worked_by_hand() -> None:
    """Logits of 1 throughout, three of four right: the best slope is the logit of 3 / 4."""
    one = 1 / (1 + np.exp(-1))
    likely, labels = _column([one, one, one, one, 1 - one]), _column([1, 1, 0, 1, 0])
    assert temperature_scaling(likely, labels).slope[0] == pytest.approx(np.log(4))  # 4 of 5 on their side


def test_platt_finds_slope_and_intercept() -> None:
    scaling = platt_scaling(*_drawn(40_000, 0.6, -1.0))
    assert (scaling.slope[0], scaling.intercept[0]) == (
        pytest.approx(0.6, rel=0.05),
        pytest.approx(-1.0, rel=0.05),
    )


def test_platt_on_two_probabilities_by_hand() -> None:
    """Two probabilities, two unknowns: the fit meets the drawn-in share of each exactly."""
    likely, labels = _column([0.8] * 4 + [0.3] * 6), _column([1, 1, 1, 0, 1, 0, 0, 0, 0, 0])
    high, low = 5 / 6, 1 / 8  # (4 + 1) / (4 + 2) and 1 / (6 + 2)
    found = platt_scaling(likely, labels)(_column([0.8, 0.3]))[:, 0]
    np.testing.assert_allclose(found, [(3 * high + low) / 4, (high + 5 * low) / 6], atol=1e-9)


@pytest.mark.parametrize(
    ("probabilities", "labels", "slope"),
    [
        ([0.9, 0.8, 0.2, 0.1], [1, 1, 0, 0], SLOPES[1]),  # parted at 0.5: ever colder is ever better
        ([0.9, 0.8, 0.2, 0.1], [0, 0, 1, 1], SLOPES[0]),  # backwards: as flat as may be
        ([1.0, 1.0, 0.0, 0.0], [1, 1, 0, 0], SLOPES[1]),  # certain and right
        ([0.5, 0.5], [1, 0], SLOPES[0]),  # no logit at all
    ],
)
def test_temperature_ends_where_nothing_else_would_end_it(probabilities, labels, slope) -> None:
    scaling = temperature_scaling(_column(probabilities), _column(labels))
    assert scaling.slope[0] == slope
    assert np.isfinite(scaling(_column(probabilities))).all()


@pytest.mark.parametrize(
    ("probabilities", "labels"),
    [
        ([0.9, 0.8, 0.2, 0.1], [1, 1, 0, 0]),
        ([1.0, 1.0, 0.0, 0.0], [1, 1, 0, 0]),
        ([0.4] * 4, [1, 0, 0, 0]),  # one logit for all: slope and intercept are undecided
        ([0.5] * 4, [1, 0, 0, 0]),
        ([0.1, 0.9], [1, 0]),
        ([1.0, 0.0, 1.0, 0.0], [0, 1, 1, 0]),
    ],
)
def test_platt_always_has_a_fit(probabilities, labels) -> None:
    likely, labels = _column(probabilities), _column(labels)
    found = platt_scaling(likely, labels)(likely)
    assert ((found > 0) & (found < 1)).all()
    n, positives = len(labels), labels.sum()
    target = np.where(labels == 1, (positives + 1) / (positives + 2), 1 / (n - positives + 2))
    logit = logits_from(likely)
    np.testing.assert_allclose([(found - target).sum(), (logit * (found - target)).sum()], 0, atol=1e-6)


@pytest.mark.parametrize("fit", [temperature_scaling, platt_scaling])
@pytest.mark.parametrize("labels", [[0, 0, 0], [1, 1, 1], [1, NAN, NAN], [NAN, NAN, NAN]])
def test_one_label_value_has_no_fit(fit, labels) -> None:
    likely = np.column_stack([[0.9, 0.5, 0.1], [0.9, 0.5, 0.1]])
    scaling = fit(likely, np.column_stack([labels, [1.0, 0.0, 1.0]]))
    assert np.isnan([scaling.slope[0], scaling.intercept[0]]).all()
    assert np.isfinite(scaling.slope[1])
    assert np.isnan(scaling(likely)).all(axis=0).tolist() == [True, False]


@pytest.mark.parametrize("fit", [temperature_scaling, platt_scaling])
def test_no_films_no_fit(fit) -> None:
    assert np.isnan(fit(np.zeros((0, 2)), np.zeros((0, 2))).slope).all()


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_order_of_films_changes_nothing(data) -> None:
    n = data.draw(st.integers(2, 40))
    likely = _column(data.draw(st.lists(st.integers(0, 10), min_size=n, max_size=n))) / 10
    labels = _column(data.draw(st.lists(st.sampled_from([0, 1]), min_size=n, max_size=n)))
    order = data.draw(st.permutations(range(n)))
    error = expected_calibration_error(likely, labels)
    assert 0 <= error[0] <= 1
    np.testing.assert_allclose(expected_calibration_error(likely[order], labels[order]), error, atol=1e-12)
    for fit in (temperature_scaling, platt_scaling):
        one, other = fit(likely, labels), fit(likely[order], labels[order])
        np.testing.assert_allclose(other(likely), one(likely), atol=1e-6)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_scaling_never_raises_the_log_loss_it_was_fitted_to(data) -> None:
    n = data.draw(st.integers(2, 40))
    likely = _column(data.draw(st.lists(st.floats(0, 1), min_size=n, max_size=n)))
    labels = _column(data.draw(st.lists(st.sampled_from([0, 1]), min_size=n, max_size=n)))
    scaling = temperature_scaling(likely, labels)
    if not np.isnan(scaling.slope[0]):
        logit = logits_from(likely)[:, 0]

        def loss(slope: float) -> float:
            return float(np.sum(np.logaddexp(0, slope * logit) - labels[:, 0] * slope * logit))

        best = min(loss(slope) for slope in (*SLOPES, 0.1, 0.5, 1.0, 2.0, 10.0))
        assert loss(scaling.slope[0]) <= best + 1e-6
