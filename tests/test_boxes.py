import jaxtyping
import numpy as np
import pytest

from hilum.boxes import (
    BoxTable,
    area,
    clip,
    intersection,
    moved,
    no_boxes,
    paired_iobb,
    paired_iou,
)

NOTHING = np.zeros((0, 4))


def _table(n: int) -> BoxTable:
    numbers = np.arange(n)
    return BoxTable(numbers, numbers + 10, np.repeat(numbers, 4).reshape(n, 4) + 0.5, numbers / 10)


def test_columns_are_of_one_length(monkeypatch) -> None:
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as it is outside of tests
    for short in range(4):
        columns = [np.zeros(3, int), np.zeros(3, int), np.zeros((3, 4)), np.zeros(3)]
        columns[short] = columns[short][:2]
        with pytest.raises(ValueError, match=r"columns of a box table must be of one length, not \[2, 3\]"):
            BoxTable(*columns)


def test_rows_take_a_part_of_every_column() -> None:
    table = _table(4)
    for keep in (np.array([3, 1]), np.array([1, 3]), np.array([False, True, False, True])):
        some = table.rows(keep)
        order = np.flatnonzero(keep) if keep.dtype == bool else keep
        assert len(some) == 2
        assert some.image.tolist() == order.tolist()
        assert some.finding.tolist() == (order + 10).tolist()
        assert some.xyxy.tolist() == [[row + 0.5] * 4 for row in order]
        assert some.score.tolist() == (order / 10).tolist()
    assert len(table.rows(np.zeros(0, int))) == len(table.rows(np.zeros(4, bool))) == 0


def test_no_boxes() -> None:
    assert len(no_boxes()) == len(no_boxes().rows(np.zeros(0, bool))) == 0
    assert no_boxes().xyxy.shape == (0, 4)


@pytest.mark.parametrize(
    ("first", "second", "shared", "iou", "iobb"),
    [
        ([0, 0, 2, 2], [0, 0, 2, 2], 4, 1, 1),
        ([0, 0, 2, 2], [1, 1, 3, 3], 1, 1 / 7, 1 / 4),
        ([0, 0, 4, 4], [1, 1, 3, 3], 4, 1 / 4, 1 / 4),
        ([1, 1, 3, 3], [0, 0, 4, 4], 4, 1 / 4, 1),  # the area below the line is the predicted box's
        ([0, 0, 2, 2], [2, 0, 4, 2], 0, 0, 0),  # half-open: they only touch
        ([0, 0, 2, 2], [5, 5, 6, 6], 0, 0, 0),
        ([0, 0, 2, 2], [0, 5, 2, 6], 0, 0, 0),
        ([1, 1, 1, 3], [0, 0, 4, 4], 0, 0, 0),
        ([1, 1, 1, 1], [1, 1, 1, 1], 0, 0, 0),
        ([3, 3, 1, 1], [0, 0, 4, 4], 0, 0, 0),  # inside out
        ([0.5, 0, 1, 1], [0, 0, 0.75, 1], 0.25, 1 / 4, 1 / 2),
        ([0, 0, 1, 4], [0, 0, 4, 1], 1, 1 / 7, 1 / 4),
    ],
)
def test_two_boxes(first, second, shared, iou, iobb) -> None:
    a, b = np.array([first], float), np.array([second], float)
    assert intersection(a, b).tolist() == intersection(b, a).tolist() == [shared]
    np.testing.assert_allclose(paired_iou(a, b), [iou], rtol=1e-12)
    np.testing.assert_allclose(paired_iou(b, a), [iou], rtol=1e-12)
    np.testing.assert_allclose(paired_iobb(a, b), [iobb], rtol=1e-12)


def test_rows_are_compared_with_their_own_partner() -> None:
    first, second = np.array([[0.0, 0, 2, 2], [0, 0, 4, 4]]), np.array([[0.0, 0, 2, 1], [8, 8, 9, 9]])
    assert area(first).tolist() == [4, 16]
    assert paired_iou(first, second).tolist() == [0.5, 0]


def test_no_box_at_all() -> None:
    for function in (intersection, paired_iou, paired_iobb):
        assert function(NOTHING, NOTHING).shape == (0,)
    assert area(NOTHING).shape == (0,)
    assert clip(NOTHING, (8, 8)).shape == moved(NOTHING, np.zeros((0, 2, 3))).shape == (0, 4)


def test_leading_axes_are_kept() -> None:
    boxes = np.array([[[0.0, 0, 2, 2]], [[0, 0, 4, 4]]])
    assert area(boxes).tolist() == [[4], [16]]
    assert intersection(boxes, boxes[::-1]).tolist() == [[4], [4]]


@pytest.mark.parametrize(
    ("box", "cut"),
    [
        ([-5, -6, 7, 8], [0, 0, 7, 8]),
        ([3, 4, 500, 600], [3, 4, 20, 10]),  # the frame is 10 high and 20 wide
        ([30, 40, 50, 60], [20, 10, 20, 10]),
        ([1, 2, 3, 4], [1, 2, 3, 4]),
    ],
)
def test_clip(box, cut) -> None:
    given = np.array([box], float)
    assert clip(given, (10, 20)).tolist() == [cut]
    assert given.tolist() == [box]


@pytest.mark.parametrize(
    ("affine", "expected"),
    [
        ([[1, 0, 0], [0, 1, 0]], [1, 2, 4, 8]),
        ([[2, 0, 10], [0, 0.5, -1]], [12, 0, 18, 3]),
        ([[-1, 0, 20], [0, 1, 0]], [16, 2, 19, 8]),  # a flip
        ([[0, -1, 0], [1, 0, 0]], [-8, 1, -2, 4]),  # a quarter turn
        ([[1, 1, 0], [0, 1, 0]], [3, 2, 12, 8]),  # a shear: the hull of the slanted box
    ],
)
def test_moved(affine, expected) -> None:
    boxes = np.array([[1.0, 2, 4, 8], [0, 0, 0, 0]])
    hull = moved(boxes, np.array([affine, [[1, 0, 0], [0, 1, 0]]], float))
    assert hull.tolist() == [expected, [0, 0, 0, 0]]
