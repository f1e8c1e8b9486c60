"""The compiled engine beside a map that is built, cut, labelled and boxed the slow way."""

import itertools

import numpy as np
import pytest
from scipy import ndimage
from skimage.filters import threshold_otsu
from skimage.measure import label, regionprops

from hilum.localize import COMPONENTS, BoxRule, peaks_from, sweep_from

IDENTITY = np.array([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])


def _hill(rng: np.random.Generator, h: int, w: int) -> np.ndarray:
    (cy, cx), y, x = rng.random(2), np.linspace(0, 1, h)[:, None], np.linspace(0, 1, w)
    return np.exp(-8 * ((y - cy) ** 2 + (x - cx) ** 2)) - 0.1


def _spot(rng: np.random.Generator, h: int, w: int) -> np.ndarray:
    heatmap = np.zeros((h, w))
    heatmap[rng.integers(h), rng.integers(w)] = 1.0
    return heatmap


def _mirrored(rng: np.random.Generator, h: int, w: int) -> np.ndarray:
    """Every component twice, so that equals compete."""
    half = rng.integers(-8, 9, (h, w)) / 8
    return half + half[:, ::-1]


KINDS = {
    "noise": lambda rng, h, w: rng.normal(size=(h, w)),
    "uniform": lambda rng, h, w: rng.random((h, w)),
    "sparse": lambda rng, h, w: np.maximum(rng.normal(size=(h, w)) - 1.0, 0),
    "hill": _hill,
    "spot": _spot,
    "steps": lambda rng, h, w: rng.integers(0, 4, (h, w)) / 4,
    "two values": lambda rng, h, w: rng.integers(0, 2, (h, w)) * 2.0 - 1,
    "mirrored": _mirrored,
    "faint": lambda rng, h, w: rng.normal(size=(h, w)) * 1e-6,
    "great": lambda rng, h, w: rng.normal(size=(h, w)) * 1e5 + 3e4,
    "cold": lambda rng, h, w: -rng.random((h, w)),
    "flat": lambda rng, h, w: np.full((h, w), rng.integers(-1, 2) / 2),
}
TIED = {"spot", "sparse", "steps", "two values", "mirrored", "flat"}
"""Kinds with equal values: only of sizes at which all sums are exact, so that equals stay equals."""

EXACT = [((4, 8), (32, 64)), ((8, 8), (128, 128)), ((6, 5), (6, 5)), ((2, 2), (16, 4))]
ANY = [
    *EXACT,
    ((7, 7), (56, 50)),
    ((7, 9), (31, 65)),
    ((14, 14), (10, 12)),
    ((1, 6), (9, 40)),
    ((5, 1), (33, 1)),
]
CASES = [(kind, *sizes) for kind in KINDS for sizes in (EXACT if kind in TIED else ANY)]

MASKS = {
    "dynamic(87.5)": lambda u: [u > np.percentile(u, 87.5)],
    "dynamic(30)": lambda u: [u > np.percentile(u, 30)],
    "fraction(0.7)": lambda u: [u > 0.7],
    "fraction(0)": lambda u: [u > 0],
    "level(180)": lambda u: [255 * u >= 180],
    "otsu": lambda u: [u > threshold_otsu(u)],
    "static_band(60, 180)": lambda u: [(255 * u >= 60) & (255 * u <= 180)],
    "two_level(60, 180)": lambda u: [255 * u >= 60, 255 * u >= 180],
}
"""What each threshold means, in one line of numpy."""

OF_THE_MAP_ITSELF = ("dynamic", "otsu")
"""Thresholds that no range of a cohort moves."""

CHOICES = [
    dict(zip(("signed", "connectivity", "min_area", "scale"), each, strict=True))
    for each in itertools.product((False, True), (4, 8), (0.0, 0.02), ("film", "cohort"))
]
RULES = [BoxRule(t, c, "input", **more) for t, c, more in itertools.product(MASKS, COMPONENTS, CHOICES)]


def drawn(kind: str, map_hw: tuple[int, int]) -> np.ndarray:
    rng = np.random.default_rng([list(KINDS).index(kind), *map_hw])
    return KINDS[kind](rng, *map_hw).astype(np.float32)


def built(heatmap: np.ndarray, hw: tuple[int, int]) -> np.ndarray:
    """The enlarged map, from the definition: each pixel centre between its nodes, held at the edge."""

    def shares(n_nodes: int, n_pixels: int) -> np.ndarray:
        place = np.clip((np.arange(n_pixels) + 0.5) * n_nodes / n_pixels - 0.5, 0, n_nodes - 1)
        return np.maximum(1 - np.abs(place[:, None] - np.arange(n_nodes)), 0)

    return shares(heatmap.shape[0], hw[0]) @ heatmap.astype(float) @ shares(heatmap.shape[1], hw[1]).T


def warm_range(big: np.ndarray) -> tuple[float, float]:
    """A range that leaves pixels below and above it."""
    span = big.max() - big.min()
    return big.min() + 0.21 * span, big.min() + 0.69 * span


