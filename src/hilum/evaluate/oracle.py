"""How much of a score is threshold luck: the best threshold on the scored boxes beside an honest choice.

The oracle picks the threshold that scores best on the very entries it is scored on. The honest choice
halves the patients, picks on one half and scores on the other, both ways.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float, Float32, Int, Shaped

from hilum.boxes import BoxTable
from hilum.data.cohort import Cohort
from hilum.evaluate import floors
from hilum.evaluate.localization import COLUMNS, best_overlaps, statistics
from hilum.evaluate.localization_score import EntryTable, boxed_protocol, scores_of_table
from hilum.evaluate.metric import T_IOU
from hilum.evaluate.protocol import Protocol, Score
from hilum.localize import BoxRule, sweep_from

N_HALVINGS = 20
"""How often the patients are halved; the honest score of an entry is the mean over these."""

_BY_FINDING = (*(("t_iou", t) for t in T_IOU), ("mean_iou_macro", None))
_BY_ENTRY = (("mean_iou_micro", None),)
_TAKEN = (*_BY_FINDING, *_BY_ENTRY)
"""What a threshold is chosen for: the mean over findings of the first, the mean over entries of the last."""
_PLACES = [COLUMNS.index(column) for column in _TAKEN]
_GAP = {
    "t_iou": "oracle_gap",
    "mean_iou_macro": "oracle_gap_mean_iou_macro",
    "mean_iou_micro": "oracle_gap_mean_iou_micro",
}


def oracle_choice(
    values: Float[np.ndarray, "t k c"], finding: Int[np.ndarray, " k"]
) -> Float[np.ndarray, "k c"]:
    """Statistics of each entry at the threshold whose mean over findings is best, for each column.

    Example:
        >>> values = np.array([[[1.0], [0.0]], [[1.0], [1.0]]])
        >>> oracle_choice(values, np.zeros(2, int)).tolist()
        [[1.0], [1.0]]
    """
    return np.take_along_axis(values, _best(values, finding)[None, None], axis=0)[0]


def honest_choice(
    values: Float[np.ndarray, "t k c"],
    finding: Int[np.ndarray, " k"],
    patient: Shaped[np.ndarray, " k"],
    rng: np.random.Generator,
) -> Float[np.ndarray, "k c"]:
    """Statistics of each entry at the threshold chosen on patients of the other half.

    Args:
        values: Statistics of every entry at every threshold.
        finding: Finding of each entry.
        patient: Patient of each entry.
        rng: Halves the patients, `N_HALVINGS` times.

    Returns:
        Means over the halvings; NaN everywhere with one patient only.
    """
    names, who = np.unique(patient, return_inverse=True)
    if len(names) < 2:
        return np.full(values.shape[1:], np.nan)
    sums = np.zeros(values.shape[1:])
    for _ in range(N_HALVINGS):
        side = (rng.permutation(len(names)) < len(names) // 2)[who]
        for scored in (side, ~side):
            best = _best(values[:, ~scored], finding[~scored])
            sums[scored] += np.take_along_axis(values[:, scored], best[None, None], axis=0)[0]
    return sums / N_HALVINGS


def oracle_scores(
    cohort: Cohort,
    entry_maps: Float32[np.ndarray, "k h w"],
    entry_affine: Float[np.ndarray, "k 2 3"],
    *,
    input_hw: tuple[int, int],
    method: str,
    rule: BoxRule,
    thresholds: Sequence[str],
    protocol: Protocol,
    n_draws: int,
    rng: np.random.Generator,
) -> list[Score]:
    """T(IoU) and mean IoU with the oracle's threshold, with an honestly chosen one, and their gaps.

    The floors choose among the same thresholds in the same way. Intervals redraw patients and keep the
    choices, so that the gap's is that of paired differences.

    Args:
        cohort: The films that are scored, with their reference entries.
        entry_maps: The heatmap of each reference entry; NaN for an entry without one.
        entry_affine: From the network's input to the reference frame, an entry.
        input_hw: Size of the network's input.
        method: Heatmap method, as tables print it.
        rule: Component, map size and the like of all boxes; its threshold plays no part, and it has neither
            a gate nor a cohort's scale, which are choices of their own.
        thresholds: What is chosen among, at least two.
        protocol: What is known of films, split and weights; where the threshold came from is filled in.
        n_draws: Bootstrap draws behind each interval.
        rng: Source of the noise maps, the halves and the draws.

    Returns:
        No score for a cohort without entries.

    Raises:
        ValueError: The maps do not match the entries, there is nothing to choose, or the rule has a gate or a
            cohort's scale.
    """
    if rule.gate is not None or rule.scale != "film":
        raise ValueError(
            f"rule {rule.name!r} has a gate or a cohort's scale; only thresholds are chosen here"
        )
    if len(thresholds) < 2:
        raise ValueError(f"{len(thresholds)} thresholds leave nothing to choose; give two or more")
    if len(entry_maps) != len(cohort.reference):
        raise ValueError(f"{len(entry_maps)} maps for {len(cohort.reference)} reference entries")
    if not len(cohort.reference):
        return []
    reference = cohort.reference
    patient = cohort.patient[reference.image]
    rules = [dataclasses.replace(rule, threshold=threshold) for threshold in thresholds]
    tried = _statistics(cohort, entry_maps, entry_affine, input_hw, rules, rng)
    seed, halves = int(rng.integers(2**63)), int(rng.integers(2**63))
    best = {name: _each_way(table, reference.finding, oracle_choice) for name, table in tried.items()}

    def halved(values: np.ndarray, finding: np.ndarray) -> np.ndarray:
        return honest_choice(values, finding, patient, np.random.Generator(np.random.Philox(halves)))

    honest = {name: _each_way(table, reference.finding, halved) for name, table in tried.items()}
    gap = {name: best[name] - honest[name] for name in tried}
    among = f"of {len(thresholds)} thresholds+{rule.component}"
    of_half = f"on the other half of the scored patients, among {', '.join(thresholds)}; both ways"
    chosen = f"oracle: on the scored boxes, among {', '.join(thresholds)}"
    scores = []
    gaps = tuple((_GAP[metric], at) for metric, at in _TAKEN)
    for columns, tables, box_rule, where in (
        (_TAKEN, best, f"oracle {among}", chosen),
        (_TAKEN, honest, f"cross-fitted {among}", of_half),
        (gaps, gap, f"oracle less cross-fitted {among}", f"{chosen}; and {of_half}"),
    ):
        table = EntryTable(
            entry=np.arange(len(reference)),
            columns=columns,
            values=tables["system"],
            floors={name: table for name, table in tables.items() if name != "system"},
            box_rule=box_rule,
            protocol=dataclasses.replace(boxed_protocol(protocol, rules[0]), threshold_chosen=where),
        )
        scores += scores_of_table(cohort, table.entry, table, method, None, n_draws, seed)
    return scores


def _statistics(
    cohort: Cohort,
    maps: np.ndarray,
    affine: np.ndarray,
    input_hw: tuple[int, int],
    rules: Sequence[BoxRule],
    rng: np.random.Generator,
) -> dict[str, Float[np.ndarray, "t k c"]]:
    """Columns of `_TAKEN` for every entry at every threshold, of the system and of each floor."""
    reference, frame_hw = cohort.reference, cohort.frame_hw
    patient = cohort.patient[reference.image]
    there = np.flatnonzero(np.isfinite(maps).all(axis=(1, 2)))
    noise = floors.noise_maps(maps.shape[1:], rng)
    centre = floors.centre_map(maps.shape[1:])
    tables: dict[str, list[np.ndarray]] = {name: [] for name in ("system", "random", "shuffled", "centre")}
    swept = sweep_from(maps[there], affine[there], input_hw, rules, frame_hw)
    for rule, (row, xyxy, peak) in zip(rules, swept, strict=True):
        entry = there[row]
        boxes = BoxTable(reference.image[entry], reference.finding[entry], xyxy, peak)
        tables["system"].append(statistics(*best_overlaps(reference, boxes)))
        tables["shuffled"].append(floors.shuffled(reference, boxes, patient))
        for name, blind in (("random", noise), ("centre", centre)):
            tables[name].append(floors.map_floor(blind, reference.xyxy, affine, input_hw, rule, frame_hw))
    return {name: np.stack(rows)[..., _PLACES] for name, rows in tables.items()}


def _each_way(
    values: Float[np.ndarray, "t k c"],
    finding: Int[np.ndarray, " k"],
    choose: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> Float[np.ndarray, "k c"]:
    """Columns chosen for the mean over findings, then those chosen for the mean over all entries."""
    n = len(_BY_FINDING)
    by_finding = choose(values[..., :n], finding)
    return np.concatenate([by_finding, choose(values[..., n:], np.zeros_like(finding))], axis=1)


def _best(values: Float[np.ndarray, "t k c"], finding: Int[np.ndarray, " k"]) -> Int[np.ndarray, " c"]:
    """The threshold of each column with the greatest mean over findings; the first of equal ones.

    A finding whose statistics are undefined has no say.
    """
    names, group = np.unique(finding, return_inverse=True)
    weight = (group == np.arange(len(names))[:, None]) / np.bincount(group)[:, None]
    means = np.einsum("gk,tkc->gtc", weight, values)
    return np.nansum(means, axis=0).argmax(axis=0)
