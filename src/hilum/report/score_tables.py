"""Scores in; the HTML tables of a page out, each number with its interval, its n and its floor."""

import math
from collections.abc import Callable, Sequence

from hilum.evaluate.metric import METRICS
from hilum.evaluate.protocol import Score
from hilum.report.markup import Html, joined, table, tag
from hilum.report.tables import SMALL, SummaryRow, named, printed, standing

MARKS = {
    "below": ("≤ floor", "does not beat its floor"),
    "unsure": ("≈ floor", "the 95 % interval holds the floor"),
}
FEW_COLUMNS = 3
"""Up to this many scores a row, each is written on one line, else its interval and floor stand below it."""

FLOORS = {"random": "random map", "shuffled": "shuffled map", "centre": "central map", "view": "view alone"}
"""Floors whose names need a word more in print."""

DASH = "\N{EN DASH}"


def value_of(score: Score | SummaryRow) -> Html:
    """The number, with a mark where chance may do as well; an en dash with the reason where undefined."""
    if math.isnan(score.value):
        return tag("span", DASH, title=_why_undefined(score), class_="undefined")
    number = tag("span", printed(score.value), class_="value")
    state = standing(score)
    return joined(mark_of(state), " ", number) if state in MARKS else number


def mark_of(state: str) -> Html:
    """The mark of a number that does not clearly beat its floor."""
    sign, words = MARKS[state]
    return tag("span", sign, class_=f"mark {state}", title=words)


def interval_of(score: Score | SummaryRow) -> Html:
    """The 95 % interval; `n < 5` where there are too few to give one."""
    if math.isfinite(score.low) and math.isfinite(score.high):
        return tag("span", f"{printed(score.low)}{DASH}{printed(score.high)}", class_="interval")
    if math.isnan(score.value):
        return tag("span", DASH, class_="undefined", title="no interval: the value is undefined")
    if score.n < SMALL:
        return tag("span", f"n < {SMALL}", class_="interval", title="too few for an interval")
    return tag("span", "no interval", class_="interval", title="too few films or patients behind it")


def number_of(value: float) -> str:
    """A bare number with three decimals, or an en dash."""
    return printed(value) if math.isfinite(value) else DASH


def bar_of(
    score: Score | SummaryRow, low: float = 0.0, high: float = 1.0, more_floors: Sequence[float] = ()
) -> Html:
    """Value as a dot, interval as a whisker, floor as an upright stroke, between two ends of a scale.

    The numbers stand beside it, so that it is hidden from screen readers. Other floors are shorter strokes.
    """

    def place(value: float) -> str:
        return f"{4 + 92 * min(max((value - low) / (high - low), 0.0), 1.0):.2f}%"

    parts = [tag("line", x1="4%", x2="96%", y1="11", y2="11", class_="track")]
    if math.isfinite(score.low) and math.isfinite(score.high):
        ends = {"x1": place(score.low), "x2": place(score.high)}
        parts.append(tag("line", **ends, y1="11", y2="11", class_="whisker"))
    strokes = [(value, "6", "16") for value in more_floors] + [(score.floor, "2", "20")]
    for value, top, bottom in strokes:
        if math.isfinite(value):
            at = place(value)
            parts.append(tag("line", x1=at, x2=at, y1=top, y2=bottom, class_="floor"))
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
    """AUROC of each finding of the whole with its floors; the mean at the foot."""
    scores = _means_last([s for s in scores if s.metric == "auroc"])
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
                bar_of(score, low, 1.0, tuple(score.floors.values())),
                str(score.n),
                *floors,
            )
        )
    floor_names = [f"floor: {floor_name(name)}" for name in names] or ["floor"]
    header = ("finding", "AUROC", "95 % interval", _scale(low, 1.0), "positives", *floor_names)
    foot = sum(score.finding is None for score in scores)
    return table("AUROC of each finding", header, lines, "forest", foot)


