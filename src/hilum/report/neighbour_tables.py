"""Scores in; what the papers print for the same thing out, beside them or with the reason why not."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from hilum.evaluate.protocol import Score
from hilum.report.ledger import Neighbour, Published, neighbours
from hilum.report.markup import Html, joined, table, tag
from hilum.report.score_tables import DASH, interval_of, value_of
from hilum.report.tables import named

HIGHEST = 8
"""Published means of each measure that stand on the open page."""

MOST_TEXTS = 3
"""Wordings of one reason that are written out; the others are counted."""


@dataclass(frozen=True)
class Pair:
    """A score and a published number of the same thing under the same protocol."""

    score: Score
    number: Published

    @property
    def difference(self) -> float:
        """Measured less published."""
        return self.score.value - self.number.value


@dataclass(frozen=True)
class Beside:
    """What the ledger holds of the scores of a run.

    Attributes:
        pairs: Numbers that may be compared.
        others: Those that may not, with the reasons, by citation of the paper.
    """

    pairs: Sequence[Pair]
    others: dict[str, list[Neighbour]]


def beside(scores: Sequence[Score], headline: tuple[str, str]) -> Beside:
    """Published numbers of the classification and of the headline's localisation; strata are passed over."""
    method, rule = headline
    mine = [s for s in scores if s.stratum is None]
    mine = [s for s in mine if s.method in (None, method) and s.box_rule in (None, rule)]
    pairs, others = [], {}
    for score in mine:
        for neighbour in neighbours(score):
            if neighbour.why_not:
                others.setdefault(neighbour.number.paper, []).append(neighbour)
            elif not math.isnan(neighbour.number.value):
                pairs.append(Pair(score, neighbour.number))
    return Beside(pairs, others)


def section_from(found: Beside) -> Html:
    """Means beside the published ones, findings folded away by paper, then what may not be compared."""
    if not (found.pairs or found.others):
        return tag("p", "No paper of the ledger prints a number of these findings and measures.")
    return joined(_comparable(found.pairs), _not_comparable(found))


def _comparable(pairs: Sequence[Pair]) -> Html:
    if not pairs:
        return tag("p", "No published number came about as the numbers of this run did.")
    means = [pair for pair in pairs if pair.score.finding is None]
    first = highest(means)
    parts = [_pairs_table("Means over findings beside the highest of the papers", first)] if means else []
    if len(first) < len(means):
        all_means = _pairs_table("Means over findings beside all of the papers", means)
        parts.append(tag("details", tag("summary", f"All {len(means)} published means"), all_means))
    for paper in dict.fromkeys(pair.number.paper for pair in pairs):
        single = [p for p in pairs if p.number.paper == paper and p.score.finding is not None]
        if single:
            words = f"{paper}: {len(single)} numbers of single findings"
            parts.append(tag("details", tag("summary", words), _pairs_table(f"{paper}, by finding", single)))
    return joined(*parts)


def highest(pairs: Sequence[Pair]) -> list[Pair]:
    """Of each measure the `HIGHEST` greatest published values, falling."""
    chosen = []
    for key in dict.fromkeys((p.score.metric, p.score.at) for p in pairs):
        mine = [p for p in pairs if (p.score.metric, p.score.at) == key]
        chosen += sorted(mine, key=lambda p: -p.number.value)[:HIGHEST]
    return chosen


def _pairs_table(caption: str, pairs: Sequence[Pair]) -> Html:
    lines = [
        (
            measure_of(pair),
            joined(value_of(pair.score), " ", interval_of(pair.score)),
            value_in_print(pair.number),
            f"{pair.difference:+.3f}",
            source_of(pair.number),
        )
        for pair in pairs
    ]
    header = ("measure", "measured", "published", "difference", "published where, of what")
    return table(caption, header, lines, "neighbours")


def measure_of(pair: Pair) -> str:
    """What both numbers are of."""
    finding = "mean" if pair.score.finding is None else pair.score.finding.replace("_", " ")
    return f"{named(pair.score.metric, pair.score.at)}, {finding}"


def value_in_print(number: Published) -> str:
    """As printed, and in the unit of the metric where the paper counts in another or errs."""
    try:
        same = math.isclose(float(number.printed), number.value)
    except ValueError:
        same = False
    return number.printed if same else f"{number.value:.4g} (printed {number.printed})"


def source_of(number: Published) -> str:
    """Paper, table and system; whose result it is where the paper quotes it."""
    quoted = f", quoted from {number.whose}" if number.whose else ""
    setting = f" ({number.setting})" if number.setting else ""
    where = "text" if number.table == "text" else f"table {number.table}"
    return f"{number.paper}, {where}{quoted}: {number.system}{setting}"


def _not_comparable(found: Beside) -> Html:
    """One line a paper, folded: how many of its numbers stand apart, and for which reasons."""
    if not found.others:
        return Html("")
    parts = [tag("h3", "Not set beside these numbers")]
    for paper, apart in found.others.items():
        words = f"{paper}: {len(apart)} numbers that may not be compared, and why"
        lines = [(field, str(count), text) for field, count, text in reasons_of(apart)]
        reasons = table(f"{paper}: reasons", ("reason", "numbers", "in words"), lines, "facts")
        parts.append(tag("details", tag("summary", words), reasons))
    return joined(*parts)


def reasons_of(apart: Sequence[Neighbour]) -> list[tuple[str, int, str]]:
    """What speaks against comparing, the most frequent first: field, how many numbers, its wordings.

    Returns:
        At most `MOST_TEXTS` wordings of a field; the rest is counted.
    """
    by_field: dict[str, Counter[str]] = {}
    for neighbour in apart:
        for reason in neighbour.why_not:
            field, _, text = reason.partition(": ")
            by_field.setdefault(field, Counter())[text or DASH] += 1
    lines = []
    for field, texts in sorted(by_field.items(), key=lambda item: -item[1].total()):
        shown = [text for text, _ in texts.most_common(MOST_TEXTS)]
        more = f"; {len(texts) - len(shown)} more wordings" if len(texts) > len(shown) else ""
        lines.append((field, texts.total(), "; ".join(shown) + more))
    return lines
