"""Boxes beside those of OpenCV's enlarged map, numpy's percentile and scikit-image's labels.

OpenCV enlarges in single precision, so a pixel within rounding of the level may fall on either side of it.
"""

import cv2
import numpy as np
import pytest
from skimage.measure import label, regionprops

from hilum.localize import BoxRule, boxes_from

IDENTITY = np.array([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
ROUNDING = 1e-6
"""In the unit of the map scaled to [0, 1]."""

CONTINUOUS = ("smooth", "noise", "uniform", "rectified", "hill", "faint", "great")
TIED = ("zeros", "steps", "plateau", "spot", "flat")
THRESHOLDS = (
    "dynamic(20)",
    "dynamic(80)",
    "dynamic(87.5)",
    "dynamic(97.5)",
    "fraction(0.7)",
    "level(60)",
    "level(180)",
)


def heatmap_of(kind: str, side: int, rng: np.random.Generator) -> np.ndarray:
    noise = rng.normal(size=(side, side))
    if kind == "smooth":
        return cv2.GaussianBlur(noise, (5, 5), 1.2)
    if kind == "hill":
        (cy, cx), place = rng.random(2) * side, np.arange(side)
        return np.exp(-((place[:, None] - cy) ** 2 + (place - cx) ** 2) / (2 * (side / 5) ** 2))
    if kind == "plateau":
        return np.kron(rng.random((side // 2 + 1, side // 2 + 1)), np.ones((2, 2)))[:side, :side]
    if kind == "spot":
        return (noise == noise.max()).astype(float)
    made = {
        "noise": noise,
        "uniform": rng.random((side, side)),
        "rectified": np.maximum(noise + 1.0, 0),
        "faint": noise * 1e-3,
        "great": noise * 1e4 + 3e3,
        "zeros": np.maximum(noise - 1.8, 0),
        "steps": np.round(rng.random((side, side)) * 6) / 6,
        "flat": np.full((side, side), noise[0, 0]),
    }
    return made[kind]


def peers_box(heatmap: np.ndarray, side: int, threshold: str) -> tuple[list[list[int]], float]:
    """Boxes of the components with most pixels, and how close a value of the map comes to the level."""
    big = cv2.resize(heatmap, (side, side), interpolation=cv2.INTER_LINEAR).astype(np.float64)
    if big.min() == big.max():
        return [], np.inf
    unit = (big - big.min()) / (big.max() - big.min() + 1e-7)
    name, _, number = threshold.rstrip(")").partition("(")
    low = {"dynamic": lambda n: np.percentile(unit, n), "fraction": float, "level": lambda n: n / 255}[name](
        float(number)
    )
    labels = label(unit >= low if name == "level" else unit > low, connectivity=2)
    regions = regionprops(labels)
    most = max((region.area for region in regions), default=0)
    boxes = [[r.bbox[1], r.bbox[0], r.bbox[3], r.bbox[2]] for r in regions if r.area == most]
    others = unit[unit != low] if name == "dynamic" else unit
    return boxes, float(np.abs(others - low).min(initial=np.inf))


def compare(kinds: tuple[str, ...], n: int, seed: int) -> tuple[int, list[tuple[str, int, int, str, float]]]:
    """How many boxes were compared, and those that differ, with the distance of the nearest value."""
    rng, different = np.random.default_rng(seed), []
    for number in range(n):
        kind, threshold = kinds[number % len(kinds)], str(rng.choice(THRESHOLDS))
        nodes, side = int(rng.choice([7, 8, 10, 14, 32])), int(rng.choice([224, 256, 448, 1024]))
        heatmap = heatmap_of(kind, nodes, rng).astype(np.float32)
        rule = BoxRule(threshold, map_size="input", signed=True)
        ours = boxes_from(heatmap[None], IDENTITY, (side, side), rule, (side, side))[1].tolist()
        theirs, distance = peers_box(heatmap, side, threshold)
        if len(ours) != min(len(theirs), 1) or (ours and ours[0] not in theirs):
            different.append((kind, nodes, side, threshold, distance))
    return n, different


def test_300_maps() -> None:
    n, different = compare(CONTINUOUS, 300, seed=0)
    assert n == 300
    assert different == []


def test_tied_maps_differ_only_by_rounding() -> None:
    _, different = compare(TIED, 100, seed=1)
    assert len(different) <= 2
    assert [found for found in different if found[-1] > ROUNDING] == []


@pytest.mark.slow
def test_10_000_maps() -> None:
    n, different = compare(CONTINUOUS, 10_000, seed=2)
    assert len(different) <= n / 1000
    assert [found for found in different if found[-1] > ROUNDING] == []