def grid(caption: str, scores: Sequence[Score], head: Callable[[Score], str]) -> Html:
    """A row for each finding, the mean at the foot, a column for each kind of score.

    Args:
        caption: What the table shows.
        scores: What stands in it, in the order of the columns.
        head: The head of the column in which a score belongs.
    """
    heads = list(dict.fromkeys(head(score) for score in scores))
    cells = {(score.finding, head(score)): score for score in scores}
    findings = list(dict.fromkeys(score.finding for score in _means_last(scores)))
    rows = [[cells.get((finding, key)) for key in heads] for finding in findings]
    caption, floor = _with_floor(caption, scores)
    n_each = [{score.n for score in row if score is not None} for row in rows]
    one_n = all(len(n) == 1 for n in n_each)
    lines = []
    for finding, row, n in zip(findings, rows, n_each, strict=True):
        n_cell = [str(*n)] if one_n else []
        inside = (_full_cell(score, floor is None, not one_n) for score in row)
        lines.append((_name(finding), *n_cell, *inside))
    header = ("finding", *(["n"] if one_n else []), *heads)
    class_ = "grid" if len(heads) > FEW_COLUMNS else "grid few"
    return table(caption, header, lines, class_, int(None in findings))


def means_table(caption: str, scores: Sequence[Score]) -> Html:
    """A row for each heatmap method and box rule, a column for each measure; means over findings only."""
    means = [s for s in scores if s.finding is None and s.stratum is None and s.method is not None]
    columns = list(dict.fromkeys((s.metric, s.at) for s in means))
    systems = list(dict.fromkeys((s.method, s.box_rule) for s in means))
    cells = {(s.method, s.box_rule, s.metric, s.at): s for s in means}
    caption, floor = _with_floor(caption, means)
    lines = []
    for method, rule in systems:
        found = [cells.get((method, rule, *column)) for column in columns]
        lines.append((system(method, rule), *(_full_cell(score, floor is None) for score in found)))
    class_ = "grid" if len(columns) > FEW_COLUMNS else "grid few"
    return table(caption, ("heatmap, box rule", *heads_of(columns)), lines, class_)


def heads_of(columns: Sequence[tuple[str, float | None]]) -> list[str]:
    """Heads of columns: only T where the metric is the same throughout, for the caption names it."""
    if len(columns) > 1 and len({metric for metric, _ in columns}) == 1:
        return [f"{METRICS[metric].sign} {at:g}" for metric, at in columns if at is not None]
    return [named(*column) for column in columns]


def _with_floor(caption: str, scores: Sequence[Score]) -> tuple[str, float | None]:
    """The caption, naming the floor where it is one and the same for all scores; and that floor."""
    floors = {score.floor for score in scores if math.isfinite(score.floor)}
    if len(floors) != 1 or any(math.isnan(score.floor) for score in scores):
        return caption, None
    floor = floors.pop()
    return f"{caption}; floor {printed(floor)} throughout", floor


def floors_table(caption: str, scores: Sequence[Score]) -> Html:
    """Every floor of the means by name, beside the value it is to be held against."""
    means = [s for s in scores if s.finding is None and s.stratum is None and s.floors]
    names = list(dict.fromkeys(name for score in means for name in score.floors))
    lines = [
        (named(s.metric, s.at), value_of(s), *(number_of(s.floors.get(name, math.nan)) for name in names))
        for s in means
    ]
    return table(caption, ("measure", "value", *map(floor_name, names)), lines, "floors")


def strata_table(caption: str, scores: Sequence[Score]) -> Html:
    """A row for each stratum, after one for the whole; one number each."""
    scores = sorted(scores, key=lambda score: score.stratum is not None)
    high = max([1.0, *(score.high for score in scores if math.isfinite(score.high))])
    lines = [
        (
            score.stratum or "all",
            value_of(score),
            interval_of(score),
            bar_of(score, 0.0, high),
            str(score.n),
            number_of(score.floor),
        )
        for score in scores
    ]
    header = ("stratum", "value", "95 % interval", _scale(0.0, high), "n", "floor")
    return table(caption, header, lines, "forest")


def floor_name(name: str) -> str:
    """What a floor is called in print."""
    return FLOORS.get(name, name.replace("_", " "))


def system(method: str | None, rule: str | None) -> str:
    """A heatmap method and a box rule in print."""
    return f"{method} · {rule or 'no box'}"


def _full_cell(score: Score | None, with_floor: bool = True, with_n: bool = False) -> Html:
    """Value and interval, and where the table does not say them elsewhere, floor and n."""
    if score is None:
        return tag("span", DASH, class_="undefined", title="not computed in this run")
    parts = [value_of(score)]
    if math.isfinite(score.value):
        parts += [" ", interval_of(score)]
    if with_floor and math.isfinite(score.floor):
        parts += [" ", tag("span", f"floor {printed(score.floor)}", class_="more")]
    if with_n:
        parts += [" ", tag("span", f"n = {score.n}", class_="more")]
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
