"""What reaches the same tables without looking at the film: one row of statistics an entry for each floor.

A floor goes through the same map size, threshold and component rule as the system beside it, so it has the
same columns and its means are taken in the same way.
"""

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Float, Float32, Int, Shaped

from hilum.boxes import BoxTable, area, paired_iobb, paired_iou
from hilum.evaluate.localization import (
    COLUMNS,
    crossed_hits,
    crossed_overlaps,
    inside,
    matches,
    statistics,
)
from hilum.localize import BoxRule, boxes_from, peaks_from
from hilum.localize.regions import Boxes

N_NOISE = 200
"""Noise maps behind the random floor."""

CENTRE_SIGMA = 0.25
"""Standard deviation of the centred Gaussian map, as a share of the map's height and width."""


def noise_maps(map_hw: tuple[int, int], rng: np.random.Generator) -> Float32[np.ndarray, "m h w"]:
    """Uniform noise at map resolution, `N_NOISE` maps; all entries share them.

    Sharing leaves the expected floor of every entry as it is; only the errors of the entries go together.
    """
    return rng.random((N_NOISE, *map_hw), dtype=np.float32)


def centre_map(map_hw: tuple[int, int]) -> Float32[np.ndarray, "1 h w"]:
    """One Gaussian in the middle of the network's input, standard deviation `CENTRE_SIGMA` of each side."""
    rows, columns = (((np.arange(side) + 0.5) / side - 0.5) / CENTRE_SIGMA for side in map_hw)
    return np.exp(-0.5 * (rows[:, None] ** 2 + columns[None] ** 2))[None].astype(np.float32)


def map_floor(
    maps: Float32[np.ndarray, "m h w"],
    entries: Float[np.ndarray, "k 4"],
    affine: Float[np.ndarray, "k 2 3"],
    input_hw: tuple[int, int],
    rule: BoxRule,
    frame_hw: tuple[int, int],
) -> Float[np.ndarray, "k c"]:
    """Statistics of each entry, averaged over maps that know nothing of its film; without the rule's gate.

    Args:
        maps: Laid over the network's input, one after the other.
        entries: Reference boxes.
        affine: From the network's input to the frame, an entry; boxes are made once for each distinct one.
        input_hw: Size of the network's input.
        rule: The system's own.
        frame_hw: Size of the reference frame.
    """
    means = np.zeros((len(entries), len(COLUMNS)))
    for one, rows in distinct(affine):
        row, xyxy, _ = blind_boxes(maps, one, input_hw, rule, frame_hw)
        means[rows] = statistics(*crossed_overlaps(entries[rows], xyxy, row, len(maps))).mean(axis=1)
    return means


def blind_boxes(
    maps: Float32[np.ndarray, "u h w"],
    affine: Float[np.ndarray, "1 2 3"],
    input_hw: tuple[int, int],
    rule: BoxRule,
    frame_hw: tuple[int, int],
) -> Boxes:
    """Boxes of maps that belong to no film, all placed by one affine.

    A gate is left open, for it asks for the film's probability. A cohort's scale is that of these maps, from
    0 to their greatest value: the system's own range is in another unit.
    """
    greatest = max(float(maps.max(initial=0.0)), 0.0)
    ranges = np.tile([0.0, greatest], (len(maps), 1))
    opened = dataclasses.replace(rule, gate=None)
    return boxes_from(maps, np.repeat(affine, len(maps), axis=0), input_hw, opened, frame_hw, ranges=ranges)


def behind_gate(
    table: Float[np.ndarray, "k c"], rule: BoxRule, probability: Float[np.ndarray, " k"] | None
) -> Float[np.ndarray, "k c"]:
    """The statistics of a floor, 0 for an entry whose film the rule's gate shuts out, as for the system.

    Raises:
        ValueError: The rule has a gate and the probabilities are not given.
    """
    if rule.gate is None:
        return table
    if probability is None:
        raise ValueError(f"rule {rule.name!r} has a gate; give the probability of each entry's film")
    return np.where((probability >= rule.gate)[:, None], table, 0.0)


