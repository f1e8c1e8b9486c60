"""Maps and reference boxes in, pixel by pixel; the area under precision and recall of each film out."""

from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from hilum.boxes import moved
from hilum.localize import enlarged

Estimator = Literal["step", "trapezoid"]


def map_auprc(
    maps: Float32[np.ndarray, "k h w"],
    masks: Bool[np.ndarray, "k a b"],
    estimator: Estimator = "step",
) -> Float[np.ndarray, " k"]:
    """Area under precision and recall of each map's pixels, ranked by value, equal ones together.

    Source: the localisation utility of the WILDCAT study on RSNA; its estimator is not stated.

    Args:
        maps: Raw maps; they are enlarged bilinearly to the masks' size.
        masks: True inside the reference.
        estimator: "step" is average precision without interpolation; "trapezoid" joins the points by
            straight lines, which flatters maps of few distinct values.

    Returns:
        Areas in (0, 1]; the share of the mask for a flat map and for one with NaN, which say nothing; NaN
        for an empty mask.

    Example:
        >>> map_auprc(np.array([[[0.9, 0.1]]], np.float32), np.array([[[True, False]]]))
        array([1.])
    """
    if maps.shape[0] != masks.shape[0]:
        raise ValueError(f"{len(maps)} maps for {len(masks)} masks")
    found = np.full(len(maps), np.nan)
    for row, one in enumerate(maps):
        found[row] = crossed_auprc(one, masks[row][None], estimator)[0]
    return found


def crossed_auprc(
    one: Float32[np.ndarray, "h w"], masks: Bool[np.ndarray, "k a b"], estimator: Estimator = "step"
) -> Float[np.ndarray, " k"]:
    """`map_auprc` of one map against many masks, ranked once."""
    from hilum.evaluate.pixelwise_kernels import areas

    hw = (masks.shape[1], masks.shape[2])
    big = enlarged(one, hw) if np.isfinite(one).all() else np.zeros(hw, np.float32)
    order, tied = _ranked(big.ravel())
    return areas(order, tied, masks.reshape(len(masks), -1), estimator == "trapezoid")


def _ranked(values: Float32[np.ndarray, " p"]) -> tuple[Int[np.ndarray, " p"], Bool[np.ndarray, " p"]]:
    """Pixels by falling value and whether each equals the one before.

    Value and place share one whole number, for numbers sort six times as fast as places by their values.
    """
    bits = (values + np.float32(0.0)).view(np.uint32)  # -0 becomes 0
    rising = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))
    keys = (~rising).astype(np.uint64) << np.uint64(32) | np.arange(len(values), dtype=np.uint64)
    keys.sort()
    tied = np.zeros(len(values), bool)
    tied[1:] = (keys[1:] ^ keys[:-1]) >> np.uint64(32) == 0
    return (keys & np.uint64(0xFFFFFFFF)).astype(np.int64), tied


def union_masks(
    xyxy: Float[np.ndarray, "k 4"],
    row: Int[np.ndarray, " k"],
    affine: Float[np.ndarray, "m 2 3"],
    input_hw: tuple[int, int],
    hw: tuple[int, int],
) -> Bool[np.ndarray, "m a b"]:
    """Pixels of which the boxes of a film together cover at least half.

    Args:
        xyxy: Boxes in the film's frame.
        row: Film of each box.
        affine: From pixels of the network's input to pixels of the film's frame, a film.
        input_hw: Height and width of the network's input, in px.
        hw: Height and width of the masks, which cover the network's input.

    Example:
        >>> boxes = np.array([[0.0, 0.0, 2.0, 4.0], [1.0, 0.0, 3.0, 2.0]])
        >>> union_masks(boxes, np.zeros(2, int), np.eye(2, 3)[None], (4, 4), (2, 2)).astype(int).tolist()
        [[[1, 1], [1, 0]]]
    """
    shrink = np.array([hw[1] / input_hw[1], hw[0] / input_hw[0]] * 2)
    pixels = moved(xyxy, _inverse(affine)[row]) * shrink
    masks = np.zeros((len(affine), *hw), bool)
    for film in np.unique(row):
        masks[film] = _covered(pixels[row == film], hw) >= 0.5 - 1e-9
    return masks


def box_map(
    xyxy: Float[np.ndarray, "k 4"], score: Float[np.ndarray, " k"], hw: tuple[int, int]
) -> Float32[np.ndarray, "a b"]:
    """Each pixel with the greatest score of the boxes that hold its centre, 0 where none does.

    This makes a map of a detector's boxes, which are in pixels of the map; it is not scaled further.

    Example:
        >>> box_map(np.array([[0.0, 0.0, 2.0, 1.0]]), np.array([0.7]), (1, 3)).round(1)
        array([[0.7, 0.7, 0. ]], dtype=float32)
    """
    painted = np.zeros(hw, np.float32)
    for (left, top, right, bottom), sure in zip(np.ceil(xyxy - 0.5).astype(int), score, strict=True):
        part = painted[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
        np.maximum(part, np.float32(sure), out=part)
    return painted


def _covered(boxes: Float[np.ndarray, "k 4"], hw: tuple[int, int]) -> Float[np.ndarray, "a b"]:
    """Share of each pixel that the boxes cover together, exactly: the boxes' edges cut it into rectangles."""
    x, y = np.unique(boxes[:, [0, 2]]), np.unique(boxes[:, [1, 3]])
    columns = (x[:-1] >= boxes[:, :1]) & (x[1:] <= boxes[:, 2:3])
    rows = (y[:-1] >= boxes[:, 1:2]) & (y[1:] <= boxes[:, 3:])
    filled = (rows[:, :, None] & columns[:, None, :]).any(axis=0).astype(float)
    return _shares(y, hw[0]) @ filled @ _shares(x, hw[1]).T


def _shares(edges: Float[np.ndarray, " e"], n_pixels: int) -> Float[np.ndarray, "p c"]:
    """How much of each pixel lies between each two edges."""
    pixel = np.arange(n_pixels)[:, None]
    return np.maximum(np.minimum(edges[1:], pixel + 1) - np.maximum(edges[:-1], pixel), 0.0)


def _inverse(affine: Float[np.ndarray, "m 2 3"]) -> Float[np.ndarray, "m 2 3"]:
    square = np.linalg.inv(affine[:, :, :2])
    return np.concatenate([square, -square @ affine[:, :, 2:]], axis=2)
