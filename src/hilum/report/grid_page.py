"""The cells of a grid in; one page and tables with all of them out."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hilum.evaluate.protocol import Score
from hilum.report.inline import chart_from
from hilum.report.markup import Html, joined, table, tag
from hilum.report.page import document
from hilum.report.score_tables import interval_of, number_of, value_of
from hilum.report.tables import SUMMARY, Table, named, same_t
from hilum.report.training_chart import Entry, losses_chart

LINES = 12
"""More losses than this in one chart tell nothing."""


@dataclass(frozen=True)
class Cell:
    """One run of a grid.

    Attributes:
        name: Of its folder.
        settings: In which it differs from the recipe, by dotted key.
        scores: Of its headline, and of classification.
        history: One record an epoch.
        error: Why it failed; empty where it did not.
    """

    name: str
    settings: Mapping[str, Any]
    scores: Sequence[Score]
    history: Sequence[Entry]
    error: str

    def best(self, monitor: str) -> float:
        """The figure of its best epoch on the validation films; NaN where there is none."""
        figures = [float(entry[monitor]) for entry in self.history if not math.isnan(float(entry[monitor]))]
        pick = min if monitor == "val_loss" else max
        return pick(figures, default=math.nan)


@dataclass(frozen=True)
class PooledRow:
    """A number of several runs that differ in a seed only.

    Attributes:
        group: What the runs share.
        over: The key in which they differ.
        films: Which films stand behind it.
        metric: A name of `METRICS`.
        at: Its T, or None.
        finding: None for the mean over findings.
        mean: Over the runs.
        spread: Standard deviation over the runs; NaN where entries of all runs were pooled.
        low: Lower end of the 95 % interval; NaN where there is none.
        high: Upper end.
        n_runs: How many.
    """

    group: str
    over: str
    films: str
    metric: str
    at: float | None
    finding: str | None
    mean: float
    spread: float
    low: float
    high: float
    n_runs: int


@dataclass(frozen=True)
class GridRecord:
    """What the page of a grid says.

    Attributes:
        title: Of the recipe.
        monitor: The validation figure that chooses: "val_auroc" or "val_loss".
        cells: In the order of the grid.
        pooled: Over seeds and splits.
    """

    title: str
    monitor: str
    cells: Sequence[Cell]
    pooled: Sequence[PooledRow]

    @property
    def chosen(self) -> str:
        """Name of the cell with the best validation figure; empty where none has one."""
        figures = {cell.name: cell.best(self.monitor) for cell in self.cells}
        known = {name: figure for name, figure in figures.items() if not math.isnan(figure)}
        pick = min if self.monitor == "val_loss" else max
        return pick(known, key=lambda name: known[name], default="")


def grid_page(record: GridRecord) -> str:
    """The whole page as HTML."""
    sections = [("cells", "Cells", _cells(record))]
    if record.pooled:
        sections.append(("pooled", "Over seeds and splits", _pooled(record.pooled)))
    runs = {cell.name: cell.history for cell in record.cells if cell.history}
    chart = losses_chart(dict(list(runs.items())[:LINES]))
    if chart is not None:
        sections.append(("losses", "Losses", chart_from(chart)))
    failed = [cell for cell in record.cells if cell.error]
    warnings = (
        [f"{len(failed)} of {len(record.cells)} cells failed; why stands below the table."] if failed else []
    )
    return document(f"{record.title}: grid", f"{len(record.cells)} runs.", warnings, sections)


def grid_tables(record: GridRecord) -> dict[str, Table]:
    """The same as tables by name of their file; empty ones are left out."""
    keys = list(dict.fromkeys(key for cell in record.cells for key in cell.settings))
    measures = [(metric, at) for _, metric, at in SUMMARY]
    header = ["cell", *keys, "epochs", "seconds_an_epoch", record.monitor, "chosen"]
    for metric, at in measures:
        header += [named(metric, at), "low", "high", "floor"]
    rows = []
    for cell in record.cells:
        values = [str(cell.settings.get(key, "")) for key in keys]
        seconds = [float(entry["seconds"]) for entry in cell.history if "seconds" in entry]
        pace = _plain(sum(seconds) / len(seconds)) if seconds else ""
        figure, chosen = _plain(cell.best(record.monitor)), str(cell.name == record.chosen).lower()
        row = [cell.name, *values, str(len(cell.history)), pace, figure, chosen]
        for metric, at in measures:
            score = _score(cell, metric, at)
            numbers = (score.value, score.low, score.high, score.floor) if score else (math.nan,) * 4
            row += [_plain(number) for number in numbers]
        rows.append((*row, cell.error))
    tables = {"grid": Table("Every cell", (*header, "error"), rows)}
    if record.pooled:
        header = ("group", "over", "films", "metric", "finding", "mean", "spread", "low", "high", "runs")
        tables["pooled"] = Table(
            "Over seeds and splits",
            header,
            [
                (
                    *(each.group, each.over, each.films, named(each.metric, each.at), each.finding or "mean"),
                    *map(_plain, (each.mean, each.spread, each.low, each.high)),
                    str(each.n_runs),
                )
                for each in record.pooled
            ],
        )
    return tables


def _cells(record: GridRecord) -> Html:
    """A row for each cell; the one that validation chooses is marked."""
    rows = []
    for cell in record.cells:
        name = joined("✓ ", cell.name) if cell.name == record.chosen else cell.name
        if cell.error:
            rows.append((name, "failed", *("",) * len(SUMMARY)))
            continue
        found = [_score(cell, metric, at) for _, metric, at in SUMMARY]
        numbers = [joined(value_of(s), " ", interval_of(s)) if s else number_of(math.nan) for s in found]
        rows.append((name, number_of(cell.best(record.monitor)), *numbers))
    words = {"val_auroc": "validation AUROC", "val_loss": "validation loss"}[record.monitor]
    note = (
        f"✓ the cell with the best {words}: what a choice among them may go by. The other columns are of "
        "test films, each cell under its own headline."
    )
    header = ("cell", words, *(label for label, _, _ in SUMMARY))
    why = [tag("li", f"{cell.name}: {cell.error}") for cell in record.cells if cell.error]
    parts = [tag("p", note), table("Every cell of the grid", header, rows, "grid")]
    return joined(*parts, *([tag("ul", *why)] if why else []))


def _pooled(rows: Sequence[PooledRow]) -> Html:
    """Means over findings; `pooled.csv` has every finding."""
    lines = [
        (
            each.group,
            f"{each.n_runs} of {each.over}, {each.films}",
            named(each.metric, each.at),
            number_of(each.mean),
            number_of(each.spread),
            f"{number_of(each.low)} to {number_of(each.high)}"
            if math.isfinite(each.low)
            else number_of(math.nan),
        )
        for each in rows
        if each.finding is None
    ]
    note = (
        "Seeds of training see the same test films: intervals are over redrawn patients and seeds. Splits "
        "have test films of their own: AUROC is their mean; boxes are pooled over the splits, once on all "
        "boxes, as they are printed, and once on each split's test films, which alone are clean."
    )
    header = ("runs", "over", "metric", "mean", "spread", "95 % interval")
    return joined(tag("p", note), table("Means over findings", header, lines, "grid"))


def _score(cell: Cell, metric: str, at: float | None) -> Score | None:
    of_metric = (s for s in cell.scores if s.metric == metric and s.finding is None and same_t(s.at, at))
    return next(of_metric, None)


def _plain(number: float) -> str:
    return "" if math.isnan(number) else f"{number:.6g}"
