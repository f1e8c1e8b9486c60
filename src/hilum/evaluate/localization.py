"""Reference entries, predicted boxes and map maxima in, one row of statistics an entry out.

An entry is one reference box. Its statistics are success or failure at each T, its IoU, and the share of
its map's maxima inside it; every localisation score is a mean of such a column over entries.
"""

import numpy as np
from jaxtyping import Bool, Float, Int

from hilum.boxes import BoxTable, area, intersection, paired_iobb, paired_iou
from hilum.evaluate.metric import T_IOBB, T_IOU

COLUMNS: tuple[tuple[str, float | None], ...] = (
    *(("t_iou", t) for t in T_IOU),
    *(("t_iobb", t) for t in T_IOBB),
    ("mean_iou_micro", None),
    ("mean_iou_macro", None),
)
"""What the columns of `statistics` are: the metric and its T."""

_CHUNK = 2_000_000


def best_overlaps(
    reference: BoxTable, predicted: BoxTable
) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"]]:
    """Best IoU and best IoBB of each reference entry over the predicted boxes of its film and finding.

    Source: Wang et al., CVPR 2017 (arXiv:1705.02315), section 4; any predicted box may succeed.

    Returns:
        Two columns in [0, 1]; 0 for an entry whose film and finding have no predicted box.

    Example:
        >>> one, corner = np.zeros(1, np.int64), np.array([[0.0, 0.0, 2.0, 2.0]])
        >>> entry = BoxTable(one, one, corner + [0, 0, 2, 0], np.array([np.nan]))
        >>> [best.tolist() for best in best_overlaps(entry, BoxTable(one, one, corner, np.ones(1)))]
        [[0.5], [1.0]]
    """
    entry, box = matches(reference, predicted)
    found = predicted.xyxy[box], reference.xyxy[entry]
    iou, iobb = np.zeros((2, len(reference)))
    np.maximum.at(iou, entry, paired_iou(*found))
    np.maximum.at(iobb, entry, paired_iobb(*found))
    return iou, iobb


def matches(reference: BoxTable, predicted: BoxTable) -> tuple[Int[np.ndarray, " m"], Int[np.ndarray, " m"]]:
    """Every pair of a reference row and a predicted row that share film and finding."""
    n_findings = 1 + max((int(t.finding.max()) for t in (reference, predicted) if len(t)), default=0)
    return joined(*(table.image * n_findings + table.finding for table in (reference, predicted)))


def joined(
    wanted: Int[np.ndarray, " k"], there: Int[np.ndarray, " n"]
) -> tuple[Int[np.ndarray, " m"], Int[np.ndarray, " m"]]:
    """Every pair of places of equal keys, those of the first table in order.

    Example:
        >>> [places.tolist() for places in joined(np.array([7, 5]), np.array([5, 7, 7]))]
        [[0, 0, 1], [1, 2, 0]]
    """
    order = np.argsort(there, kind="stable")
    first = np.searchsorted(there[order], wanted, "left")
    count = np.searchsorted(there[order], wanted, "right") - first
    entry = np.repeat(np.arange(len(wanted)), count)
    step = np.arange(len(entry)) - np.repeat(np.cumsum(count) - count, count)
    return entry, order[np.repeat(first, count) + step]


def statistics(iou: Float[np.ndarray, "*k"], iobb: Float[np.ndarray, "*k"]) -> Float[np.ndarray, "*k c"]:
    """The columns of `COLUMNS` for each entry; a success needs strictly more than T.

    Example:
        >>> statistics(np.array([0.5]), np.array([0.9])).tolist()
        [[1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.5, 0.5]]
    """
    by_iou = iou[..., None] > np.array(T_IOU)
    by_iobb = iobb[..., None] > np.array(T_IOBB)
    return np.concatenate([by_iou, by_iobb, iou[..., None], iou[..., None]], axis=-1, dtype=np.float64)


def crossed_overlaps(
    entries: Float[np.ndarray, "k 4"],
    boxes: Float[np.ndarray, "m 4"],
    row: Int[np.ndarray, " m"],
    n_rows: int,
) -> tuple[Float[np.ndarray, "k r"], Float[np.ndarray, "k r"]]:
    """Best IoU and best IoBB of every entry with the boxes of every map, whatever its film.

    Args:
        entries: Reference boxes.
        boxes: Predicted boxes in the same frame.
        row: Map that each box comes from.
        n_rows: Maps there are; one without boxes overlaps nothing.
    """
    iou, iobb = np.zeros((2, len(entries), n_rows))
    if not len(boxes):
        return iou, iobb
    order = np.argsort(row, kind="stable")
    boxes = boxes[order]
    filled, first = np.unique(row[order], return_index=True)
    own = area(boxes)
    step = max(1, _CHUNK // len(boxes))
    for start in range(0, len(entries), step):
        part = slice(start, start + step)
        shape = (len(entries[part]), len(boxes), 4)
        shared = intersection(
            np.broadcast_to(entries[part][:, None], shape), np.broadcast_to(boxes[None], shape)
        )
        union = area(entries[part])[:, None] + own - shared
        for best, whole in ((iou, union), (iobb, np.broadcast_to(own, union.shape))):
            share = np.divide(shared, whole, out=np.zeros_like(shared), where=whole > 0)
            best[part, filled] = np.maximum.reduceat(share, first, axis=1)
    return iou, iobb


def inside(xy: Float[np.ndarray, "*m 2"], xyxy: Float[np.ndarray, "*m 4"]) -> Bool[np.ndarray, "*m"]:
    """Whether each point lies in its box, edges inside."""
    x, y = xy[..., 0], xy[..., 1]
    return (x >= xyxy[..., 0]) & (x <= xyxy[..., 2]) & (y >= xyxy[..., 1]) & (y <= xyxy[..., 3])


def hits(
    entries: Float[np.ndarray, "k 4"], row: Int[np.ndarray, " m"], xy: Float[np.ndarray, "m 2"]
) -> Float[np.ndarray, " k"]:
    """Share of the maxima of each entry's map that lie in its box, edges inside.

    Source: the pointing game of Zhang et al., ECCV 2016 (arXiv:1608.00507), section 4.1.
    # Differs from the paper: no tolerance round the box, and a plateau counts by its share.

    Args:
        entries: Reference boxes.
        row: Entry that each maximum belongs to.
        xy: The maxima, in the same frame.

    Returns:
        Shares in [0, 1]; 0 for an entry without a map.

    Example:
        >>> hits(np.array([[0.0, 0.0, 2.0, 2.0]]), np.zeros(2, int), np.array([[2.0, 1.0], [3.0, 1.0]]))
        array([0.5])
    """
    count = np.bincount(row, minlength=len(entries))
    found = np.bincount(row, weights=inside(xy, entries[row]), minlength=len(entries))
    return np.divide(found, count, out=np.zeros(len(entries)), where=count > 0)


def crossed_hits(
    entries: Float[np.ndarray, "k 4"], row: Int[np.ndarray, " m"], xy: Float[np.ndarray, "m 2"], n_rows: int
) -> Float[np.ndarray, "k r"]:
    """Share of the maxima of every map that lie in every entry's box; `row` is the map of each maximum."""
    from hilum.evaluate.localization_kernels import counts_inside

    return counts_inside(entries, row, xy, n_rows) / np.maximum(np.bincount(row, minlength=n_rows), 1)
