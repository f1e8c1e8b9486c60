"""What holds for every pair of boxes, with pixels counted one by one as the judge."""

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hilum.boxes import area, clip, intersection, moved, paired_iobb, paired_iou

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A busy machine is no failure."""

SIDE = 16
corners = st.integers(-4, SIDE + 4)
whole_boxes = arrays(np.int64, (4,), elements=corners).map(
    lambda box: np.concatenate([np.minimum(box[:2], box[2:]), np.maximum(box[:2], box[2:])])[None].astype(
        float
    )
)
boxes = arrays(np.float64, (5, 4), elements=st.floats(-100, 100)).map(
    lambda some: np.concatenate(
        [np.minimum(some[:, :2], some[:, 2:]), np.maximum(some[:, :2], some[:, 2:])], 1
    )
)


def _pixels(box: np.ndarray) -> np.ndarray:
    x_min, y_min, x_max, y_max = box[0]
    row, column = np.mgrid[-8 : SIDE + 8, -8 : SIDE + 8]
    return (column >= x_min) & (column < x_max) & (row >= y_min) & (row < y_max)


@PATIENT
@given(whole_boxes, whole_boxes)
def test_areas_are_counts_of_pixels(first, second) -> None:
    a, b = _pixels(first), _pixels(second)
    assert area(first) == a.sum()
    assert intersection(first, second) == (a & b).sum()
    np.testing.assert_allclose(paired_iou(first, second), (a & b).sum() / max((a | b).sum(), 1), rtol=1e-12)
    np.testing.assert_allclose(paired_iobb(first, second), (a & b).sum() / max(a.sum(), 1), rtol=1e-12)


@PATIENT
@given(whole_boxes)
def test_clipping_keeps_the_pixels_inside_the_frame(box) -> None:
    row, column = np.mgrid[-8 : SIDE + 8, -8 : SIDE + 8]
    inside = (row >= 0) & (column >= 0) & (row < SIDE) & (column < SIDE // 2)
    cut = clip(box, (SIDE, SIDE // 2))
    np.testing.assert_array_equal(_pixels(cut), _pixels(box) & inside)
    np.testing.assert_array_equal(clip(cut, (SIDE, SIDE // 2)), cut)


@PATIENT
@given(boxes, boxes)
def test_overlaps_are_shares(first, second) -> None:
    iou, iobb = paired_iou(first, second), paired_iobb(first, second)
    assert ((iou >= 0) & (iobb <= 1 + 1e-9)).all()
    assert (iou <= iobb + 1e-9).all()
    np.testing.assert_array_equal(iou, paired_iou(second, first))
    np.testing.assert_array_equal(paired_iou(first, first), area(first) > 0)


@PATIENT
@given(
    whole_boxes,
    whole_boxes,
    st.floats(0.1, 10),
    st.floats(0.1, 10),
    st.sampled_from([-1, 1]),
    st.floats(-50, 50),
)
def test_overlaps_do_not_change_with_the_frame(first, second, x_scale, y_scale, mirror, shift) -> None:
    affine = np.array([[[mirror * x_scale, 0, shift], [0, y_scale, -shift]]])
    there = moved(first, affine), moved(second, affine)
    np.testing.assert_allclose(area(there[0]), area(first) * x_scale * y_scale, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(paired_iou(*there), paired_iou(first, second), atol=1e-6)
    np.testing.assert_allclose(paired_iobb(*there), paired_iobb(first, second), atol=1e-6)
