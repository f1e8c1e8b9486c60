"""Operating points with what they do on the test films in; tables for the page and for papers out."""

import math
from collections.abc import Iterator, Sequence

from hilum.evaluate.operating_point import RATES, OperatingPoint, Rates
from hilum.report.curves import Curves
from hilum.report.markup import Html, joined, table, tag
from hilum.report.score_tables import DASH
from hilum.report.tables import Table, printed

WORDS = {
    "youden": "the cut of greatest sensitivity + specificity",
    "sensitivity(0.9)": "the highest cut with a sensitivity of 0.9 or more",
    "ppv(0.5)": "the lowest cut at which half of the called films have the finding",
}
"""What each of `curves.POINTS` is."""

TITLES = {"ppv": "PPV", "npv": "NPV", "called": "films called"}
"""Rates whose names need a word more in print."""


def section_from(curves: Curves | None, findings: Sequence[str]) -> Html:
    """A table for each operating point, the first one open."""
    if curves is None or not curves.points:
        return tag("p", "No validation films: no operating point could be chosen.")
    words = (
        "Cuts are chosen on the validation films and held on the test films; predictive values are those of "
        "the prevalence among the test films."
    )
    parts = [tag("h3", "Operating points"), tag("p", words, class_="note")]
    for number, (point, rates) in enumerate(curves.points):
        state = {} if number else {"open": "open"}
        words = WORDS.get(point.name)
        summary = tag("summary", f"{point.name}: {words}" if words else point.name)
        parts.append(tag("details", summary, _table(point, rates, findings), **state))
    return joined(*parts)


def _table(point: OperatingPoint, rates: Rates, findings: Sequence[str]) -> Html:
    lines = []
    for column, finding in enumerate(findings):
        if point.missing[column]:
            cut = tag("span", DASH, title=point.missing[column], class_="undefined")
        else:
            cut = tag("span", f"{point.cut[column]:.3f}")
        cells = [_cell(rates, row, column) for row in range(len(RATES))]
        lines.append((finding.replace("_", " "), cut, *cells))
    heads = [TITLES.get(name, name) for name in RATES]
    return table(f"Test films at {point.name}", ("finding", "cut", *heads), lines, "grid")


def _cell(rates: Rates, row: int, column: int) -> Html:
    """A rate and, under it, its interval."""
    value, low, high = (float(each[row, column]) for each in (rates.value, rates.low, rates.high))
    if math.isnan(value):
        return tag("span", DASH, class_="undefined", title="no cut, or no film to divide by")
    number = tag("span", printed(value), class_="value")
    if math.isnan(low):
        return joined(number, " ", tag("span", f"n = {rates.n[row, column]}", class_="interval"))
    return joined(number, " ", tag("span", f"{printed(low)}{DASH}{printed(high)}", class_="interval"))


def operating_table(curves: Curves | None, findings: Sequence[str]) -> Table | None:
    """Every point, finding and rate as a line of plain text."""
    if curves is None or not curves.points:
        return None
    header = ("operating point", "finding", "cut", "rate", "value", "low", "high", "n")
    return Table("Operating points, chosen on validation films", header, list(_lines(curves, findings)))


def _lines(curves: Curves, findings: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for point, rates in curves.points:
        for column, finding in enumerate(findings):
            for row, name in enumerate(RATES):
                numbers = (printed(float(each[row, column])) for each in (rates.value, rates.low, rates.high))
                cut = f"{point.cut[column]:.4f}" if not point.missing[column] else "-"
                yield (point.name, finding, cut, name, *numbers, str(rates.n[row, column]))
