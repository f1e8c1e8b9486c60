"""Reference entries, their heatmaps and the predicted boxes in, every localisation score out."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int

from hilum.boxes import BoxTable
from hilum.data.cohort import Cohort
from hilum.evaluate import floors
from hilum.evaluate.bootstrap import mean_draws
from hilum.evaluate.localization import COLUMNS, best_overlaps, hits, statistics
from hilum.evaluate.pixelwise import map_auprc, union_masks
from hilum.evaluate.pixelwise_floors import pixel_floors
from hilum.evaluate.protocol import NOT_APPLICABLE, Protocol, Score
from hilum.evaluate.strata import entry_strata
from hilum.evaluate.summary import mean_first, scores_from, several_patients, template
from hilum.localize import BoxRule, peaks_from
from hilum.localize.threshold import cuts_from
from hilum.lookup import pick

STRATIFIED = (("t_iou", 0.1), ("hit_rate", None))
"""The columns whose means are also scored by stratum."""


@dataclass(frozen=True)
class EntryTable:
    """Statistics of every entry under one rule, for the system and for each floor.

    Attributes:
        entry: Reference entry of each row; a table may leave entries out, and hold one more than once.
        columns: Metric and T of each column.
        values: One row an entry.
        floors: The same for each floor, the random one first.
        box_rule: None where no boxes are involved.
        protocol: How these numbers came about.
    """

    entry: Int[np.ndarray, " k"]
    columns: tuple[tuple[str, float | None], ...]
    values: Float[np.ndarray, "k c"]
    floors: Mapping[str, Float[np.ndarray, "k c"]]
    box_rule: str | None
    protocol: Protocol

    def part(self, columns: Sequence[tuple[str, float | None]]) -> "EntryTable":
        """The named columns that are there."""
        at = [place for place, column in enumerate(self.columns) if column in columns]
        chosen = tuple(self.columns[place] for place in at)
        less = {name: table[:, at] for name, table in self.floors.items()}
        return dataclasses.replace(self, columns=chosen, values=self.values[:, at], floors=less)


def localization_scores(
    cohort: Cohort,
    entry_maps: Float32[np.ndarray, "k h w"],
    entry_affine: Float[np.ndarray, "k 2 3"],
    predicted: Mapping[str, BoxTable],
    *,
    input_hw: tuple[int, int],
    method: str,
    rules: Sequence[BoxRule],
    protocol: Protocol,
    n_draws: int,
    rng: np.random.Generator,
    pixels: bool = False,
    entry_probability: Float[np.ndarray, " k"] | None = None,
) -> list[Score]:
    """Every localisation metric for each finding and its mean, with floors; two of them by stratum.

    Args:
        cohort: The films that are scored, with their reference entries.
        entry_maps: The heatmap of each reference entry, in the order of `cohort.reference`; NaN for an
            entry without one.
        entry_affine: From the network's input to the reference frame, an entry.
        predicted: The boxes of each rule, by the rule's name, as they were written down; boxes of films
            and findings without an entry play no part.
        input_hw: Size of the network's input.
        method: Heatmap method, as tables print it.
        rules: How the boxes were made; the floors are made in the same way.
        protocol: What is known of films, split and weights; what concerns maps and boxes is filled in here.
        n_draws: Bootstrap draws behind each interval; all rules see the same patients.
        rng: Source of the noise maps and of the draws.
        pixels: Whether to score the maps pixel by pixel too, at the size of the network's input.
        entry_probability: Of each entry's finding on its film; needed where a rule has a gate.

    Returns:
        No score for a cohort without entries. Hit rate and map AUPRC stand once, without a rule.

    Raises:
        ValueError: The maps do not match the entries, a rule has no boxes in `predicted`, or it has a gate
            and there are no probabilities.
    """
    if len(entry_maps) != len(cohort.reference):
        raise ValueError(f"{len(entry_maps)} maps for {len(cohort.reference)} reference entries")
    if not len(cohort.reference):
        return []
    noise = floors.noise_maps(entry_maps.shape[1:], rng)
    seed = int(rng.integers(2**63))
    tables = [_hit_table(cohort, entry_maps, entry_affine, input_hw, noise, protocol)]
    for rule in rules:
        boxes = pick(predicted, rule.name, "table of boxes")
        table = _box_table(cohort, boxes, entry_affine, input_hw, rule, noise, protocol)
        gated = {name: floors.behind_gate(f, rule, entry_probability) for name, f in table.floors.items()}
        tables.append(dataclasses.replace(table, floors=gated))
    if pixels:
        tables.append(_pixel_table(cohort, entry_maps, entry_affine, input_hw, noise, protocol, rng))
    scores = []
    for table in tables:
        scores += scores_of_table(cohort, np.arange(len(table.entry)), table, method, None, n_draws, seed)
        few = table.part(STRATIFIED)
        for stratum, mask in entry_strata(cohort).items() if few.columns else ():
            rows = np.flatnonzero(mask[table.entry])
            if len(rows):
                means = scores_of_table(cohort, rows, few, method, stratum, n_draws, seed)
                scores += [score for score in means if score.finding is None]
    return scores


def _hit_table(
    cohort: Cohort,
    entry_maps: np.ndarray,
    affine: np.ndarray,
    input_hw: tuple[int, int],
    noise: np.ndarray,
    protocol: Protocol,
) -> EntryTable:
    reference, frame_hw = cohort.reference, cohort.frame_hw
    patient = cohort.patient[reference.image]
    there = np.flatnonzero(np.isfinite(entry_maps).all(axis=(1, 2)))
    row, xy = peaks_from(entry_maps[there], affine[there], input_hw, frame_hw)
    peaks = there[row], xy
    centre = floors.centre_map(entry_maps.shape[1:])
    mean_box = floors.class_mean_box(reference.xyxy, reference.finding, patient)
    of_floors = {
        "random": floors.map_floor_hits(noise, reference.xyxy, affine, input_hw, frame_hw),
        "shuffled": floors.shuffled_hits(reference, *peaks, patient),
        "centre": floors.map_floor_hits(centre, reference.xyxy, affine, input_hw, frame_hw),
        "whole_image": np.full(len(reference), np.nan),
        "class_mean_box": floors.box_floor(reference.xyxy, mean_box)[1],
    }
    return EntryTable(
        entry=np.arange(len(reference)),
        columns=(("hit_rate", None),),
        values=hits(reference.xyxy, *peaks)[:, None],
        floors={name: column[:, None] for name, column in of_floors.items()},
        box_rule=None,
        protocol=dataclasses.replace(
            protocol,
            boxes=NOT_APPLICABLE,
            threshold_chosen=NOT_APPLICABLE,
            map_size="frame",
            map_scale="raw",
        ),
    )


def _box_table(
    cohort: Cohort,
    predicted: BoxTable,
    affine: np.ndarray,
    input_hw: tuple[int, int],
    rule: BoxRule,
    noise: np.ndarray,
    protocol: Protocol,
) -> EntryTable:
    reference, frame_hw = cohort.reference, cohort.frame_hw
    patient = cohort.patient[reference.image]
    centre = floors.centre_map(noise.shape[1:])
    mean_box = floors.class_mean_box(reference.xyxy, reference.finding, patient)
    of_floors = {
        "random": floors.map_floor(noise, reference.xyxy, affine, input_hw, rule, frame_hw),
        "shuffled": floors.shuffled(reference, predicted, patient),
        "centre": floors.map_floor(centre, reference.xyxy, affine, input_hw, rule, frame_hw),
        "whole_image": floors.whole_image(reference.xyxy, frame_hw),
        "class_mean_box": floors.box_floor(reference.xyxy, mean_box)[0],
    }
    if rule.of_model:  # of no map, so that blind maps say nothing of it
        del of_floors["random"], of_floors["centre"]
    return EntryTable(
        entry=np.arange(len(reference)),
        columns=COLUMNS,
        values=statistics(*best_overlaps(reference, predicted)),
        floors=of_floors,
        box_rule=rule.name,
        protocol=boxed_protocol(protocol, rule),
    )


def _pixel_table(
    cohort: Cohort,
    entry_maps: np.ndarray,
    affine: np.ndarray,
    input_hw: tuple[int, int],
    noise: np.ndarray,
    protocol: Protocol,
    rng: np.random.Generator,
) -> EntryTable:
    """One row a film and finding, which stands for the union of its boxes."""
    reference, patient = cohort.reference, cohort.patient[cohort.reference.image]
    pair = np.stack([reference.image, reference.finding])
    _, first, row = np.unique(pair, axis=1, return_index=True, return_inverse=True)
    masks = union_masks(reference.xyxy, row.ravel(), affine[first], input_hw, input_hw)
    mean_box = floors.class_mean_box(reference.xyxy, reference.finding, patient)[first]
    maps, finding, whose = entry_maps[first], reference.finding[first], patient[first]
    of_floors = pixel_floors(maps, masks, finding, whose, noise, mean_box, affine[first], input_hw, rng)
    return EntryTable(
        entry=first,
        columns=(("localization_utility", None),),
        values=np.nan_to_num(map_auprc(maps, masks))[:, None],
        floors={name: column[:, None] for name, column in of_floors.items()},
        box_rule=None,
        protocol=dataclasses.replace(
            protocol,
            boxes="union as a mask",
            threshold_chosen=NOT_APPLICABLE,
            map_size="input",
            map_scale="raw",
        ),
    )


def boxed_protocol(protocol: Protocol, rule: BoxRule) -> Protocol:
    """The protocol with what a box rule says of boxes and maps."""
    if rule.of_model:
        words = {"boxes": "any", "map_size": NOT_APPLICABLE, "map_scale": NOT_APPLICABLE}
        return dataclasses.replace(protocol, **words)
    several = rule.component == "all" or len(cuts_from(rule.threshold)) > 1
    return dataclasses.replace(
        protocol,
        boxes="any" if several else rule.component,
        map_size=rule.map_size,
        map_scale="signed, min-max" if rule.signed else "relu, min-max",
    )


def scores_of_table(
    cohort: Cohort,
    rows: Int[np.ndarray, " r"],
    table: EntryTable,
    method: str,
    stratum: str | None,
    n_draws: int,
    seed: int,
) -> Iterator[Score]:
    """For each column the mean over findings, then each finding, from the named rows of the table alone."""
    present, finding = np.unique(cohort.reference.finding[table.entry[rows]], return_inverse=True)
    # Every row stands twice: in its finding, and in one last group of all, which gives the micro mean.
    twice = np.tile(rows, 2)
    group = np.concatenate([finding, np.full(len(rows), len(present))])
    patient = cohort.patient[cohort.reference.image[table.entry[twice]]]
    generator = np.random.Generator(np.random.Philox(seed))
    draws = mean_draws(table.values[twice], group, patient, n_draws, generator)
    values = _group_means(table.values[twice], group)
    of_floors = {name: _group_means(floor[twice], group) for name, floor in table.floors.items()}
    members = group[:, None] == np.arange(len(present) + 1)
    for column, (metric, at) in enumerate(table.columns):
        first = _micro_first if metric.endswith("_micro") else _macro_first
        yield from scores_from(
            template(metric, table.protocol, at=at, method=method, box_rule=table.box_rule, stratum=stratum),
            (None, *(cohort.findings[place] for place in present)),
            first(values[:, column]),
            first(draws[:, :, column]),
            {name: first(floor[:, column]) for name, floor in of_floors.items()},
            _micro_first(members.sum(axis=0)),
            _micro_first(several_patients(members, patient)),
        )


def _group_means(values: Float[np.ndarray, "k c"], group: Int[np.ndarray, " k"]) -> Float[np.ndarray, "g c"]:
    sums = np.zeros((int(group.max()) + 1, values.shape[1]))
    np.add.at(sums, group, values)
    return sums / np.bincount(group)[:, None]


def _micro_first(values: np.ndarray) -> np.ndarray:
    return np.roll(values, 1, axis=-1)


def _macro_first(values: np.ndarray) -> np.ndarray:
    return mean_first(values[..., :-1], np.ones(values.shape[-1] - 1, bool))
