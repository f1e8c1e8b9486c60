"""Affines against numbers worked out by hand; positions are of pixel edges."""

import math

import cv2
import numpy as np
import pytest

from hilum.boxes import moved
from hilum.data.geometry import (
    Augmentation,
    Geometry,
    augmented,
    composed,
    input_to_frame,
    input_to_store,
    inverted,
    squared,
    store_to_frame,
)

FRAME = (1024, 1024)
PLAIN = Geometry(224, 224, 256)
CROPPED = Geometry(448, 480, 512)
FILMS = np.arange(400)
SHAPES = np.array([[1024, 1024], [3000, 2000], [512, 700]])


@pytest.mark.parametrize("sides", [(0, 0, 0), (-1, 8, 8), (9, 8, 8), (8, 9, 8), (8, 16, 12)])
def test_a_geometry_that_enlarges_is_refused(sides) -> None:
    with pytest.raises(ValueError, match="must be positive and ascending"):
        Geometry(*sides)


def test_sides_as_sizes() -> None:
    assert CROPPED.input_hw == (448, 448)


@pytest.mark.parametrize(
    ("geometry", "frame_hw", "expected"),
    [
        (Geometry(8, 8, 8), (8, 8), [[1, 0, 0], [0, 1, 0]]),
        (PLAIN, FRAME, [[32 / 7, 0, 0], [0, 32 / 7, 0]]),
        (CROPPED, FRAME, [[32 / 15, 0, 512 / 15], [0, 32 / 15, 512 / 15]]),  # 1024 / 480 px, a margin of 16
        (Geometry(224, 256, 256), (512, 1024), [[4, 0, 64], [0, 2, 32]]),  # width and height apart
        (Geometry(5, 8, 8), (8, 8), [[1, 0, 1.5], [0, 1, 1.5]]),  # an odd margin is not rounded
    ],
)
def test_input_to_frame(geometry, frame_hw, expected) -> None:
    affine = input_to_frame(geometry, SHAPES, frame_hw)
    np.testing.assert_allclose(affine, [expected] * 3, rtol=1e-14)  # stretched: whatever the film's shape
    assert input_to_frame(geometry, SHAPES[:0], frame_hw).shape == (0, 2, 3)


@pytest.mark.parametrize(
    ("film_hw", "frame_hw", "expected"),
    [
        ((100, 100), (1024, 1024), [[4, 0, 0], [0, 4, 0]]),
        ((100, 200), (100, 200), [[200 / 256, 0, 0], [0, 200 / 256, -50]]),  # 50 px of black above
        ((200, 100), (200, 100), [[200 / 256, 0, -50], [0, 200 / 256, 0]]),
        ((100, 103), (100, 103), [[103 / 256, 0, 0], [0, 103 / 256, -1]]),  # of 3 px, one is above
        ((100, 200), (1024, 1024), [[4, 0, 0], [0, 8, -512]]),  # the frame itself is stretched
    ],
)
def test_padding_is_undone(film_hw, frame_hw, expected) -> None:
    padded = Geometry(224, 224, 256, "pad")
    affine = store_to_frame(padded, np.array([film_hw]), frame_hw)
    np.testing.assert_allclose(affine, [expected], rtol=1e-14)


@pytest.mark.parametrize("hw", [(60, 100), (100, 60), (61, 100), (80, 80), (97, 100)])
def test_a_mark_on_a_padded_film_is_found_where_it_was(hw) -> None:
    film = np.full(hw, 10, np.uint8)
    film[20:40, 30:50] = 200
    side = max(hw)
    ys, xs = np.nonzero(squared(film, side, "pad") > 150)
    there = np.array([[xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]], float)
    found = moved(there, store_to_frame(Geometry(50, 50, side, "pad"), np.array([hw]), hw))
    np.testing.assert_allclose(found, [[30, 20, 50, 40]], atol=1e-9)


