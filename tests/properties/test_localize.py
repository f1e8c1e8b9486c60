"""What holds for boxes of every heatmap.

Maps are of few whole numbers, so that equal values and plateaus are common; sizes are such that every sum is
exact.
"""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hilum.boxes import area
from hilum.localize import COMPONENTS, BoxRule, boxes_from, sweep_from
from hilum.localize.regions import Boxes

FRAME_HW = (64, 64)
THRESHOLDS = ("dynamic(80)", "dynamic(30)", "fraction(0.7)", "level(60)", "otsu", "two_level(60, 180)")

few = settings(max_examples=60, deadline=None)
sides = st.sampled_from([1, 2, 4, 8])
whole = st.integers(-6, 6).map(float)
rules = st.tuples(  # of which each test makes a BoxRule: its check of types draws random numbers of its own
    st.sampled_from(THRESHOLDS),
    st.sampled_from(sorted(COMPONENTS)),
    st.sampled_from(["frame", "input"]),
    st.booleans(),
    st.sampled_from([4, 8]),
    st.sampled_from([0.0, 0.01, 0.1]),
    st.sampled_from([None, 0.3, 0.7]),
    st.sampled_from(["film", "cohort"]),
)
LIKELY, RANGE = np.array([0.5]), np.array([[-1.0, 4.0]])


@st.composite
def heatmaps(draw: st.DrawFn) -> np.ndarray:
    """One map of up to 8 x 8."""
    return draw(arrays(np.float32, (1, draw(sides), draw(sides)), elements=whole))


@st.composite
def affines(draw: st.DrawFn) -> np.ndarray:
    """A stretch by 1, 2 or 4 on each axis, and a shift."""
    x, y = (draw(st.sampled_from([1.0, 2.0, 4.0])) for _ in range(2))
    shift_x, shift_y = (float(draw(st.integers(-30, 30))) for _ in range(2))
    return np.array([[[x, 0.0, shift_x], [0.0, y, shift_y]]])


def boxes(heatmap: np.ndarray, affine: np.ndarray, rule: tuple, unit: float = 1.0) -> Boxes:
    return boxes_from(
        heatmap * np.float32(unit), affine, (16, 16), BoxRule(*rule), FRAME_HW, LIKELY, RANGE * unit
    )


def in_order(found: Boxes) -> list[list[float]]:
    return sorted(np.column_stack([found[1], found[2]]).tolist())


@few
@given(heatmaps(), affines(), rules)
def test_boxes_lie_in_the_frame_and_are_not_empty(heatmap, affine, rule) -> None:
    row, xyxy, peak = boxes(heatmap, affine, rule)
    assert (row == 0).all()
    assert ((xyxy >= 0) & (xyxy <= 64)).all()
    assert (area(xyxy) > 0).all()
    assert ((peak >= 0) & (peak <= 1)).all()


@few
@given(heatmaps(), affines(), rules, st.integers(1, 60))
def test_a_maps_unit_does_not_matter(heatmap, affine, rule, power) -> None:
    """From a range of 2^10 on, beside which the epsilon of the scaling is lost."""
    one, other = (boxes(heatmap, affine, rule, 2.0**p) for p in (10, 10 + power))
    np.testing.assert_array_equal(one[1], other[1])
    np.testing.assert_allclose(one[2], other[2], atol=1e-9)


@few
@given(heatmaps(), affines(), rules)
def test_film_and_map_transposed_transpose_the_boxes(heatmap, affine, rule) -> None:
    """All of them or their hull; which of two equals is read first does change."""
    rule = (rule[0], "hull" if rule[1] == "hull" else "all", *rule[2:])
    row, xyxy, peak = boxes(heatmap, affine, rule)
    turned = boxes(heatmap.transpose(0, 2, 1).copy(), affine[:, ::-1][:, :, [1, 0, 2]].copy(), rule)
    assert in_order((row, xyxy[:, [1, 0, 3, 2]], peak)) == in_order(turned)


@few
@given(heatmaps(), affines(), rules, st.lists(rules, max_size=4), st.lists(rules, max_size=4))
def test_further_rules_in_a_sweep_change_nothing(heatmap, affine, rule, before, after) -> None:
    every = [BoxRule(*one) for one in (*before, rule, *after)]
    swept = sweep_from(heatmap, affine, (16, 16), every, FRAME_HW, LIKELY, RANGE)
    for found, alone in zip(swept[len(before)], boxes(heatmap, affine, rule), strict=True):
        np.testing.assert_array_equal(found, alone)


@few
@given(heatmaps(), affines(), st.integers(0, 255), st.integers(0, 255), st.booleans())
def test_a_higher_level_never_enlarges_the_hull(heatmap, affine, one, other, signed) -> None:
    low, high = (
        boxes(heatmap, affine, (f"level({n})", "hull", "input", signed))[1] for n in sorted((one, other))
    )
    assert len(high) <= len(low)
    if len(high):
        assert (low[0, :2] <= high[0, :2]).all()
        assert (low[0, 2:] >= high[0, 2:]).all()


def rows_of(found: Boxes) -> set[tuple]:
    return {tuple(row) for row in np.column_stack([found[1], found[2]]).tolist()}


@few
@given(heatmaps(), affines(), rules)
def test_components_of_4_neighbours_are_parts_of_those_of_8(heatmap, affine, rule) -> None:
    """At whole pixels of a map that lies wholly on the film, where no box is cut."""
    inside = affine * [[[1.0, 1.0, 0.0]]]
    every, parts = (
        boxes(heatmap, inside, (rule[0], "all", *rule[2:4], n, 0.0, None, rule[7]))[1] for n in (8, 4)
    )
    assert len(parts) >= len(every)
    for part in parts:
        assert ((every[:, :2] <= part[:2]) & (every[:, 2:] >= part[2:])).all(axis=1).any()
    if rule[5] == 0:
        hulls = [boxes(heatmap, affine, (rule[0], "hull", *rule[2:4], n, *rule[5:])) for n in (8, 4)]
        assert rows_of(hulls[0]) == rows_of(hulls[1])


@few
@given(heatmaps(), affines(), rules, st.sampled_from([0.003, 0.02, 0.2]))
def test_a_greater_least_area_only_takes_boxes_away(heatmap, affine, rule, more) -> None:
    few_of, some = (
        boxes(heatmap, affine, (rule[0], "all", *rule[2:5], area, *rule[6:])) for area in (more, more / 2)
    )
    assert rows_of(few_of) <= rows_of(some)


@few
@given(heatmaps(), affines(), rules)
def test_a_gate_gives_all_boxes_or_none(heatmap, affine, rule) -> None:
    gated, plain = (boxes(heatmap, affine, (*rule[:6], gate, rule[7])) for gate in (rule[6], None))
    assert rows_of(gated) == (rows_of(plain) if rule[6] != 0.7 else set())
