"""Boxes by hand first, then beside a map that is built, cut and labelled the slow way."""

import itertools

import numpy as np
import pytest

from hilum.localize import COMPONENTS, THRESHOLDS, BoxRule, boxes_from, sweep_from
from hilum.localize.rule import MAP_SIZES, SCALES
from hilum.localize.scale import enlarged

IDENTITY = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def at_input(heatmap: np.ndarray, hw: tuple[int, int], *rules: BoxRule) -> list[np.ndarray]:
    """Boxes and peaks of one map enlarged to `hw`, in pixels of the enlarged map: rows of five numbers."""
    found = sweep_from(heatmap[None].astype(np.float32), IDENTITY[None], hw, rules, hw)
    return [np.column_stack([xyxy, peak]) for _, xyxy, peak in found]


def box(heatmap: np.ndarray, hw: tuple[int, int], threshold: str, component: str = "largest") -> list:
    """Corners of the boxes of one map enlarged to `hw`."""
    return at_input(heatmap, hw, BoxRule(threshold, component, "input"))[0][:, :4].tolist()


# By hand. A 2 x 2 map with one warm corner, enlarged to 4 x 4: the product of (0, 1/4, 3/4, 1) with itself.
CORNER = np.array([[0.0, 0.0], [0.0, 1.0]])


@pytest.mark.parametrize(
    ("threshold", "expected"),
    [
        ("fraction(0.8)", [3, 3, 4, 4]),
        ("fraction(0.7)", [2, 2, 4, 4]),
        ("fraction(0.5)", [2, 2, 4, 4]),
        ("fraction(0.2)", [1, 1, 4, 4]),
        ("level(200)", [3, 3, 4, 4]),
        ("level(180)", [2, 2, 4, 4]),
        ("level(0)", [0, 0, 4, 4]),
        ("fraction(0)", [1, 1, 4, 4]),
        # In order: 0 seven times, 1/16, 3/16 twice, 1/4 twice, 9/16, 3/4 twice, 1.
        ("dynamic(95)", [3, 3, 4, 4]),  # place 14.25 of 0 to 15, between 3/4 and 1
        ("dynamic(90)", [3, 3, 4, 4]),  # place 13.5, between two 3/4: both are left out
        ("dynamic(80)", [2, 2, 4, 4]),  # place 12, the 9/16 itself: it is left out
        ("dynamic(75)", [2, 2, 4, 4]),  # place 11.25
        ("dynamic(50)", [1, 1, 4, 4]),  # place 7.5
        ("dynamic(10)", [1, 1, 4, 4]),  # the percentile is 0, so the mask is what exceeds 0
    ],
)
def test_a_warm_corner(threshold, expected) -> None:
    assert box(CORNER, (4, 4), threshold) == [expected]


# A range so great that the epsilon of the scaling vanishes: v is 0, 60, 120, 180 and 255 to the bit.
STEPS = np.array([[0.0, 60.0, 120.0, 180.0, 255.0]]) * 2.0**40


@pytest.mark.parametrize(
    ("threshold", "expected"),
    [
        ("level(60)", [[1, 0, 5, 1]]),
        (f"fraction({60 / 255})", [[2, 0, 5, 1]]),
        ("level(180)", [[3, 0, 5, 1]]),
        (f"fraction({180 / 255})", [[4, 0, 5, 1]]),
        ("level(255)", [[4, 0, 5, 1]]),
        ("static_band(60, 180)", [[1, 0, 4, 1]]),
        ("static_band(180, 255)", [[3, 0, 5, 1]]),
        ("static_band(120, 120)", [[2, 0, 3, 1]]),
        ("static_band(130, 170)", []),
        ("two_level(60, 180)", [[1, 0, 5, 1], [3, 0, 5, 1]]),
        ("dynamic(75)", [[4, 0, 5, 1]]),
    ],
)
def test_which_ends_are_closed(threshold, expected) -> None:
    assert box(STEPS, (1, 5), threshold) == expected


def test_a_static_box_shrinks_where_the_peak_grows_and_a_dynamic_one_does_not() -> None:
    ramp = np.arange(16.0)[None]
    spiked = ramp.copy()
    spiked[0, -1] = 1000.0
    assert box(ramp, (1, 16), "level(180)") == [[11, 0, 16, 1]]
    assert box(spiked, (1, 16), "level(180)") == [[15, 0, 16, 1]]
    assert box(ramp, (1, 16), "dynamic(75)") == box(spiked, (1, 16), "dynamic(75)") == [[12, 0, 16, 1]]


