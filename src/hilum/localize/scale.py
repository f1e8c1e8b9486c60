"""Heatmaps brought to [0, 1] and to a size: the first step of localisation, and its reference."""

from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float, Float32, Float64

EPSILON = 1e-7
"""Added to the range of a map before dividing by it, so that a flat map becomes 0."""


def enlarged(heatmap: Float32[np.ndarray, "h w"], hw: tuple[int, int]) -> Float32[np.ndarray, "a b"]:
    """The map at another size, bilinear between pixel centres, its outermost values held to the edge.

    Args:
        heatmap: Raw map that covers the same area.
        hw: Height and width wanted, in px.

    Example:
        >>> enlarged(np.array([[0.0, 1.0]], dtype=np.float32), (1, 4))
        array([[0.  , 0.25, 0.75, 1.  ]], dtype=float32)
    """
    return np.asarray(cv2.resize(heatmap, (hw[1], hw[0]), interpolation=cv2.INTER_LINEAR), np.float32)


def unit_map(heatmap: Float[np.ndarray, "h w"], signed: bool = False) -> Float[np.ndarray, "h w"]:
    """The map scaled to [0, 1], in double precision.

    Args:
        heatmap: Raw map, already at the size at which it is looked at.
        signed: Whether negative evidence keeps its rank; otherwise it becomes 0 first.

    Returns:
        0 everywhere where the map is flat.

    Example:
        >>> unit_map(np.array([[-1.0, 0.0, 2.0]])).round(3)
        array([[0., 0., 1.]])
        >>> unit_map(np.array([[-1.0, 0.0, 2.0]]), signed=True).round(3)
        array([[0.   , 0.333, 1.   ]])
    """
    values = heatmap.astype(np.float64)
    if not signed:
        values = np.maximum(values, 0.0)
    low = values.min()
    return (values - low) / (values.max() - low + EPSILON)


def extremes_from(heatmaps: Float32[np.ndarray, "n f h w"]) -> Float32[np.ndarray, "n f 2"]:
    """Least and greatest value of each raw map: what `cohort_ranges` needs of a film."""
    return np.stack([heatmaps.min(axis=(2, 3)), heatmaps.max(axis=(2, 3))], axis=-1)


def cohort_ranges(
    extremes: Float[np.ndarray, "n f 2"], signed: bool = False, percentile: float = 99.0
) -> Float64[np.ndarray, "f 2"]:
    """For each finding, the values that become 0 and 1 on every film alike.

    What keeps a film of little evidence dark is that 1 lies where few films reach: of those given here at
    most 100 - `percentile` %, rounded up, exceed it. So they should be films such as the rule will meet,
    those without the finding included, and none that is scored. It is a percentile of the films' maxima: the
    greatest would let one film with a catheter darken all others, and one of all pixels, of which nearly all
    are cold, would be reached by every film. Of a finding rarer than 100 - `percentile` %, films without it
    reach 1 too: give its positive films alone, or a higher percentile.

    Args:
        extremes: Least and greatest value of each raw map; NaN for a film without a map of the finding.
        signed: Whether negative evidence is kept. Otherwise 0 stays 0. If it is, the low end is the opposite
            percentile of the films' minima, and no evidence lies somewhere in between: hardly dark.
        percentile: Of the films' maxima, linear between neighbours; above 50.

    Returns:
        Low and high end, low <= high. They are equal where no map has positive evidence; what little there
        is on another film is then 1.

    Raises:
        ValueError: A finding has no map, a value is infinite, or the percentile makes no sense.

    Example:
        >>> maxima = np.linspace(0.0, 2.0, 101)[:, None]
        >>> cohort_ranges(np.stack([-maxima, maxima], axis=-1))
        array([[0.  , 1.98]])
    """
    if not 50 < percentile <= 100:
        raise ValueError(f"percentile {percentile:g} must lie above 50 and not above 100, as 99 does")
    if np.isinf(extremes).any():
        raise ValueError("extremes hold infinite values; a map must be finite")
    without = np.isnan(extremes).any(axis=2).all(axis=0)
    if without.any():
        raise ValueError(f"finding {without.argmax()} has no map on any film; its range is unknown")
    values = extremes.astype(np.float64) if signed else np.maximum(extremes.astype(np.float64), 0.0)
    high = np.nanpercentile(values[:, :, 1], percentile, axis=0)
    low = np.nanpercentile(values[:, :, 0], 100 - percentile, axis=0) if signed else np.zeros_like(high)
    return np.stack([low, high], axis=1)


class Axis(NamedTuple):
    """The pixels of one enlarged axis, in cells that share the nodes on both sides.

    Attributes:
        start: First pixel of each cell, and the number of pixels at the end.
        node: Node at or before each cell.
        after: Node behind it; the same one beyond the outermost nodes, where the map is held.
        part: How far each pixel lies past its node, in nodes; 16 zeros more, for loops over whole vectors.
        step: Nodes a pixel.
    """

    start: np.ndarray
    node: np.ndarray
    after: np.ndarray
    part: np.ndarray
    step: float


@lru_cache(maxsize=256)  # a cohort has few sizes
def axis_from(n_nodes: int, n_pixels: int) -> Axis:
    """The cells of `n_pixels` pixels that cover the same length as `n_nodes` nodes.

    Example:
        >>> axis_from(2, 4).part[:4]
        array([-0.25,  0.25,  0.75,  0.25])
        >>> axis_from(2, 4).start
        array([0, 1, 3, 4])
    """
    step = n_nodes / n_pixels
    place = (np.arange(n_pixels) + 0.5) * step - 0.5
    before = np.floor(place).astype(np.int64)
    start = np.flatnonzero(np.diff(before, prepend=before[0] - 1))
    node = np.clip(before[start], 0, n_nodes - 1)
    part = place - np.repeat(node, np.diff(start, append=n_pixels))
    after = np.clip(before[start] + 1, 0, n_nodes - 1)
    axis = Axis(np.append(start, n_pixels), node, after, np.append(part, np.zeros(16)), step)
    for array in axis[:4]:
        array.setflags(write=False)  # everybody gets the same ones
    return axis