def slow_regions(big: np.ndarray, cohort: tuple[float, float]) -> dict[tuple, list[list[tuple]]]:
    """Pixels, box and peak of each region of each mask, by threshold, connectivity and scale.

    Labels are in reading order.
    """
    found = {}
    for scale, (low, high) in {"film": (big.min(), big.max()), "cohort": cohort}.items():
        own = (big - big.min()) / (big.max() - big.min() + 1e-7)
        unit = np.clip((big - low) / (high - low + 1e-7), 0, 1)
        for threshold, connectivity in itertools.product(MASKS, (4, 8)):
            masks = MASKS[threshold](own if threshold.startswith(OF_THE_MAP_ITSELF) else unit)
            found[threshold, connectivity, scale] = [labelled(mask, unit, connectivity) for mask in masks]
    return found


def labelled(mask: np.ndarray, unit: np.ndarray, connectivity: int) -> list[tuple]:
    """Pixels, box and peak of each region; what `regionprops` says, in less time."""
    labels = label(mask, connectivity=connectivity // 4)
    areas = np.bincount(labels.ravel())[1:]
    peaks = ndimage.maximum(unit, labels, np.arange(1, len(areas) + 1))
    places = ndimage.find_objects(labels)
    boxes = [(x.start, y.start, x.stop, y.stop) for y, x in places]
    return list(zip(areas.tolist(), boxes, peaks, strict=True))


def slow_boxes(found: dict[tuple, list[list[tuple]]], rule: BoxRule, n_pixels: int) -> list[list[float]]:
    """Boxes and peaks; of equals `max` keeps the first."""
    rows = []
    for every in found.get((rule.threshold, rule.connectivity, rule.scale), []):
        regions = [region for region in every if rule.min_area == 0 or 50 * region[0] >= n_pixels]
        if regions and rule.component == "largest":
            regions = [max(regions, key=lambda region: region[0])]
        if regions and rule.component == "largest_box":
            sides = [(x1 - x0) * (y1 - y0) for _, (x0, y0, x1, y1), _ in regions]
            regions = [regions[sides.index(max(sides))]]
        if regions and rule.component == "hull":
            corners = np.array([box for _, box, _ in regions])
            hull = (*corners[:, :2].min(axis=0), *corners[:, 2:].max(axis=0))
            regions = [(0, hull, max(peak for *_, peak in regions))]
        rows += [[*box, peak] for _, box, peak in regions]
    return rows


def fast_boxes(
    heatmap: np.ndarray,
    hw: tuple[int, int],
    rules: list[BoxRule],
    cohort: tuple[float, float] = (0.0, 1.0),
) -> list[list[list[float]]]:
    """Boxes and peaks under each rule."""
    swept = sweep_from(heatmap[None], IDENTITY, hw, rules, hw, ranges=np.array([cohort]))
    return [np.column_stack([xyxy, peak]).tolist() for _, xyxy, peak in swept]


@pytest.mark.parametrize(("kind", "map_hw", "hw"), CASES)
def test_boxes(kind, map_hw, hw) -> None:
    heatmap = drawn(kind, map_hw)
    big = {False: built(np.maximum(heatmap, 0), hw), True: built(heatmap, hw)}
    cohort = warm_range(big[True])
    slow = {s: {} if b.min() == b.max() else slow_regions(b, cohort) for s, b in big.items()}
    for rule, ours in zip(RULES, fast_boxes(heatmap, hw, RULES, cohort), strict=True):
        theirs = slow_boxes(slow[rule.signed], rule, hw[0] * hw[1])
        assert len(ours) == len(theirs), rule
        if ours:
            assert np.abs(np.subtract(sorted(ours), sorted(theirs))).max() < 1e-9, rule


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("side", [7, 8, 32])
def test_percentiles_of_more_pixels_than_are_collected(kind, side) -> None:
    if kind in TIED and side == 7:
        return  # its sums are not exact
    heatmap, percentiles = drawn(kind, (side, side)), [0.1, 12.5, 50.0, 80.0, 97.5, 99.99]
    big = built(heatmap, (256, 256))
    rules = [BoxRule(f"dynamic({p})", "all", "input", signed=True) for p in percentiles]
    for percentile, ours in zip(percentiles, fast_boxes(heatmap, (256, 256), rules), strict=True):
        boxes = [region.bbox for region in regionprops(label(big > np.percentile(big, percentile)))]
        expected = sorted([x0, y0, x1, y1] for y0, x0, y1, x1 in boxes)
        assert sorted(row[:4] for row in ours) == expected, percentile


@pytest.mark.parametrize(("kind", "map_hw", "hw"), CASES)
def test_peaks(kind, map_hw, hw) -> None:
    heatmap = drawn(kind, map_hw)
    big = built(heatmap, hw)
    y, x = np.nonzero((big == big.max()) & (big > big.min()))
    _, xy = peaks_from(heatmap[None], IDENTITY, hw, hw)
    assert sorted(xy.tolist()) == sorted(np.column_stack([x + 0.5, y + 0.5]).tolist())


def test_there_is_a_case_of_everything() -> None:
    assert len(CASES) == 6 * 9 + 6 * 4
    assert len(RULES) == 8 * 4 * 2 * 2 * 2 * 2
