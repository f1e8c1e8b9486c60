"""A run's record in; matplotlib figures out, as files for papers."""

import io
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from hilum.evaluate.protocol import Score
from hilum.files import whole
from hilum.report.chart import GUIDE, N_DASHES, N_TONES, Chart, Panel, ticks_of
from hilum.report.classification_charts import calibration_chart, precision_recall_chart, roc_chart
from hilum.report.localisation_charts import localisation_chart
from hilum.report.record import RunRecord
from hilum.report.sweep import sweep_chart
from hilum.report.training_chart import training_chart

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, BLUE, ORANGE, GREEN, GREY = "#1d2733", "#0b62a8", "#c4560b", "#1b7f5c", "#6b7683"
COLOURS = (BLUE, ORANGE, GREEN, "#a33b8c", "#7a6a00", "#3f4a57")
DASHES = ("-", "--", ":")

STYLE: dict[Any, Any] = {
    "svg.hashsalt": "hilum",  # otherwise every drawing gets other names inside
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
    "text.parse_math": False,  # a finding's name may hold a dollar sign
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "axes.titlesize": 9.0,
    "legend.frameon": False,
    "savefig.facecolor": "white",
    "figure.constrained_layout.w_pad": 0.1,
    "figure.constrained_layout.h_pad": 0.1,
}


@contextmanager
def _styled() -> Iterator[None]:
    """Our style for one drawing; the settings of the process come back after it."""
    import matplotlib as mpl

    with mpl.rc_context(STYLE):
        yield


def save_figures(
    record: RunRecord, folder: Path, kinds: Sequence[Literal["png", "svg", "pdf"]] = ("png", "svg", "pdf")
) -> None:
    """Writes every figure that has something to show, once for each kind of file.

    Raises:
        DiskError: The disk is full or the folder cannot be written.
    """
    for name, draw in FIGURES.items() if kinds else ():
        with _styled():
            figure = draw(record)
            if figure is None:
                continue
            for kind in kinds:
                with whole(folder / f"{name}.{kind}") as temporary:
                    temporary.write_bytes(_bytes_of(figure, kind))
                figure.set_layout_engine("none")  # the layout found for the first file serves all


def _bytes_of(figure: "Figure", kind: str) -> bytes:
    stream = io.BytesIO()
    undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
    figure.savefig(stream, format=kind, dpi=200, metadata=undated.get(kind))
    return stream.getvalue()


def auroc_figure(record: RunRecord) -> "Figure | None":
    """AUROC of each finding as dot and whisker, with its floors."""
    from matplotlib.figure import Figure

    scores = [s for s in record.scores if s.metric == "auroc" and s.stratum is None]
    scores.sort(key=lambda score: score.finding is None)
    if not scores:
        return None
    figure = Figure(figsize=(6.0, 1.0 + 0.26 * len(scores)), layout="constrained")
    axes = figure.subplots()
    axes.axvline(0.5, color=GREY, lw=1, ls=":")
    for row, score in enumerate(reversed(scores)):
        if math.isfinite(score.low):
            axes.plot([score.low, score.high], [row, row], color=BLUE, lw=1.6)
        axes.plot(score.value, row, "o" if score.finding else "D", color=BLUE, ms=5)
        for value in set(score.floors.values()) - {0.5}:
            axes.plot(value, row, "|", color=ORANGE, ms=9, mew=1.6)
    axes.set_yticks(range(len(scores)), [_finding(s) for s in reversed(scores)])
    axes.set_xlabel("AUROC with 95 % interval; dotted: 0.5; strokes: other floors")
    return figure


def _finding(score: Score) -> str:
    return "mean" if score.finding is None else score.finding.replace("_", " ")


def figure_from(chart: Chart | None) -> "Figure | None":
    """A chart for paper: the same panels, lines and bands as in the page."""
    from matplotlib.figure import Figure

    if chart is None:
        return None
    n_columns = min(5 if chart.small else 2, len(chart.panels))
    n_rows = math.ceil(len(chart.panels) / n_columns)
    wide, high = (1.75, 1.85) if chart.small else (4.0, 3.0)
    legend = chart.legend
    below = 0.17 * math.ceil(len(legend) / 2) + 0.3
    figure = Figure(figsize=(wide * n_columns, high * n_rows + below), layout="constrained")
    grid = np.ravel(figure.subplots(n_rows, n_columns, squeeze=False))
    for axes, panel in zip(grid, chart.panels, strict=False):
        _draw(axes, panel, chart)
    for axes in grid[len(chart.panels) :]:
        axes.set_axis_off()
    if chart.small:
        figure.supxlabel(chart.panels[0].x_label, fontsize=9)
        figure.supylabel(chart.panels[0].y_label, fontsize=9)
    handles = {line.get_label(): line for axes in figure.axes for line in axes.lines}
    if legend:
        labels = [line.label for line in legend]
        figure.legend(
            [handles[each] for each in labels], labels, loc="outside lower left", fontsize=8, ncols=2
        )
    return figure


def _draw(axes: "Axes", panel: Panel, chart: Chart) -> None:
    """Lines, bands, marks and words of one panel."""
    small = chart.small
    for line in panel.lines:
        colour = GREY if line.tone == GUIDE else COLOURS[line.tone % N_TONES]
        width = (1.5 if small else 1.3) * (2 if line.heavy else 1)
        dots = {"marker": "o", "ms": 3.0, "clip_on": False} if line.dots else {}
        label = line.label or "_"
        dashes = DASHES[line.dashes % N_DASHES] if line.joined else "none"
        axes.plot(line.x, line.y, ls=dashes, color=colour, lw=width, label=label, **dots)
        if line.band is not None and not line.joined:
            axes.vlines(line.x, *line.band, color=colour, alpha=0.5, lw=0.9)
        elif line.band is not None:
            axes.fill_between(line.x, *line.band, color=colour, alpha=0.15, lw=0)
    for value, word in panel.marks:
        axes.axvline(value, color=GREY, lw=0.8, ls="--")
        place = {"xytext": (3, -9), "xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
        axes.annotate(word, (value, 1), **place, fontsize=7)
    axes.set(xlim=panel.x, ylim=panel.y)
    note = f"{chart.note_name} {panel.note}".strip() if panel.note else ""
    title = "\n".join(words for words in (panel.title, note) if words)
    axes.set_title(title, fontsize=8 if small else 9)
    axes.set_yticks(ticks_of(*panel.y, 3 if small else 6))
    if panel.ticks:
        turn = 40 if len(panel.ticks) > 9 else 0
        axes.set_xticks([x for x, _ in panel.ticks], [w for _, w in panel.ticks], rotation=turn, fontsize=7.5)
    else:
        axes.set_xticks(ticks_of(*panel.x, 3 if small else 6))
    if not small:
        axes.set(xlabel=panel.x_label, ylabel=panel.y_label)


CHARTS: dict[str, Callable[[RunRecord], Chart | None]] = {
    "calibration": calibration_chart,
    "localisation": localisation_chart,
    "precision_recall": precision_recall_chart,
    "roc": roc_chart,
    "thresholds": lambda record: sweep_chart(record.sweep),
    "training": lambda record: training_chart(record.history),
}
"""Charts of a record by the name of their file."""

FIGURES: dict[str, "Callable[[RunRecord], Figure | None]"] = {
    "auroc": auroc_figure,
    **{name: lambda record, make=make: figure_from(make(record)) for name, make in CHARTS.items()},
}
"""Figures by the name of their file."""
