"""From heatmaps to boxes in the film's frame, and to the places where they peak."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Float32, Int

from hilum.boxes import area, clip, moved
from hilum.localize.scale import enlarged, unit_map
from hilum.localize.threshold import Cut, cuts_from
from hilum.lookup import pick

COMPONENTS = {"largest": 0, "largest_box": 1, "all": 2, "hull": 3}
MAP_SIZES = ("frame", "input")


@dataclass(frozen=True)
class BoxRule:
    """How a heatmap becomes boxes.

    Attributes:
        threshold: A name of `THRESHOLDS` with its numbers.
        component: A name of `COMPONENTS`; pixels that touch by a corner belong together.
        map_size: "frame" enlarges the map to the pixels that its input covers in the film's frame,
            "input" to the network's input.
        signed: False sets negative evidence to 0 before the map is scaled to [0, 1]; True keeps it.
    """

    threshold: str = "dynamic(87.5)"
    component: str = "largest"
    map_size: str = "frame"
    signed: bool = False

    def __post_init__(self) -> None:
        """Refuses names and numbers that do not exist."""
        cuts_from(self.threshold)
        pick(COMPONENTS, self.component, "component rule")
        if self.map_size not in MAP_SIZES:
            raise ValueError(f"unknown map size {self.map_size!r}; known: {', '.join(MAP_SIZES)}")

    @property
    def name(self) -> str:
        """Threshold and component, as tables print them."""
        return f"{self.threshold}+{self.component}"


def boxes_from(
    heatmaps: Float32[np.ndarray, "k h w"],
    affine: Float[np.ndarray, "k 2 3"],
    input_hw: tuple[int, int],
    rule: BoxRule,
    frame_hw: tuple[int, int],
) -> tuple[Int[np.ndarray, " m"], Float[np.ndarray, "m 4"], Float[np.ndarray, " m"]]:
    """Boxes of each heatmap, in the film's frame."""
    rows, boxes, peaks = [], [], []
    for k in range(len(heatmaps)):
        if not np.isfinite(heatmaps[k]).all():
            raise ValueError(f"heatmap {k} is not finite")
        hw = _sampled_hw(affine[k], input_hw) if rule.map_size == "frame" else input_hw
        big = enlarged(heatmaps[k] if rule.signed else np.maximum(heatmaps[k], 0), hw)
        if big.min() == big.max():
            continue
        unit = unit_map(big, signed=True)
        for cut in cuts_from(rule.threshold):
            found, peak = _components(unit, _mask(unit, cut), rule.component)
            rows.extend([k] * len(found))
            boxes.extend(found * (np.array(input_hw)[[1, 0, 1, 0]] / np.array(hw)[[1, 0, 1, 0]]))
            peaks.extend(peak)
    index = np.array(rows, np.int64)
    xyxy = clip(moved(np.array(boxes, float).reshape(-1, 4), affine[index].astype(float)), frame_hw)
    keep = area(xyxy) > 0
    return index[keep], xyxy[keep], np.array(peaks, float)[keep]


def _sampled_hw(affine: Float[np.ndarray, "2 3"], input_hw: tuple[int, int]) -> tuple[int, int]:
    scale_x, scale_y = np.hypot(affine[0, :2], affine[1, :2])
    return round(float(scale_y * input_hw[0])), round(float(scale_x * input_hw[1]))


def _mask(unit: np.ndarray, cut: Cut) -> np.ndarray:
    low = cut.low
    if cut.of == "percentile":
        low = np.percentile(unit, cut.low)
    if cut.of == "otsu":
        counts, edges = np.histogram(unit, 256)
        centres = (edges[1:] + edges[:-1]) / 2
        w0, w1 = np.cumsum(counts), np.cumsum(counts[::-1])[::-1]
        m0 = np.cumsum(counts * centres) / w0
        m1 = (np.cumsum((counts * centres)[::-1]) / w1[::-1])[::-1]
        low = centres[np.argmax(w0[:-1] * w1[1:] * (m0[:-1] - m1[1:]) ** 2)]
    return ((unit >= low) if cut.closed else (unit > low)) & (unit <= cut.high)


def _components(unit: np.ndarray, mask: np.ndarray, component: str) -> tuple[np.ndarray, np.ndarray]:
    if not mask.any():
        return np.zeros((0, 4)), np.zeros(0)
    if component == "hull":
        labels = mask.astype(np.int32)
        y, x = np.nonzero(mask)
        stats = np.array([[x.min(), y.min(), np.ptp(x) + 1, np.ptp(y) + 1, mask.sum()]])
    else:
        _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
        stats = stats[1:]
    chosen = np.arange(len(stats))
    if component == "largest":
        chosen = chosen[[stats[:, 4].argmax()]]
    if component == "largest_box":
        chosen = chosen[[(stats[:, 2] * stats[:, 3]).argmax()]]
    s = stats[chosen]
    peak = np.array([unit[labels == c + 1].max() for c in chosen])
    return np.stack([s[:, 0], s[:, 1], s[:, 0] + s[:, 2], s[:, 1] + s[:, 3]], axis=1).astype(float), peak


def peaks_from(
    heatmaps: Float32[np.ndarray, "k h w"],
    affine: Float[np.ndarray, "k 2 3"],
    input_hw: tuple[int, int],
    frame_hw: tuple[int, int],
) -> tuple[Int[np.ndarray, " m"], Float[np.ndarray, "m 2"]]:
    """Where each heatmap, enlarged to the film's frame, takes its maximum."""
    rows, points = [], []
    for k in range(len(heatmaps)):
        if not np.isfinite(heatmaps[k]).all():
            raise ValueError(f"heatmap {k} is not finite")
        hw = _sampled_hw(affine[k], input_hw)
        big = enlarged(heatmaps[k], hw)
        if big.min() == big.max():
            continue
        y, x = np.nonzero(big == big.max())
        xy = np.stack([(x + 0.5) * input_hw[1] / hw[1], (y + 0.5) * input_hw[0] / hw[0]], axis=1)
        points.append(xy @ affine[k, :, :2].T + affine[k, :, 2])
        rows.extend([k] * len(x))
    xy = np.concatenate([np.zeros((0, 2)), *points])
    inside = ((xy >= 0) & (xy <= np.array(frame_hw)[::-1])).all(axis=1)
    return np.array(rows, np.int64)[inside], xy[inside]
