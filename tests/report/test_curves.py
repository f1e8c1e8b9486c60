import numpy as np
import pytest

from hilum.evaluate.calibration import reliability, temperature_scaling
from hilum.report.curves import POINTS, curves_from

N = 60
PATIENT = np.repeat(np.arange(N // 2), 2)


@pytest.fixture(scope="module")
def films():
    rng = np.random.default_rng(0)
    labels = (rng.random((N, 2)) < 0.4).astype(float)
    return np.clip(0.3 * labels + 0.6 * rng.random((N, 2)), 0, 1), labels


def made(films, validation=None, n_draws=50):
    return curves_from(*films, PATIENT, validation, n_draws, np.random.default_rng(1))


def test_bands_hold_their_curves(films):
    curves = made(films)
    for band in (curves.roc, curves.precision_recall):
        assert band.low.shape == (2, 101)
        assert (band.low <= band.high).all()
        inside = (band.low <= band.value) & (band.value <= band.high)
        assert inside.mean() > 0.9
    low, high = curves.reliability_band
    share = curves.reliability.share
    assert ((low <= share) & (share <= high))[np.isfinite(low)].all()


def test_the_interval_of_a_bin_is_that_of_its_redrawn_films():
    # one patient a film, one bin of ten films with a share of one half
    probabilities = np.full((10, 1), 0.5)
    labels = np.array([[0.0], [1.0]] * 5)
    curves = curves_from(probabilities, labels, np.arange(10), None, 2000, np.random.default_rng(2))
    low, high = (end[0, 0] for end in curves.reliability_band)
    assert (low, high) == pytest.approx((0.2, 0.8), abs=0.05)
    assert np.isnan(curves.reliability_band[0][0, 1:]).all()


def test_without_validation_films_nothing_is_cut_or_scaled(films):
    curves = made(films)
    assert curves.points == ()
    assert curves.scaled is None


def test_cuts_and_temperatures_come_from_the_validation_films(films):
    validation = films[0][:30] / 2, films[1][:30]
    curves = made(films, validation)
    assert [point.name for point, _ in curves.points] == list(POINTS)
    assert curves.points[0][0].cut.max() <= 0.5
    expected = reliability(temperature_scaling(*validation)(films[0]), films[1])
    np.testing.assert_array_equal(curves.scaled.probability, expected.probability)


def test_logits_have_curves_but_no_calibration(films):
    curves = made((films[0] * 8 - 4, films[1]), (films[0] * 8 - 4, films[1]))
    assert curves.reliability is curves.reliability_band is curves.scaled is None
    assert np.isfinite(curves.roc.value).all()
    assert len(curves.points) == 3


def test_no_films_no_curves():
    nothing = np.zeros((0, 2))
    curves = curves_from(nothing, nothing, np.zeros(0, int), None, 20, np.random.default_rng(0))
    assert np.isnan(curves.roc.value).all()
