"""Several runs on the same films in; one page with them side by side out."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from hilum.evaluate.comparison import Difference, holm
from hilum.evaluate.protocol import Score, reasons_apart
from hilum.report import claims_table
from hilum.report.gallery import boxes_over, heat_on_film, jpeg, picture, shown
from hilum.report.inline import chart_from
from hilum.report.markup import Html, joined, table, tag
from hilum.report.page import document
from hilum.report.record import Example, JudgedClaim, RunRecord
from hilum.report.score_tables import DASH, interval_of, system, value_of
from hilum.report.tables import SUMMARY, Table, named, printed, same_t
from hilum.report.training_chart import losses_chart

OF_THE_SYSTEM = (
    "split",  # its digest decides
    "boxes",
    "threshold_chosen",
    "resampler",
    "map_size",
    "map_scale",
    "weights_data",
)
"""Fields of a protocol in which systems that are compared may differ: they are what is compared."""

FILMS = 2
"""Films a finding: where the runs differ most, and one where they agree as usual."""


@dataclass(frozen=True)
class Pairing:
    """Paired differences of one measure between two runs.

    Attributes:
        first: Name of a run.
        second: Name of another; the difference is second less first.
        metric: A name of `METRICS`.
        at: Its T, or None.
        difference: Of the mean and of each finding.
    """

    first: str
    second: str
    metric: str
    at: float | None
    difference: Difference


@dataclass(frozen=True)
class Comparison:
    """What the page of several runs says.

    Attributes:
        runs: Records by name of the run, in the order of the columns.
        pairings: Of every two runs that were scored on the same films and boxes.
        apart: Why others could not be paired.
        claims: Of the papers behind the runs, judged with all runs at hand.
    """

    runs: Mapping[str, RunRecord]
    pairings: Sequence[Pairing]
    apart: Sequence[str]
    claims: Mapping[str, Sequence[JudgedClaim]] = field(default_factory=dict)


def comparison_page(comparison: Comparison) -> str:
    """The whole page as HTML; the same text for the same records."""
    records = list(comparison.runs.values())
    warnings = list(dict.fromkeys(words for record in records for words in record.warnings))
    claims = []
    if any(comparison.claims.values()):
        claims.append(("claims", "Claims of the papers", claims_table.sections_of(comparison.claims)))
    sections = [
        ("results", "Results", _results(comparison.runs)),
        ("differences", "Differences", _differences(comparison)),
        *claims,
        ("recipes", "What differs", _recipes(comparison.runs)),
        ("losses", "Losses", _losses(comparison.runs)),
        ("films", "Same films", _films(comparison.runs)),
    ]
    title = f"{len(records)} runs side by side"
    return document(title, f"{', '.join(comparison.runs)}.", warnings, sections)


def headline_score(record: RunRecord, metric: str, at: float | None) -> Score | None:
    """The run's mean over findings of a measure, under its own headline."""
    method, rule = record.headline
    for score in record.scores:
        own = score.method in (None, method) and score.box_rule in (None, rule)
        mean = score.finding is None and score.stratum is None
        if own and mean and score.metric == metric and same_t(score.at, at):
            return score
    return None


def refusals(first: Score, second: Score) -> list[str]:
    """Why two numbers may not stand in one row, one sentence a reason; what the systems are is no reason."""
    reasons = reasons_apart(first, second)
    return [reason for reason in reasons if reason.partition(":")[0] not in OF_THE_SYSTEM]


def _results(runs: Mapping[str, RunRecord]) -> Html:
    """A row for each measure, a column for each run; all must agree with the first run's protocol."""
    rows, reasons = [], {}
    for label, metric, at in SUMMARY:
        found = {name: headline_score(record, metric, at) for name, record in runs.items()}
        first = next((score for score in found.values() if score is not None), None)
        cells = []
        for name, score in found.items():
            against = refusals(first, score) if score is not None and first is not None else []
            for reason in against if score is not first else []:
                reasons.setdefault(f"{name}: {reason}", None)
            cells.append(_cell(score, refused=bool(against) and score is not first))
        rows.append((label, *cells))
    boxes = (f"{name} by {system(*record.headline)}" for name, record in runs.items())
    parts = [
        tag("p", f"Boxes: {'; '.join(boxes)}."),
        table("Each run under its own headline", ("means over findings", *runs), rows, "grid"),
    ]
    if reasons:
        parts.append(tag("p", "Left out, for they may not stand beside the first run's numbers:"))
        parts.append(tag("ul", *(tag("li", reason) for reason in reasons)))
    return joined(*parts)


