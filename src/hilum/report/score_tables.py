"""Scores in; the HTML tables of a page out, each number with its interval, its n and its floor."""

import math
from collections.abc import Callable, Hashable, Sequence

from hilum.evaluate.protocol import Score
from hilum.report.markup import Html, joined, table, tag
from hilum.report.tables import SMALL, SummaryRow, named, printed, same_t, standing

MARKS = {
    "below": ("≤ floor", "does not beat its floor"),
    "unsure": ("≈ floor", "the 95 % interval holds the floor"),
}
DASH = "\N{EN DASH}"


def value_of(score: Score | SummaryRow) -> Html:
    """The number, with a mark where chance may do as well; an en dash with the reason where undefined."""
    if math.isnan(score.value):
        return tag("span", DASH, title=_why_undefined(score), class_="undefined")
    mark = MARKS.get(standing(score))
    if mark is not None and mark[0] == MARKS["below"][0] and score.metric in ("ece", "false_positives"):
        mark = ("≥ floor", mark[1])
    number = tag("span", printed(score.value), class_="value")
    if mark is None:
        return number
    return joined(number, " ", tag("span", mark[0], class_=f"mark {standing(score)}", title=mark[1]))


def interval_of(score: Score | SummaryRow) -> Html:
    """The 95 % interval; `n < 5` where there are too few to give one."""
    if math.isfinite(score.low) and math.isfinite(score.high):
        return tag("span", f"{printed(score.low)}{DASH}{printed(score.high)}", class_="interval")
    if math.isnan(score.value):
        return tag("span", DASH, class_="undefined", title="no interval: the value is undefined")
    if score.n < SMALL:
        return tag("span", f"n < {SMALL}", class_="interval", title="too few for an interval")
    return tag("span", "no interval", class_="interval")


def number_of(value: float) -> str:
    """A bare number with three decimals, or an en dash."""
    return printed(value) if math.isfinite(value) else DASH


def bar_of(score: Score | SummaryRow, low: float = 0.0, high: float = 1.0) -> Html:
    """Value as a dot, interval as a whisker, floor as an upright stroke, between two ends of a scale.

    The numbers stand beside it, so that it is hidden from screen readers.
    """

    def place(value: float) -> str:
        return f"{4 + 92 * min(max((value - low) / (high - low), 0.0), 1.0):.2f}%"

    parts = [tag("line", x1="4%", x2="96%", y1="11", y2="11", class_="track")]
    if math.isfinite(score.low) and math.isfinite(score.high):
        ends = {"x1": place(score.low), "x2": place(score.high)}
        parts.append(tag("line", **ends, y1="11", y2="11", class_="whisker"))
    if math.isfinite(score.floor):
        at = place(score.floor)
        parts.append(tag("line", x1=at, x2=at, y1="2", y2="20", class_="floor"))
    if math.isfinite(score.value):
        parts.append(tag("circle", cx=place(score.value), cy="11", r="4.5", class_="dot"))
    return tag("svg", *parts, class_="bar", width="100%", height="22", aria_hidden="true")


def summary_table(rows: Sequence[SummaryRow]) -> Html:
    """The table that heads the page."""
    high = max([1.0, *(row.high for row in rows if math.isfinite(row.high))])
    lines = [
        (
            row.label,
            joined(value_of(row), tag("br"), interval_of(row)),
            bar_of(row, 0.0, high),
            str(row.n),
            number_of(row.floor),
        )
        for row in rows
    ]
    header = ("measure", "value, 95 % interval", _scale(0.0, high), "n", "floor")
    return table("Means over findings, each beside what chance reaches", header, lines, "summary")


def auroc_table(scores: Sequence[Score]) -> Html:
    """AUROC of each finding with its floors; the mean at the foot."""
    scores = _means_last([s for s in scores if s.metric == "auroc" and s.stratum is None])
    names = list(dict.fromkeys(name for s in scores for name in s.floors))
    seen = [v for s in scores for v in (s.value, s.low, s.floor) if math.isfinite(v)]
    low = min(0.4, math.floor(10 * min(seen, default=0.4)) / 10)
    lines = []
    for score in scores:
        floors = [number_of(score.floors.get(name, math.nan)) for name in names] or [number_of(score.floor)]
        lines.append(
            (
                _finding(score),
                value_of(score),
                interval_of(score),
                bar_of(score, low, 1.0),
                str(score.n),
                *floors,
            )
        )
    floor_names = [f"floor: {name.replace('_', ' ')}" for name in names] or ["floor"]
    header = ("finding", "AUROC", "95 % interval", _scale(low, 1.0), "positives", *floor_names)
    foot = sum(score.finding is None for score in scores)
    return table("AUROC of each finding", header, lines, "forest", foot)


