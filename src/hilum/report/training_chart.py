"""The history of one run, or of several, in; charts of loss and validation AUROC by epoch out."""

from collections.abc import Mapping, Sequence

import numpy as np

from hilum.report.chart import N_TONES, Chart, Line, Panel, span

Entry = Mapping[str, float | int | str]
"""What is noted of one epoch; `stage` only where training has several."""

SERIES = {"train_loss": "training", "val_loss": "validation"}


def training_chart(history: Sequence[Entry]) -> Chart | None:
    """Training and validation loss in one panel, validation AUROC in the other."""
    entries = [entry for entry in history if "epoch" in entry]
    epochs = _series(entries, "epoch")
    losses = [
        Line(epochs, _series(entries, name), tone, words, dashes=tone, dots=True)
        for tone, (name, words) in enumerate(SERIES.items())
        if np.isfinite(_series(entries, name)).any()
    ]
    auroc = _series(entries, "val_auroc")
    panels = []
    if losses:
        panels.append(_panel("Loss", losses, stages_of(entries)))
    if np.isfinite(auroc).any():
        lines = [Line(epochs, auroc, 1, "validation", dashes=1, dots=True)]
        panels.append(_panel("Mean AUROC, validation films", lines, stages_of(entries)))
    return Chart("Loss and AUROC by epoch", panels) if panels else None


def losses_chart(histories: Mapping[str, Sequence[Entry]]) -> Chart | None:
    """Training loss of every run in one panel, validation loss in the other, with their stages marked.

    Source: the figure of losses of D'Souza et al. 2022, where a second stage begins at epoch 35.
    """
    panels = []
    for name, title in (("train_loss", "Training loss"), ("val_loss", "Validation loss")):
        lines, marks = [], {}
        for tone, (run, history) in enumerate(histories.items()):
            entries = [entry for entry in history if "epoch" in entry]
            values = _series(entries, name)
            if np.isfinite(values).any():
                lines.append(
                    Line(_series(entries, "epoch"), values, tone, run, dashes=tone // N_TONES, dots=True)
                )
                marks.update(stages_of(entries))
        if lines:
            panels.append(_panel(title, lines, list(marks.items())))
    return (
        Chart("Loss of every run by epoch; a stroke marks where a stage begins", panels) if panels else None
    )


def stages_of(history: Sequence[Entry]) -> list[tuple[float, str]]:
    """First epoch and name of each stage but the first; none where the history names no stages."""
    begun: dict[str, float] = {}
    for entry in history:
        if entry.get("stage"):
            begun.setdefault(str(entry["stage"]), float(entry["epoch"]))
    return [(epoch, stage) for stage, epoch in begun.items()][1:]


def _series(entries: Sequence[Entry], name: str) -> np.ndarray:
    return np.array([float(entry.get(name, np.nan)) for entry in entries])


def _panel(title: str, lines: Sequence[Line], marks: Sequence[tuple[float, str]]) -> Panel:
    first, last = (pick(float(line.x[end]) for line in lines) for pick, end in ((min, 0), (max, -1)))
    ends = (first - 0.5, last + 0.5) if first == last else (first, last)
    step = max(1, -(-int(last - first) // 8))
    ticks = [(float(epoch), str(epoch)) for epoch in range(int(first), int(last) + 1, step)]
    return Panel(title, lines, ends, span([line.y for line in lines]), "epoch", "", ticks=ticks, marks=marks)
