"""Boxes and points with a confidence in; false positives, FROC and point average precision out.

Every detection of the films in scope counts here, also on films without a reference box.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from hilum.boxes import BoxTable, moved, paired_iobb, paired_iou
from hilum.evaluate.localization import inside, matches
from hilum.evaluate.metric import T_IOBB, T_IOU
from hilum.lookup import call

FALSE_COLUMNS: tuple[tuple[str, float], ...] = (*(("iou", t) for t in T_IOU), *(("iobb", t) for t in T_IOBB))
"""What the columns of `false_boxes` are: the criterion and its T."""

GATES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "label": lambda labels, _: labels == 1,
    "score": lambda _, probabilities: probabilities >= 0.5,
    "none": lambda labels, _: np.ones(labels.shape, bool),
}
"""Of which films a heatmap of a finding is boxed, from labels and probabilities."""


def false_boxes(reference: BoxTable, predicted: BoxTable) -> Bool[np.ndarray, "m c"]:
    """Whether each predicted box passes a criterion with no reference box of its film and finding.

    Source: Wang et al., CVPR 2017 (arXiv:1705.02315), average false positives; the tables give no formula.

    Returns:
        One column for each of `FALSE_COLUMNS`; strictly more than T passes.

    Example:
        >>> one, box = np.zeros(1, np.int64), np.array([[0.0, 0.0, 2.0, 2.0]])
        >>> entry = BoxTable(one, one, box + [0, 0, 2, 0], np.array([np.nan]))
        >>> false_boxes(entry, BoxTable(one, one, box, np.ones(1))).astype(int).tolist()
        [[0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0]]
    """
    entry, box = matches(reference, predicted)
    iou, iobb = np.zeros((2, len(predicted)))
    found = predicted.xyxy[box], reference.xyxy[entry]
    np.maximum.at(iou, box, paired_iou(*found))
    np.maximum.at(iobb, box, paired_iobb(*found))
    return np.concatenate([iou[:, None] <= np.array(T_IOU), iobb[:, None] <= np.array(T_IOBB)], axis=1)


def centre_inside(predicted: Float[np.ndarray, "m 4"], reference: Float[np.ndarray, "m 4"]) -> np.ndarray:
    """Whether the centre of each box lies in the reference box beside it, edges inside."""
    return inside(_centres(predicted), reference)


def iou_above(
    predicted: Float[np.ndarray, "m 4"], reference: Float[np.ndarray, "m 4"], t: float
) -> Bool[np.ndarray, " m"]:
    """Whether the IoU of each pair is strictly more than T."""
    return paired_iou(predicted, reference) > t


HIT_RULES: dict[str, Callable[..., np.ndarray]] = {"centre": centre_inside, "iou": iou_above}
"""What makes a detection a hit."""


@dataclass(frozen=True)
class Detected:
    """What a finding's detections found, and what they found that is not there.

    Attributes:
        found: Best confidence with which each reference box is found; minus infinity for one that is not.
        false: Which detections are false.
    """

    found: Float[np.ndarray, " k"]
    false: Bool[np.ndarray, " m"]


def detected(reference: BoxTable, predicted: BoxTable, hit: str) -> Detected:
    """Reference boxes found and detections that hit nothing; one box found twice is no mistake.

    Args:
        reference: Box entries.
        predicted: Detections with their confidence.
        hit: "centre", or "iou(T)".

    Raises:
        ValueError: No such hit rule.
    """
    is_hit = call(HIT_RULES, hit, "hit rule", n_given=2)
    entry, box = matches(reference, predicted)
    hits = is_hit(predicted.xyxy[box], reference.xyxy[entry])
    found = np.full(len(reference), -np.inf)
    np.maximum.at(found, entry[hits], predicted.score[box[hits]])
    false = np.ones(len(predicted), bool)
    false[box[hits]] = False
    return Detected(found, false)


def detected_once(reference: BoxTable, points: BoxTable) -> Detected:
    """As `detected` by centres, but each reference box is found once; a second detection of it is false.

    Detections are taken by falling confidence, equal ones in their order; each takes the reference box with
    the nearest centre among those that hold its own and are not yet taken.
    """
    entry, point = matches(reference, points)
    within = centre_inside(points.xyxy[point], reference.xyxy[entry])
    entry, point = entry[within], point[within]
    away = np.linalg.norm(_centres(points.xyxy)[point] - _centres(reference.xyxy)[entry], axis=1)
    order = np.lexsort((entry, away, point, -points.score[point]))
    found, false = np.full(len(reference), -np.inf), np.ones(len(points), bool)
    for e, p in zip(entry[order].tolist(), point[order].tolist(), strict=True):
        if false[p] and found[e] == -np.inf:
            found[e] = points.score[p]
            false[p] = False
    return Detected(found, false)


@dataclass(frozen=True)
class Curve:
    """Hits and mistakes of each patient between the confidences at which hits change, falling.

    Attributes:
        hits: Reference boxes first found at each of these confidences.
        false: False detections down to it, and below the one before.
    """

    hits: Float[np.ndarray, "p j"]
    false: Float[np.ndarray, "p j"]

    def counts(
        self, weights: Float[np.ndarray, "d p"]
    ) -> tuple[Float[np.ndarray, "d j"], Float[np.ndarray, "d j"]]:
        """Hits and mistakes down to each confidence, each patient counted as often as it weighs."""
        return np.cumsum(weights @ self.hits, axis=1), np.cumsum(weights @ self.false, axis=1)


def curve_from(
    outcome: Detected,
    score: Float[np.ndarray, " m"],
    whose_reference: Int[np.ndarray, " k"],
    whose_box: Int[np.ndarray, " m"],
    n_patients: int,
) -> Curve:
    """The curve of one finding.

    Args:
        outcome: What its detections found.
        score: Confidence of each detection.
        whose_reference: Patient of each reference box, numbered from 0.
        whose_box: Patient of each detection.
        n_patients: Patients there are.
    """
    is_found = outcome.found > -np.inf
    levels = np.unique(outcome.found[is_found])
    hits, false = np.zeros((2, n_patients, len(levels)))
    place = len(levels) - 1 - np.searchsorted(levels, outcome.found[is_found])
    np.add.at(hits, (whose_reference[is_found], place), 1.0)
    place = len(levels) - np.searchsorted(levels, score[outcome.false], side="right")
    above = place < len(levels)  # what is less sure than every hit changes no number
    np.add.at(false, (whose_box[outcome.false][above], place[above]), 1.0)
    return Curve(hits, false)


def froc(
    hits: Float[np.ndarray, "d j"],
    false: Float[np.ndarray, "d j"],
    n_references: Float[np.ndarray, " d"],
    n_films: Float[np.ndarray, " d"],
    rates: tuple[float, ...],
) -> Float[np.ndarray, "d r"]:
    """Greatest share of reference boxes found with at most so many false positives a film.

    Source: Chakraborty, Medical Physics 1989; read as a step, not interpolated.

    Args:
        hits: Reference boxes found down to each confidence, falling.
        false: False detections down to it.
        n_references: Reference boxes there are.
        n_films: Films in scope, with and without reference boxes.
        rates: False positives a film.

    Returns:
        Shares in [0, 1]; NaN without reference boxes.

    Example:
        >>> hits, false = np.array([[1.0, 2.0]]), np.array([[0.0, 5.0]])
        >>> froc(hits, false, np.array([2.0]), np.array([10.0]), (0.125, 0.5))
        array([[0.5, 1. ]])
    """
    start = np.zeros((len(hits), 1))
    hits = np.concatenate([start, hits], axis=1)
    shares = np.full((len(hits), len(rates)), np.nan)
    some = n_references > 0
    for column, rate in enumerate(rates):
        reached = (false <= rate * n_films[:, None]).sum(axis=1)
        shares[some, column] = hits[some, reached[some]] / n_references[some]
    return shares


def enveloped_precision(
    hits: Float[np.ndarray, "d j"], false: Float[np.ndarray, "d j"], n: Float[np.ndarray, " d"]
) -> Float[np.ndarray, " d"]:
    """Area under the precision and recall curve whose precision never rises with recall.

    Source: Everingham et al., IJCV 2015, the measure of the VOC challenges since 2010.

    Args:
        hits: True detections down to each confidence, falling.
        false: False detections down to it.
        n: What recall divides by.

    Returns:
        Areas in [0, 1]; NaN where `n` is 0.

    Example:
        >>> enveloped_precision(np.array([[1.0, 2.0]]), np.array([[1.0, 1.0]]), np.array([4.0])).round(3)
        array([0.333])
    """
    seen = hits + false
    precision = np.divide(hits, seen, out=np.zeros_like(seen), where=seen > 0)
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    gained = (np.diff(hits, axis=1, prepend=0.0) * envelope).sum(axis=1)
    return np.divide(gained, n, out=np.full(len(n), np.nan), where=n > 0)


def cells_from(
    maps: Float32[np.ndarray, "m h w"],
    affine: Float[np.ndarray, "m 2 3"],
    input_hw: tuple[int, int],
    peaks: Literal["max", "all"],
) -> tuple[Int[np.ndarray, " c"], Float[np.ndarray, "c 4"], Float[np.ndarray, " c"]]:
    """Cells of the raw maps that detect something, as boxes in the film's frame.

    Args:
        maps: Raw maps, each over the whole network input.
        affine: From pixels of the network's input to pixels of the film's frame, one a map.
        input_hw: Height and width of the network's input, in px.
        peaks: "max" takes the greatest cell of each map, "all" each cell that none of its eight neighbours
            exceeds; of equal cells the first in reading order.

    Returns:
        Row of the map (ascending), box of the cell and its value; none for a flat map, nor for one with NaN.

    Example:
        >>> maps = np.array([[[0.0, 3.0], [1.0, 0.0]]], dtype=np.float32)
        >>> cells_from(maps, np.eye(2, 3)[None], (8, 8), "max")[1].tolist()
        [[4.0, 0.0, 8.0, 4.0]]
    """
    n, height, width = maps.shape
    usable = np.isfinite(maps).all(axis=(1, 2)) & (maps != maps[:, :1, :1]).any(axis=(1, 2))
    chosen = np.zeros(maps.shape, bool)
    if peaks == "all":
        chosen[usable] = _tops(maps[usable])
    elif usable.any():
        chosen.reshape(n, -1)[usable, maps[usable].reshape(usable.sum(), -1).argmax(axis=1)] = True
    row, y, x = np.nonzero(chosen)
    cell = np.array([input_hw[1] / width, input_hw[0] / height])
    corner = np.stack([x, y], axis=1) * cell
    boxes = moved(np.concatenate([corner, corner + cell], axis=1), affine[row])
    return row, boxes, maps[row, y, x].astype(float)


def _tops(maps: Float32[np.ndarray, "m h w"]) -> Bool[np.ndarray, "m h w"]:
    """Cells above their earlier neighbours in reading order and not below the later ones."""
    height, width = maps.shape[1:]
    padded = np.pad(maps, ((0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    tops = np.ones(maps.shape, bool)
    for place in (0, 1, 2, 3, 5, 6, 7, 8):
        neighbour = padded[:, place // 3 : place // 3 + height, place % 3 : place % 3 + width]
        tops &= maps > neighbour if place < 4 else maps >= neighbour
    return tops


def _centres(xyxy: Float[np.ndarray, "k 4"]) -> Float[np.ndarray, "k 2"]:
    return (xyxy[:, :2] + xyxy[:, 2:]) / 2
