"""A run's record in; matplotlib figures out, for the page and, as files, for papers."""

import io
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from hilum.evaluate.protocol import Score
from hilum.files import whole
from hilum.report.record import RunRecord
from hilum.report.tables import named

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, BLUE, ORANGE, GREEN, GREY = "#1d2733", "#0b62a8", "#c4560b", "#1b7f5c", "#6b7683"
COLOURS = (BLUE, ORANGE, GREEN, "#a33b8c", "#7a6a00", "#3f4a57")

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

SERIES = {"train_loss": "training", "val_loss": "validation", "val_auroc": "validation"}

ROC_POINTS = 250
"""Points of a ROC curve that are drawn."""


@contextmanager
def _styled() -> Iterator[None]:
    """Our style for one drawing; the settings of the process come back after it."""
    import matplotlib as mpl

    with mpl.rc_context(STYLE):
        yield


def svg_of(draw: Callable[[RunRecord], "Figure | None"], record: RunRecord) -> bytes | None:
    """One figure as SVG, the same bytes for the same record; None where there is nothing to draw."""
    with _styled():
        figure = draw(record)
        return None if figure is None else _bytes_of(figure, "svg")


def save_figures(record: RunRecord, folder: Path) -> None:
    """Writes every figure that has something to show as PNG, SVG and PDF.

    Raises:
        DiskError: The disk is full or the folder cannot be written.
    """
    for name, draw in FIGURES.items():
        with _styled():
            figure = draw(record)
            if figure is None:
                continue
            for kind in ("png", "svg", "pdf"):
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


def localisation_figure(record: RunRecord) -> "Figure | None":
    """Macro T(IoU) and T(IoBB) against T, a line for each method and box rule."""
    from matplotlib.figure import Figure

    means = [s for s in record.scores if s.finding is None and s.stratum is None and s.at is not None]
    metrics = [name for name in ("t_iou", "t_iobb") if any(s.metric == name for s in means)]
    if not metrics:
        return None
    pairs = list(dict.fromkeys((s.method, s.box_rule) for s in means))
    figure = Figure(figsize=(8.0, 3.4 + 0.17 * len(pairs)), layout="constrained")
    for axes, metric in zip(np.ravel(figure.subplots(1, len(metrics), squeeze=False)), metrics, strict=True):
        for place, pair in enumerate(pairs):
            line = [s for s in means if s.metric == metric and (s.method, s.box_rule) == pair]
            _accuracy_line(axes, line, place, pair == record.headline)
        axes.set_xlabel(f"T of {named(metric)}")
        axes.set_ylim(0, None)
        _floor_line(
            axes, [s for s in means if s.metric == metric and (s.method, s.box_rule) == record.headline]
        )
    figure.axes[0].set_ylabel("mean accuracy over findings")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", fontsize=8, ncols=2)
    return figure


def _accuracy_line(axes, line: Sequence[Score], place: int, is_headline: bool) -> None:
    """One method and rule over T; the headline is heavy and carries its interval."""
    if not line:
        return
    line = sorted(line, key=lambda s: s.at or 0.0)
    t = [s.at or 0.0 for s in line]
    colour = COLOURS[place % len(COLOURS)]
    dashes = ("-", "--", ":")[(place // len(COLOURS)) % 3]
    label = f"{line[0].method}, {line[0].box_rule}"
    axes.plot(t, [s.value for s in line], dashes, color=colour, marker="o", ms=3, label=label)
    if is_headline:
        axes.lines[-1].set_linewidth(2.6)
        axes.fill_between(t, [s.low for s in line], [s.high for s in line], color=colour, alpha=0.15, lw=0)


def _floor_line(axes, line: Sequence[Score]) -> None:
    """What random maps reach under the rule of the headline."""
    line = sorted(line, key=lambda s: s.at or 0.0)
    if line:
        label = "floor of the heavy line: random map"
        axes.plot([s.at for s in line], [s.floor for s in line], color=GREY, ls=":", label=label)


def roc_figure(record: RunRecord) -> "Figure | None":
    """ROC curve of each finding that has both label values among the scored films."""
    from matplotlib.figure import Figure

    curves = {}
    for column, finding in enumerate(record.findings):
        curve = roc_points(record.probabilities[:, column], record.labels[:, column])
        if curve is not None:
            curves[finding] = curve
    if not curves:
        return None
    n_columns = min(5, len(curves))
    n_rows = math.ceil(len(curves) / n_columns)
    figure = Figure(figsize=(1.75 * n_columns, 1.85 * n_rows), layout="constrained")
    grid = np.ravel(figure.subplots(n_rows, n_columns, squeeze=False, sharex=True, sharey=True))
    for axes, (finding, (fall_out, recall)) in zip(grid, curves.items(), strict=False):
        axes.plot([0, 1], [0, 1], color=GREY, lw=0.8, ls=":")
        axes.plot(fall_out, recall, color=BLUE, lw=1.5)
        axes.set_title(finding.replace("_", " "))
        axes.set_aspect("equal")
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
    for axes in grid[len(curves) :]:
        axes.set_axis_off()
    figure.supxlabel("1 - specificity", fontsize=9)
    figure.supylabel("sensitivity", fontsize=9)
    return figure


def roc_points(
    probabilities: Float[np.ndarray, " n"], labels: Float[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, " p"], Float[np.ndarray, " p"]] | None:
    """False-positive and true-positive rate, from (0, 0) to (1, 1), thinned to what can be seen.

    Returns:
        Films without label or probability are left out; None where only one label value is left.

    Example:
        >>> roc_points(np.array([0.1, 0.9]), np.array([0.0, 1.0]))
        (array([0., 0., 1.]), array([0., 1., 1.]))
    """
    known = np.isfinite(labels) & np.isfinite(probabilities)
    positive = labels[known] == 1
    if positive.all() or not positive.any():
        return None
    order = np.argsort(-probabilities[known], kind="stable")
    ranked, positive = probabilities[known][order], positive[order]
    last_of_tie = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    recall = np.append(0.0, np.cumsum(positive)[last_of_tie] / positive.sum())
    fall_out = np.append(0.0, np.cumsum(~positive)[last_of_tie] / (~positive).sum())
    keep = np.unique(np.linspace(0, len(recall) - 1, ROC_POINTS).round().astype(int))
    return fall_out[keep], recall[keep]


def training_figure(record: RunRecord) -> "Figure | None":
    """Losses and validation AUROC by epoch."""
    from matplotlib.figure import Figure

    epochs = [float(entry["epoch"]) for entry in record.history if "epoch" in entry]
    if not epochs:
        return None
    entries = [entry for entry in record.history if "epoch" in entry]
    figure = Figure(figsize=(8.0, 3.0), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axes, names in ((left, ("train_loss", "val_loss")), (right, ("val_auroc",))):
        for name, colour, dashes in zip(names, (BLUE, ORANGE), ("-", "--"), strict=False):
            values = [float(entry.get(name, math.nan)) for entry in entries]
            if np.isfinite(values).any():
                axes.plot(epochs, values, dashes, color=colour, marker="o", ms=3, label=SERIES[name])
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
    left.set_ylabel("loss")
    if left.lines:
        left.legend()
    right.set_ylabel("mean AUROC, validation films")
    return figure


def _finding(score: Score) -> str:
    return "mean" if score.finding is None else score.finding.replace("_", " ")


FIGURES: dict[str, Callable[[RunRecord], "Figure | None"]] = {
    "auroc": auroc_figure,
    "localisation": localisation_figure,
    "roc": roc_figure,
    "training": training_figure,
}
"""Figures by the name of their file."""
