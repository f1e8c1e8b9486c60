"""Where heatmaps lie on the film: the size to which each is enlarged, and the way back to the frame."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Float32, Float64, Int

from hilum.localize.scale import Axis, axis_from


def refuse_unusable(heatmaps: Float32[np.ndarray, "k h w"]) -> None:
    """A map without values, or with one that is not finite, is a mistake of who made it."""
    if heatmaps.size == 0 and len(heatmaps):
        raise ValueError(f"heatmaps of {heatmaps.shape[1]} x {heatmaps.shape[2]} have no values")
    finite = np.isfinite(heatmaps).all(axis=(1, 2))
    if not finite.all():
        raise ValueError(f"heatmap {finite.argmin()} holds NaN or infinite values; a map must be finite")


def rescaled(
    affine: Float[np.ndarray, "k 2 3"], scale: Float[np.ndarray, "k 2"]
) -> Float64[np.ndarray, "k 2 3"]:
    """Affines that start from pixels of another size, input pixels each."""
    matrix = affine.astype(np.float64)
    matrix[:, :, :2] *= scale[:, None, :]
    return matrix


def enlargements(
    maps: Float32[np.ndarray, "k h w"],
    affine: Float[np.ndarray, "k 2 3"],
    input_hw: tuple[int, int],
    map_size: str,
) -> Iterator[tuple[tuple[int, int], Int[np.ndarray, " r"], Axis, Axis]]:
    """Each size to which maps are enlarged, the maps it is for, and its axes."""
    hw = np.tile(np.array(input_hw), (len(maps), 1))
    if map_size == "frame":
        # frame pixels an input pixel, down and across
        stretch = np.linalg.norm(affine[:, :, :2], axis=1)[:, ::-1]
        hw = np.rint(stretch * np.array(input_hw)).astype(np.int64)
    if (hw < 1).any():
        row = (hw < 1).any(axis=1).argmax()
        raise ValueError(f"affine {row} leaves {hw[row, 0]} x {hw[row, 1]} px; each side needs a pixel")
    for height, width in np.unique(hw, axis=0).tolist():
        members = np.flatnonzero((hw == (height, width)).all(axis=1))
        yield (height, width), members, axis_from(maps.shape[1], height), axis_from(maps.shape[2], width)
