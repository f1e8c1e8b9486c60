"""A run's record in; its tables as CSV and as LaTeX out."""

import csv
import io
import math
from collections.abc import Callable, Sequence
from pathlib import Path

from hilum.evaluate.protocol import Score
from hilum.files import write_text
from hilum.report.claims_table import claims_table
from hilum.report.entries import entries_table
from hilum.report.failure import failures_table
from hilum.report.neighbour_tables import beside, measure_of, source_of, value_in_print
from hilum.report.operating_tables import operating_table
from hilum.report.record import RunRecord
from hilum.report.tables import Table, named, printed, summary_from

LATEX = {
    "\\": r"\textbackslash{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "\N{EN DASH}": "--",
    "\N{MIDDLE DOT}": r"\textperiodcentered{}",
}
"""What LaTeX would take for something else."""

LONG = ("entries", "failures", "operating_points")
"""Tables of no use in print: CSV only."""


def save_tables(record: RunRecord, folder: Path) -> None:
    """Writes every table that has a line, as CSV and, unless it is long, as LaTeX.

    Raises:
        DiskError: The disk is full or the folder cannot be written.
    """
    for name, make in TABLES.items():
        made = make(record)
        if made is None or not made.rows:
            continue
        write_text(folder / f"{name}.csv", csv_of(made))
        if name not in LONG:
            write_text(folder / f"{name}.tex", latex_of(made, name))
    claims = claims_table(record.claims)
    if claims is not None:  # sentences, of no use in a narrow table: CSV only
        write_text(folder / "claims.csv", csv_of(claims))


def csv_of(made: Table) -> str:
    """The table as CSV; a cell that a spreadsheet would take for a formula gets an apostrophe before it."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(made.header)
    writer.writerows([_safe(cell) for cell in row] for row in made.rows)
    return stream.getvalue()


def _safe(cell: str) -> str:
    """A number with a sign is no formula."""
    if cell[:1] not in ("=", "+", "-", "@") or cell == "-":
        return cell
    try:
        float(cell)
    except ValueError:
        return "'" + cell
    return cell


def latex_of(made: Table, name: str) -> str:
    r"""The table for LaTeX with the package booktabs.

    Example:
        >>> print(latex_of(Table("One & all", ("finding", "T(IoU) > 0.1"), [("Mass", "0.5")]), "demo"))
        \begin{table}
          \centering
          \caption{One \& all}
          \label{tab:demo}
          \begin{tabular}{lr}
            \toprule
            finding & T(IoU) \textgreater{} 0.1 \\
            \midrule
            Mass & 0.5 \\
            \bottomrule
          \end{tabular}
        \end{table}
        <BLANKLINE>
    """
    lines = [f"    {' & '.join(map(_escaped, row))} \\\\" for row in made.rows]
    parts = [
        "\\begin{table}",
        "  \\centering",
        f"  \\caption{{{_escaped(made.caption)}}}",
        f"  \\label{{tab:{name}}}",
        f"  \\begin{{tabular}}{{l{'r' * (len(made.header) - 1)}}}",
        "    \\toprule",
        f"    {' & '.join(map(_escaped, made.header))} \\\\",
        "    \\midrule",
        *lines,
        "    \\bottomrule",
        "  \\end{tabular}",
        "\\end{table}",
    ]
    return "\n".join(parts) + "\n"


def _escaped(cell: str) -> str:
    return "".join(LATEX.get(sign, sign) for sign in cell)


def _summary(record: RunRecord) -> Table:
    """The six numbers that head the page."""
    rows = [
        (row.label, printed(row.value), _interval(row.low, row.high), str(row.n), printed(row.floor))
        for row in summary_from(record.scores, record.headline)
    ]
    method, rule = record.headline
    return Table(f"Means over findings; boxes by {method}, {rule}", _HEADER, rows)


def _auroc(record: RunRecord) -> Table | None:
    """AUROC of each finding, the mean at the foot."""
    return _by_finding("AUROC of each finding", [s for s in record.scores if s.metric == "auroc"])


def _localisation(record: RunRecord, metric: str) -> Table | None:
    """A row for each finding, a column for each T, of the headline."""
    method, rule = record.headline
    mine = [s for s in record.scores if s.metric == metric and s.method == method and s.box_rule == rule]
    words = f"{named(metric)} of each finding with 95 % intervals; boxes by {method}, {rule}"
    return _by_finding(words, mine)


def _by_finding(caption: str, scores: Sequence[Score]) -> Table | None:
    whole = [s for s in scores if s.stratum is None]
    if not whole:
        return None
    columns = list(dict.fromkeys(named(s.metric, s.at) for s in whole))
    cells = {(s.finding, named(s.metric, s.at)): s for s in whole}
    findings = sorted(dict.fromkeys(s.finding for s in whole), key=lambda finding: finding is None)
    rows = []
    for finding in findings:
        n = max(s.n for s in whole if s.finding == finding)
        found = [cells.get((finding, column)) for column in columns]
        name = "mean" if finding is None else finding.replace("_", " ")
        rows.append((name, str(n), *(_cell(score) for score in found)))
    return Table(caption, ("finding", "n", *columns), rows)


def _cell(score: Score | None) -> str:
    if score is None or math.isnan(score.value):
        return "-"
    interval = _interval(score.low, score.high)
    return f"{printed(score.value)} ({interval})" if interval != "-" else printed(score.value)


def _interval(low: float, high: float) -> str:
    return f"{printed(low)}\N{EN DASH}{printed(high)}" if math.isfinite(low) else "-"


def _neighbours(record: RunRecord) -> Table | None:
    """The comparable published numbers."""
    rows = [
        (
            measure_of(pair),
            printed(pair.score.value),
            _interval(pair.score.low, pair.score.high),
            value_in_print(pair.number),
            f"{pair.difference:+.3f}",
            source_of(pair.number),
        )
        for pair in beside((*record.scores, *record.apart), record.headline).pairs
    ]
    header = ("measure", "measured", "95 % interval", "published", "difference", "source")
    return Table("Measured and published, of one protocol", header, rows) if rows else None


_HEADER = ("measure", "value", "95 % interval", "n", "floor")

TABLES: dict[str, Callable[[RunRecord], Table | None]] = {
    "summary": _summary,
    "auroc": _auroc,
    "t_iou": lambda record: _localisation(record, "t_iou"),
    "t_iobb": lambda record: _localisation(record, "t_iobb"),
    "operating_points": lambda record: operating_table(record.curves, record.findings),
    "published": _neighbours,
    "entries": lambda record: entries_table(record.examples),
    "failures": lambda record: failures_table(record.cases),
}
"""Tables of a record by the name of their file."""
