"""Heatmaps brought to [0, 1] and to a size: the first step of localisation, and the reference for the rest."""

import cv2
import numpy as np
from jaxtyping import Float, Float32

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
