"""Outlines in the 1024 frame -> soft masks and rods at the size of the film."""

import cv2
import numpy as np
from jaxtyping import Float, Float32

FRAME_PX = 1024


def generator(seed: int, *place: int) -> np.random.Generator:
    """A stream of its own for one place (patient, film, purpose) under one seed.

    Counter-based, so that no stream depends on how many others were drawn before it.

    Args:
        seed: 0 or more.
        place: Patient (below 2^32), film (below 2^16), purpose (below 2^16); what is left out is 0.
    """
    patient, film, purpose = (*place, 0, 0, 0)[:3]
    key = np.array([seed, (patient << 32) | (film << 16) | purpose], np.uint64)
    return np.random.Generator(np.random.Philox(key=key))


def curve(
    points: Float[np.ndarray, "p 2"], n_between: int = 6, closed: bool = True
) -> Float[np.ndarray, "q 2"]:
    """A Catmull-Rom curve through the points; a point given twice stays a corner."""
    if closed:
        padded = np.concatenate([points[-1:], points, points[:2]])
    else:
        padded = np.concatenate([points[:1], points, points[-1:]])
    a, b, c, d = padded[:-3], padded[1:-2], padded[2:-1], padded[3:]
    t = (np.arange(n_between) / n_between)[None, :, None]
    a, b, c, d = (part[:, None] for part in (a, b, c, d))
    cubic = (3 * (b - c) + d - a) * t + (2 * a - 5 * b + 4 * c - d)
    between = 0.5 * ((cubic * t + (c - a)) * t + 2 * b).reshape(-1, 2)
    return between if closed else np.concatenate([between, points[-1:]])


def filled(outline: Float[np.ndarray, "p 2"], size: int) -> Float32[np.ndarray, "{size} {size}"]:
    """Coverage in [0, 1] of every pixel by a closed outline given in the 1024 frame."""
    layer = np.zeros((size, size), np.uint8)
    fixed = np.round((outline * (size / FRAME_PX) - 0.5) * 16).astype(np.int32)
    cv2.fillPoly(layer, [fixed], 255, lineType=cv2.LINE_AA, shift=4)
    return layer.astype(np.float32) * np.float32(1 / 255)


def soft(layer: Float32[np.ndarray, "h h"], sigma: float) -> Float32[np.ndarray, "h h"]:
    """A layer blurred by a Gaussian.

    Args:
        layer: What is blurred.
        sigma: In pixels of the 1024 frame. Wide blurs are made on a smaller copy: nobody sees the difference.
    """
    size = len(layer)
    own = sigma * size / FRAME_PX
    if own < 0.2:
        return layer
    shrink = 2 ** int(np.log2(own / 2)) if own >= 4 else 1
    if shrink == 1 or size % shrink:
        return cv2.GaussianBlur(layer, (0, 0), own, borderType=cv2.BORDER_REPLICATE)
    small = cv2.resize(layer, (size // shrink, size // shrink), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), own / shrink, borderType=cv2.BORDER_REPLICATE)
    return cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR)


def clouds(chance: np.random.Generator, size: int, grain: float) -> Float32[np.ndarray, "{size} {size}"]:
    """Smooth noise of unit variance whose lumps are about `grain` pixels of the 1024 frame wide."""
    n = max(2, int(FRAME_PX / grain) + 1)
    small = chance.standard_normal((n, n), dtype=np.float32)
    return cv2.resize(small, (size, size), interpolation=cv2.INTER_CUBIC)


def rods(
    points: Float[np.ndarray, "*lines p 2"], radius: tuple[float, float], strength: tuple[float, float]
) -> Float[np.ndarray, "r 8"]:
    """Polylines as rods whose radius and strength run evenly from one end to the other."""
    n = points.shape[-2] - 1
    t = np.arange(n + 1.0) / n
    sizes, values = radius[0] + (radius[1] - radius[0]) * t, strength[0] + (strength[1] - strength[0]) * t
    found = np.empty((*points.shape[:-2], n, 8))
    found[..., 0:2], found[..., 2:4] = points[..., :-1, :], points[..., 1:, :]
    found[..., 4], found[..., 5], found[..., 6], found[..., 7] = (
        sizes[:-1],
        sizes[1:],
        values[:-1],
        values[1:],
    )
    return found.reshape(-1, 8)


def drawn(
    parts: Float[np.ndarray, "r 8"], size: int, shell: float = 0.0
) -> Float32[np.ndarray, "{size} {size}"]:
    """Rods of the 1024 frame seen by the beam; where two meet the denser one counts."""
    from hilum.data.phantom.strokes_kernels import strokes

    layer = np.zeros((size, size), np.float32)
    scale = size / FRAME_PX
    own = parts.astype(np.float32)
    own[:, :6] *= scale
    own[:, :4] -= 0.5
    strokes(layer, own, shell)
    return layer
