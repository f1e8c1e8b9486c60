"""Boxes as arrays `x_min, y_min, x_max, y_max`, half-open, in float pixels of a named frame."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped


@dataclass(frozen=True)
class BoxTable:
    """Boxes of many films as columns; all in the reference frame of their cohort.

    Attributes:
        image: Row of the film in its cohort.
        finding: Column of the finding in its cohort.
        xyxy: Corners in pixels of the reference frame.
        score: Confidence; NaN for a reference box.
    """

    image: Int[np.ndarray, " k"]
    finding: Int[np.ndarray, " k"]
    xyxy: Float[np.ndarray, "k 4"]
    score: Float[np.ndarray, " k"]

    def __post_init__(self) -> None:
        """Refuses columns of unequal length."""
        lengths = {len(self.image), len(self.finding), len(self.xyxy), len(self.score)}
        if len(lengths) != 1:
            raise ValueError(f"columns of a box table must be of one length, not {sorted(lengths)}")

    def __len__(self) -> int:
        return len(self.image)

    def rows(self, keep: Shaped[np.ndarray, " r"]) -> "BoxTable":
        """The rows that a mask or an index array names."""
        return BoxTable(self.image[keep], self.finding[keep], self.xyxy[keep], self.score[keep])


def no_boxes() -> BoxTable:
    """A table without rows."""
    nothing = np.zeros(0, np.int64)
    return BoxTable(nothing, nothing, np.zeros((0, 4)), np.zeros(0))


def area(xyxy: Float[np.ndarray, "*k 4"]) -> Float[np.ndarray, "*k"]:
    """Area in square pixels; 0 for a box turned inside out.

    Example:
        >>> area(np.array([[0.0, 0.0, 2.0, 3.0], [5.0, 0.0, 4.0, 1.0]]))
        array([6., 0.])
    """
    width = np.maximum(xyxy[..., 2] - xyxy[..., 0], 0.0)
    height = np.maximum(xyxy[..., 3] - xyxy[..., 1], 0.0)
    return width * height


def intersection(
    first: Float[np.ndarray, "*k 4"], second: Float[np.ndarray, "*k 4"]
) -> Float[np.ndarray, "*k"]:
    """Area that two boxes share, row by row.

    Example:
        >>> intersection(np.array([[0.0, 0.0, 2.0, 2.0]]), np.array([[1.0, 0.0, 3.0, 2.0]]))
        array([2.])
    """
    low = np.maximum(first[..., :2], second[..., :2])
    high = np.minimum(first[..., 2:], second[..., 2:])
    return area(np.concatenate([low, high], axis=-1))


def paired_iou(
    predicted: Float[np.ndarray, "k 4"], reference: Float[np.ndarray, "k 4"]
) -> Float[np.ndarray, " k"]:
    """Intersection over union, row by row; 0 where both boxes have no area.

    Example:
        >>> paired_iou(np.array([[0.0, 0.0, 2.0, 2.0]]), np.array([[1.0, 0.0, 3.0, 2.0]]))
        array([0.33333333])
    """
    shared = intersection(predicted, reference)
    union = area(predicted) + area(reference) - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def paired_iobb(
    predicted: Float[np.ndarray, "k 4"], reference: Float[np.ndarray, "k 4"]
) -> Float[np.ndarray, " k"]:
    """Intersection over the area of the predicted box, row by row; 0 where it has none.

    Source: Wang et al., CVPR 2017 (arXiv:1705.02315), section 4.

    Example:
        >>> paired_iobb(np.array([[0.0, 0.0, 2.0, 2.0]]), np.array([[1.0, 0.0, 3.0, 2.0]]))
        array([0.5])
    """
    shared = intersection(predicted, reference)
    own = area(predicted)
    return np.divide(shared, own, out=np.zeros_like(shared), where=own > 0)


def clip(xyxy: Float[np.ndarray, "k 4"], frame_hw: tuple[int, int]) -> Float[np.ndarray, "k 4"]:
    """Boxes cut at the edges of a frame.

    Example:
        >>> clip(np.array([[-5.0, 10.0, 2000.0, 30.0]]), (1024, 1024))
        array([[   0.,   10., 1024.,   30.]])
    """
    height, width = frame_hw
    return np.clip(xyxy, 0.0, np.array([width, height, width, height], dtype=float))


def moved(xyxy: Float[np.ndarray, "k 4"], affine: Float[np.ndarray, "k 2 3"]) -> Float[np.ndarray, "k 4"]:
    """The upright hull of each box after its affine.

    Args:
        xyxy: Boxes in the frame that the affine leaves.
        affine: One 2 x 3 matrix a box, from old pixels to new pixels.

    Example:
        >>> half = np.array([[[0.5, 0.0, 0.0], [0.0, 0.5, 1.0]]])
        >>> moved(np.array([[0.0, 0.0, 4.0, 2.0]]), half)
        array([[0., 1., 2., 2.]])
    """
    corners = xyxy[:, [[0, 1], [2, 1], [2, 3], [0, 3]]]
    new = np.einsum("kij,kpj->kpi", affine[:, :, :2], corners) + affine[:, None, :, 2]
    return np.concatenate([new.min(axis=1), new.max(axis=1)], axis=1)
