"""One film in; how its box came about, step by step, and how well its map ranks pixels, out."""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from hilum.evaluate.classification import average_precision
from hilum.evaluate.curve import precision_recall_curve
from hilum.evaluate.pixelwise import union_masks
from hilum.localize import BoxRule
from hilum.localize.placement import enlargements
from hilum.localize.scale import enlarged, unit_map
from hilum.localize.threshold import Cut, cuts_from, otsu_level
from hilum.report.chart import GUIDE, Chart, Line, Panel
from hilum.report.gallery import boxes_over, heat_on_film, in_film, jpeg, picture, shown
from hilum.report.inline import chart_from
from hilum.report.markup import Html, joined, tag
from hilum.report.record import Example

CURVE_POINTS = 200

TINT = np.array([88.0, 180.0, 255.0])
"""Of the mask: the colour of predicted boxes."""


def typical(examples: Sequence[Example]) -> Example | None:
    """The film of median IoU among those with a map and boxes, of those above 0.1 where there are any."""
    boxed = [e for e in examples if e.heatmap is not None and len(e.predicted) and not math.isnan(e.iou)]
    found = [e for e in boxed if e.iou > 0.1] or boxed
    ranked = sorted(found, key=lambda e: (e.iou, e.finding, e.name))
    return ranked[(len(ranked) - 1) // 2] if ranked else None


def section_from(examples: Sequence[Example], rule: BoxRule | None) -> Html:
    """The five steps of one film, and its pixels' precision against recall."""
    if rule is not None and rule.of_model:
        return tag("p", "The boxes are a detector's own; there is no heatmap to take apart.")
    example = typical(examples)
    if example is None or rule is None:
        return tag("p", "No film with a heatmap and a box to take apart.")
    words = (
        f"{example.finding.replace('_', ' ')}, film {example.name}, IoU {example.iou:.2f}, rule {rule.name}"
    )
    parts = [tag("p", words, ": the film of median overlap.", class_="note"), steps_figure(example, rule)]
    return joined(*parts, pixel_section(example))


def steps_figure(example: Example, rule: BoxRule) -> Html:
    """Film, map, mask, component and box.

    Source: the order of figure 1 of Gascoigne-Burns and Katsigiannis 2021.
    """
    frame = f"0 0 {example.frame_hw[1]} {example.frame_hw[0]}"
    film = shown(example.film)
    mask, component = mask_and_component(example, rule)
    nothing = Html("")

    def tinted(part: np.ndarray) -> np.ndarray:
        return _tinted(film, in_film(part.astype(np.float32), example, len(film)))

    pictures = (
        ("film", film, nothing),
        ("heatmap", heat_on_film(example), nothing),
        (f"mask: {rule.threshold}", tinted(mask), nothing),
        (f"component: {rule.component.replace('_', ' ')}", tinted(component), nothing),
        ("box, and the reference", np.repeat(film[..., None], 3, axis=2), boxes_over(example)),
    )
    figures = [
        tag(
            "figure",
            tag("div", picture(frame, jpeg(pixels), f"step {n}: {words}", boxes), class_="pair single"),
            tag("figcaption", f"{n}. {words}"),
        )
        for n, (words, pixels, boxes) in enumerate(pictures, start=1)
    ]
    return tag("div", *figures, class_="steps")


def mask_and_component(
    example: Example, rule: BoxRule
) -> tuple[Bool[np.ndarray, "a b"], Bool[np.ndarray, "a b"]]:
    """The mask of the enlarged map, of all cuts together, and the part of it that gets a box.

    Built pixel by pixel to be looked at; boxes are made without. A cohort's scale counts as the film's here.
    """
    assert example.heatmap is not None
    raw = example.heatmap.astype(np.float32)
    raw = raw if rule.signed else np.maximum(raw, 0)
    hw = next(enlargements(raw[None], example.affine[None], example.input_hw, rule.map_size))[0]
    unit = unit_map(enlarged(raw, hw), signed=True)
    covered = abs(float(np.linalg.det(example.affine[:, :2]))) * math.prod(example.input_hw)
    min_pixels = rule.min_area * math.prod(example.frame_hw) * math.prod(hw) / covered
    mask, chosen = np.zeros((2, *hw), bool)
    for cut in cuts_from(rule.threshold):
        inside = _inside(unit, cut)
        mask |= inside
        chosen |= _component(inside, rule, min_pixels)
    return mask, chosen


def _inside(unit: Float[np.ndarray, "a b"], cut: Cut) -> Bool[np.ndarray, "a b"]:
    low = cut.low
    if cut.of == "percentile":
        low = float(np.percentile(unit, cut.low))
    if cut.of == "otsu":
        low = otsu_level(unit)
    return ((unit >= low) if cut.closed else (unit > low)) & (unit <= cut.high)


def _component(mask: Bool[np.ndarray, "a b"], rule: BoxRule, min_pixels: float) -> Bool[np.ndarray, "a b"]:
    _, names, stats, _ = cv2.connectedComponentsWithStats(
        mask.astype(np.uint8), connectivity=rule.connectivity
    )
    pixels = stats[:, cv2.CC_STAT_AREA].astype(float)
    pixels[0] = 0.0  # the background
    pixels[pixels < min_pixels] = 0.0
    size = {"largest": pixels, "largest_box": stats[:, 2] * stats[:, 3] * (pixels > 0)}.get(rule.component)
    if not pixels.any():
        return np.zeros_like(mask)
    return np.isin(names, np.flatnonzero(pixels)) if size is None else names == size.argmax()


def _tinted(film: UInt8[np.ndarray, "p p"], part: Float[np.ndarray, "p p"]) -> UInt8[np.ndarray, "p p 3"]:
    """The film with a part of it in colour, the rest darkened."""
    cover = np.clip(part, 0.0, 1.0)[..., None]
    grey = film[..., None].astype(float)
    return np.rint((1 - cover) * 0.6 * grey + cover * (0.5 * grey + 0.5 * TINT)).astype(np.uint8)


def pixel_section(example: Example) -> Html:
    """The map beside its pixels' curve.

    Source: figure 3 of the paper on WILDCAT and RSNA.
    """
    chart = pixel_chart(example)
    if chart is None:
        return Html("")
    frame = f"0 0 {example.frame_hw[1]} {example.frame_hw[0]}"
    words = f"heatmap of film {example.name} with its boxes"
    film = picture(frame, jpeg(heat_on_film(example)), words, boxes_over(example))
    left = tag("figure", tag("div", film, class_="pair single"), tag("figcaption", words.capitalize()))
    return joined(tag("h3", "Pixels of its map"), tag("div", left, chart_from(chart), class_="beside"))


def pixel_chart(example: Example) -> Chart | None:
    """Precision against recall of the pixels of the network's input, ranked by the map.

    The reference is inside the boxes; pixels and area are those of the score `localization_utility`.

    Returns:
        None where the reference covers nothing or everything, or no map was made.
    """
    if example.heatmap is None or not np.isfinite(example.heatmap).all():
        return None
    boxes = example.reference.astype(float)
    of_film = np.zeros(len(boxes), np.int64)
    hw = example.input_hw
    inside = union_masks(boxes, of_film, example.affine[None], hw, hw)[0].ravel().astype(float)
    heat = enlarged(example.heatmap.astype(np.float32), hw).ravel().astype(float)
    recall, precision = precision_recall_curve(heat, inside)
    if not len(recall):
        return None
    keep = np.unique(np.linspace(0, len(recall) - 1, CURVE_POINTS).round().astype(int))
    value, share = float(average_precision(heat[:, None], inside[:, None])[0]), float(inside.mean())
    floor = Line(np.array([0.0, 1.0]), np.array([share, share]), GUIDE, "share of pixels inside", dashes=2)
    line = Line(recall[keep].astype(float), precision[keep].astype(float), 0, "pixels by heat", heavy=True)
    unit = (0.0, 1.0)
    panel = Panel(
        "", [floor, line], unit, unit, "recall", "precision", f"AUPRC {value:.3f}, chance {share:.3f}"
    )
    words = "Pixels of the network's input, ranked by the heatmap, against the reference boxes"
    return Chart(words, [panel])