def map_floor_hits(
    maps: Float32[np.ndarray, "m h w"],
    entries: Float[np.ndarray, "k 4"],
    affine: Float[np.ndarray, "k 2 3"],
    input_hw: tuple[int, int],
    frame_hw: tuple[int, int],
) -> Float[np.ndarray, " k"]:
    """Hit rate of each entry, averaged over maps that know nothing of its film; arguments as `map_floor`."""
    means = np.zeros(len(entries))
    for one, rows in distinct(affine):
        row, xy = peaks_from(maps, np.repeat(one, len(maps), axis=0), input_hw, frame_hw)
        means[rows] = crossed_hits(entries[rows], row, xy, len(maps)).mean(axis=1)
    return means


def whole_image(entries: Float[np.ndarray, "k 4"], frame_hw: tuple[int, int]) -> Float[np.ndarray, "k c"]:
    """Statistics of each entry where the predicted box is the whole frame."""
    share = area(entries) / (frame_hw[0] * frame_hw[1])
    return statistics(share, share)


def class_mean_box(
    entries: Float[np.ndarray, "k 4"], finding: Int[np.ndarray, " k"], patient: Shaped[np.ndarray, " k"]
) -> Float[np.ndarray, "k 4"]:
    """Mean box of the other patients' entries of the same finding; NaN where there are none.

    The patient's own boxes are left out: where all boxes belong to test films, anything else leaks.

    Example:
        >>> boxes = np.array([[0.0, 0.0, 2.0, 2.0], [4.0, 4.0, 8.0, 8.0], [9.0, 9.0, 10.0, 10.0]])
        >>> class_mean_box(boxes, np.zeros(3, int), np.array(["a", "b", "a"])).tolist()[:2]
        [[4.0, 4.0, 8.0, 8.0], [4.5, 4.5, 6.0, 6.0]]
    """
    return mean_box_of_others(entries, finding, patient, finding, patient)


def mean_box_of_others(
    entries: Float[np.ndarray, "k 4"],
    finding: Int[np.ndarray, " k"],
    patient: Shaped[np.ndarray, " k"],
    wanted_finding: Int[np.ndarray, " m"],
    wanted_patient: Shaped[np.ndarray, " m"],
) -> Float[np.ndarray, "m 4"]:
    """For each wanted finding and patient the mean entry of that finding of all other patients, or NaN."""
    n_findings = 1 + max(int(finding.max(initial=-1)), int(wanted_finding.max(initial=-1)))
    names, who = np.unique(np.concatenate([patient, wanted_patient]), return_inverse=True)
    rows = np.concatenate([entries, np.ones((len(entries), 1))], axis=1)
    sums = np.zeros((n_findings, len(names), 5))
    np.add.at(sums, (finding, who[: len(entries)]), rows)
    others = sums.sum(axis=1)[wanted_finding] - sums[wanted_finding, who[len(entries) :]]
    count = others[:, 4:]
    return np.divide(others[:, :4], count, out=np.full((len(others), 4), np.nan), where=count > 0)


def of_others(
    finding: Int[np.ndarray, " k"], patient: Shaped[np.ndarray, " k"], rng: np.random.Generator
) -> Int[np.ndarray, " k"]:
    """For each row one of the rows of its finding that belong to other patients, all equally likely.

    Returns:
        -1 where there is none.
    """
    _, who = np.unique(patient, return_inverse=True)
    order = np.lexsort((who, finding))
    f, w = finding[order], who[order]
    start = np.searchsorted(f, f, "left")
    size = np.searchsorted(f, f, "right") - start
    key = f * (int(who.max(initial=0)) + 1) + w
    own = np.searchsorted(key, key, "left") - start
    n_own = np.searchsorted(key, key, "right") - np.searchsorted(key, key, "left")
    some = size > n_own
    step = rng.integers(0, np.where(some, size - n_own, 1))
    step += np.where(step >= own, n_own, 0)
    chosen = np.full(len(finding), -1)
    chosen[order[some]] = order[start[some] + step[some]]
    return chosen


