"""Boxes in, scores as one paper counts them out: for its printed numbers only, not what hilum stands for."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from hilum.boxes import BoxTable
from hilum.data.cohort import Cohort
from hilum.evaluate.bootstrap import mean_draws
from hilum.evaluate.detection import FALSE_COLUMNS, false_boxes
from hilum.evaluate.kth_overlap import last_of_film, legacy_kth_overlap, legacy_kth_successes
from hilum.evaluate.localization_score import EntryTable, boxed_protocol, scores_of_table
from hilum.evaluate.metric import T_IOBB, T_IOU
from hilum.evaluate.protocol import Protocol, Score
from hilum.evaluate.summary import mean_first, scores_from, several_patients, template
from hilum.localize import BoxRule
from hilum.lookup import pick

KTH_COLUMNS = (*(("t_iou_mixed", t) for t in T_IOU), *(("t_share_of_reference", t) for t in T_IOBB))
"""What the columns of `legacy_kth_successes` are: the metric and its T."""


@dataclasses.dataclass(frozen=True)
class Ruled:
    """The boxes of one rule, and what all scores of them share.

    Attributes:
        boxes: On the films that are scored.
        method: Heatmap method, as tables print it.
        rule: How the boxes were made.
        protocol: What is known of films, split, weights and boxes.
        n_draws: Bootstrap draws behind each interval.
        seed: Of the draws: all rules see the same patients.
    """

    boxes: BoxTable
    method: str
    rule: BoxRule
    protocol: Protocol
    n_draws: int
    seed: int


def printed_scores(
    way: Callable[[Cohort, Ruled], list[Score]],
    cohort: Cohort,
    predicted: Mapping[str, BoxTable],
    *,
    method: str,
    rules: Sequence[BoxRule],
    protocol: Protocol,
    n_draws: int,
    rng: np.random.Generator,
) -> list[Score]:
    """Scores of the boxes of each rule as one paper counts.

    Args:
        way: How it counts.
        cohort: The films that are scored, with their reference entries in the order of the box list.
        predicted: The boxes of each rule, by the rule's name.
        method: Heatmap method, as tables print it.
        rules: How the boxes were made.
        protocol: What is known of films, split and weights.
        n_draws: Bootstrap draws behind each interval; all rules see the same patients.
        rng: Source of the draws.

    Returns:
        For each rule and T the mean over findings and each finding. No floors; no score without entries.

    Raises:
        ValueError: A rule has no boxes in `predicted`.
    """
    seed = int(rng.integers(2**63))
    if not len(cohort.reference):
        return []
    scores = []
    for rule in rules:
        boxes = pick(predicted, rule.name, "table of boxes")
        scores += way(cohort, Ruled(boxes, method, rule, boxed_protocol(protocol, rule), n_draws, seed))
    return scores


def kth_overlap(cohort: Cohort, ruled: Ruled) -> list[Score]:
    """Shares of box entries whose overlap reaches T, by the overlaps of Sorkhei et al. 2019.

    n is as they count: an entry counts under the last finding of its film.

    Source: their tables 2 to 7; `legacy_kth_overlap` says in what these overlaps are mistaken.
    """
    _, iou, iobb = legacy_kth_overlap(cohort.reference, ruled.boxes, cohort.frame_hw)
    table = EntryTable(
        entry=last_of_film(cohort.reference.image),
        columns=KTH_COLUMNS,
        values=np.concatenate(legacy_kth_successes(iou, iobb), axis=1, dtype=float),
        floors={},
        box_rule=ruled.rule.name,
        protocol=ruled.protocol,
    )
    rows = np.arange(len(cohort.reference))
    return list(scores_of_table(cohort, rows, table, ruled.method, None, ruled.n_draws, ruled.seed))


def boxed_films(cohort: Cohort, ruled: Ruled) -> list[Score]:
    """False boxes of each finding over the films that have a box of any finding, at each T(IoBB).

    Boxes count on the films that have the finding as label, as in `false_positive_scores`; the paper does
    not say which it takes. n is the films.

    Source: D'Souza et al. 2022, table 3; its values are whole multiples of 1/880, not of 1/984 as those of
    Wang et al. 2017.
    """
    reference = cohort.reference
    films, findings = np.unique(reference.image), np.unique(reference.finding)
    wanted = np.zeros(cohort.labels.shape, bool)
    wanted[np.ix_(films, findings)] = True
    wanted &= cohort.labels == 1
    by_iobb = [column for column, (criterion, _) in enumerate(FALSE_COLUMNS) if criterion == "iobb"]
    patient, every = cohort.patient[films], np.ones(len(findings), bool)
    enough = several_patients(np.ones((len(films), 1 + len(findings)), bool), patient)
    boxes = ruled.boxes.rows(wanted[ruled.boxes.image, ruled.boxes.finding])
    false = np.zeros((len(films), len(findings), len(T_IOBB)))
    place = np.searchsorted(films, boxes.image), np.searchsorted(findings, boxes.finding)
    np.add.at(false, place, false_boxes(reference, boxes)[:, by_iobb])
    generator = np.random.Generator(np.random.Philox(ruled.seed))
    group = np.zeros(len(films), np.int64)
    draws = mean_draws(false.reshape(len(films), -1), group, patient, ruled.n_draws, generator)
    draws = draws.reshape(ruled.n_draws, len(findings), len(T_IOBB))
    by_label = dataclasses.replace(ruled.protocol, gate="label")
    shown = {"method": ruled.method, "box_rule": ruled.rule.name}
    scores = []
    for column, t in enumerate(T_IOBB):
        scores += scores_from(
            template("false_positives_a_film_iobb", by_label, at=t, **shown),
            (None, *(cohort.findings[finding] for finding in findings)),
            mean_first(false[..., column].mean(axis=0), every),
            mean_first(draws[..., column], every),
            {},
            np.full(1 + len(findings), len(films)),
            enough,
        )
    return scores


AS_PRINTED: dict[str, Callable[..., list[Score]]] = {
    "boxed_films": partial(printed_scores, boxed_films),
    "kth_overlap": partial(printed_scores, kth_overlap),
}
"""Ways in which one paper counts, by the name that a recipe gives under `[evaluate] as_printed`."""
