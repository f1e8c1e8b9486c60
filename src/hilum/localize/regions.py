"""From heatmaps to boxes in the film's frame."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float32, Float64, Int

from hilum.boxes import area, clip, moved
from hilum.localize.component import COMPONENTS, REACH
from hilum.localize.placement import enlargements, refuse_unusable, rescaled
from hilum.localize.rule import BoxRule
from hilum.localize.scale import enlarged, unit_map
from hilum.localize.threshold import Cut, cuts_from, otsu_level

Boxes = tuple[Int[np.ndarray, " m"], Float[np.ndarray, "m 4"], Float[np.ndarray, " m"]]
"""Row of the heatmap, box in the film's frame, peak of the scaled map in the component."""


def boxes_from(
    heatmaps: Float32[np.ndarray, "k h w"],
    affine: Float[np.ndarray, "k 2 3"],
    input_hw: tuple[int, int],
    rule: BoxRule,
    frame_hw: tuple[int, int],
    probabilities: Float[np.ndarray, " k"] | None = None,
    ranges: Float[np.ndarray, "k 2"] | None = None,
) -> Boxes:
    """Boxes of each heatmap, in the film's frame; those of the bilinearly enlarged map, which is not built.

    Args:
        heatmaps: Raw maps, each over the whole network input.
        affine: From pixels of the network's input to pixels of the film's frame, one a map.
        input_hw: Height and width of the network's input, in px.
        rule: Threshold, component and the rest.
        frame_hw: Height and width of the film's frame, in px.
        probabilities: Of each map's finding on its film; read where the rule has a gate.
        ranges: Of each map's finding, as `cohort_ranges` gives them; read where the rule's scale is "cohort".

    Returns:
        Row of the map (ascending), box, and the greatest value of the scaled map in the component. A flat
        map, an empty mask, a component that lies outside the film and a film below the gate give no box; a
        threshold with two masks gives boxes of both.

    Raises:
        ValueError: A map has NaN or infinite values, an affine leaves no pixel, or the rule needs
            probabilities or ranges that are absent or make no sense.

    Example:
        >>> heatmap = np.zeros((1, 4, 4), dtype=np.float32)
        >>> heatmap[0, 1, 2] = 1.0
        >>> twice = np.array([[[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]]])
        >>> row, xyxy, peak = boxes_from(heatmap, twice, (4, 4), BoxRule("level(128)"), (8, 8))
        >>> xyxy, peak.round(3)
        (array([[4., 2., 6., 4.]]), array([1.]))
    """
    return sweep_from(heatmaps, affine, input_hw, [rule], frame_hw, probabilities, ranges)[0]


def sweep_from(
    heatmaps: Float32[np.ndarray, "k h w"],
    affine: Float[np.ndarray, "k 2 3"],
    input_hw: tuple[int, int],
    rules: Sequence[BoxRule],
    frame_hw: tuple[int, int],
    probabilities: Float[np.ndarray, " k"] | None = None,
    ranges: Float[np.ndarray, "k 2"] | None = None,
) -> list[Boxes]:
    """`boxes_from` under each of many rules; rules of one size and sign share what they can."""
    refuse_unusable(heatmaps)
    likely, given = _likely(rules, probabilities, len(heatmaps)), _given(rules, ranges, len(heatmaps))
    gates = np.array([-np.inf if rule.gate is None else rule.gate for rule in rules])
    results: list[Boxes] = [(np.zeros(0, np.int64), np.zeros((0, 4)), np.zeros(0))] * len(rules)
    for map_size, signed in {(rule.map_size, rule.signed): None for rule in rules}:
        members = [i for i, r in enumerate(rules) if (r.map_size, r.signed) == (map_size, signed)]
        ways = [(i, cut) for i in members for cut in cuts_from(rules[i].threshold)]
        if not ways:  # a detector's boxes come from no map
            continue
        live = np.flatnonzero(likely >= gates[members].min())
        maps = heatmaps[live] if signed else np.maximum(heatmaps[live], 0)
        cuts = [(rules[i], cut) for i, cut in ways]
        place, cut, xyxy, peak = _found(maps, affine[live], given[live], input_hw, map_size, cuts, frame_hw)
        row, xyxy, of_rule = live[place], clip(xyxy, frame_hw), np.array([i for i, _ in ways])[cut]
        there = (area(xyxy) > 0) & (likely[row] >= gates[of_rule])
        for i in members:
            keep = there & (of_rule == i)
            results[i] = (row[keep], xyxy[keep], peak[keep])
    return results


