"""Scores in; the summary at the end of a run, plain text and CSV out."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hilum.evaluate.metric import ALL_METRICS
from hilum.evaluate.protocol import NOT_APPLICABLE, Score

SUMMARY = (
    ("mean AUROC", "auroc", None),
    ("T(IoU) > 0.1", "t_iou", 0.1),
    ("T(IoU) > 0.3", "t_iou", 0.3),
    ("T(IoU) > 0.5", "t_iou", 0.5),
    ("T(IoBB) > 0.1", "t_iobb", 0.1),
    ("pointing hit rate", "hit_rate", None),
)
"""Label, metric and T of the rows of a summary, in order."""

SMALL = 5
"""Below this many positives, negatives or boxes a score carries no interval."""

CSV_COLUMNS = (
    "finding",
    "metric",
    "at",
    "method",
    "box_rule",
    "value",
    "low",
    "high",
    "n",
    "floor",
    "stratum",
    "draws_left_out",
)


@dataclass(frozen=True)
class Table:
    """A table as plain text, for CSV and LaTeX.

    Attributes:
        caption: What it shows.
        header: One word a column.
        rows: One cell a column.
    """

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


Standing = Literal["above", "unsure", "below", "unknown"]


@dataclass(frozen=True)
class SummaryRow:
    """One line of the table that ends a run; NaN where a number is undefined or was not computed."""

    label: str
    metric: str
    value: float
    low: float
    high: float
    n: int
    floor: float


def named(metric: str, at: float | None = None) -> str:
    """What a metric is called in print.

    Example:
        >>> named("t_iou", 0.1)
        'T(IoU) > 0.1'
    """
    title = ALL_METRICS[metric].title
    return title if at is None else f"{title} {ALL_METRICS[metric].sign} {at:g}"


def summary_from(scores: Sequence[Score], headline: tuple[str, str]) -> list[SummaryRow]:
    """The six numbers that sum up a run: means over findings, localisation of one method and rule.

    Args:
        scores: All scores of a run; strata are passed over.
        headline: Heatmap method and box rule.

    Returns:
        Always the six rows of `SUMMARY`; a number the run lacks is NaN with n = 0.
    """
    method, box_rule = headline
    means = [s for s in scores if s.finding is None and s.stratum is None]
    means = [s for s in means if s.method in (None, method) and s.box_rule in (None, box_rule)]
    rows = []
    for label, metric, at in SUMMARY:
        found = [s for s in means if s.metric == metric and same_t(s.at, at)]
        if found:
            it = found[0]
            rows.append(SummaryRow(label, metric, it.value, it.low, it.high, it.n, it.floor))
        else:
            rows.append(SummaryRow(label, metric, math.nan, math.nan, math.nan, 0, math.nan))
    return rows


def same_t(first: float | None, second: float | None) -> bool:
    """Whether two T are the same, up to rounding."""
    if first is None or second is None:
        return first is second
    return math.isclose(first, second, abs_tol=1e-9)


def standing(score: Score | SummaryRow) -> Standing:
    """How a number stands to its floor.

    Returns:
        "below" where it does not beat its floor, "unsure" where it does but its interval holds the floor,
        "above" where all of the interval beats it, or where there is no interval; "unknown" without floor.
    """
    if math.isnan(score.value) or math.isnan(score.floor):
        return "unknown"
    if not ALL_METRICS[score.metric].larger_is_better:
        if score.value >= score.floor:
            return "below"
        return "unsure" if score.high >= score.floor else "above"
    if score.value <= score.floor:
        return "below"
    return "unsure" if score.low <= score.floor else "above"


def printed(value: float) -> str:
    """A number with three decimals; "-" where undefined."""
    return f"{value:.3f}" if math.isfinite(value) else "-"


def text_table(rows: Sequence[SummaryRow]) -> str:
    """The summary in plain monospaced text; a number that does not beat its floor is marked.

    Example:
        >>> print(text_table([SummaryRow("mean AUROC", "auroc", 0.8, 0.7, 0.9, 40, 0.5)]))
        measure     value  95 % interval   n  floor
        mean AUROC  0.800  0.700 - 0.900  40  0.500
    """
    marks = {"below": "not above its floor", "unsure": "interval holds the floor"}
    cells = [("measure", "value", "95 % interval", "n", "floor", "")]
    for row in rows:
        interval = f"{printed(row.low)} - {printed(row.high)}" if math.isfinite(row.low) else "-"
        if row.n < SMALL and interval == "-":
            interval = f"n < {SMALL}"
        mark = marks.get(standing(row), "")
        cells.append((row.label, printed(row.value), interval, str(row.n), printed(row.floor), mark))
    widths = [max(len(line[place]) for line in cells) for place in range(6)]
    lines = []
    for label, *numbers, mark in cells:
        right = [text.rjust(width) for text, width in zip(numbers, widths[1:], strict=False)]
        lines.append("  ".join([label.ljust(widths[0]), *right, mark]).rstrip())
    return "\n".join(lines)


def csv_from(scores: Sequence[Score]) -> str:
    """Every score as a line of CSV, in the order given.

    Returns:
        Full precision; an undefined number or a name that does not apply is an empty field, and a mean over
        findings stands under the finding "mean"; what is of no films at all has none.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for score in scores:
        cells = [getattr(score, name) for name in CSV_COLUMNS]
        of_films = score.protocol.films != NOT_APPLICABLE
        cells[0] = "mean" if score.finding is None and of_films else score.finding
        writer.writerow(["" if _absent(cell) else cell for cell in cells])
    return stream.getvalue()


def _absent(cell: object) -> bool:
    return cell is None or (isinstance(cell, float) and math.isnan(cell))
