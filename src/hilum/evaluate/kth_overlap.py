"""The overlaps of a student report, with its four mistakes, for comparison with its printed numbers only.

Source: Sorkhei et al. 2019 (KTH), tables 2 to 7, and the evaluation code of that commit.
"""

import numpy as np
from jaxtyping import Bool, Float32, Int

from hilum.boxes import BoxTable
from hilum.evaluate.localization import matches
from hilum.evaluate.metric import T_IOBB, T_IOU

SIDE = 256
"""Side of the frame in which the report compares boxes, in px."""

MARGIN = 5
"""Pixels by which the report keeps predicted boxes away from the right and the lower edge."""


def legacy_kth_overlap(
    reference: BoxTable, predicted: BoxTable, frame_hw: tuple[int, int]
) -> tuple[Int[np.ndarray, " k"], Float32[np.ndarray, " k"], Float32[np.ndarray, " k"]]:
    """Finding, "IoU" and "IoBB" that the report's evaluation gives each row of the box list.

    # Differs from the definitions, as the report does:
    # 1. boxes and labels are kept by film, so that each row of a film is scored as the film's last row;
    # 2. prediction and reference are swapped: "IoBB" divides by the reference;
    # 3. the union of "IoU" adds width of the prediction times height of the reference, and the reference;
    # 4. the intersection counts both edge pixels, the areas do not; boxes are shaved at two edges.
    Single precision, in a frame of 256 px, as there.

    Args:
        reference: The rows of the box list in its own order.
        predicted: Of several boxes of a film and finding the one that is largest once shaved counts.
        frame_hw: Height and width of the frame of both.

    Returns:
        For each row the finding under which it is counted, and two ratios that may exceed 1; 0 without a
        predicted box.

    Example:
        >>> one = np.zeros(1, np.int64)
        >>> entry = BoxTable(one, one, np.array([[8.0, 8.0, 16.0, 16.0]]), np.array([np.nan]))
        >>> finding, iou, iobb = legacy_kth_overlap(entry, entry, (256, 256))
        >>> (iou * 47).round(3), iobb.round(3)
        (array([81.], dtype=float32), array([1.266], dtype=float32))
    """
    if not len(reference):
        return np.zeros(0, np.int64), np.zeros(0, np.float32), np.zeros(0, np.float32)
    rows = reference.rows(last_of_film(reference.image))
    scale = SIDE / np.array([*frame_hw[::-1], *frame_hw[::-1]])
    given = _shaved(_xywh(predicted.xyxy * scale))
    entry, box = matches(rows, predicted)
    order = np.lexsort((-box, given[box, 2] * given[box, 3], entry))  # ascending: the last of an entry stays
    chosen = np.full(len(rows), -1)
    chosen[entry[order]] = box[order]
    found = chosen >= 0
    iou, iobb = np.zeros((2, len(rows)), np.float32)
    iou[found], iobb[found] = _ratios(given[chosen[found]], _xywh(rows.xyxy * scale)[found])
    return rows.finding, iou, iobb


def last_of_film(image: Int[np.ndarray, " k"]) -> Int[np.ndarray, " k"]:
    """For each row of the box list the last row of its film, as which the report scores it.

    Example:
        >>> last_of_film(np.array([3, 1, 3])).tolist()
        [2, 1, 2]
    """
    last = np.zeros(int(image.max(initial=-1)) + 1, np.int64)
    last[image] = np.arange(len(image))  # of equal places numpy keeps the last
    return last[image]


def legacy_kth_successes(
    iou: Float32[np.ndarray, " k"], iobb: Float32[np.ndarray, " k"]
) -> tuple[Bool[np.ndarray, "k t"], Bool[np.ndarray, "k s"]]:
    """Successes at each T(IoU) and each T(IoBB); reaching T is enough there.

    Example:
        >>> half = np.array([0.5], np.float32)
        >>> legacy_kth_successes(half, half)[0].astype(int).tolist()
        [[1, 1, 1, 1, 1, 0, 0]]
    """
    by_iou = iou[:, None] >= np.array(T_IOU, np.float32)
    return by_iou, iobb[:, None] >= np.array(T_IOBB, np.float32)


def _xywh(xyxy: np.ndarray) -> Float32[np.ndarray, "k 4"]:
    return np.concatenate([xyxy[:, :2], xyxy[:, 2:] - xyxy[:, :2]], axis=1).astype(np.float32)


def _shaved(xywh: Float32[np.ndarray, "k 4"]) -> Float32[np.ndarray, "k 4"]:
    room = np.float32(SIDE - MARGIN)
    corner, sides = xywh[:, :2], xywh[:, 2:]
    return np.concatenate(
        [np.minimum(np.maximum(corner, 0), room), np.minimum(np.maximum(sides, 0), room - corner)], axis=1
    )


def _ratios(
    given: Float32[np.ndarray, "k 4"], truth: Float32[np.ndarray, "k 4"]
) -> tuple[Float32[np.ndarray, " k"], Float32[np.ndarray, " k"]]:
    low = np.maximum(given[:, :2], truth[:, :2])
    high = np.minimum(given[:, :2] + given[:, 2:], truth[:, :2] + truth[:, 2:])
    shared = np.maximum(high - low + 1, 0).prod(axis=1)
    own = truth[:, 2] * truth[:, 3]
    union = given[:, 2] * truth[:, 3] + own - shared
    iou, iobb = (np.divide(shared, a, out=np.zeros_like(shared), where=a != 0) for a in (union, own))
    return iou, iobb
