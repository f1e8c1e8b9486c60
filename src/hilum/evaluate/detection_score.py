"""Heatmaps and boxes of all films in scope in; false positives, FROC and point mAP out as scores."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from hilum.boxes import BoxTable
from hilum.data.cohort import Cohort
from hilum.evaluate import floors
from hilum.evaluate.detection import (
    FALSE_COLUMNS,
    GATES,
    Detected,
    curve_from,
    detected,
    detected_once,
    enveloped_precision,
    false_boxes,
    froc,
)
from hilum.evaluate.detection_floors import box_floors, point_floors, points_from
from hilum.evaluate.localization_score import boxed_protocol
from hilum.evaluate.metric import FALSE_A_FILM
from hilum.evaluate.pairs import PairMaps
from hilum.evaluate.protocol import NOT_APPLICABLE, Protocol, Score
from hilum.evaluate.summary import mean_first, scores_from, several_patients, template
from hilum.localize import BoxRule
from hilum.lookup import pick


@dataclass(frozen=True)
class _Scope:
    """The films that count, by patient.

    Attributes:
        cohort: All films.
        findings: Columns of the findings that have box entries.
        patient: Number of each film's patient; -1 for a film out of scope.
        weights: How often each patient counts: once in the first row, then as drawn.
    """

    cohort: Cohort
    findings: Int[np.ndarray, " f"]
    patient: Int[np.ndarray, " n"]
    weights: Float[np.ndarray, "d p"]

    def sums(self, image: Int[np.ndarray, " m"], of: Int[np.ndarray, " m"], n: int) -> np.ndarray:
        """How many rows each weighting sees of each of `n` kinds, as (weightings, kinds)."""
        counts = np.zeros((self.weights.shape[1], n))
        np.add.at(counts, (self.patient[image], of), 1.0)
        return self.weights @ counts

    def place(self, finding: Int[np.ndarray, " m"]) -> Int[np.ndarray, " m"]:
        """Place of each column among the findings with boxes."""
        return np.searchsorted(self.findings, finding)


def false_positive_scores(
    cohort: Cohort,
    pairs: PairMaps,
    predicted: Mapping[str, BoxTable],
    probabilities: Float[np.ndarray, "n f"],
    *,
    input_hw: tuple[int, int],
    method: str,
    rules: Sequence[BoxRule],
    protocol: Protocol,
    n_draws: int,
    rng: np.random.Generator,
    gate: str = "label",
) -> list[Score]:
    """Average false positives of each finding with boxes, over the films with boxes of any finding.

    Wang et al. 2017 print no formula: their numbers are whole multiples of one over all box entries of the
    list, whatever the finding, and fit boxes made for the films that have the finding as label.

    Args:
        cohort: The films that are scored, with their reference entries.
        pairs: Heatmaps of at least the films and findings behind the gate.
        predicted: The boxes of each rule, by the rule's name; those outside the gate play no part.
        probabilities: Of each film and finding, for the gate.
        input_hw: Size of the network's input.
        method: Heatmap method, as tables print it.
        rules: How the boxes were made; the floors are made in the same way.
        protocol: What is known of films, split and weights.
        n_draws: Bootstrap draws behind each interval.
        rng: Source of the noise maps and of the draws.
        gate: A name of `GATES`.

    Returns:
        False boxes over all box entries, and over the finding's heatmaps; no score without entries.

    Raises:
        ValueError: No such gate, a rule without boxes, or a pair behind the gate without a heatmap.
    """
    chosen = pick(GATES, gate, "gate")(cohort.labels, probabilities)
    if not len(cohort.reference):
        return []
    scope = _scope(cohort, np.unique(cohort.reference.image), n_draws, rng)
    wanted = np.zeros(chosen.shape, bool)
    wanted[np.ix_(scope.patient >= 0, scope.findings)] = True
    wanted &= chosen
    pairs = pairs.of(wanted)
    noise = floors.noise_maps(pairs.maps.shape[1:], rng)
    protocol = dataclasses.replace(protocol, gate=gate)
    scores = []
    for rule in rules:
        boxes = pick(predicted, rule.name, "table of boxes")
        boxes = boxes.rows(wanted[boxes.image, boxes.finding])
        beside = _box_floors(scope, pairs, boxes, noise, input_hw, rule, rng)
        whole = dataclasses.replace(scope, weights=scope.weights[:1])
        kinds = {name: _mean([_false(whole, table) for table in tables]) for name, tables in beside.items()}
        shown = template("false_positives_iou", boxed_protocol(protocol, rule), method=method)
        shown = dataclasses.replace(shown, box_rule=rule.name)
        scores += _false_scores(scope, pairs, _false(scope, boxes), kinds, shown)
    return scores


def detection_scores(
    cohort: Cohort,
    pairs: PairMaps,
    predicted: Mapping[str, BoxTable],
    *,
    input_hw: tuple[int, int],
    method: str,
    rules: Sequence[BoxRule],
    protocol: Protocol,
    n_draws: int,
    rng: np.random.Generator,
    hit: str = "centre",
    peaks: Literal["max", "all"] = "max",
) -> list[Score]:
    """FROC of each rule's boxes and point mAP of the maps, over all films, with and without boxes.

    Args:
        cohort: The films that are scored, with their reference entries.
        pairs: Heatmaps of every film and every finding that has entries.
        predicted: The boxes of each rule, by the rule's name; a box scores probability times peak.
        input_hw: Size of the network's input.
        method: Heatmap method, as tables print it.
        rules: How the boxes were made; the floors are made in the same way.
        protocol: What is known of films, split and weights.
        n_draws: Bootstrap draws behind each interval.
        rng: Source of the noise maps and of the draws.
        hit: Hit rule of FROC: "centre" or "iou(T)".
        peaks: Points of point mAP: the greatest cell of each map, or all peaks.

    Returns:
        Each finding and the mean over findings; point mAP stands once, without a rule: of the maps, or of the
        boxes of a detector, each a point at its centre. No score without entries.

    Raises:
        ValueError: No such hit rule, a rule without boxes, or a film without a heatmap.
    """
    if not len(cohort.reference):
        return []
    scope = _scope(cohort, np.arange(len(cohort)), n_draws, rng)
    wanted = _every_film(scope)
    pairs = pairs.of(wanted)
    noise = floors.noise_maps(pairs.maps.shape[1:], rng)
    protocol = dataclasses.replace(protocol, gate="none")
    patient, entry_patient = cohort.patient[pairs.image], cohort.patient[cohort.reference.image]
    reference, frame_hw = cohort.reference, cohort.frame_hw
    beside = point_floors(pairs, patient, reference, entry_patient, noise, input_hw, peaks, frame_hw, rng)
    pointed = dataclasses.replace(
        protocol,
        boxes=f"points, {peaks}",
        hit_rule="centre",
        threshold_chosen=NOT_APPLICABLE,
        map_size="map",
        map_scale="raw",
    )
    points = _points(scope, pairs, predicted, input_hw, rules, peaks)
    for rule in (each for each in rules if each.of_model):
        beside = _box_floors(scope, pairs, points, noise, input_hw, rule, rng)
        pointed = dataclasses.replace(boxed_protocol(pointed, rule), boxes="points, centres of all boxes")
    shown = template("pointwise_map", pointed, method=method)
    scores = list(_curve_scores(scope, points, beside, (shown,), detected_once, _precision))
    for rule in rules:
        boxes = pick(predicted, rule.name, "table of boxes")
        boxes = boxes.rows(wanted[boxes.image, boxes.finding])
        beside = _box_floors(scope, pairs, boxes, noise, input_hw, rule, rng)
        ruled = dataclasses.replace(boxed_protocol(protocol, rule), hit_rule=hit)
        shown = [template("froc", ruled, at=at, method=method, box_rule=rule.name) for at in FALSE_A_FILM]
        scores += _curve_scores(scope, boxes, beside, shown, lambda r, b: detected(r, b, hit), _froc)
    return scores


def pointwise_precision(
    cohort: Cohort,
    pairs: PairMaps,
    predicted: Mapping[str, BoxTable],
    *,
    input_hw: tuple[int, int],
    rules: Sequence[BoxRule],
    n_draws: int,
    rng: np.random.Generator,
) -> tuple[Int[np.ndarray, " f"], Float[np.ndarray, "_ f"]]:
    """Pointwise mAP alone, as `detection_scores` has it, for comparing systems on the same redrawn patients.

    Args:
        cohort: The films that are scored, at least one of them with a reference entry.
        pairs: Heatmaps of every film and every finding that has entries.
        predicted: The boxes of each rule; a detector's are its points.
        input_hw: Size of the network's input.
        rules: How the boxes were made.
        n_draws: How often the patients are redrawn.
        rng: One in an equal state redraws the same patients of another system.

    Returns:
        Columns of the findings with entries; in rows, their scores in the cohort and in each redrawn one.

    Raises:
        ValueError: A film without a heatmap.
    """
    scope = _scope(cohort, np.arange(len(cohort)), n_draws, rng)
    points = _points(scope, pairs.of(_every_film(scope)), predicted, input_hw, rules, "max")
    return scope.findings, _read_curves(scope, points, detected_once, _precision)[..., 0]


def _every_film(scope: _Scope) -> Bool[np.ndarray, "n f"]:
    """Marks every film and every finding that has entries."""
    wanted = np.zeros(scope.cohort.labels.shape, bool)
    wanted[:, scope.findings] = True
    return wanted


def _points(
    scope: _Scope,
    pairs: PairMaps,
    predicted: Mapping[str, BoxTable],
    input_hw: tuple[int, int],
    rules: Sequence[BoxRule],
    peaks: Literal["max", "all"],
) -> BoxTable:
    """Peaks of the maps; of a detector, its boxes, whose centres are the points."""
    for rule in (each for each in rules if each.of_model):
        boxes = pick(predicted, rule.name, "table of boxes")
        return boxes.rows(np.isin(boxes.finding, scope.findings))
    return points_from(pairs, pairs.maps, input_hw, peaks)


def _scope(cohort: Cohort, films: Int[np.ndarray, " r"], n_draws: int, rng: np.random.Generator) -> _Scope:
    names, who = np.unique(cohort.patient[films], return_inverse=True)
    patient = np.full(len(cohort), -1)
    patient[films] = who
    generator = np.random.Generator(np.random.Philox(int(rng.integers(2**63))))
    picks = generator.integers(0, len(names), (n_draws, len(names)), dtype=np.int32)
    weights = np.zeros((1 + n_draws, len(names)))
    weights[0] = 1.0
    np.add.at(weights, (np.arange(1, 1 + n_draws)[:, None], picks), 1.0)
    return _Scope(cohort, np.unique(cohort.reference.finding), patient, weights)


def _box_floors(
    scope: _Scope,
    pairs: PairMaps,
    boxes: BoxTable,
    noise: np.ndarray,
    input_hw: tuple[int, int],
    rule: BoxRule,
    rng: np.random.Generator,
) -> dict[str, list[BoxTable]]:
    cohort = scope.cohort
    patient, entry_patient = cohort.patient[pairs.image], cohort.patient[cohort.reference.image]
    return box_floors(
        pairs,
        boxes,
        patient,
        cohort.reference,
        entry_patient,
        noise,
        input_hw,
        rule,
        cohort.frame_hw,
        rng,
    )


def _false(scope: _Scope, boxes: BoxTable) -> Float[np.ndarray, "d f c"]:
    """False boxes of each weighting, finding and column."""
    false = false_boxes(scope.cohort.reference, boxes)
    n_patients, n_findings = scope.weights.shape[1], len(scope.findings)
    sums = np.zeros((n_patients, n_findings, len(FALSE_COLUMNS)))
    np.add.at(sums, (scope.patient[boxes.image], scope.place(boxes.finding)), false)
    return (scope.weights @ sums.reshape(n_patients, -1)).reshape(-1, n_findings, len(FALSE_COLUMNS))


def _false_scores(
    scope: _Scope,
    pairs: PairMaps,
    false: Float[np.ndarray, "d f c"],
    of_floors: Mapping[str, Float[np.ndarray, "1 f c"]],
    shown: Score,
) -> Iterator[Score]:
    cohort, n_findings = scope.cohort, len(scope.findings)
    reference = cohort.reference
    entries = scope.sums(reference.image, np.zeros(len(reference), int), 1)
    mapped = scope.sums(pairs.image, scope.place(pairs.finding), n_findings)
    whose, members = cohort.patient[pairs.image], pairs.finding[:, None] == scope.findings
    enough = several_patients(np.concatenate([members.any(axis=1)[:, None], members], axis=1), whose)
    n_entries = np.full(1 + n_findings, len(reference))
    n_maps = np.append(mapped[0].sum(), mapped[0]).astype(int)
    for what, divisor, n in (("", entries, n_entries), ("a_map_", mapped, n_maps)):
        for column, (criterion, at) in enumerate(FALSE_COLUMNS):
            metric = f"false_positives_{what}{criterion}"
            values = _shares(false[..., column], divisor)
            beside = {k: _shares(f[..., column], divisor[:1])[0] for k, f in of_floors.items()}
            row = template(metric, shown.protocol, at=at, method=shown.method, box_rule=shown.box_rule)
            yield from _rows(scope, row, values, beside, n, enough)


def _curve_scores(
    scope: _Scope,
    boxes: BoxTable,
    beside: Mapping[str, list[BoxTable]],
    shown: Sequence[Score],
    outcome_of: Callable[[BoxTable, BoxTable], Detected],
    read: Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray],
) -> Iterator[Score]:
    """A score for each of `shown`, which `read` gives as columns; findings and their mean."""
    reference = scope.cohort.reference
    values = _read_curves(scope, boxes, outcome_of, read)
    whole = dataclasses.replace(scope, weights=scope.weights[:1])
    of_floors = {
        name: _mean([_read_curves(whole, table, outcome_of, read) for table in tables])
        for name, tables in beside.items()
    }
    members = reference.finding[:, None] == scope.findings
    members = np.concatenate([members.any(axis=1)[:, None], members], axis=1)
    enough = several_patients(members, scope.cohort.patient[reference.image])
    for column, row in enumerate(shown):
        floor = {name: table[0, :, column] for name, table in of_floors.items()}
        yield from _rows(scope, row, values[..., column], floor, members.sum(axis=0), enough)


def _read_curves(
    scope: _Scope,
    boxes: BoxTable,
    outcome_of: Callable[[BoxTable, BoxTable], Detected],
    read: Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray],
) -> Float[np.ndarray, "d f c"]:
    reference, patient = scope.cohort.reference, scope.patient
    there = np.flatnonzero(patient >= 0)
    n_films = scope.sums(there, np.zeros(len(there), int), 1)[:, 0]
    n_entries = scope.sums(reference.image, scope.place(reference.finding), len(scope.findings))
    tables = []
    for place, finding in enumerate(scope.findings):
        some = reference.rows(reference.finding == finding)
        mine = boxes.rows(boxes.finding == finding)
        outcome = outcome_of(some, mine)
        whose = patient[some.image], patient[mine.image]
        curve = curve_from(outcome, mine.score, *whose, scope.weights.shape[1])
        tables.append(read(*curve.counts(scope.weights), n_entries[:, place], n_films))
    return np.stack(tables, axis=1)


def _froc(hits: np.ndarray, false: np.ndarray, n: np.ndarray, n_films: np.ndarray) -> np.ndarray:
    return froc(hits, false, n, n_films, FALSE_A_FILM)


def _precision(hits: np.ndarray, false: np.ndarray, n: np.ndarray, _: np.ndarray) -> np.ndarray:
    return enveloped_precision(hits, false, n)[:, None]


def _rows(
    scope: _Scope,
    shown: Score,
    values: Float[np.ndarray, "d f"],
    floor: Mapping[str, Float[np.ndarray, " f"]],
    n: Int[np.ndarray, " g"],
    enough: np.ndarray,
) -> Iterator[Score]:
    """The mean and each finding; the first row of values is the whole, the others are draws."""
    every = np.ones(len(scope.findings), bool)
    table = mean_first(values, every)
    names = (None, *(scope.cohort.findings[finding] for finding in scope.findings))
    beside = {name: mean_first(numbers, every) for name, numbers in floor.items()}
    yield from scores_from(shown, names, table[0], table[1:], beside, n, enough)


def _shares(counts: Float[np.ndarray, "d f"], divisor: Float[np.ndarray, "d _"]) -> np.ndarray:
    divisor = np.broadcast_to(divisor, counts.shape)
    return np.divide(counts, divisor, out=np.full(counts.shape, np.nan), where=divisor > 0)


def _mean(tables: Sequence[np.ndarray]) -> np.ndarray:
    return np.mean(tables, axis=0)