def grid(
    caption: str,
    scores: Sequence[Score],
    column: Callable[[Score], Hashable],
    words: Callable[[Score], str],
) -> Html:
    """A row for each finding, the mean at the foot, a column for each kind of score.

    Args:
        caption: What the table shows.
        scores: What stands in it, in the order of the columns.
        column: Which column a score belongs to.
        words: The head of that column.
    """
    heads = {column(score): words(score) for score in scores}
    cells = {(score.finding, column(score)): score for score in scores}
    findings = list(dict.fromkeys(score.finding for score in _means_last(scores)))
    lines = []
    for finding in findings:
        row = [cells.get((finding, key)) for key in heads]
        n = sorted({score.n for score in row if score is not None})
        n_words = str(n[0]) if len(n) == 1 else f"{n[0]}{DASH}{n[-1]}"
        lines.append((_name(finding), n_words, *(_full_cell(score) for score in row)))
    return table(caption, ("finding", "n", *heads.values()), lines, "grid", int(None in findings))


def means_table(caption: str, scores: Sequence[Score]) -> Html:
    """A row for each heatmap method and box rule, a column for each measure; means over findings only."""
    means = [s for s in scores if s.finding is None and s.stratum is None and s.method is not None]
    columns = list(dict.fromkeys((s.metric, s.at) for s in means))
    systems = list(dict.fromkeys((s.method, s.box_rule) for s in means))
    cells = {(s.method, s.box_rule, s.metric, s.at): s for s in means}
    lines = []
    for method, rule in systems:
        found = [cells.get((method, rule, *column)) for column in columns]
        lines.append((system(method, rule), *(_full_cell(score) for score in found)))
    return table(caption, ("heatmap, box rule", *(named(*column) for column in columns)), lines, "grid")


def floors_table(caption: str, scores: Sequence[Score]) -> Html:
    """Every floor of the means by name, beside the value it is to be held against."""
    means = [s for s in scores if s.finding is None and s.stratum is None and s.floors]
    names = list(dict.fromkeys(name for score in means for name in score.floors))
    lines = [
        (named(s.metric, s.at), value_of(s), *(number_of(s.floors.get(name, math.nan)) for name in names))
        for s in means
    ]
    return table(caption, ("measure", "value", *(name.replace("_", " ") for name in names)), lines, "floors")


def system(method: str | None, rule: str | None) -> str:
    """A heatmap method and a box rule in print."""
    return " · ".join(part for part in (method, rule) if part is not None)


def of_system(scores: Sequence[Score], pair: tuple[str | None, str | None]) -> list[Score]:
    """Whole scores of one heatmap method and box rule."""
    return [s for s in scores if (s.method, s.box_rule) == pair and s.stratum is None]


def one_measure(scores: Sequence[Score], metric: str, at: float | None) -> list[Score]:
    """Scores of one metric at one T."""
    return [s for s in scores if s.metric == metric and same_t(s.at, at)]


def _full_cell(score: Score | None) -> Html:
    """Value, interval and floor under one another."""
    if score is None:
        return tag("span", DASH, class_="undefined", title="not computed in this run")
    parts = [value_of(score)]
    if math.isfinite(score.value):
        parts += [tag("br"), interval_of(score)]
    if math.isfinite(score.floor):
        parts += [tag("br"), tag("span", f"floor {printed(score.floor)}", class_="floor")]
    return joined(*parts)


def _why_undefined(score: Score | SummaryRow) -> str:
    if score.metric in ("auroc", "average_precision"):
        return "undefined: one label value only"
    return "undefined: no reference box" if score.n == 0 else "undefined"


def _scale(low: float, high: float) -> Html:
    """The head of a column of bars: the two ends of their scale."""
    return tag("span", tag("span", f"{low:g}"), tag("span", f"{high:g}"), class_="scale")


def _means_last(scores: Sequence[Score]) -> list[Score]:
    return sorted(scores, key=lambda score: score.finding is None)


def _finding(score: Score) -> str:
    return _name(score.finding)


def _name(finding: str | None) -> str:
    return "mean over findings" if finding is None else finding.replace("_", " ")
