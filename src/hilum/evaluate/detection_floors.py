"""Detections made without looking at the film, as box tables that go through the same counting.

Each floor keeps the system's probability of film and finding, so that it shows what the place adds to it.
"""

from typing import Literal

import numpy as np
from jaxtyping import Float, Float32, Shaped

from hilum.boxes import BoxTable
from hilum.evaluate import floors
from hilum.evaluate.detection import cells_from
from hilum.evaluate.localization import joined, matches
from hilum.evaluate.pairs import PairMaps
from hilum.localize import BoxRule

N_REDRAWN = 20
"""How often the random and the shuffled floor are drawn; each time every pair gets another map."""


def box_floors(
    pairs: PairMaps,
    predicted: BoxTable,
    patient: Shaped[np.ndarray, " m"],
    reference: BoxTable,
    reference_patient: Shaped[np.ndarray, " k"],
    noise: Float32[np.ndarray, "u h w"],
    input_hw: tuple[int, int],
    rule: BoxRule,
    frame_hw: tuple[int, int],
    rng: np.random.Generator,
) -> dict[str, list[BoxTable]]:
    """For each floor the boxes of all pairs, once or as often as it is drawn; the random one first.

    Boxes of a detector come from no map: they have no random and no centre floor.

    Args:
        pairs: Films and findings that have heatmaps.
        predicted: The system's boxes of these.
        patient: Patient of each pair.
        reference: Box entries.
        reference_patient: Patient of each entry.
        noise: Maps of noise at map resolution.
        input_hw: Size of the network's input.
        rule: The system's own.
        frame_hw: Size of the reference frame.
        rng: Says which pair gets which map.
    """
    there = BoxTable(pairs.image, pairs.finding, np.zeros((len(pairs), 4)), pairs.probability)
    pair, box = matches(there, predicted)
    likely = pairs.probability[pair]
    # A box scores probability times peak, so that the peak alone is what another film can be given.
    peak = np.divide(predicted.score[box], likely, out=np.zeros(len(box)), where=likely > 0)
    own = pair, predicted.xyxy[box], peak
    centre = floors.centre_map(noise.shape[1:])
    group, drawn = _boxes_of_maps(pairs, noise, input_hw, rule, frame_hw)
    middle_group, middle = _boxes_of_maps(pairs, centre, input_hw, rule, frame_hw)
    random = [
        _table(pairs, group * len(noise) + rng.integers(0, len(noise), len(pairs)), *drawn)
        for _ in range(N_REDRAWN)
    ]
    shuffled = [_table(pairs, floors.of_others(pairs.finding, patient, rng), *own) for _ in range(N_REDRAWN)]
    tables = {
        "random": random,
        "shuffled": shuffled,
        "centre": [_table(pairs, middle_group, *middle)],
        **_fixed_boxes(pairs, patient, reference, reference_patient, frame_hw),
    }
    if rule.of_model:
        del tables["random"], tables["centre"]
    if rule.gate is None:
        return tables
    shut = np.zeros((1 + int(pairs.image.max(initial=0)), 1 + int(pairs.finding.max(initial=0))), bool)
    shut[pairs.image, pairs.finding] = pairs.probability < rule.gate
    return {name: [t.rows(~shut[t.image, t.finding]) for t in some] for name, some in tables.items()}


def point_floors(
    pairs: PairMaps,
    patient: Shaped[np.ndarray, " m"],
    reference: BoxTable,
    reference_patient: Shaped[np.ndarray, " k"],
    noise: Float32[np.ndarray, "u h w"],
    input_hw: tuple[int, int],
    peaks: Literal["max", "all"],
    frame_hw: tuple[int, int],
    rng: np.random.Generator,
) -> dict[str, list[BoxTable]]:
    """As `box_floors`, for points; arguments as there."""
    random, shuffled = [], []
    for _ in range(N_REDRAWN):
        picked = noise[rng.integers(0, len(noise), len(pairs))]
        random.append(points_from(pairs, picked, input_hw, peaks))
        other = floors.of_others(pairs.finding, patient, rng)
        maps = np.where((other >= 0)[:, None, None], pairs.maps[other], np.float32(np.nan))
        shuffled.append(points_from(pairs, maps, input_hw, peaks))
    centre = np.broadcast_to(floors.centre_map(noise.shape[1:]), pairs.maps.shape)
    return {
        "random": random,
        "shuffled": shuffled,
        "centre": [points_from(pairs, centre, input_hw, peaks)],
        **_fixed_boxes(pairs, patient, reference, reference_patient, frame_hw),
    }


def points_from(
    pairs: PairMaps,
    maps: Float32[np.ndarray, "m h w"],
    input_hw: tuple[int, int],
    peaks: Literal["max", "all"],
) -> BoxTable:
    """Cells that detect something, with a confidence.

    The greatest cell has the probability of film and finding, each of all peaks the sigmoid of its value.
    """
    row, xyxy, value = cells_from(maps, pairs.affine, input_hw, peaks)
    score = pairs.probability[row] if peaks == "max" else 0.5 + 0.5 * np.tanh(value / 2)
    return BoxTable(pairs.image[row], pairs.finding[row], xyxy, score)


def _boxes_of_maps(
    pairs: PairMaps,
    maps: Float32[np.ndarray, "u h w"],
    input_hw: tuple[int, int],
    rule: BoxRule,
    frame_hw: tuple[int, int],
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """First key of each pair's maps, and key, box and peak of every map under every distinct affine."""
    first = np.zeros(len(pairs), np.int64)
    parts = [(np.zeros(0, np.int64), np.zeros((0, 4)), np.zeros(0))]
    for group, (one, rows) in enumerate(floors.distinct(pairs.affine)):
        first[rows] = group
        row, xyxy, peak = floors.blind_boxes(maps, one, input_hw, rule, frame_hw)
        parts.append((row + group * len(maps), xyxy, peak))
    key, xyxy, peak = (np.concatenate(column) for column in zip(*parts, strict=True))
    return first, (key, xyxy, peak)


def _table(
    pairs: PairMaps,
    wanted: np.ndarray,
    key: np.ndarray,
    xyxy: Float[np.ndarray, "b 4"],
    peak: Float[np.ndarray, " b"],
) -> BoxTable:
    """Every pair with the boxes of the key it wants."""
    pair, box = joined(wanted, key)
    return BoxTable(pairs.image[pair], pairs.finding[pair], xyxy[box], pairs.probability[pair] * peak[box])


def _fixed_boxes(
    pairs: PairMaps,
    patient: np.ndarray,
    reference: BoxTable,
    reference_patient: np.ndarray,
    frame_hw: tuple[int, int],
) -> dict[str, list[BoxTable]]:
    whole = np.tile(np.array([0.0, 0.0, frame_hw[1], frame_hw[0]]), (len(pairs), 1))
    mean = floors.mean_box_of_others(
        reference.xyxy, reference.finding, reference_patient, pairs.finding, patient
    )
    tables = {}
    for name, xyxy in (("whole_image", whole), ("class_mean_box", mean)):
        table = BoxTable(pairs.image, pairs.finding, xyxy, pairs.probability)
        tables[name] = [table.rows(~np.isnan(xyxy[:, 0]))]
    return tables
