"""Boxes that were made elsewhere, by whatever means, held against the reference entries."""

import dataclasses

import numpy as np

from hilum.boxes import BoxTable
from hilum.data.cohort import Cohort
from hilum.evaluate import floors
from hilum.evaluate.localization import COLUMNS, best_overlaps, matches, statistics
from hilum.evaluate.localization_score import STRATIFIED, EntryTable, scores_of_table
from hilum.evaluate.protocol import NOT_APPLICABLE, Protocol, Score
from hilum.evaluate.strata import entry_strata

AS_GIVEN = "as given"
"""Method and box rule of boxes whose making is not known."""


def given_box_scores(
    cohort: Cohort, predicted: BoxTable, protocol: Protocol, *, n_draws: int, rng: np.random.Generator
) -> list[Score]:
    """T(IoU), T(IoBB) and mean IoU for each finding and its mean; T(IoU) 0.1 by stratum.

    There is no random floor: nobody knows which maps these boxes would have come from. The first floor is
    that of the same boxes on other patients' films.

    Args:
        cohort: The films that are scored, with their reference entries.
        predicted: Boxes in its frame; an entry without one counts as IoU 0.
        protocol: What is known of films, split and weights.
        n_draws: Bootstrap draws behind each interval.
        rng: Source of the draws.

    Returns:
        No score for a cohort without entries.
    """
    reference = cohort.reference
    if not len(reference):
        return []
    patient = cohort.patient[reference.image]
    mean_box = floors.class_mean_box(reference.xyxy, reference.finding, patient)
    entry, _ = matches(reference, predicted)
    several = len(entry) > len(np.unique(entry))
    table = EntryTable(
        entry=np.arange(len(reference)),
        columns=COLUMNS,
        values=statistics(*best_overlaps(reference, predicted)),
        floors={
            "shuffled": floors.shuffled(reference, predicted, patient),
            "whole_image": floors.whole_image(reference.xyxy, cohort.frame_hw),
            "class_mean_box": floors.box_floor(reference.xyxy, mean_box)[0],
        },
        box_rule=AS_GIVEN,
        protocol=dataclasses.replace(
            protocol, boxes="any" if several else "one", map_size=NOT_APPLICABLE, map_scale=NOT_APPLICABLE
        ),
    )
    seed = int(rng.integers(2**63))
    scores = list(scores_of_table(cohort, table.entry, table, AS_GIVEN, None, n_draws, seed))
    few = table.part(STRATIFIED)
    for stratum, mask in entry_strata(cohort).items():
        rows = np.flatnonzero(mask)
        if len(rows):
            means = scores_of_table(cohort, rows, few, AS_GIVEN, stratum, n_draws, seed)
            scores += [score for score in means if score.finding is None]
    return scores
