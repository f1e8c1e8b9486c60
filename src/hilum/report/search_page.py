"""The trials of a sweep in; one page and a table with all of them out."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from hilum.report.chart import GUIDE, Chart, Line, Panel, span
from hilum.report.inline import chart_from
from hilum.report.markup import Html, facts, joined, table, tag
from hilum.report.page import document
from hilum.report.score_tables import number_of
from hilum.report.tables import Table
from hilum.report.training_chart import Entry

State = Literal["finished", "stopped", "failed", "interrupted"]
LOOKS: dict[State, tuple[int, str]] = {
    "finished": (0, "trained to the end"),
    "stopped": (1, "stopped early"),
    "failed": (5, "failed"),
    "interrupted": (3, "not ended"),
}
"""Tone of a chart, and words of its legend."""
WORDS = {"val_auroc": "validation AUROC", "val_loss": "validation loss"}
TITLES = {"val_auroc": "Validation AUROC", "val_loss": "Validation loss"}


@dataclass(frozen=True)
class Searched:
    """Where one value is drawn from.

    Attributes:
        kind: One of several, a range, or a range of exponents.
        ends: Every choice, or both ends.
    """

    kind: Literal["choice", "uniform", "log_uniform"]
    ends: Sequence[Any]

    @property
    def words(self) -> str:
        """As the page says it."""
        if self.kind == "choice":
            return ", ".join(map(str, self.ends))
        return f"{self.ends[0]:g} to {self.ends[1]:g}" + (", even in the exponent" * (self.kind != "uniform"))


@dataclass(frozen=True)
class Trial:
    """One run of a sweep.

    Attributes:
        name: Of its folder.
        values: What was drawn, by name.
        state: What became of it.
        reason: Why it failed; empty where it did not.
        history: One record an epoch.
    """

    name: str
    values: Mapping[str, Any]
    state: State
    reason: str
    history: Sequence[Entry]

    def figure(self, monitor: str) -> float:
        """Of its best epoch; NaN where there is none."""
        figures = best_so_far(self.history, monitor)
        return figures[-1] if figures else math.nan


@dataclass(frozen=True)
class SearchRecord:
    """What the page of a sweep says.

    Attributes:
        title: Of the recipe.
        monitor: The validation figure that chooses: "val_auroc" or "val_loss".
        searched: What was drawn, by name.
        trials: In the order in which they began.
        seed: Of the sampler.
    """

    title: str
    monitor: str
    searched: Mapping[str, Searched]
    trials: Sequence[Trial]
    seed: int

    @property
    def chosen(self) -> str:
        """Name of the best trial that trained to the end; empty where there is none."""
        figures = {each.name: each.figure(self.monitor) for each in self.trials if each.state == "finished"}
        known = {name: figure for name, figure in figures.items() if not math.isnan(figure)}
        return self.best(known, key=lambda name: known[name], default="")

    @property
    def best(self):
        """`min` of losses, `max` of AUROC."""
        return min if self.monitor == "val_loss" else max


def best_so_far(history: Sequence[Entry], monitor: str) -> list[float]:
    """The best figure after each epoch; NaN until there is one.

    Example:
        >>> best_so_far([{"val_loss": 0.7}, {"val_loss": 0.5}, {"val_loss": 0.6}], "val_loss")
        [0.7, 0.5, 0.5]
    """
    pick = np.fmin if monitor == "val_loss" else np.fmax
    return pick.accumulate([float(entry[monitor]) for entry in history]).tolist() if history else []


def search_page(record: SearchRecord) -> str:
    """The whole page as HTML."""
    sections = [("trials", "Trials", _trials(record)), ("space", "What was searched", _space(record))]
    for name, heading, make in (
        ("course", "Trial after trial", _course),
        ("values", "By value", _by_value),
        ("epochs", "Learning curves", _curves),
    ):
        drawn = chart_from(make(record))
        sections += [(name, heading, drawn)] if drawn else []
    counts = [
        f"{n} {words}"
        for state, (_, words) in LOOKS.items()
        if (n := sum(each.state == state for each in record.trials))
    ]
    lead = f"{len(record.trials)} trials: {', '.join(counts)}." if counts else "No trial was begun."
    return document(f"{record.title}: sweep", lead, _warnings(record), sections)


def search_table(record: SearchRecord) -> Table:
    """Every trial in the order in which they began."""
    header = ("trial", *record.searched, "state", "epochs", record.monitor, "seconds", "chosen", "reason")
    rows = [
        (
            each.name,
            *(str(each.values.get(name, "")) for name in record.searched),
            each.state,
            str(len(each.history)),
            "" if math.isnan(each.figure(record.monitor)) else f"{each.figure(record.monitor):.6g}",
            f"{_seconds(each):.6g}",
            str(each.name == record.chosen).lower(),
            each.reason,
        )
        for each in record.trials
    ]
    return Table("Every trial", header, rows)


def _warnings(record: SearchRecord) -> list[str]:
    found = []
    if not record.chosen:
        found.append("No trial trained to the end with a validation figure, so none is chosen.")
    if any(each.state == "interrupted" for each in record.trials):
        found.append("Some trials have not ended; after a kill the same command goes on with them.")
    return found


def _trials(record: SearchRecord) -> Html:
    """A row a trial, the best first; the chosen one is marked, failed ones say why below."""
    rows = []
    for each in sorted(record.trials, key=lambda each: _rank(record, each)):
        values = [_shown(each.values[name]) if name in each.values else "" for name in record.searched]
        figure, name = number_of(each.figure(record.monitor)), each.name
        course = (LOOKS[each.state][1], str(len(each.history)), f"{_seconds(each):.0f}")
        rows.append((joined("✓ ", name) if name == record.chosen else name, figure, *values, *course))
    words = WORDS[record.monitor]
    parts = []
    if record.chosen:
        chosen = tag("a", f"trial {record.chosen}", href=f"trials/{record.chosen}/report.html")
        why = (
            f" has the best {words} of the trials that trained to their end. Nothing else took part in the "
            "choice: no test film, no box, no heatmap. It alone was explained, localized and scored."
        )
        parts.append(tag("p", "✓ ", chosen, why))
    header = ("trial", words, *map(_key, record.searched), "what became of it", "epochs", "seconds")
    parts.append(table("Every trial, the best first", header, rows, "grid"))
    failed = [tag("li", f"{each.name}: {each.reason}") for each in record.trials if each.reason]
    return joined(*parts, *([tag("ul", *failed)] if failed else []))


def _space(record: SearchRecord) -> Html:
    note = (
        f"Values are drawn by Optuna's tree-structured Parzen estimator, seed {record.seed}: the first at "
        "random, later ones where earlier trials did well. A trial is stopped between epochs when its best "
        "figure so far lies below the best third of those that came as far (successive halving)."
    )
    rows = [(name, searched.words) for name, searched in record.searched.items()]
    return joined(tag("p", note), facts("Values", ("setting", "drawn from"), rows))


def _course(record: SearchRecord) -> Chart | None:
    """The figure of each trial, and the best so far."""
    figures = np.array([each.figure(record.monitor) for each in record.trials])
    if not np.isfinite(figures).any():
        return None
    places = np.arange(1.0, len(figures) + 1)
    best = (np.fmin if record.monitor == "val_loss" else np.fmax).accumulate(figures)
    lines = [Line(places, best, GUIDE, "best so far"), *_dots(record, places, figures)]
    step = max(1, -(-len(figures) // 10))
    ticks = [(float(place), str(place)) for place in range(1, len(figures) + 1, step)]
    panel = Panel(
        TITLES[record.monitor], lines, (0.5, len(figures) + 0.5), span([figures]), "trial", ticks=ticks
    )
    return Chart(f"The {WORDS[record.monitor]} of each trial", [panel])


def _by_value(record: SearchRecord) -> Chart | None:
    """One panel a name, with a dot a trial."""
    figures = np.array([each.figure(record.monitor) for each in record.trials])
    if not np.isfinite(figures).any():
        return None
    panels = []
    for name, searched in record.searched.items():
        drawn = [each.values.get(name) for each in record.trials]
        if searched.kind == "choice":
            places = np.array([_place(value, searched.ends) for value in drawn])
            ends = (-0.5, len(searched.ends) - 0.5)
            ticks = [(float(place), _tick(value)) for place, value in enumerate(searched.ends)]
        else:
            scale = np.log10 if searched.kind == "log_uniform" else np.asarray
            places = scale(np.array([np.nan if value is None else float(value) for value in drawn]))
            low, high = (float(scale(np.float64(end))) for end in searched.ends)
            room = 0.03 * (high - low)
            ends, ticks = (low - room, high + room), _powers(low, high) if scale is np.log10 else ()
        panels.append(
            Panel(_key(name), _dots(record, places, figures), ends, span([figures]), name, ticks=ticks)
        )
    return Chart(f"The {WORDS[record.monitor]} against every value that was drawn", panels)


def _curves(record: SearchRecord) -> Chart | None:
    """The figure of every trial by epoch, the chosen one heavy."""
    lines = []
    for each in record.trials:
        values = np.array([float(entry[record.monitor]) for entry in each.history])
        if np.isfinite(values).any():
            chosen = each.name == record.chosen
            tone, words = (2, "chosen") if chosen else LOOKS[each.state]
            epochs, dashes = np.arange(1.0, len(values) + 1), int(each.state == "stopped")
            lines.append(Line(epochs, values, tone, words, dashes=dashes, dots=True, heavy=chosen))
    if not lines:
        return None
    lines.sort(key=lambda line: line.heavy)
    last = max(float(line.x[-1]) for line in lines)
    step = max(1, -(-int(last) // 10))
    ticks = [(float(epoch), str(epoch)) for epoch in range(1, int(last) + 1, step)]
    words = TITLES[record.monitor]
    panel = Panel(words, lines, (0.8, last + 0.2), span([line.y for line in lines]), "epoch", ticks=ticks)
    return Chart(f"{words} by epoch", [panel])


def _dots(record: SearchRecord, x: np.ndarray, y: np.ndarray) -> list[Line]:
    """Dots of finished, of stopped and of other trials apart, and the chosen one once more."""
    lines = []
    for state, (tone, words) in LOOKS.items():
        here = np.array([each.state == state for each in record.trials]) & np.isfinite(y)
        if here.any():
            lines.append(Line(x[here], y[here], tone, words, dots=True, joined=False))
    chosen = np.array([each.name == record.chosen for each in record.trials])
    if chosen.any():
        lines.append(Line(x[chosen], y[chosen], 2, "chosen", dots=True, joined=False))
    return lines


def _rank(record: SearchRecord, trial: Trial) -> tuple[bool, bool, float]:
    """The chosen one, then by figure, then those without."""
    figure = trial.figure(record.monitor)
    known = not math.isnan(figure)
    return (
        trial.name != record.chosen,
        not known,
        (figure if record.best is min else -figure) if known else 0.0,
    )


def _seconds(trial: Trial) -> float:
    return math.fsum(float(entry.get("seconds", 0.0)) for entry in trial.history)


def _place(value: Any, choices: Sequence[Any]) -> float:
    return float(list(choices).index(value)) if value in choices else math.nan


def _powers(low: float, high: float) -> list[tuple[float, str]]:
    """Powers of ten between two exponents; both ends where there is none."""
    found = [
        (float(power), f"1e{power}") for power in range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1)
    ]
    return found if len(found) > 1 else [(low, f"{10**low:.2g}"), (high, f"{10**high:.2g}")]


def _key(name: str) -> str:
    """A name without its section."""
    return name.partition(".")[2]


def _tick(value: Any) -> str:
    text = _shown(value)
    return text if len(text) <= 14 else f"{text[:12]}…"


def _shown(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
