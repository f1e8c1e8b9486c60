"""Boxes beside OpenCV's: its enlarged map, a threshold in numpy, its components with their statistics.

OpenCV enlarges in single precision, so a pixel within rounding of the level may fall on either side of it.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import pytest

from hilum.localize import COMPONENTS, BoxRule, boxes_from
from hilum.localize.component import REACH

IDENTITY = np.array([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
ROUNDING = 1e-6
"""In the unit of the map scaled to [0, 1]."""

MAP_HW = ((7, 7), (8, 8), (10, 10), (12, 12), (14, 14), (16, 16), (28, 28), (32, 32), (56, 56), (10, 14))
"""Of the maps of every network here, and one that is not square."""

STRIDES = (4, 8, 16, 32)
"""Pixels of the network's input a node, for inputs of at most 512."""

FRAMES = (1024, 956)
"""Now and then a map is enlarged to all of the frame, or to the middle 448 of 480 px of it."""

CONTINUOUS = ("smooth", "noise", "uniform", "rectified", "hill", "faint", "great")
TIED = ("zeros", "steps", "plateau", "spot", "flat")
UNHELD = ("sixths",)
"""Equal values that single precision cannot hold: OpenCV's are no longer equal once enlarged."""
THRESHOLDS = (
    "dynamic(20)",
    "dynamic(80)",
    "dynamic(87.5)",
    "dynamic(97.5)",
    "fraction(0.7)",
    "level(60)",
    "level(180)",
    "static_band(60, 180)",
)


@dataclass(frozen=True)
class Difference:
    """A map whose boxes are not OpenCV's, and whether its single precision is why.

    It is where the map enlarged in double precision has our boxes, and its mask differs from that of OpenCV's
    map by pixels within `ROUNDING` of the level alone.
    """

    kind: str
    hw: tuple[int, int]
    rule: BoxRule
    rounding: bool


