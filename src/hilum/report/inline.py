"""A chart in; SVG inside the page out, in the colours of the page, light or dark, and legible when narrow."""

from dataclasses import dataclass

import numpy as np

from hilum.report.chart import GUIDE, N_DASHES, N_TONES, Chart, Line, Panel, ticks_of
from hilum.report.markup import Html, joined, tag


@dataclass(frozen=True)
class _Place:
    """Where a panel's axes lie, in units of its drawing."""

    panel: Panel
    width: float
    height: float
    left: float
    top: float
    right: float
    bottom: float
    most_ticks: int

    def x(self, value: np.ndarray) -> np.ndarray:
        """Across."""
        low, high = self.panel.x
        return self.left + (value - low) / (high - low) * (self.width - self.left - self.right)

    def y(self, value: np.ndarray) -> np.ndarray:
        """Down."""
        low, high = self.panel.y
        return (
            self.height - self.bottom - (value - low) / (high - low) * (self.height - self.top - self.bottom)
        )


def chart_from(chart: Chart | None) -> Html:
    """A figure with legend and caption; nothing where there is nothing to draw."""
    if chart is None or not chart.panels:
        return Html("")
    panels = [_panel(panel, chart.small) for panel in chart.panels]
    grid = tag("div", *panels, class_="panels small" if chart.small else "panels")
    caption = tag("figcaption", chart.caption + ".")
    return tag("figure", _legend(chart), grid, caption, class_="chart")


def _legend(chart: Chart) -> Html:
    """Every labelled line with a stroke of its own look."""
    keys = []
    for line in chart.legend:
        stroke = tag("line", x1="1", x2="27", y1="6", y2="6", class_=_look("line", line))
        if not line.joined:
            stroke = tag("circle", cx="14", cy="6", r="3", class_=_look("dot", line))
        swatch = tag("svg", stroke, viewBox="0 0 28 12", aria_hidden="true")
        keys.append(tag("li", swatch, " ", line.label))
    return tag("ul", *keys, class_="legend") if keys else Html("")


def _panel(panel: Panel, small: bool) -> Html:
    if small:
        place = _Place(panel, 204.0, 186.0, 38.0, 20.0, 6.0, 32.0, 3)
    else:
        place = _Place(panel, 440.0, 280.0, 48.0, 24.0, 10.0, 42.0, 6)
    parts = [_axes(place)]
    parts += [_band(place, line) for line in panel.lines if line.band is not None]
    parts += [_line(place, line) for line in panel.lines]
    parts.append(_text(panel.note, place.width - place.right, place.top - 8, "tick", "end"))
    words = ", ".join(word for word in (panel.title, panel.y_label, panel.note) if word)
    box = f"0 0 {place.width:g} {place.height:g}"
    class_ = "panel small" if small else "panel"
    return tag("svg", *parts, viewBox=box, role="img", aria_label=words or "figure", class_=class_)


def _axes(place: _Place) -> Html:
    """Title, ticks with faint strokes, words along both axes, and upright marks."""
    panel = place.panel
    bottom, right = place.height - place.bottom, place.width - place.right
    parts = [_text(panel.title, place.left, place.top - 8, "title", "start")]
    upward = [(value, f"{value:g}") for value in ticks_of(*panel.y, place.most_ticks)]
    across = list(panel.ticks) or [(value, f"{value:g}") for value in ticks_of(*panel.x, place.most_ticks)]
    for value, word in upward:
        y = float(place.y(np.array([value]))[0])
        parts.append(_stroke(place.left, right, y, y, "rule"))
        parts.append(_text(word, place.left - 4, y + 3.5, "tick", "end"))
    for value, word in across:
        x = float(place.x(np.array([value]))[0])
        parts.append(_stroke(x, x, place.top, bottom, "rule"))
        parts.append(_text(word, x, bottom + 12, "tick", "middle"))
    for value, word in panel.marks:
        x = float(place.x(np.array([value]))[0])
        parts += [
            _stroke(x, x, place.top, bottom, "mark"),
            _text(word, x + 4, place.top + 10, "tick", "start"),
        ]
    parts.append(_stroke(place.left, right, bottom, bottom, "axis"))
    parts.append(_stroke(place.left, place.left, place.top, bottom, "axis"))
    parts.append(_text(panel.x_label, (place.left + right) / 2, place.height - 5, "name", "middle"))
    middle = (place.top + bottom) / 2
    turn = {"transform": f"rotate(-90 9 {middle:.1f})"}
    return joined(*parts, _text(panel.y_label, 9.0, middle, "name", "middle", **turn))


def _text(words: str, x: float, y: float, class_: str, anchor: str, **more: str) -> Html:
    if not words:
        return Html("")
    return tag("text", words, x=f"{x:.1f}", y=f"{y:.1f}", class_=class_, text_anchor=anchor, **more)


def _stroke(x1: float, x2: float, y1: float, y2: float, class_: str) -> Html:
    ends = {"x1": f"{x1:.1f}", "x2": f"{x2:.1f}", "y1": f"{y1:.1f}", "y2": f"{y2:.1f}"}
    return tag("line", **ends, class_=class_)


def _line(place: _Place, line: Line) -> Html:
    x, y = place.x(line.x), place.y(line.y)
    path = tag("path", d=_path(x, y), class_=_look("line", line)) if line.joined else Html("")
    if not line.dots:
        return path
    there = np.isfinite(x) & np.isfinite(y)
    dots = [
        tag("circle", cx=f"{a:.1f}", cy=f"{b:.1f}", r="2.4", class_=_look("dot", line))
        for a, b in zip(x[there], y[there], strict=True)
    ]
    return joined(path, *dots)


def _band(place: _Place, line: Line) -> Html:
    """The area between both ends, one piece for each stretch without NaN; whiskers between lone points."""
    assert line.band is not None
    low, high = (place.y(np.clip(end, *place.panel.y)) for end in line.band)
    x = place.x(line.x)
    there = np.isfinite(low) & np.isfinite(high) & np.isfinite(x)
    if not line.joined:
        ends = zip(x[there], low[there], high[there], strict=True)
        strokes = "".join(f"M{a:.1f} {b:.1f}V{c:.1f}" for a, b, c in ends)
        return tag("path", d=strokes, class_=_look("whisker", line))
    pieces = []
    for run in _runs(there):
        round_x = np.concatenate([x[run], x[run][::-1]])
        pieces.append(_path(round_x, np.concatenate([high[run], low[run][::-1]])) + "Z")
    return tag("path", d="".join(pieces), class_=_look("band", line)) if pieces else Html("")


def _path(x: np.ndarray, y: np.ndarray) -> str:
    """Straight strokes from point to point; anew after a NaN."""
    pieces = []
    for run in _runs(np.isfinite(x) & np.isfinite(y)):
        points = [f"{a:.1f} {b:.1f}" for a, b in zip(x[run], y[run], strict=True)]
        pieces.append("M" + "L".join(points))
    return "".join(pieces)


def _runs(there: np.ndarray) -> list[slice]:
    """Stretches of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], there, [False]]).astype(np.int8)))
    return [slice(int(start), int(stop)) for start, stop in zip(edges[::2], edges[1::2], strict=True)]


def _look(kind: str, line: Line) -> str:
    """Classes of the style sheet: what it is, its tone, its dashes, whether it is heavy."""
    tone = "guide" if line.tone == GUIDE else f"tone{line.tone % N_TONES}"
    heavy = " heavy" if line.heavy else ""
    return f"{kind} {tone} dash{line.dashes % N_DASHES}{heavy}"
