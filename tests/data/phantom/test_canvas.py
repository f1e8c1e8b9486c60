"""Streams that do not depend on each other; outlines, blurs and rods against areas that are known."""

import numpy as np
import pytest

from hilum.data.phantom.canvas import clouds, curve, drawn, filled, generator, rods, soft

SQUARE = np.array([[256.0, 256.0], [768.0, 256.0], [768.0, 768.0], [256.0, 768.0]])


def test_every_place_has_its_own_stream() -> None:
    places = [(0,), (0, 1), (1,), (0, 0, 1), (0, 1, 1)]
    first = {generator(7, *place).integers(2**62) for place in places}
    assert len(first) == len(places)
    assert generator(7, 0).integers(2**62) == generator(7, 0, 0, 0).integers(2**62)
    assert generator(8, 0).integers(2**62) not in first


@pytest.mark.parametrize("size", [64, 256, 1024])
def test_a_quarter_of_the_frame_is_a_quarter_at_every_size(size: int) -> None:
    layer = filled(SQUARE, size)
    assert layer.mean() == pytest.approx(0.25, rel=0.01 + 8 / size)
    centre = np.argwhere(layer > 0.5).mean(axis=0)
    assert centre == pytest.approx([size / 2 - 0.5] * 2, abs=0.5)


@pytest.mark.parametrize("sigma", [0.5, 8.0, 90.0])
def test_a_blur_moves_no_brightness(sigma: float) -> None:
    layer = filled(SQUARE, 128)
    blurred = soft(layer, sigma)
    assert blurred.mean() == pytest.approx(layer.mean(), rel=0.02)
    assert blurred.max() <= layer.max() + 1e-6


def test_a_curve_goes_through_its_points_and_a_double_point_is_a_corner() -> None:
    assert np.allclose(curve(SQUARE, 4)[::4], SQUARE)
    corner = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    assert curve(corner, 4, closed=False)[:, 0].max() <= 1.0 + 0.1


def test_clouds_are_noise_of_their_grain() -> None:
    fine, coarse = (clouds(np.random.default_rng(0), 256, grain) for grain in (8.0, 120.0))
    assert np.std(fine) == pytest.approx(0.8, abs=0.25)
    assert np.abs(np.diff(coarse, axis=0)).mean() < 0.3 * np.abs(np.diff(fine, axis=0)).mean()


def test_a_rod_lies_where_it_was_put() -> None:
    line = rods(np.array([[512.0, 200.0], [512.0, 800.0]]), (20.0, 20.0), (1.0, 1.0))
    layer = drawn(line, 128)
    across = np.flatnonzero(layer.max(axis=0) > 0.05)
    assert (across.min(), across.max()) == pytest.approx((61, 66), abs=1)
    assert layer[50, 63:65].max() > 0.9
    assert layer[:20].max() == layer[108:].max() == 0
    assert not drawn(np.zeros((0, 8)), 64).any()