def test_a_band_leaves_a_ring_whose_peak_is_the_bands() -> None:
    hill = np.zeros((5, 5))
    hill[1:4, 1:4], hill[2, 2] = 0.5, 1.0
    (found,) = at_input(hill, (5, 5), BoxRule("static_band(60, 180)", "all", "input"))
    np.testing.assert_allclose(found, [[1, 1, 4, 4, 0.5]], atol=1e-6)


def test_peaks_are_those_of_the_components() -> None:
    line = np.array([[0.0, 0.6, 0.0, 1.0, 0.0, 0.8]])
    every, hull, two = at_input(
        line,
        (1, 6),
        BoxRule("fraction(0.5)", "all", "input"),
        BoxRule("fraction(0.5)", "hull", "input"),
        BoxRule("two_level(100, 230)", "largest", "input"),
    )
    np.testing.assert_allclose(every[:, 4], [0.6, 1.0, 0.8], atol=1e-6)
    np.testing.assert_allclose(hull, [[1, 0, 6, 1, 1.0]], atol=1e-6)
    np.testing.assert_allclose(two, [[1, 0, 2, 1, 0.6], [3, 0, 4, 1, 1.0]], atol=1e-6)


def test_negative_evidence_has_a_rank_only_where_the_rule_is_signed() -> None:
    line = np.array([[-4.0, -2.0, 0.0, 1.0]])
    relu, signed = at_input(
        line,
        (1, 4),
        BoxRule("level(128)", map_size="input"),
        BoxRule("level(128)", map_size="input", signed=True),
    )
    assert relu[:, :4].tolist() == [[3, 0, 4, 1]]
    assert signed[:, :4].tolist() == [[2, 0, 4, 1]]


def test_a_map_of_negative_evidence_alone_has_boxes_only_where_the_rule_is_signed() -> None:
    cold = -np.array([[1.0, 2.0], [2.0, 3.0]])
    relu, signed = at_input(
        cold, (2, 2), BoxRule("fraction(0.9)"), BoxRule("fraction(0.9)", map_size="input", signed=True)
    )
    assert len(relu) == 0
    assert signed[:, :4].tolist() == [[0, 0, 1, 1]]


def affine(scale_x: float, scale_y: float, x: float = 0.0, y: float = 0.0) -> np.ndarray:
    """Input pixels to frame pixels."""
    return np.array([[[scale_x, 0.0, x], [0.0, scale_y, y]]])


# A least area, in shares of the frame.


@pytest.mark.parametrize("map_size", ["frame", "input"])
@pytest.mark.parametrize("there", [affine(4.0, 3.0), affine(-4.0, 3.0, 256.0), affine(2.0, 1.5, 30.0, 20.0)])
def test_a_least_area_is_a_share_of_the_frame_at_any_size(map_size, there) -> None:
    """A square of a sixteenth of the input, which covers the frame or a quarter of it."""
    heatmap = np.zeros((1, 16, 16), np.float32)
    heatmap[0, 4:8, 8:12] = 1.0
    share = abs(np.linalg.det(there[0, :, :2])) * 32 * 64 / (96 * 256) / 16
    # at half its height the edge lies half a node off, and the corners are round
    for min_area, n in ((0.9 * share, 1), (1.1 * share, 0)):
        rule = BoxRule("fraction(0.499)", map_size=map_size, min_area=min_area)
        assert len(boxes_from(heatmap, there, (32, 64), rule, (96, 256))[0]) == n


def test_a_component_of_just_the_least_area_is_kept() -> None:
    """Shares such as 7 of 30 pixels are not whole numbers of pixels again when multiplied."""
    for n in range(1, 30):
        heatmap = np.zeros((1, 1, 30), np.float32)
        heatmap[0, 0, :n] = 1.0
        rule = BoxRule("fraction(0.5)", map_size="input", min_area=n / 30)
        assert len(boxes_from(heatmap, IDENTITY[None], (1, 30), rule, (1, 30))[0]) == 1


# Gates.


