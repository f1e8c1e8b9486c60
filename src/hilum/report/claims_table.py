"""Judged claims in; a table for the page and one for papers out."""

import math
from collections.abc import Mapping, Sequence

from hilum.evaluate.claims import Verdict
from hilum.lookup import call_from
from hilum.report.markup import Html, joined, table, tag
from hilum.report.record import JudgedClaim
from hilum.report.score_tables import DASH
from hilum.report.tables import Table, named, printed

FIGURES = {
    "better": "least difference",
    "at_least": "pairs above",
    "similar": "greatest difference",
    "ratio": "ratio",
    "more_spread": "difference of ranges",
}
"""What the figure of each kind of claim is."""

HEADER = ("claim", "verdict", "figure", "the paper's own numbers")

CSV_HEADER = ("claim", "kind", "measure", "verdict", "value", "low", "high", "pairs", "reason", "expected")

WORDS = (
    "Verdicts are by 95 % intervals of paired differences over redrawn patients; where an interval allows "
    "both, a claim is undecided. They speak of these weights on these films, not of other seeds."
)


def section_from(claims: Sequence[JudgedClaim]) -> Html:
    """A line for each claim."""
    return joined(tag("p", WORDS, class_="note"), _table("Each claim, judged", claims))


def sections_of(claims: Mapping[str, Sequence[JudgedClaim]]) -> Html:
    """The same for several runs, by name."""
    tables = [_table(f"Claims of the paper behind {name}", each) for name, each in claims.items() if each]
    return joined(tag("p", WORDS, class_="note"), *tables)


def claims_table(claims: Sequence[JudgedClaim]) -> Table | None:
    """Every claim as a line of plain text."""
    rows = [
        (
            claim.text,
            claim.kind,
            named(claim.metric, claim.at),
            claim.verdict.verdict,
            *(printed(number) for number in (claim.verdict.value, claim.verdict.low, claim.verdict.high)),
            str(claim.verdict.n_pairs),
            claim.verdict.reason,
            claim.expected,
        )
        for claim in claims
    ]
    return Table("Claims of the paper, judged", CSV_HEADER, rows) if rows else None


def _table(caption: str, claims: Sequence[JudgedClaim]) -> Html:
    rows = [
        (claim.text, tag("b", claim.verdict.verdict), _figure(claim), claim.expected or DASH)
        for claim in claims
    ]
    return table(caption, HEADER, rows, "facts")


def _figure(claim: JudgedClaim) -> Html:
    """The figure with its interval, or why there is none."""
    verdict = claim.verdict
    if math.isnan(verdict.value):
        return tag("span", verdict.reason)
    kind = call_from(claim.kind)[0]
    what = f"{named(claim.metric, claim.at)}, {FIGURES[kind]}"
    if verdict.n_pairs > 1 and kind in ("better", "similar", "at_least"):
        what += f" of {verdict.n_pairs}"
    return joined(f"{what}: ", *_numbers(kind, verdict))


def _numbers(kind: str, verdict: Verdict) -> tuple[Html, ...]:
    """Counts as whole numbers, ratios without a sign."""
    form = {"at_least": "{:.0f}", "ratio": "{:.3f}"}.get(kind, "{:+.3f}")
    value, low, high = (
        form.format(round(number, 3) + 0.0) for number in (verdict.value, verdict.low, verdict.high)
    )
    return tag("span", value, class_="value"), Html(" "), tag("span", f"{low} to {high}", class_="interval")
