"""Resize, crop, flip, rotate and aspect as one affine a film that moves pixels and boxes alike.

Positions are of pixel edges: pixel (row i, column j) covers [j, j + 1) x [i, i + 1). An affine here
maps a position in the network's input to one in the film's frame, so its inverse places the film.
"""

import math
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Float64, Int, UInt8

Fit = Literal["stretch", "pad"]
"""How a film that is not square becomes so: each side by its own factor, or with black beside it."""


@dataclass(frozen=True)
class Geometry:
    """How films become network input when scored; training adds `Augmentation`.

    Attributes:
        input_px: Side of the square input, in px.
        resize_px: Side to which the film is stretched first; its centre is then cropped to `input_px`.
        store_px: Side at which films are kept; at least `resize_px`, so that scoring never enlarges. The
            store is sampled bilinearly, so details alias where it is much larger.
        fit: How films that are not square become so; the papers stretch them.
    """

    input_px: int
    resize_px: int
    store_px: int
    fit: Fit = "stretch"

    def __post_init__(self) -> None:
        """Refuses a crop larger than the film, and a store smaller than it."""
        if not 0 < self.input_px <= self.resize_px <= self.store_px:
            sides = (self.input_px, self.resize_px, self.store_px)
            raise ValueError(f"input_px, resize_px, store_px must be positive and ascending, not {sides}")

    @property
    def input_hw(self) -> tuple[int, int]:
        """Height and width of the network input."""
        return self.input_px, self.input_px


@dataclass(frozen=True)
class Augmentation:
    """Ranges from which each film's training geometry is drawn.

    Attributes:
        flip: Probability of a horizontal flip.
        rotate_degrees: Rotation is uniform within plus and minus this.
        area: Least and greatest share of the film that the crop covers; None for the size of the
            scoring crop, anywhere in the film.
        aspect: Least and greatest width over height of the crop.
    """

    flip: float = 0.0
    rotate_degrees: float = 0.0
    area: tuple[float, float] | None = None
    aspect: tuple[float, float] = (1.0, 1.0)


def input_to_store(geometry: Geometry, n: int) -> Float64[np.ndarray, "n 2 3"]:
    """The affine of resize-then-centre-crop, the same for n films of a store."""
    margin = (geometry.resize_px - geometry.input_px) / 2
    scale = geometry.store_px / geometry.resize_px
    return np.tile([[scale, 0.0, scale * margin], [0.0, scale, scale * margin]], (n, 1, 1))


def store_to_frame(
    geometry: Geometry, film_hw: Int[np.ndarray, "n 2"], frame_hw: tuple[int, int]
) -> Float64[np.ndarray, "n 2 3"]:
    """The affine from films in a store to the frame in which boxes lie; it undoes the padding.

    Args:
        geometry: Side of the store, and how films were made square.
        film_hw: Height and width of each film's file, in px; matters only to padded films.
        frame_hw: Of the frame, in px.
    """
    film_wh = film_hw[:, ::-1] if geometry.fit == "pad" else np.ones((len(film_hw), 2), np.int64)
    square = film_wh.max(axis=1, keepdims=True)
    frame_per_px = np.array([frame_hw[1], frame_hw[0]]) / film_wh
    affine = np.zeros((len(film_hw), 2, 3))
    affine[:, [0, 1], [0, 1]] = square / geometry.store_px * frame_per_px
    affine[:, :, 2] = -_margin(square, film_wh) * frame_per_px
    return affine


def input_to_frame(
    geometry: Geometry, film_hw: Int[np.ndarray, "n 2"], frame_hw: tuple[int, int]
) -> Float64[np.ndarray, "n 2 3"]:
    """The affine that takes what a network saw back to the frame in which boxes lie.

    Example:
        >>> square = np.array([[2048, 2048]])
        >>> input_to_frame(Geometry(448, 480, 480), square, (1024, 1024))[0, 0].round(4).tolist()
        [2.1333, 0.0, 34.1333]
    """
    inner = input_to_store(geometry, len(film_hw))
    return composed(store_to_frame(geometry, film_hw, frame_hw), inner)


def augmented(
    geometry: Geometry,
    augmentation: Augmentation,
    seed: int,
    epoch: int,
    films: Int[np.ndarray, " n"],
) -> Float64[np.ndarray, "n 2 3"]:
    """Random affines, from network input to store, by nothing but the seed, the epoch and each film's number.

    So a run that was killed draws the same ones again, in whatever order films are read.
    The crop is placed within the film as Szegedy et al. (arXiv:1409.4842) draw it.
    """
    draws = np.stack([_uniform(seed, epoch, int(film)) for film in films]) if len(films) else np.zeros((0, 6))
    scoring = (geometry.input_px / geometry.resize_px) ** 2
    area = _between(draws[:, 0], *(augmentation.area or (scoring, scoring)))
    ratio = np.exp(_between(draws[:, 1], *(math.log(edge) for edge in augmentation.aspect)))
    width, height = np.minimum(np.sqrt([area * ratio, area / ratio]), 1.0)
    left, top = (1 - width) * draws[:, 2], (1 - height) * draws[:, 3]
    angle = np.deg2rad(_between(draws[:, 4], -augmentation.rotate_degrees, augmentation.rotate_degrees))
    mirror = np.where(draws[:, 5] < augmentation.flip, -1.0, 1.0)
    size, side = float(geometry.input_px), float(geometry.store_px)
    unit = np.stack([mirror * width / size, height / size], axis=1)
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.stack([np.stack([cos, -sin], 1), np.stack([sin, cos], 1)], axis=1)
    linear = side * turn * unit[:, None, :]
    centre = side * np.stack([left + width / 2, top + height / 2], axis=1)
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


def squared(grey: UInt8[np.ndarray, "h w"], side_px: int, fit: Fit = "stretch") -> UInt8[np.ndarray, "s s"]:
    """A film brought to a square, with antialiasing when it shrinks; padding is black and on both sides."""
    if fit == "pad" and grey.shape[0] != grey.shape[1]:
        top, left = (_margin(max(grey.shape), length) for length in grey.shape)
        bottom, right = max(grey.shape) - grey.shape[0] - top, max(grey.shape) - grey.shape[1] - left
        grey = cv2.copyMakeBorder(grey, top, bottom, left, right, cv2.BORDER_CONSTANT, value=0)
    if grey.shape == (side_px, side_px):
        return grey
    height, width = (min(length, side_px) for length in grey.shape)  # first what shrinks, then what grows
    smaller = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
    return cv2.resize(smaller, (side_px, side_px), interpolation=cv2.INTER_LINEAR)


RESAMPLER = "area when shrinking, else bilinear"
"""How `squared` changes the size of films; part of the protocol, with how they were made square."""


def _margin(square, length):
    """Pixels before a film in the square around it; one more may follow."""
    return (square - length) // 2


def _uniform(seed: int, epoch: int, film: int) -> Float64[np.ndarray, "6"]:
    bits = np.random.Philox(
        key=np.array([seed, 0], np.uint64), counter=np.array([0, epoch, film, 0], np.uint64)
    )
    return np.random.Generator(bits).random(6)


def _between(draw: Float64[np.ndarray, " n"], low: float, high: float) -> Float64[np.ndarray, " n"]:
    return low + (high - low) * draw
