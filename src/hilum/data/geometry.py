"""Resize, crop, flip, rotate and aspect as one affine a film that moves pixels and boxes alike.

Positions are of pixel edges: pixel (row i, column j) covers [j, j + 1) x [i, i + 1). An affine here
maps a position in the network's input to one in the film's frame, so its inverse places the film.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float64, Int, UInt8


@dataclass(frozen=True)
class Geometry:
    """How films become network input when scored; training adds `Augmentation`.

    Attributes:
        input_px: Side of the square input, in px.
        resize_px: Side to which the film is stretched first; its centre is then cropped to `input_px`.
        store_px: Side at which films are kept; at least `resize_px`, so that scoring never enlarges. The
            store is sampled bilinearly, so details alias where it is much larger.
    """

    input_px: int
    resize_px: int
    store_px: int

    def __post_init__(self) -> None:
        """Refuses a crop larger than the film, and a store smaller than it."""
        if not 0 < self.input_px <= self.resize_px <= self.store_px:
            sides = (self.input_px, self.resize_px, self.store_px)
            raise ValueError(f"input_px, resize_px, store_px must be positive and ascending, not {sides}")

    @property
    def input_hw(self) -> tuple[int, int]:
        """Height and width of the network input."""
        return self.input_px, self.input_px

    @property
    def store_hw(self) -> tuple[int, int]:
        """Height and width of the films in the store."""
        return self.store_px, self.store_px


@dataclass(frozen=True)
class Augmentation:
    """Ranges from which each film's training geometry is drawn.

    Attributes:
        flip: Probability of a horizontal flip.
        rotate_degrees: Rotation is uniform within plus and minus this.
        area: Least and greatest share of the film that the crop covers.
        aspect: Least and greatest width over height of the crop.
    """

    flip: float = 0.0
    rotate_degrees: float = 0.0
    area: tuple[float, float] = (1.0, 1.0)
    aspect: tuple[float, float] = (1.0, 1.0)


def input_to_frame(geometry: Geometry, frame_hw: tuple[int, int], n: int) -> Float64[np.ndarray, "n 2 3"]:
    """The affine of resize-then-centre-crop, the same for n films of one frame.

    Example:
        >>> input_to_frame(Geometry(448, 480, 480), (1024, 1024), 1)[0, 0].round(4).tolist()
        [2.1333, 0.0, 34.1333]
    """
    margin = (geometry.resize_px - geometry.input_px) / 2
    scale = np.array([frame_hw[1], frame_hw[0]]) / geometry.resize_px
    affine = np.zeros((n, 2, 3))
    affine[:, [0, 1], [0, 1]] = scale
    affine[:, :, 2] = scale * margin
    return affine


def augmented(
    geometry: Geometry,
    augmentation: Augmentation,
    frame_hw: tuple[int, int],
    seed: int,
    epoch: int,
    films: Int[np.ndarray, " n"],
) -> Float64[np.ndarray, "n 2 3"]:
    """Random affines that depend on nothing but the seed, the epoch and each film's number.

    So a run that was killed draws the same ones again, in whatever order films are read.
    The crop is placed within the film as Szegedy et al. (arXiv:1409.4842) draw it.
    """
    draws = np.stack([_uniform(seed, epoch, int(film)) for film in films]) if len(films) else np.zeros((0, 6))
    area = _between(draws[:, 0], *augmentation.area)
    ratio = np.exp(_between(draws[:, 1], *(math.log(edge) for edge in augmentation.aspect)))
    kept = geometry.input_px / geometry.resize_px  # the scoring crop is the widest view training has
    width = np.minimum(np.sqrt(area * ratio) * kept, 1.0)
    height = np.minimum(np.sqrt(area / ratio) * kept, 1.0)
    left, top = (1 - width) * draws[:, 2], (1 - height) * draws[:, 3]
    angle = np.deg2rad(_between(draws[:, 4], -augmentation.rotate_degrees, augmentation.rotate_degrees))
    mirror = np.where(draws[:, 5] < augmentation.flip, -1.0, 1.0)
    size, frame = float(geometry.input_px), np.array([frame_hw[1], frame_hw[0]], float)
    unit = np.stack([mirror * width / size, height / size], axis=1)
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.stack([np.stack([cos, -sin], 1), np.stack([sin, cos], 1)], axis=1)
    linear = frame[:, None] * turn * unit[:, None, :]
    centre = frame * np.stack([left + width / 2, top + height / 2], axis=1)
    shift = centre - linear @ np.array([size / 2, size / 2])
    return np.concatenate([linear, shift[:, :, None]], axis=2)


def composed(
    outer: Float64[np.ndarray, "n 2 3"], inner: Float64[np.ndarray, "n 2 3"]
) -> Float64[np.ndarray, "n 2 3"]:
    """The affine that applies `inner` first and `outer` to its result."""
    linear = outer[:, :, :2] @ inner[:, :, :2]
    shift = np.einsum("nij,nj->ni", outer[:, :, :2], inner[:, :, 2]) + outer[:, :, 2]
    return np.concatenate([linear, shift[:, :, None]], axis=2)


def inverted(affine: Float64[np.ndarray, "n 2 3"]) -> Float64[np.ndarray, "n 2 3"]:
    """The affine that undoes another."""
    linear = np.linalg.inv(affine[:, :, :2])
    return np.concatenate([linear, -(linear @ affine[:, :, 2:])], axis=2)


def stretched(grey: UInt8[np.ndarray, "h w"], side_px: int) -> UInt8[np.ndarray, "s s"]:
    """A film stretched to a square as the papers do it, with antialiasing when it shrinks."""
    if grey.shape == (side_px, side_px):
        return grey
    height, width = (min(length, side_px) for length in grey.shape)  # first what shrinks, then what grows
    smaller = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
    return cv2.resize(smaller, (side_px, side_px), interpolation=cv2.INTER_LINEAR)


RESAMPLER = "area when shrinking, else bilinear; stretched to a square"
"""What `stretched` does, in words; part of the protocol."""


def _uniform(seed: int, epoch: int, film: int) -> Float64[np.ndarray, "6"]:
    bits = np.random.Philox(
        key=np.array([seed, 0], np.uint64), counter=np.array([0, epoch, film, 0], np.uint64)
    )
    return np.random.Generator(bits).random(6)


def _between(draw: Float64[np.ndarray, " n"], low: float, high: float) -> Float64[np.ndarray, " n"]:
    return low + (high - low) * draw