def box_floor(
    entries: Float[np.ndarray, "k 4"], boxes: Float[np.ndarray, "k 4"]
) -> tuple[Float[np.ndarray, "k c"], Float[np.ndarray, " k"]]:
    """Statistics, and hits of the box's middle, of each entry beside one box; NaN where that is NaN."""
    missing = np.isnan(boxes[:, 0])
    given = np.where(missing[:, None], 0.0, boxes)
    columns = statistics(paired_iou(given, entries), paired_iobb(given, entries))
    hit = inside((given[:, :2] + given[:, 2:]) / 2, entries).astype(float)
    return np.where(missing[:, None], np.nan, columns), np.where(missing, np.nan, hit)


def shuffled(
    reference: BoxTable, predicted: BoxTable, patient: Shaped[np.ndarray, " k"]
) -> Float[np.ndarray, "k c"]:
    """Statistics of each entry, averaged over this system's boxes of the finding for other patients.

    Args:
        reference: Box entries.
        predicted: Boxes of the system; those of films without an entry of the finding are not used.
        patient: Patient of each entry.

    Returns:
        NaN for an entry of a finding that no other patient has.
    """
    source, box = matches(reference, predicted)

    def crossed(rows: np.ndarray, sources: np.ndarray) -> np.ndarray:
        chosen = np.isin(source, sources)
        row = np.searchsorted(sources, source[chosen])
        boxes = predicted.xyxy[box[chosen]]
        return statistics(*crossed_overlaps(reference.xyxy[rows], boxes, row, len(sources)))

    return _over_other_patients(reference, patient, len(COLUMNS), crossed)


def shuffled_hits(
    reference: BoxTable,
    row: Int[np.ndarray, " m"],
    xy: Float[np.ndarray, "m 2"],
    patient: Shaped[np.ndarray, " k"],
) -> Float[np.ndarray, " k"]:
    """Hit rate of each entry, averaged over the maxima of the finding's maps of other patients.

    Args:
        reference: Box entries.
        row: Entry whose map each maximum belongs to.
        xy: The maxima, in the frame.
        patient: Patient of each entry.
    """

    def crossed(rows: np.ndarray, sources: np.ndarray) -> np.ndarray:
        chosen = np.isin(row, sources)
        place = np.searchsorted(sources, row[chosen])
        return crossed_hits(reference.xyxy[rows], place, xy[chosen], len(sources))[..., None]

    return _over_other_patients(reference, patient, 1, crossed)[:, 0]


def _over_other_patients(
    reference: BoxTable,
    patient: Shaped[np.ndarray, " k"],
    n_columns: int,
    crossed: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> Float[np.ndarray, "k c"]:
    """Mean of what `crossed` says of entries (rows) and maps (rows of one entry of each map)."""
    means = np.full((len(reference), n_columns), np.nan)
    one_a_map = np.unique(np.stack([reference.finding, reference.image]), axis=1, return_index=True)[1]
    for finding in np.unique(reference.finding):
        rows = np.flatnonzero(reference.finding == finding)
        sources = np.sort(one_a_map[reference.finding[one_a_map] == finding])
        other = patient[rows][:, None] != patient[sources]
        some = other.any(axis=1)
        sums = np.einsum("es,esc->ec", other.astype(float), crossed(rows, sources))
        means[rows[some]] = sums[some] / other[some].sum(axis=1, keepdims=True)
    return means


def distinct(affine: Float[np.ndarray, "k 2 3"]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Each distinct affine, with the rows that have it."""
    several, place = np.unique(affine.reshape(-1, 6), axis=0, return_inverse=True)
    for one, flat in enumerate(several):
        yield flat.reshape(1, 2, 3), np.flatnonzero(place.ravel() == one)