def _cell(score: Score | None, refused: bool) -> Html:
    if score is None:
        return tag("span", DASH, class_="undefined", title="not computed in this run")
    if refused:
        return tag("span", DASH, class_="undefined", title="another protocol; see below")
    return joined(value_of(score), " ", interval_of(score))


def corrected(pairings: Sequence[Pairing]) -> list[Float[np.ndarray, " c"]]:
    """Holm's p of each pairing; the family is every p of one measure, over all pairs and findings."""
    made: list[Float[np.ndarray, " c"]] = [np.zeros(0)] * len(pairings)
    for key in dict.fromkeys((p.metric, p.at) for p in pairings):
        members = [n for n, p in enumerate(pairings) if (p.metric, p.at) == key]
        family = holm(np.concatenate([pairings[n].difference.p for n in members]))
        ends = np.cumsum([len(pairings[n].difference.p) for n in members])[:-1]
        for n, part in zip(members, np.split(family, ends), strict=True):
            made[n] = part
    return made


def _differences(comparison: Comparison) -> Html:
    """One table a measure and pair of runs, the mean over findings at the foot."""
    words = (
        "Second run less first, on the same redrawn patients, with 95 % interval. p is two-sided; beside it "
        "stands Holm's correction over all findings, their mean and all pairs of runs of the measure. A bar "
        "marks a corrected p below 0.05."
    )
    parts = [tag("p", words, class_="note")]
    for pairing, family in zip(comparison.pairings, corrected(comparison.pairings), strict=True):
        name = f"{named(pairing.metric, pairing.at)}: {pairing.second} less {pairing.first}"
        lines = [_line(pairing.difference, n, float(family[n])) for n in _mean_last(pairing.difference)]
        header = ("finding", "difference", "95 % interval", "p", "p, Holm")
        parts.append(table(name, header, lines, "differences", foot=1))
    for words in comparison.apart:
        parts.append(tag("p", words, class_="warning"))
    if not comparison.pairings and not comparison.apart:
        parts.append(tag("p", "One run has nothing to differ from."))
    return joined(*parts)


def _mean_last(difference: Difference) -> list[int]:
    return [*range(1, len(difference.names)), 0]


def _line(difference: Difference, n: int, p_holm: float) -> tuple[str, ...]:
    value, low, high, p = (
        float(each[n]) for each in (difference.value, difference.low, difference.high, difference.p)
    )
    name = difference.names[n]
    finding = "mean over findings" if name is None else name.replace("_", " ")
    if math.isnan(value):
        return (finding, DASH, DASH, DASH, DASH)
    interval = f"{_signed(low)} to {_signed(high)}" if math.isfinite(low) else DASH
    sure = tag("span", _p(p_holm), class_="sure") if p_holm < 0.05 else _p(p_holm)
    return (finding, _signed(value), interval, _p(p), sure)


def _signed(value: float) -> str:
    """With three decimals and a sign; zero is never negative."""
    return f"{round(value, 3) + 0.0:+.3f}"


def _p(p: float) -> str:
    return DASH if math.isnan(p) else f"{p:.3f}"


def _recipes(runs: Mapping[str, RunRecord]) -> Html:
    """The settings that are not the same in all runs."""
    flat = {name: _flat(record.settings) for name, record in runs.items()}
    keys = list(dict.fromkeys(key for settings in flat.values() for key in settings))
    rows = []
    for key in keys:
        values = [settings.get(key, DASH) for settings in flat.values()]
        if len(set(values)) > 1:
            rows.append((key, *values))
    if not rows:
        return tag("p", "All runs have the same recipe.")
    return table("Settings that differ", ("key", *runs), rows, "facts")


