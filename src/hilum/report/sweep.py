"""Stored heatmaps and reference entries in; mean localisation under many thresholds out."""

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int

from hilum.boxes import BoxTable
from hilum.evaluate.localization import COLUMNS, best_overlaps, statistics
from hilum.localize import BoxRule, sweep_from
from hilum.report.chart import Chart, Line, Panel, nice_end
from hilum.report.tables import named

THRESHOLDS = (
    "static_band(60,180)",
    "static_band(180,255)",
    *(f"dynamic({p:g})" for p in (60, 70, 75, 80, 82.5, 85, 87.5, 90, 92.5, 95, 97.5)),
)
"""The two static ranges and the percentiles of the figure that this one follows, and three lower ones.

Source: Gascoigne-Burns and Katsigiannis 2021, figure 2.
"""

SHOWN = (("t_iou", 0.1), ("t_iou", 0.3), ("t_iou", 0.5), ("t_iobb", 0.25))
"""The panels: metric and T."""


@dataclass(frozen=True)
class Sweep:
    """Means over findings under every threshold.

    Attributes:
        methods: Heatmap methods.
        thresholds: As box rules name them.
        used: The threshold of the headline.
        values: One number a method, threshold and panel of `SHOWN`.
    """

    methods: Sequence[str]
    thresholds: Sequence[str]
    used: str
    values: Float[np.ndarray, "m t c"]


def swept(
    maps: Float32[np.ndarray, "k h w"],
    affine: Float[np.ndarray, "k 2 3"],
    image: Int[np.ndarray, " k"],
    finding: Int[np.ndarray, " k"],
    reference: BoxTable,
    input_hw: tuple[int, int],
    rule: BoxRule,
    frame_hw: tuple[int, int],
) -> Float[np.ndarray, "t c"]:
    """Means over findings of `SHOWN` under each of `THRESHOLDS`, all else as in the rule.

    Args:
        maps: Raw heatmaps, one for each film and finding that has an entry.
        affine: From network input to frame, in px.
        image: Row of each map's film.
        finding: Column of each map's finding.
        reference: Entries; one without a map counts as not found.
        input_hw: Of the network's input.
        rule: Component, map size and the rest; a gate is left aside.
        frame_hw: Of the frame of the entries.

    Returns:
        NaN throughout where there is no entry.
    """
    columns = [COLUMNS.index(column) for column in SHOWN]
    if not len(reference):
        return np.full((len(THRESHOLDS), len(SHOWN)), np.nan)
    rules = [dataclasses.replace(rule, threshold=t, gate=None, scale="film") for t in THRESHOLDS]
    present, group = np.unique(reference.finding, return_inverse=True)
    means = np.zeros((len(rules), len(SHOWN)))
    for place, (row, xyxy, peak) in enumerate(sweep_from(maps, affine, input_hw, rules, frame_hw)):
        found = best_overlaps(reference, BoxTable(image[row], finding[row], xyxy, peak))
        successes = statistics(*found)[:, columns]
        sums = np.zeros((len(present), len(SHOWN)))
        np.add.at(sums, group, successes)
        means[place] = (sums / np.bincount(group)[:, None]).mean(axis=0)
    return means


def sweep_chart(sweep: Sweep | None) -> Chart | None:
    """A panel for each T, a line for each heatmap method, a mark at the threshold that the run uses."""
    if sweep is None or not np.isfinite(sweep.values).any():
        return None
    is_static = np.array([name.startswith("static") for name in sweep.thresholds], bool)
    # static ranges stand apart, for their names are long, and are joined with nothing
    after_static = np.concatenate([[False], is_static[:-1]])
    place = np.cumsum(np.where(is_static | after_static, 1.7, 1.0))
    gap = np.arange(1, is_static.sum() + 1)
    ticks = [(float(x), _short(name)) for x, name in zip(place, sweep.thresholds, strict=True)]
    marks = [(float(x), "used") for x in place[np.array(sweep.thresholds) == sweep.used]]
    panels = []
    for column, (metric, at) in enumerate(SHOWN):
        lines = []
        for tone, (method, row) in enumerate(zip(sweep.methods, sweep.values, strict=True)):
            broken = np.insert(row[:, column], gap, np.nan)
            lines.append(Line(np.insert(place, gap, np.nan), broken, tone, method, dots=True))
        top = nice_end(float(np.nanmax(sweep.values[:, :, column])))
        panels.append(
            Panel(
                named(metric, at),
                lines,
                (float(place[0]) - 1.0, float(place[-1]) + 0.6),
                (0.0, top),
                "static range (left), percentile of the dynamic threshold",
                "mean over findings",
                ticks=ticks,
                marks=marks,
            )
        )
    caption = (
        "Localisation against the threshold, one line for each heatmap method. The boxes that are scored "
        "made this figure: a threshold picked from it is picked on them"
    )
    return Chart(caption, panels)


def _short(threshold: str) -> str:
    """Only the numbers of a threshold, for a tick."""
    return "\N{EN DASH}".join(re.findall(r"[\d.]+", threshold))
