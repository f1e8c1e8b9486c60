"""Calls and boxes of a run in; its failures by kind out, as pictures and as a table to comment on."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Shaped

from hilum.boxes import area, intersection, paired_iou
from hilum.report.gallery import picture_of
from hilum.report.markup import Html, joined, table, tag
from hilum.report.record import Case, Example
from hilum.report.tables import Table, printed

SUCCESS_IOU = 0.1
"""An entry whose best IoU is above is found."""

BIG_IOU = 0.3
"""A box that covers half of the reference box or more is too big where its IoU is no higher."""

MISSED, WRONG_PLACE, TOO_BIG, LIT, FALSE_CALL = KINDS = (
    "missed",
    "wrong place",
    "too big",
    "normal film lit",
    "false call on an ill film",
)

MEANING = {
    MISSED: "The film has a reference box; it is not called, or no box was made.",
    WRONG_PLACE: f"Called, and the best IoU with a reference box is {SUCCESS_IOU} or less.",
    TOO_BIG: f"Called; the box covers at least half of a reference box, but the IoU is {BIG_IOU} or less.",
    LIT: "Called on a film that has none of the findings.",
    FALSE_CALL: "Called on a film that has other findings, not this one.",
}
"""What each kind is, in the order in which it is looked for; an entry stands under one kind only."""

NEGATIVE = "positive call on a negative film"
NO_OVERLAP = "positive call whose box overlaps no reference"
QUERIES = (NEGATIVE, NO_OVERLAP)
"""The two groups that a radiologist read in the paper on WILDCAT and RSNA, section "Reader Study"."""

PICTURES = 6
"""Of each kind."""


def cases_from(
    films: Shaped[np.ndarray, " n"],
    findings: Sequence[str],
    probabilities: Float[np.ndarray, "n f"],
    labels: Float[np.ndarray, "n f"],
    cut: Float[np.ndarray, " f"],
    examples: Sequence[Example],
) -> list[Case]:
    """Every failure, kind by kind; false calls by falling probability, others from the surest miss on.

    Args:
        films: Names of the scored films.
        findings: Names of the columns.
        probabilities: Of the scored films.
        labels: Of the same: 1, 0 or NaN.
        cut: Of each finding, from which probability on it is called. Where it is NaN no film is called, and
            every film with a reference box is looked at as if it were.
        examples: Every film and finding with a reference box, and its predicted boxes.
    """
    cut_of = dict(zip(findings, cut.tolist(), strict=True))
    cases = []
    for example in examples:
        kind = kind_of(example, cut_of[example.finding])
        if kind:
            numbers = example.probability, cut_of[example.finding], example.iou
            cases.append(Case(kind, example.name, example.finding, *numbers, example))
    healthy = (labels == 0).all(axis=1)
    for row, column in zip(*np.nonzero((labels == 0) & (probabilities >= cut)), strict=True):
        kind = LIT if healthy[row] else FALSE_CALL
        finding, probability = str(findings[column]), float(probabilities[row, column])
        cases.append(Case(kind, str(films[row]), finding, probability, cut_of[finding], np.nan))
    return sorted(cases, key=_order)


def kind_of(example: Example, cut: float) -> str:
    """How an entry fails; empty where it does not.

    Args:
        example: With at least one reference box.
        cut: From which probability on it is called; NaN calls it.
    """
    if example.probability < cut or not len(example.predicted):
        return MISSED
    predicted, reference = _pairs(example)
    best = int(paired_iou(predicted, reference).argmax())
    iou = float(paired_iou(predicted, reference)[best])
    covered = intersection(predicted, reference)[best] >= 0.5 * area(reference)[best]
    if covered and iou <= BIG_IOU:
        return TOO_BIG
    return WRONG_PLACE if iou <= SUCCESS_IOU else ""


def query_of(case: Case) -> str:
    """Which of the two groups of `QUERIES` a case belongs to; empty for neither."""
    if case.kind in (LIT, FALSE_CALL):
        return NEGATIVE
    called = case.probability >= case.cut
    example = case.example
    if called and example is not None and not intersection(*_pairs(example)).any():
        return NO_OVERLAP
    return ""


def _pairs(example: Example) -> tuple[np.ndarray, np.ndarray]:
    """Every predicted box with every reference box."""
    n_predicted, n_reference = len(example.predicted), len(example.reference)
    return np.repeat(example.predicted, n_reference, axis=0), np.tile(example.reference, (n_predicted, 1))


def _order(case: Case) -> tuple[int, float, str, str]:
    """Kind first; then the miss with least, else the call with most probability."""
    sign = 1 if case.kind == MISSED else -1
    return KINDS.index(case.kind), sign * case.probability, case.film, case.finding


def picked(cases: Sequence[Case], kind: str) -> list[Case]:
    """Up to `PICTURES` of a kind for pictures: the first of each finding, then the second of each."""
    mine = [case for case in cases if case.kind == kind]
    rank: Counter[str] = Counter()
    ranked = []
    for place, case in enumerate(mine):
        ranked.append((rank[case.finding], place))
        rank[case.finding] += 1
    return [mine[place] for _, place in sorted(ranked)[:PICTURES]]


def section_from(cases: Sequence[Case]) -> Html:
    """How many failures of each kind and query there are, and pictures of the first of each kind."""
    if not cases:
        return tag("p", "No failure, or nothing that could fail: no operating point and no reference box.")
    kinds, queries = Counter(case.kind for case in cases), Counter(query_of(case) for case in cases)
    counts = [(kind, f"{kinds[kind]:,}", MEANING[kind]) for kind in KINDS]
    counts += [
        (query, f"{queries[query]:,}", "a query across kinds, for a reader study") for query in QUERIES
    ]
    words = (
        "Called means: at or above the cut of the first operating point, chosen on the validation films. "
        "All failures, with room for a reader's comment, are in tables/failures.csv."
    )
    parts = [
        tag("p", words, class_="note"),
        table("Failures", ("kind", "number", "what it is"), counts, "facts"),
    ]
    for kind in KINDS:
        pictured = [case for case in picked(cases, kind) if case.example is not None]
        if pictured:
            parts += [tag("h3", kind.capitalize()), tag("div", *map(_figure, pictured), class_="films")]
    return joined(*parts)


def _figure(case: Case) -> Html:
    assert case.example is not None
    overlap = "" if np.isnan(case.iou) else f" · IoU {case.iou:.2f}"
    cut = "" if np.isnan(case.cut) else f", cut {case.cut:.2f}"
    words = f"{case.finding.replace('_', ' ')}{overlap} · probability {case.probability:.2f}{cut}"
    return picture_of(case.example, f"{case.kind}, {words}", words)


def failures_table(cases: Sequence[Case]) -> Table | None:
    """Every failure as a line with an empty column for a reader's comment."""
    if not cases:
        return None
    header = ("film", "finding", "kind", "query", "probability", "cut", "iou", "comment")
    rows = [
        (
            case.film,
            case.finding,
            case.kind,
            query_of(case),
            f"{case.probability:.4f}",
            "" if np.isnan(case.cut) else f"{case.cut:.4f}",
            "" if np.isnan(case.iou) else printed(case.iou),
            "",
        )
        for case in cases
    ]
    return Table("Failures by kind", header, rows)
