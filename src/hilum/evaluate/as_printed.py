"""Boxes in, scores as one paper counts them out: for its printed numbers only, not what hilum stands for."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

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


def kth_overlap(
    cohort: Cohort,
    predicted: Mapping[str, BoxTable],
    *,
    method: str,
    rules: Sequence[BoxRule],
    protocol: Protocol,
    n_draws: int,
    rng: np.random.Generator,
) -> list[Score]:
    """Shares of box entries whose overlap reaches T, by the overlaps of Sorkhei et al. 2019.

    Source: their tables 2 to 7; `legacy_kth_overlap` says in what these overlaps are mistaken.

    Args:
        cohort: The films that are scored, with their reference entries in the order of the box list.
        predicted: The boxes of each rule, by the rule's name.
        method: Heatmap method, as tables print it.
        rules: How the boxes were made.
        protocol: What is known of films, split and weights.
        n_draws: Bootstrap draws behind each interval; all rules see the same patients.
        rng: Source of the draws.

    Returns:
        For each rule and T the mean over findings and each finding, with n as they count: an entry counts
        under the last finding of its film. No floors; no score without entries.

    Raises:
        ValueError: A rule has no boxes in `predicted`.
    """
    reference, seed = cohort.reference, int(rng.integers(2**63))
    if not len(reference):
        return []
    entry, scores = last_of_film(reference.image), []
    for rule in rules:
        boxes = pick(predicted, rule.name, "table of boxes")
        _, iou, iobb = legacy_kth_overlap(reference, boxes, cohort.frame_hw)
        table = EntryTable(
            entry=entry,
            columns=KTH_COLUMNS,
            values=np.concatenate(legacy_kth_successes(iou, iobb), axis=1, dtype=float),
            floors={},
            box_rule=rule.name,
            protocol=boxed_protocol(protocol, rule),
        )
        scores += scores_of_table(cohort, np.arange(len(entry)), table, method, None, n_draws, seed)
    return scores


def boxed_films(
    cohort: Cohort,
    predicted: Mapping[str, BoxTable],
    *,
    method: str,
    rules: Sequence[BoxRule],
    protocol: Protocol,
    n_draws: int,
    rng: np.random.Generator,
) -> list[Score]:
    """False boxes of each finding over the films that have a box of any finding, at each T(IoBB).

    Source: D'Souza et al. 2022, table 3; its values are whole multiples of 1/880, not of 1/984 as those of
    Wang et al. 2017. Boxes count on the films that have the finding as label, as in
    `false_positive_scores`; the paper does not say which it takes.

    Args:
        cohort: The films that are scored, with their reference entries.
        predicted: The boxes of each rule, by the rule's name; those outside the label play no part.
        method: Heatmap method, as tables print it.
        rules: How the boxes were made.
        protocol: What is known of films, split and weights.
        n_draws: Bootstrap draws behind each interval; all rules see the same patients.
        rng: Source of the draws.

    Returns:
        For each rule and T the mean over findings and each finding; n is the films. No floors; no score
        without entries.

    Raises:
        ValueError: A rule has no boxes in `predicted`.
    """
    reference, seed = cohort.reference, int(rng.integers(2**63))
    films, findings = np.unique(reference.image), np.unique(reference.finding)
    if not len(films):
        return []
    wanted = np.zeros(cohort.labels.shape, bool)
    wanted[np.ix_(films, findings)] = True
    wanted &= cohort.labels == 1
    by_iobb = [column for column, (criterion, _) in enumerate(FALSE_COLUMNS) if criterion == "iobb"]
    patient, every = cohort.patient[films], np.ones(len(findings), bool)
    enough = several_patients(np.ones((len(films), 1 + len(findings)), bool), patient)
    scores = []
    for rule in rules:
        boxes = pick(predicted, rule.name, "table of boxes")
        boxes = boxes.rows(wanted[boxes.image, boxes.finding])
        false = np.zeros((len(films), len(findings), len(T_IOBB)))
        place = np.searchsorted(films, boxes.image), np.searchsorted(findings, boxes.finding)
        np.add.at(false, place, false_boxes(reference, boxes)[:, by_iobb])
        generator = np.random.Generator(np.random.Philox(seed))
        group = np.zeros(len(films), np.int64)
        draws = mean_draws(false.reshape(len(films), -1), group, patient, n_draws, generator)
        draws = draws.reshape(n_draws, len(findings), len(T_IOBB))
        ruled = dataclasses.replace(boxed_protocol(protocol, rule), gate="label")
        for column, t in enumerate(T_IOBB):
            scores += scores_from(
                template("false_positives_a_film_iobb", ruled, at=t, method=method, box_rule=rule.name),
                (None, *(cohort.findings[finding] for finding in findings)),
                mean_first(false[..., column].mean(axis=0), every),
                mean_first(draws[..., column], every),
                {},
                np.full(1 + len(findings), len(films)),
                enough,
            )
    return scores


AS_PRINTED: dict[str, Callable[..., list[Score]]] = {"boxed_films": boxed_films, "kth_overlap": kth_overlap}
"""Ways in which one paper counts, by the name that a recipe gives under `[evaluate] as_printed`."""
