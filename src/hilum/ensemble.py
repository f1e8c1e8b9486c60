"""Probabilities and heatmaps of several members in, one of each out: ensembles are numpy.

Source: Pun et al. 2021, section on soft voting, every member with the same weight.
"""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float, Float32, Float64

from hilum.data.geometry import composed, inverted
from hilum.localize.scale import EPSILON

HALF_A_DIGIT = 2.5e-8
"""Of the seven decimals that runs keep, a probability of 0 or 1 is taken to lie half of a half inside."""

TOUCH = 1e-9
"""How far beyond its edge a view still counts as seeing a place, in sides: what arithmetic loses."""


def soft_vote(probabilities: Float[np.ndarray, "m n f"]) -> Float[np.ndarray, "n f"]:
    """Mean of the members' probabilities.

    Source: Pun et al. 2021, as its text has it.

    Example:
        >>> soft_vote(np.array([[[0.9]], [[0.5]]]))
        array([[0.7]])
    """
    return probabilities.mean(axis=0)


def mean_logits(probabilities: Float[np.ndarray, "m n f"]) -> Float[np.ndarray, "n f"]:
    """Probability of the mean of the members' logits; the surest member counts most.

    Source: Pun et al. 2021, as its code has it.

    Args:
        probabilities: As runs keep them, with seven decimals; 0 and 1 become 2.5e-8 and 1 less that.

    Example:
        >>> mean_logits(np.array([[[0.9]], [[0.5]]]))
        array([[0.75]])
    """
    inside = np.clip(probabilities.astype(np.float64), HALF_A_DIGIT, 1 - HALF_A_DIGIT)
    return 1 / (1 + np.exp(-(np.log(inside) - np.log1p(-inside)).mean(axis=0)))


AVERAGES: dict[str, Callable[..., np.ndarray]] = {"probabilities": soft_vote, "logits": mean_logits}
"""What is averaged, by the name that the command line takes."""


def scaled(
    maps: Float32[np.ndarray, "k u v"], signed: bool, ranges: Float[np.ndarray, "k 2"] | None = None
) -> Float64[np.ndarray, "k u v"]:
    """Maps of one member in a unit that all members share.

    Args:
        maps: Raw: one network's evidence may be thousands of times another's.
        signed: Whether negative evidence keeps its rank; otherwise it becomes 0 first.
        ranges: The values that become 0 and 1 in each map; None for its own least and greatest.

    Returns:
        0 everywhere where a map is flat. Beyond 0 and 1 only where `ranges` is given.

    Example:
        >>> scaled(np.array([[[-1.0, 0.0, 2.0]]], np.float32), signed=False).round(3)
        array([[[0., 0., 1.]]])
    """
    values = maps.astype(np.float64) if signed else np.maximum(maps, 0).astype(np.float64)
    if ranges is None:
        low, high = values.min(axis=(1, 2)), values.max(axis=(1, 2))
    else:
        low, high = ranges.T
    return (values - low[:, None, None]) / (high - low + EPSILON)[:, None, None]


def squares_from(
    affine: Float64[np.ndarray, "k 2 3"], input_hw: tuple[int, int]
) -> Float64[np.ndarray, "k 2 3"]:
    """What each map covers, as the affine from a square of side 1 to the frame.

    Args:
        affine: From network input to frame, in px.
        input_hw: Of the network input, in px.
    """
    view = affine.copy()
    view[:, :, :2] *= np.array([input_hw[1], input_hw[0]])
    return view


def grid_over(
    sizes: Sequence[tuple[int, int]],
    views: Sequence[Float64[np.ndarray, "k 2 3"]],
    view: Float64[np.ndarray, "k 2 3"],
) -> tuple[int, int]:
    """Nodes, down and across, with which `view` is as fine as the finest member.

    Args:
        sizes: Height and width of each member's maps, in nodes.
        views: What they cover; see `squares_from`.
        view: What the mean covers.

    Example:
        >>> whole, half = np.diag([10.0, 10.0])[None] @ np.eye(2, 3), np.diag([5.0, 5.0])[None] @ np.eye(2, 3)
        >>> grid_over([(7, 7), (7, 7)], [whole, half], whole)
        (14, 14)
    """
    most = np.ones(2)
    for size, own in zip(sizes, views, strict=True):
        shares = np.abs(view[:, [1, 0], [1, 0]] / own[:, [1, 0], [1, 0]])
        most = np.maximum(most, np.array(size) * shares.max(axis=0, initial=0.0))
    height, width = np.ceil(most - TOUCH * most).astype(int).tolist()
    return height, width


def mean_maps(
    maps: Sequence[Float64[np.ndarray, "k _ _"]],
    views: Sequence[Float64[np.ndarray, "k 2 3"]],
    view: Float64[np.ndarray, "k 2 3"],
    hw: tuple[int, int],
) -> Float32[np.ndarray, "k h w"]:
    """The members' maps laid over each other where they lie on the film, and averaged.

    Bilinear between the centres of a map's cells; from the outermost centres to the edge of what a member saw
    its values are held, as they are when a map is enlarged.

    Args:
        maps: Of each member, of the same films and findings in one unit; see `scaled`.
        views: What each map covers; see `squares_from`.
        view: What the mean covers.
        hw: Its height and width, in nodes.

    Returns:
        At each place the mean over the members that saw it, 0 where none did.

    Raises:
        ValueError: A member's view is turned against that of the mean.

    Example:
        >>> whole, left = np.diag([4.0, 4.0])[None] @ np.eye(2, 3), np.diag([2.0, 4.0])[None] @ np.eye(2, 3)
        >>> mean_maps([np.array([[[0.0, 0.0, 1.0, 1.0]]]), np.array([[[1.0]]])], [whole, left], whole, (1, 4))
        array([[[0.5, 0.5, 1. , 1. ]]], dtype=float32)
    """
    total, seen = np.zeros((2, len(view), *hw))
    for values, own in zip(maps, views, strict=True):
        there = composed(inverted(own), view)
        if not np.allclose(there[:, [0, 1], [1, 0]], 0.0, atol=1e-6):
            raise ValueError("a member's view of a film is turned; maps are averaged only where none is")
        down, right = (
            there[:, axis, axis, None] * (np.arange(n) + 0.5) / n + there[:, axis, 2, None]
            for axis, n in ((1, hw[0]), (0, hw[1]))
        )
        rows, columns = (_weights(place, n) for place, n in zip((down, right), values.shape[1:], strict=True))
        inside = _within(down)[:, :, None] & _within(right)[:, None, :]
        total += np.where(inside, rows @ values @ columns.transpose(0, 2, 1), 0.0)
        seen += inside
    return np.divide(total, seen, out=np.zeros_like(total), where=seen > 0).astype(np.float32)


def _weights(place: Float64[np.ndarray, "k h"], n: int) -> Float64[np.ndarray, "k h n"]:
    """Share of each of `n` nodes in a value at places given in sides of the map."""
    at = np.clip(place * n - 0.5, 0, n - 1)
    return np.maximum(0.0, 1.0 - np.abs(at[:, :, None] - np.arange(n)))


def _within(place: Float64[np.ndarray, "k h"]) -> np.ndarray:
    return (place >= -TOUCH) & (place <= 1 + TOUCH)