def test_a_film_below_the_gate_has_no_box() -> None:
    likely = np.array([0.2, 0.5, 0.49999, 0.9])
    maps, there = np.zeros((4, 8, 8), np.float32), np.stack([IDENTITY] * 4)
    maps[range(4), range(4), range(4)] = 1.0
    rules = [BoxRule("fraction(0.5)", map_size="input", gate=gate) for gate in (0.5, None, 0.0, 1.0)]
    found = sweep_from(maps, there, (8, 8), rules, (8, 8), likely)
    assert [row.tolist() for row, _, _ in found] == [[1, 3], [0, 1, 2, 3], [0, 1, 2, 3], []]
    np.testing.assert_array_equal(found[0][1], [[1, 1, 2, 2], [3, 3, 4, 4]])
    row, _, _ = boxes_from(maps, there, (8, 8), rules[0], (8, 8), likely)
    assert row.tolist() == [1, 3]


@pytest.mark.parametrize("value", [np.nan, -0.1, 1.5])
def test_a_gate_needs_probabilities(value) -> None:
    maps, there, rule = np.zeros((2, 3, 3), np.float32), np.stack([IDENTITY] * 2), BoxRule(gate=0.5)
    with pytest.raises(ValueError, match=r"rule 'dynamic\(87.5\)\+largest\+gate\(0.5\)' has a gate"):
        boxes_from(maps, there, (8, 8), rule, (8, 8))
    with pytest.raises(ValueError, match=f"probability 1 is {value:g}"):
        boxes_from(maps, there, (8, 8), rule, (8, 8), np.array([0.5, value]))
    boxes_from(maps, there, (8, 8), BoxRule(), (8, 8), np.array([0.5, value]))  # nobody asks


# The cohort's scale.


def at_scale(heatmap: np.ndarray, threshold: str, low: float, high: float, signed: bool = False) -> list:
    """Boxes and peaks of one line under a fixed range."""
    line, hw = np.array([heatmap], np.float32)[None], (1, len(heatmap))
    rule = BoxRule(threshold, "all", "input", signed, scale="cohort")
    _, xyxy, peak = boxes_from(line, IDENTITY[None], hw, rule, hw, ranges=np.array([[low, high]]))
    return np.column_stack([xyxy[:, [0, 2]], peak.round(6)]).tolist()


