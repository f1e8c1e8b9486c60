"""From heatmaps to the places in the film's frame where they peak."""

import numpy as np
from jaxtyping import Float, Float32, Int

from hilum.localize.placement import enlargements, refuse_unusable, rescaled


def peaks_from(
    heatmaps: Float32[np.ndarray, "k h w"],
    affine: Float[np.ndarray, "k 2 3"],
    input_hw: tuple[int, int],
    frame_hw: tuple[int, int],
) -> tuple[Int[np.ndarray, " m"], Float[np.ndarray, "m 2"]]:
    """Where each heatmap, enlarged to the film's frame, takes its maximum.

    Args:
        heatmaps: Raw maps, each over the whole network input.
        affine: From pixels of the network's input to pixels of the film's frame, one a map.
        input_hw: Height and width of the network's input, in px.
        frame_hw: Height and width of the film's frame, in px.

    Returns:
        Row of the map (ascending) and the centre (x, y) of each such pixel: several on a plateau, none for a
        flat map, which points nowhere, and none outside the film.

    Raises:
        ValueError: A map has NaN or infinite values, or an affine leaves no pixel.

    Example:
        >>> heatmap = np.array([[[0.0, 1.0, 0.0]]], dtype=np.float32)
        >>> peaks_from(heatmap, np.array([[[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]]]), (1, 3), (2, 6))[1].tolist()
        [[2.5, 0.5], [3.5, 0.5], [2.5, 1.5], [3.5, 1.5]]
    """
    from hilum.localize.region_kernels import peak_pixels

    refuse_unusable(heatmaps)
    parts, scale = [np.zeros((0, 3), np.int64)], np.ones((len(heatmaps), 2))
    for hw, members, y, x in enlargements(heatmaps, affine, input_hw, "frame"):
        found = peak_pixels(heatmaps[members].astype(np.float64), y, x)
        found[:, 0] = members[found[:, 0]]
        scale[members] = input_hw[1] / hw[1], input_hw[0] / hw[0]
        parts.append(found)
    table = np.concatenate(parts)
    table = table[np.argsort(table[:, 0], kind="stable")]
    row, matrix = table[:, 0], rescaled(affine, scale)[table[:, 0]]
    xy = np.einsum("nij,nj->ni", matrix[:, :, :2], table[:, :0:-1] + 0.5) + matrix[:, :, 2]
    inside = ((xy >= 0) & (xy <= np.array(frame_hw)[::-1])).all(axis=1)
    return row[inside], xy[inside]