def heatmap_of(kind: str, map_hw: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    noise, (h, w) = rng.normal(size=map_hw), map_hw
    if kind == "smooth":
        return cv2.GaussianBlur(noise, (5, 5), 1.2)
    if kind == "hill":
        (cy, cx), y, x = rng.random(2) * map_hw, np.arange(h)[:, None], np.arange(w)
        return np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * (h / 5) ** 2))
    if kind == "plateau":
        return np.kron(rng.random((h // 2 + 1, w // 2 + 1)), np.ones((2, 2)))[:h, :w]
    if kind == "spot":
        return (noise == noise.max()).astype(float)
    made = {
        "noise": noise,
        "uniform": rng.random(map_hw),
        "rectified": np.maximum(noise + 1.0, 0),
        "faint": noise * 1e-3,
        "great": noise * 1e4 + 3e3,
        "zeros": np.maximum(noise - 1.8, 0),
        "steps": np.round(rng.random(map_hw) * 8) / 8,
        "sixths": np.round(rng.random(map_hw) * 6) / 6,
        "flat": np.full(map_hw, noise[0, 0]),
    }
    return made[kind]


def in_double_precision(heatmap: np.ndarray, hw: tuple[int, int]) -> np.ndarray:
    """The enlarged map from its definition, down and then across."""
    big = heatmap.astype(np.float64)
    for n_pixels in hw:
        place = np.clip((np.arange(n_pixels) + 0.5) * (len(big) / n_pixels) - 0.5, 0, len(big) - 1)
        node = place.astype(int)
        after = np.minimum(node + 1, len(big) - 1)
        big = (big[node] + (big[after] - big[node]) * (place - node)[:, None]).T
    return big


def unit_of(big: np.ndarray) -> np.ndarray:
    return (big - big.min()) / (big.max() - big.min() + 1e-7)


def mask_of(unit: np.ndarray, threshold: str) -> tuple[np.ndarray, np.ndarray]:
    """The mask, and how far each pixel is from a level of it."""
    name, _, numbers = threshold.rstrip(")").partition("(")
    levels = [float(number) for number in numbers.split(",")]
    if name == "dynamic":
        levels = [np.percentile(unit, levels[0])]
    elif name != "fraction":
        levels = [number / 255 for number in levels]
    mask = unit >= levels[0] if name in ("level", "static_band") else unit > levels[0]
    if name == "static_band":
        mask &= unit <= levels[1]
    return mask, np.min([np.abs(unit - level) for level in levels], axis=0)


def peers_choices(mask: np.ndarray, rule: BoxRule) -> list[list[list[int]]]:
    """The boxes that a rule may give, as tables in order; more than one table where components are equal."""
    _, _, statistics, _ = cv2.connectedComponentsWithStats(
        mask.astype(np.uint8), connectivity=rule.connectivity
    )
    x, y, width, height, pixels = statistics[1:].T.astype(np.int64)
    there = pixels / mask.size >= rule.min_area
    boxes = np.stack([x, y, x + width, y + height], axis=1)[there]
    if not there.any():
        return [[]]
    if rule.component == "hull":
        return [[[*boxes[:, :2].min(axis=0).tolist(), *boxes[:, 2:].max(axis=0).tolist()]]]
    if rule.component == "all":
        return [sorted(boxes.tolist())]
    size = pixels[there] if rule.component == "largest" else (width * height)[there]
    return [[box] for box in boxes[size == size.max()].tolist()]


def difference(kind: str, heatmap: np.ndarray, hw: tuple[int, int], rule: BoxRule) -> Difference | None:
    """None where the boxes are among those that OpenCV gives."""
    ours = sorted(boxes_from(heatmap[None], IDENTITY, hw, rule, hw)[1].tolist())
    big = cv2.resize(heatmap, (hw[1], hw[0]), interpolation=cv2.INTER_LINEAR).astype(np.float64)
    if big.min() == big.max():
        return None if ours == [] else Difference(kind, hw, rule, False)
    mask, distance = mask_of(unit_of(big), rule.threshold)
    if ours in peers_choices(mask, rule):
        return None
    exact, _ = mask_of(unit_of(in_double_precision(heatmap, hw)), rule.threshold)
    near = distance[mask != exact].max(initial=0.0) <= ROUNDING
    return Difference(kind, hw, rule, bool(near) and ours in peers_choices(exact, rule))


def compare(kinds: tuple[str, ...], map_hw: tuple[int, int], n: int, seed: int) -> list[Difference]:
    """Those of `n` maps whose boxes differ; threshold, component, connectivity and least area by chance."""
    rng, different = np.random.default_rng([seed, *map_hw]), []
    for number in range(n):
        kind = kinds[number % len(kinds)]
        heatmap = heatmap_of(kind, map_hw, rng).astype(np.float32)
        stride = int(rng.choice([stride for stride in STRIDES if stride * max(map_hw) <= 512]))
        hw = (map_hw[0] * stride, map_hw[1] * stride)
        if number % 50 == 0:
            hw = (FRAMES[number // 50 % 2],) * 2
        rule = BoxRule(
            str(rng.choice(THRESHOLDS)),
            str(rng.choice(list(COMPONENTS))),
            "input",
            signed=True,
            connectivity=int(rng.choice(list(REACH))),
            min_area=float(rng.choice([0.0, 0.01])),
        )
        found = difference(kind, heatmap, hw, rule)
        different += [] if found is None else [found]
    return different


@pytest.mark.parametrize("map_hw", MAP_HW)
def test_some_maps_of_each_size(map_hw) -> None:
    assert compare(CONTINUOUS, map_hw, 60, seed=0) == []


@pytest.mark.parametrize("map_hw", MAP_HW)
def test_maps_of_equal_values(map_hw) -> None:
    different = compare(TIED, map_hw, 30, seed=1)
    assert len(different) <= 1
    assert all(found.rounding for found in different)


def test_values_that_single_precision_cannot_hold_differ_by_rounding_alone() -> None:
    different = compare(UNHELD, (14, 14), 200, seed=3)
    assert 0 < len(different) < 20
    assert all(found.rounding for found in different)
    assert {found.rule.threshold.partition("(")[0] for found in different} == {"dynamic"}


@pytest.mark.slow
@pytest.mark.parametrize("map_hw", MAP_HW)
def test_10_000_maps_of_each_size(map_hw) -> None:
    different = compare(CONTINUOUS + TIED, map_hw, 10_000, seed=2)
    assert len(different) <= 10
    assert all(found.rounding for found in different)