LINE = [0.0, 1.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize(
    ("threshold", "low", "high", "expected"),
    [
        ("fraction(0.7)", 0.0, 4.0, [[3, 5, 1.0]]),
        ("fraction(0.7)", 0.0, 5.0, [[4, 5, 0.8]]),
        ("fraction(0.7)", 0.0, 6.0, []),  # a film that stays dark
        ("fraction(0.7)", 0.0, 2.0, [[2, 5, 1.0]]),  # a bright one: what exceeds the range is 1
        ("fraction(0.7)", -4.0, 6.0, [[4, 5, 0.8]]),
        ("fraction(0)", 1.5, 3.0, [[2, 5, 1.0]]),  # what lies below the range is 0
        ("level(0)", 1.5, 3.0, [[0, 5, 1.0]]),
        ("static_band(180, 255)", 0.0, 2.5, [[2, 5, 1.0]]),  # the 1 is the upper end
        ("static_band(60, 180)", 0.0, 5.0, [[2, 4, 0.6]]),
        ("static_band(0, 180)", 2.5, 5.0, [[0, 5, 0.6]]),
        ("two_level(60, 180)", 0.0, 5.0, [[2, 5, 0.8], [4, 5, 0.8]]),
        ("dynamic(50)", 0.0, 40.0, [[3, 5, 0.1]]),  # of the map itself; only the peak is the cohort's
        ("otsu", 0.0, 40.0, [[2, 5, 0.1]]),
        ("dynamic(50)", 6.0, 8.0, [[3, 5, 0.0]]),
    ],
)
def test_under_a_fixed_range_a_film_may_stay_dark(threshold, low, high, expected) -> None:
    assert at_scale(LINE, threshold, low, high) == expected


def test_negative_evidence_has_a_place_in_a_range_only_where_the_rule_is_signed() -> None:
    line = [-4.0, -2.0, 0.0, 1.0]
    assert at_scale(line, "fraction(0.3)", -4.0, 2.0, signed=True) == [[1, 4, 0.833333]]
    assert at_scale(line, "fraction(0.3)", 0.0, 2.0) == [[3, 4, 0.5]]


def test_a_range_of_no_width_makes_all_evidence_1() -> None:
    assert at_scale([0.0, 0.5, 1.0], "fraction(0.7)", 0.0, 0.0) == [[1, 3, 1.0]]


def test_a_flat_map_has_no_box_however_hot() -> None:
    assert at_scale([5.0, 5.0, 5.0], "fraction(0.7)", 0.0, 1.0) == []


def test_the_range_of_the_enlarged_map_itself_is_the_films_scale() -> None:
    rng = np.random.default_rng(8)
    maps, there = rng.normal(size=(5, 7, 7)).astype(np.float32), np.concatenate([affine(4.0, 3.0)] * 5)
    built = [enlarged(heatmap, (96, 128)) for heatmap in maps]
    own = np.array([[big.min(), big.max()] for big in built], float)
    for threshold in ("fraction(0.7)", "static_band(60, 180)", "two_level(60, 180)", "otsu", "dynamic(80)"):
        one, other = (BoxRule(threshold, signed=True, scale=scale) for scale in SCALES)
        film, cohort = sweep_from(maps, there, (32, 32), [one, other], (96, 128), ranges=own)
        np.testing.assert_array_equal(film[1], cohort[1])
        np.testing.assert_allclose(film[2], cohort[2], atol=1e-6)


@pytest.mark.parametrize("wrong", [[np.nan, 1.0], [0.0, np.inf], [1.0, 0.5]])
def test_a_cohorts_scale_needs_ranges(wrong) -> None:
    maps, there, rule = np.zeros((2, 3, 3), np.float32), np.stack([IDENTITY] * 2), BoxRule(scale="cohort")
    with pytest.raises(ValueError, match=r"scale\(cohort\)' has a cohort's scale; give the range"):
        boxes_from(maps, there, (8, 8), rule, (8, 8))
    ranges = np.array([[0.0, 1.0], wrong])
    with pytest.raises(ValueError, match=r"range 1 is \["):
        boxes_from(maps, there, (8, 8), rule, (8, 8), ranges=ranges)
    boxes_from(maps, there, (8, 8), BoxRule(), (8, 8), ranges=ranges)  # nobody asks


# Sweeps.

THRESHOLD_TEXTS = [
    "dynamic(80)",
    "fraction(0.7)",
    "level(90)",
    "otsu",
    "static_band(60, 180)",
    "two_level(60, 180)",
]
EVERY_RULE = [
    BoxRule(*each)
    for each in itertools.product(
        THRESHOLD_TEXTS, COMPONENTS, MAP_SIZES, (False, True), (4, 8), (0.0, 0.01), (None, 0.4), SCALES
    )
]


def test_a_sweep_is_each_rule_alone() -> None:
    rng = np.random.default_rng(5)
    maps, there = rng.normal(size=(4, 7, 7)).astype(np.float32), np.concatenate([affine(4.0, 3.0)] * 4)
    likely, ranges = np.array([0.3, 0.6, 0.4, 0.1]), np.tile([-0.5, 3.0], (4, 1))
    assert [text.partition("(")[0] for text in THRESHOLD_TEXTS] == sorted(THRESHOLDS)
    order = rng.permutation(len(EVERY_RULE))
    swept = sweep_from(maps, there, (32, 32), [EVERY_RULE[i] for i in order], (96, 128), likely, ranges)
    assert len(swept) == len(EVERY_RULE) == 6 * 4 * 2 * 2 * 2 * 2 * 2 * 2
    for i, together in zip(order, swept, strict=True):
        alone = boxes_from(maps, there, (32, 32), EVERY_RULE[i], (96, 128), likely, ranges)
        for ours, theirs in zip(together, alone, strict=True):
            np.testing.assert_array_equal(ours, theirs)
    assert {tuple(row.tolist()) for row, _, _ in swept if len(row)} > {(0, 1, 2, 3), (1, 2)}


def test_a_sweep_over_no_rules_is_empty() -> None:
    assert sweep_from(np.eye(4, dtype=np.float32)[None], IDENTITY[None], (4, 4), [], (4, 4)) == []


def test_a_detectors_rule_makes_no_box_from_a_map() -> None:
    """Beside other rules, which go on making theirs."""
    heatmaps = np.random.default_rng(1).random((3, 8, 8), dtype=np.float32)
    affine = np.tile(np.eye(2, 3), (3, 1, 1))
    rules = [BoxRule("detector"), BoxRule("level(180)"), BoxRule("detector", map_size="input")]
    first, second, third = sweep_from(heatmaps, affine, (64, 64), rules, (64, 64))
    assert [len(column) for column in (*first, *third)] == [0] * 6
    assert set(second[0].tolist()) == {0, 1, 2}