def test_a_padded_film_keeps_its_shape_between_black() -> None:
    padded = squared(np.full((50, 101), 7, np.uint8), 101, "pad")
    assert padded.shape == (101, 101)
    assert padded.sum(axis=1).nonzero()[0].tolist() == list(range(25, 75))
    assert (squared(np.full((50, 101), 7, np.uint8), 101) == 7).all()


def test_boxes_reach_the_input_by_the_formula_of_resize_then_crop() -> None:
    """x' = x R / 1024 - (R - S) / 2."""
    box = np.array([[100.0, 200.0, 300.0, 500.0]])
    there = moved(box, inverted(input_to_frame(CROPPED, SHAPES[:1], FRAME)))
    np.testing.assert_allclose(there, box * 480 / 1024 - 16, rtol=1e-12)


def test_composed_applies_the_inner_one_first() -> None:
    twice, shift = np.array([[[2.0, 0, 0], [0, 2.0, 0]]]), np.array([[[1.0, 0, 3], [0, 1.0, 5]]])
    assert composed(twice, shift)[0].tolist() == [[2, 0, 6], [0, 2, 10]]
    assert composed(shift, twice)[0].tolist() == [[2, 0, 3], [0, 2, 5]]
    assert inverted(composed(twice, shift))[0].tolist() == [[0.5, 0, -3], [0, 0.5, -5]]
    nothing = np.zeros((0, 2, 3))
    assert composed(nothing, nothing).shape == inverted(nothing).shape == (0, 2, 3)


def _augmented(augmentation: Augmentation, geometry: Geometry = PLAIN, **other) -> np.ndarray:
    return augmented(geometry, augmentation, **{"seed": 0, "epoch": 0, "films": FILMS} | other)


def _corners(affine: np.ndarray, side: int) -> np.ndarray:
    """Where the input's corners lie in the store, `(n, 4, 2)`."""
    corners = np.array([[0, 0], [side, 0], [side, side], [0, side]], float)
    return np.einsum("nij,kj->nki", affine[:, :, :2], corners) + affine[:, None, :, 2]


def test_without_ranges_training_sees_what_scoring_sees() -> None:
    np.testing.assert_allclose(_augmented(Augmentation()), input_to_store(PLAIN, len(FILMS)), atol=1e-10)


def test_a_flip_mirrors_the_whole_film() -> None:
    expected = [[-256 / 224, 0, 256], [0, 256 / 224, 0]]
    np.testing.assert_allclose(_augmented(Augmentation(flip=1.0)), [expected] * len(FILMS), atol=1e-10)
    share = (_augmented(Augmentation(flip=0.5))[:, 0, 0] < 0).mean()
    assert abs(share - 0.5) < 4 * 0.5 / math.sqrt(len(FILMS))


def test_a_crop_keeps_its_size_and_goes_everywhere_in_the_film() -> None:
    corners = _corners(_augmented(Augmentation(), CROPPED), 448)
    np.testing.assert_allclose(corners[:, 2] - corners[:, 0], 512 * 448 / 480, rtol=1e-12)
    room = 512 * (1 - 448 / 480)
    for start in corners[:, 0].T:
        assert 0 <= start.min() < 0.05 * room
        assert 0.95 * room < start.max() <= room


def test_area_and_aspect_stay_within_their_ranges() -> None:
    augmentation = Augmentation(area=(0.3, 0.6), aspect=(0.8, 1.25))
    corners = _corners(_augmented(augmentation), 224)
    width, height = (corners[:, 2] - corners[:, 0]).T / 256
    assert corners.min() >= -1e-9
    assert corners.max() <= 256 + 1e-9
    share, aspect = width * height, width / height
    for values, (low, high) in ((share, (0.3, 0.6)), (aspect, (0.8, 1.25))):
        assert low - 1e-9 <= values.min() < low + 0.05 * (high - low)
        assert high - 0.05 * (high - low) < values.max() <= high + 1e-9
    assert abs(np.log(aspect).mean()) < 4 * np.log(1.25) / math.sqrt(3 * len(FILMS))  # wide as often as tall