def _likely(
    rules: Sequence[BoxRule], probabilities: Float[np.ndarray, " k"] | None, n_maps: int
) -> Float[np.ndarray, " k"]:
    """What is held against the gates; passes them all where there is none."""
    gated = next((rule for rule in rules if rule.gate is not None), None)
    if gated is None:
        return np.full(n_maps, np.inf)
    if probabilities is None:
        raise ValueError(f"rule {gated.name!r} has a gate; give the probability of each map's finding")
    sensible = (probabilities >= 0) & (probabilities <= 1)
    if not sensible.all():
        row = sensible.argmin()
        raise ValueError(f"probability {row} is {probabilities[row]:g}; a gate needs 0 to 1")
    return probabilities


def _given(
    rules: Sequence[BoxRule], ranges: Float[np.ndarray, "k 2"] | None, n_maps: int
) -> Float64[np.ndarray, "k 2"]:
    """The ranges of the cohort's scale; anything where no rule has it."""
    scaled = next((rule for rule in rules if rule.scale == "cohort"), None)
    if scaled is None:
        return np.zeros((n_maps, 2))
    if ranges is None:
        raise ValueError(f"rule {scaled.name!r} has a cohort's scale; give the range of each map's finding")
    sensible = np.isfinite(ranges).all(axis=1) & (ranges[:, 0] <= ranges[:, 1])
    if not sensible.all():
        row = sensible.argmin()
        raise ValueError(f"range {row} is {ranges[row].tolist()}; it must be finite and low <= high")
    return ranges.astype(np.float64)


def _found(
    maps: Float32[np.ndarray, "k h w"],
    affine: Float[np.ndarray, "k 2 3"],
    ranges: Float64[np.ndarray, "k 2"],
    input_hw: tuple[int, int],
    map_size: str,
    cuts: list[tuple[BoxRule, Cut]],
    frame_hw: tuple[int, int],
) -> tuple[Int[np.ndarray, " m"], Int[np.ndarray, " m"], Float[np.ndarray, "m 4"], Float[np.ndarray, " m"]]:
    """Map, cut, box in the frame, not yet clipped, and peak, sorted by map and cut."""
    from hilum.localize.region_kernels import regions

    parts = [np.zeros((0, 7))]
    scale = np.ones((len(maps), 2))
    columns = _columns(cuts, frame_hw)
    for hw, members, y, x in enlargements(maps, affine, input_hw, map_size):
        scale[members] = input_hw[1] / hw[1], input_hw[0] / hw[0]
        pixel_area = np.abs(np.linalg.det(affine[members, :, :2])) * scale[members].prod(axis=1)
        lows = _lows(maps[members], hw, [cut for _, cut in cuts])
        found = regions(maps[members].astype(np.float64), y, x, columns, lows, ranges[members], pixel_area)
        found[:, 0] = members[found[:, 0].astype(np.int64)]
        parts.append(found)
    table = np.concatenate(parts)
    table = table[np.lexsort((table[:, 1], table[:, 0]))]
    row = table[:, 0].astype(np.int64)
    return row, table[:, 1].astype(np.int64), moved(table[:, 2:6], rescaled(affine, scale)[row]), table[:, 6]


def _columns(cuts: list[tuple[BoxRule, Cut]], frame_hw: tuple[int, int]) -> tuple[np.ndarray, ...]:
    """What compiled code knows of each cut besides its lower end: a `Cuts`."""
    from hilum.localize.region_kernels import Cuts

    # an area that is a whole number of pixels may come out a little smaller by rounding
    frame_area = frame_hw[0] * frame_hw[1] * (1 - 1e-9)
    return Cuts(
        high=np.array([cut.high for _, cut in cuts]),
        closed=np.array([cut.closed for _, cut in cuts]),
        percentile=np.array([cut.of == "percentile" for _, cut in cuts]),
        own=np.array([rule.scale == "film" or cut.of != "unit" for rule, cut in cuts]),
        fixed=np.array([rule.scale == "cohort" for rule, _ in cuts]),
        component=np.array([COMPONENTS[rule.component] for rule, _ in cuts]),
        reach=np.array([REACH[rule.connectivity] for rule, _ in cuts]),
        min_area=np.array([rule.min_area * frame_area for rule, _ in cuts]),
    )


def _lows(
    maps: Float32[np.ndarray, "r h w"], hw: tuple[int, int], cuts: list[Cut]
) -> Float64[np.ndarray, "r c"]:
    """Lower end of each cut on each map; only Otsu's needs the built map."""
    lows = np.tile(np.array([cut.low for cut in cuts]), (len(maps), 1))
    otsu = [c for c, cut in enumerate(cuts) if cut.of == "otsu"]
    if otsu:
        levels = [otsu_level(unit_map(enlarged(heatmap, hw), signed=True)) for heatmap in maps]
        lows[:, otsu] = np.reshape(levels, (-1, 1))
    return lows
