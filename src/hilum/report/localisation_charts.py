"""A run's record in; charts of T(IoU) and T(IoBB) against T out."""

from collections.abc import Sequence

import numpy as np

from hilum.evaluate.protocol import Score
from hilum.report.chart import GUIDE, N_TONES, Chart, Line, Panel, nice_end
from hilum.report.record import RunRecord
from hilum.report.tables import named


def localisation_chart(record: RunRecord) -> Chart | None:
    """Macro T(IoU) and T(IoBB) against T, a line for each method and box rule."""
    means = [s for s in record.scores if s.finding is None and s.stratum is None and s.at is not None]
    panels = []
    for metric in ("t_iou", "t_iobb"):
        mine = [s for s in means if s.metric == metric]
        if mine:
            panels.append(_panel(mine, metric, record.headline))
    words = (
        "Mean accuracy over findings against T, a line for each heatmap method and box rule; heavy: headline"
    )
    return Chart(words, panels) if panels else None


def _panel(scores: Sequence[Score], metric: str, headline: tuple[str, str]) -> Panel:
    pairs = list(dict.fromkeys((s.method, s.box_rule) for s in scores))
    lines = []
    for place, pair in enumerate(pairs):
        line = sorted((s for s in scores if (s.method, s.box_rule) == pair), key=lambda s: s.at or 0.0)
        lines.append(_line(line, place, pair == headline))
        if pair == headline:
            floor = np.array([s.floor for s in line])
            words = "floor of the heavy line: random map"
            lines.append(Line(_t(line), floor, GUIDE, words, dashes=2))
    every = [end for s in scores for end in (s.value, s.high if (s.method, s.box_rule) == headline else 0.0)]
    top = nice_end(float(np.nanmax([0.01, *every])))
    at = [s.at or 0.0 for s in scores]
    ends = (min(at) - 0.03, max(at) + 0.03)
    return Panel(named(metric), lines, ends, (0.0, top), f"T of {named(metric)}", "accuracy")


def _line(line: Sequence[Score], place: int, is_headline: bool) -> Line:
    """One method and rule over T; the headline is heavy and carries its interval."""
    band = (np.array([s.low for s in line]), np.array([s.high for s in line])) if is_headline else None
    label = f"{line[0].method}, {line[0].box_rule}"
    values = np.array([s.value for s in line])
    return Line(_t(line), values, place, label, band, dashes=place // N_TONES, dots=True, heavy=is_headline)


def _t(line: Sequence[Score]) -> np.ndarray:
    return np.array([s.at or 0.0 for s in line])