def test_a_share_of_the_film_is_of_the_film_and_not_of_the_scoring_crop() -> None:
    """Baltruschat's training crops cover 8 to 100 % of the film, whose scoring crop is 448 of 480 px."""
    corners = _corners(_augmented(Augmentation(area=(0.08, 1.0), aspect=(3 / 4, 4 / 3)), CROPPED), 448)
    share = ((corners[:, 2] - corners[:, 0]) / 512).prod(axis=1)
    assert 0.08 - 1e-9 <= share.min() < 0.1
    assert 0.95 < share.max() <= 1 + 1e-9


def test_a_crop_never_exceeds_the_film() -> None:
    corners = _corners(_augmented(Augmentation(area=(1.0, 1.0), aspect=(0.5, 2.0))), 224)
    assert corners.min() >= -1e-9
    assert corners.max() <= 256 + 1e-9


def test_rotation_turns_about_the_centre_and_keeps_lengths() -> None:
    affine = _augmented(Augmentation(rotate_degrees=10.0))
    angle = np.rad2deg(np.arctan2(affine[:, 1, 0], affine[:, 0, 0]))
    assert -10 <= angle.min() < -9.5
    assert 9.5 < angle.max() <= 10
    turn = affine[:, :, :2] * 224 / 256
    np.testing.assert_allclose(turn @ turn.swapaxes(1, 2), [np.eye(2)] * len(FILMS), atol=1e-12)
    np.testing.assert_allclose(_corners(affine, 224).mean(axis=1), 128.0, atol=1e-9)


EVERYTHING = Augmentation(flip=0.5, rotate_degrees=7.0, area=(0.5, 1.0), aspect=(0.8, 1.25))


def test_draws_depend_on_seed_epoch_and_film_alone() -> None:
    every = _augmented(EVERYTHING)
    some = np.array([7, 3, 399])
    np.testing.assert_array_equal(_augmented(EVERYTHING, films=some), every[some])
    assert _augmented(EVERYTHING, films=some[:0]).shape == (0, 2, 3)
    for other in ({"seed": 1}, {"epoch": 1}):
        assert not np.isclose(_augmented(EVERYTHING, **other), every).all(axis=(1, 2)).any()
    swapped = _augmented(EVERYTHING, seed=3, epoch=5), _augmented(EVERYTHING, seed=5, epoch=3)
    assert not np.array_equal(*swapped)
    assert len(np.unique(every.reshape(len(FILMS), 6), axis=0)) == len(FILMS)


def test_squared() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (8, 8), np.uint8)
    assert squared(grey, 8) is grey
    np.testing.assert_array_equal(squared(grey, 2), np.floor(_block_means(grey, 4, 4) + 0.5))
    wide = np.hstack([grey, grey[:, ::-1]])
    np.testing.assert_array_equal(squared(wide, 4), np.floor(_block_means(wide, 2, 4) + 0.5))
    column = np.repeat(np.array([[0], [100]], np.uint8), 4, axis=1)
    assert squared(column, 4)[:, 0].tolist() == [0, 25, 75, 100]
    for hw in ((1, 1), (3, 50), (2000, 30)):
        assert (squared(np.full(hw, 201, np.uint8), 24) == 201).all()


def _block_means(grey: np.ndarray, rows: int, columns: int) -> np.ndarray:
    height, width = grey.shape
    return grey.reshape(height // rows, rows, width // columns, columns).mean(axis=(1, 3))


def test_a_fine_pattern_does_not_alias() -> None:
    """Stripes of one pixel become grey, as a film seen from afar does."""
    stripes = np.zeros((1024, 1024), np.uint8)
    stripes[:, ::2] = 255
    shrunk = squared(stripes, 300)
    assert np.ptp(shrunk[:, 2:-2].astype(int)) < 60
    assert np.ptp(cv2.resize(stripes, (300, 300), interpolation=cv2.INTER_LINEAR).astype(int)) > 200
