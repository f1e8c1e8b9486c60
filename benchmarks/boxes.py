"""One box a heatmap beside scikit-image and OpenCV, at a frame of 1024 x 1024, on one core.

The peers build the map, bilinear, then cut, label and box it; scikit-image keeps the component with most
pixels, OpenCV the contour with the greatest area, which is another question where components have holes.
Ours is called with many maps at once, and with one map a call as for one film.
"""

import time
from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
from skimage.measure import label, regionprops

from hilum.localize import BoxRule, boxes_from, sweep_from
from hilum.localize.scale import enlarged
from timing import Ratio, machine, n_rounds, rounds

FRAME_HW, INPUT_HW = (1024, 1024), (224, 224)
SIDES = (7, 14, 32)
N_MAPS = 16
N_REPEATS = 16
"""Times that ours does the work of a peer in a round: the peer's one pass takes as long as many of ours."""

THRESHOLDS = ("dynamic(87.5)", "level(180)")
GOALS = {"dynamic(87.5)": (45, 17), "level(180)": (250, 120)}
"""How many times as fast as scikit-image and as OpenCV, many maps a call, for maps of 14 x 14."""

Box = list[int]
Peer = Callable[[np.ndarray, str], Box]


def main() -> None:
    """Prints a table of ratios and, below each, how many boxes agree."""
    n = n_rounds(__doc__)
    cv2.setNumThreads(1)
    print(machine("numpy", "numba", "opencv-python-headless", "scikit-image"))
    print(f"{N_MAPS} smooth maps a round, medians of {n} rounds; ours in us a map\n")
    print("map    threshold      peer         ours, many  times as fast             goal  one a call  same")
    for side in SIDES:
        for threshold in THRESHOLDS:
            for peer, goal in zip((by_scikit_image, by_opencv), GOALS[threshold], strict=True):
                print(_line(side, threshold, peer, goal if side == 14 else None, n))
    print(f"\n157,440 boxes of a paper's grid: {grid_s():.1f} s (goal <= 40 s)")


def _line(side: int, threshold: str, peer: Peer, goal: int | None, n: int) -> str:
    maps = smooth_maps(side)
    rule = BoxRule(threshold, signed=True)
    same = np.mean([peer(one, threshold) == ours for one, ours in zip(maps, _boxes(maps, rule), strict=True)])
    many = np.concatenate([maps] * N_REPEATS)

    def theirs() -> None:
        for one in maps:
            peer(one, threshold)

    def one_by_one() -> None:
        for one in many:
            _boxes(one[None], rule)

    at_once = _per_pass(rounds(theirs, lambda: _boxes(many, rule), n))
    singly = _per_pass(rounds(theirs, one_by_one, n))
    name = peer.__name__.removeprefix("by_")
    wanted = f">= {goal}" if goal else ""
    return (
        f"{side:2d}x{side:<3d} {threshold:14s} {name:12s} {at_once.ours_s / N_MAPS * 1e6:10.1f}  "
        f"{at_once!s:24s} {wanted:>6s}  {singly.median:9.1f}  {same:5.1%}"
    )


def grid_s() -> float:
    """Seconds for 984 maps by 16 methods and 10 thresholds, from one of the 16.

    The grid is that of Gascoigne-Burns and Katsigiannis 2021: two networks, four methods plain and smoothed.
    """
    maps = np.resize(smooth_maps(7), (984, 7, 7))
    dynamic = [f"dynamic({n})" for n in (80, 82.5, 85, 87.5, 90, 92.5, 95, 97.5)]
    rules = [BoxRule(t, signed=True) for t in (*dynamic, "static_band(60, 180)", "static_band(180, 255)")]
    start = time.perf_counter()
    found = sweep_from(maps, _whole_films(len(maps)), INPUT_HW, rules, FRAME_HW)
    assert sum(len(row) for row, _, _ in found) == 9840
    return 16 * (time.perf_counter() - start)


def _per_pass(ratio: Ratio) -> Ratio:
    """The ratio for the same work on both sides."""
    scaled = {name: getattr(ratio, name) * N_REPEATS for name in ("median", "low", "high")}
    return replace(ratio, **scaled, ours_s=ratio.ours_s / N_REPEATS)


def smooth_maps(side: int) -> np.ndarray:
    """Noise blurred over about three cells, so that a map has a few warm regions, as heatmaps have."""
    noise = np.random.default_rng(side).normal(size=(N_MAPS, side, side))
    return np.stack([cv2.GaussianBlur(one, (5, 5), 1.2) for one in noise]).astype(np.float32)


def _boxes(maps: np.ndarray, rule: BoxRule) -> list[Box]:
    xyxy = boxes_from(maps, _whole_films(len(maps)), INPUT_HW, rule, FRAME_HW)[1]
    return np.rint(xyxy).astype(int).tolist()


def _whole_films(n: int) -> np.ndarray:
    """Affines of an input that covers the whole film."""
    return np.tile(np.array([[1024 / 224, 0.0, 0.0], [0.0, 1024 / 224, 0.0]]), (n, 1, 1))


def mask_from(heatmap: np.ndarray, threshold: str) -> np.ndarray:
    """The mask of the built map, in the precision that the peers' users have."""
    built = enlarged(heatmap, FRAME_HW)
    if threshold == "dynamic(87.5)":
        return built > np.percentile(built, 87.5)
    least = built.min()
    return (built - least) / (built.max() - least) >= 180 / 255


def by_scikit_image(heatmap: np.ndarray, threshold: str) -> Box:
    """Box of the component with most pixels."""
    regions = regionprops(label(mask_from(heatmap, threshold), connectivity=2))
    y_min, x_min, y_max, x_max = max(regions, key=lambda region: region.area).bbox
    return [x_min, y_min, x_max, y_max]


def by_opencv(heatmap: np.ndarray, threshold: str) -> Box:
    """Box of the contour with the greatest area."""
    mask = mask_from(heatmap, threshold).astype(np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    x, y, width, height = cv2.boundingRect(max(contours, key=cv2.contourArea))
    return [x, y, x + width, y + height]


if __name__ == "__main__":
    main()