def _flat(settings: Mapping[str, Any]) -> dict[str, str]:
    """Settings by dotted key; title and description of the page are none."""
    flat = {}
    for section, keys in settings.items():
        if section != "report" and isinstance(keys, Mapping):
            flat |= {f"{section}.{key}": str(value) for key, value in keys.items()}
    return flat


def _losses(runs: Mapping[str, RunRecord]) -> Html:
    drawn = chart_from(losses_chart({name: record.history for name, record in runs.items()}))
    return drawn or tag("p", "No run holds a record of training.")


def _films(runs: Mapping[str, RunRecord]) -> Html:
    """The same films, a column for each run.

    Source: the figures of heatmaps of D'Souza et al. 2022 and of Sorkhei et al. 2019, models side by side.
    """
    rows = same_films([record.examples for record in runs.values()])
    if not rows:
        return tag("p", "No film has a heatmap in every run.")
    words = "Of each finding the film where the runs' overlaps differ most, and one of median difference. "
    key = (
        tag("span", "solid blue", class_="key predicted"),
        ": predicted box; ",
        tag("span", "dashed yellow", class_="key reference"),
        ": reference box.",
    )
    parts = [tag("p", words, *key, class_="note")]
    for row in rows:
        parts.append(tag("h3", f"{row[0].finding.replace('_', ' ')}, {row[0].name}"))
        figures = [_figure("the film", row[0], bare=True)]
        figures += [_figure(name, example) for name, example in zip(runs, row, strict=True)]
        parts.append(tag("div", *figures, class_="columns"))
    return joined(*parts)


def same_films(examples: Sequence[Sequence[Example]]) -> list[list[Example]]:
    """For each finding the shared film of greatest spread of IoU, and the one of median spread, by run."""
    by_key = [{(e.finding, e.name): e for e in each if e.heatmap is not None} for each in examples]
    shared = [key for key in by_key[0] if all(key in each for each in by_key)] if by_key else []
    rows = []
    for finding in dict.fromkeys(finding for finding, _ in shared):
        of_finding = [[each[key] for each in by_key] for key in shared if key[0] == finding]
        of_finding.sort(key=lambda row: (-_spread(row), row[0].name))
        places = dict.fromkeys([0, len(of_finding) // 2])
        rows += [of_finding[place] for place in list(places)[:FILMS]]
    return rows


def _spread(row: Sequence[Example]) -> float:
    ious = [0.0 if math.isnan(example.iou) else example.iou for example in row]
    return max(ious) - min(ious)


def _figure(name: str, example: Example, bare: bool = False) -> Html:
    frame = f"0 0 {example.frame_hw[1]} {example.frame_hw[0]}"
    if bare:
        film, caption = picture(frame, jpeg(shown(example.film)), f"film {example.name}, as it is"), name
    else:
        words = f"film {example.name} under {name}, with heatmap and boxes"
        film = picture(frame, jpeg(heat_on_film(example)), words, boxes_over(example))
        caption = f"{name} · IoU {example.iou:.2f} · probability {example.probability:.2f}"
    return tag("figure", tag("div", film, class_="pair single"), tag("figcaption", caption))


def differences_table(comparison: Comparison) -> Table | None:
    """Every paired difference as a line of plain text."""
    rows = []
    for pairing, family in zip(comparison.pairings, corrected(comparison.pairings), strict=True):
        difference = pairing.difference
        for n, name in enumerate(difference.names):
            numbers = (difference.value[n], difference.low[n], difference.high[n])
            shown_numbers = [printed(float(number)) for number in numbers]
            p = [f"{float(each[n]):.4f}" for each in (difference.p, family)]
            measure = named(pairing.metric, pairing.at)
            rows.append((pairing.first, pairing.second, measure, name or "mean", *shown_numbers, *p))
    header = ("first", "second", "measure", "finding", "difference", "low", "high", "p", "p_holm")
    return Table("Paired differences, second less first", header, rows) if rows else None
