import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilum.evaluate.pixelwise import box_map, crossed_auprc, map_auprc, union_masks

IDENTITY = np.eye(2, 3)[None]
NAN = np.nan


@pytest.mark.parametrize(
    ("values", "mask", "step", "trapezoid"),
    [
        ([0.9, 0.8, 0.2, 0.1], [1, 1, 0, 0], 1.0, 1.0),
        (
            [0.9, 0.8, 0.2, 0.1],
            [0, 0, 1, 1],
            (1 / 3 + 2 / 4) / 2,
            ((0 + 1 / 3) / 2 + (1 / 3 + 1 / 2) / 2) / 2,
        ),
        ([0.5, 0.5, 0.5, 0.5], [1, 0, 0, 0], 0.25, (1 + 0.25) / 2),  # a flat map reaches the boxed share
        ([0.9, 0.5, 0.5, 0.1], [1, 1, 0, 0], (1 + 2 / 3) / 2, (1 + (1 + 2 / 3) / 2) / 2),
        (
            [-0.0, 0.0, -1.0, -2.0],
            [1, 0, 0, 1],
            (1 / 2 + 2 / 4) / 2,
            ((1 + 1 / 2) / 2 + (1 / 3 + 1 / 2) / 2) / 2,
        ),
        ([NAN, 0.9, 0.5, 0.1], [1, 1, 0, 0], 0.5, 0.75),  # a missing map says as little as a flat one
        ([0.9, 0.5, 0.4, 0.1], [0, 0, 0, 0], NAN, NAN),
    ],
)
def test_hand_worked(values, mask, step, trapezoid) -> None:
    maps, masks = np.array([[values]], np.float32), np.array([[mask]], bool)
    np.testing.assert_allclose(map_auprc(maps, masks), [step])
    np.testing.assert_allclose(map_auprc(maps, masks, "trapezoid"), [trapezoid])


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6))
def test_the_rank_alone_counts(seed) -> None:
    rng = np.random.default_rng(seed)
    values = rng.integers(-3, 4, (1, 5, 6)).astype(np.float32)
    masks = rng.random((1, 5, 6)) < 0.4
    found = map_auprc(values, masks)
    np.testing.assert_allclose(map_auprc(np.exp(values) * 7 - 3, masks), found)
    assert np.isnan(found[0]) or 0 < found[0] <= 1
    flipped = map_auprc(np.ascontiguousarray(values[:, ::-1]), masks[:, ::-1])
    np.testing.assert_allclose(flipped, found)


def test_maps_are_enlarged_to_the_mask() -> None:
    masks = np.zeros((1, 4, 4), bool)
    masks[0, :2, :2] = True
    hot = np.array([[[1.0, 0.0], [0.0, 0.0]]], np.float32)
    assert map_auprc(hot, masks)[0] == 1.0
    assert map_auprc(hot[:, ::-1], masks)[0] < 0.25  # the boxed share


def test_one_map_against_many_masks() -> None:
    rng = np.random.default_rng(0)
    one, masks = rng.random((7, 7), dtype=np.float32), rng.random((5, 14, 14)) < 0.3
    np.testing.assert_array_equal(crossed_auprc(one, masks), map_auprc(np.stack([one] * 5), masks))


def test_nothing() -> None:
    assert len(map_auprc(np.zeros((0, 7, 7), np.float32), np.zeros((0, 14, 14), bool))) == 0
    assert not union_masks(np.zeros((0, 4)), np.zeros(0, int), IDENTITY, (4, 4), (2, 2)).any()
    assert box_map(np.zeros((0, 4)), np.zeros(0), (2, 2)).tolist() == [[0, 0], [0, 0]]


def test_unequal_counts_are_refused() -> None:
    with pytest.raises((ValueError, TypeError)):
        map_auprc(np.zeros((2, 7, 7), np.float32), np.zeros((3, 7, 7), bool))


@pytest.mark.parametrize(
    ("boxes", "covered"),
    [
        ([[0.0, 0.0, 1.0, 1.0]], [[1, 0], [0, 0]]),
        ([[0.5, 0.0, 1.0, 1.0]], [[1, 0], [0, 0]]),  # half of a pixel is enough
        ([[0.6, 0.0, 1.0, 1.0]], [[0, 0], [0, 0]]),
        ([[0.0, 0.0, 0.3, 1.0], [0.2, 0.0, 0.4, 1.0]], [[0, 0], [0, 0]]),  # 0.4 together, not 0.5
        ([[0.0, 0.0, 0.3, 1.0], [0.6, 0.0, 0.9, 1.0]], [[1, 0], [0, 0]]),  # 0.6 together
        ([[-5.0, 1.0, 9.0, 9.0]], [[0, 0], [1, 1]]),  # beyond the edges
    ],
)
def test_a_union_covers_half_of_a_pixel(boxes, covered) -> None:
    boxes = np.array(boxes)
    masks = union_masks(boxes, np.zeros(len(boxes), int), IDENTITY, (2, 2), (2, 2))
    assert masks[0].astype(int).tolist() == covered


def test_union_masks_beside_fine_pixels() -> None:
    rng = np.random.default_rng(3)
    low = rng.integers(0, 48, (6, 2)).astype(float)
    boxes = np.concatenate([low, low + rng.integers(3, 30, (6, 2))], axis=1)
    row = np.array([0, 0, 0, 1, 1, 2])
    # The input of 32 px is the frame without its first 8 columns and 4 rows, at half size.
    affine = np.tile(np.array([[2.0, 0.0, 8.0], [0.0, 2.0, 4.0]]), (3, 1, 1))
    fine = np.zeros((3, 80, 80))
    for film, (x0, y0, x1, y1) in zip(row, boxes.astype(int), strict=True):
        fine[film, y0:y1, x0:x1] = 1
    window = fine[:, 4 : 4 + 64, 8 : 8 + 64]
    for side in (32, 16):
        blocks = window.reshape(3, side, 64 // side, side, 64 // side).mean(axis=(2, 4))
        masks = union_masks(boxes, row, affine, (32, 32), (side, side))
        np.testing.assert_array_equal(masks, blocks >= 0.5)


def test_the_greatest_box_paints_a_pixel() -> None:
    boxes = np.array([[0.0, 0.0, 2.4, 1.0], [1.0, 0.0, 9.0, 1.6], [-3.0, -3.0, -1.0, -1.0]])
    painted = box_map(boxes, np.array([0.5, 0.25, 0.9]), (2, 4))
    assert painted.tolist() == [[0.5, 0.5, 0.25, 0.25], [0.0, 0.25, 0.25, 0.25]]
