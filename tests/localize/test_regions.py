"""Boxes by hand first, then beside a map that is built, cut and labelled the slow way."""

import itertools

import numpy as np
import pytest

from hilum.localize import COMPONENTS, THRESHOLDS, BoxRule, boxes_from, peaks_from, sweep_from
from hilum.localize.rule import MAP_SIZES

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


# Frames.


def affine(scale_x: float, scale_y: float, x: float = 0.0, y: float = 0.0) -> np.ndarray:
    """Input pixels to frame pixels."""
    return np.array([[[scale_x, 0.0, x], [0.0, scale_y, y]]])


def one_warm(side: int, row: int, column: int) -> np.ndarray:
    """A map that is 1 at one node and 0 elsewhere."""
    heatmap = np.zeros((1, side, side), np.float32)
    heatmap[0, row, column] = 1.0
    return heatmap


@pytest.mark.parametrize(
    ("map_size", "corners"),
    [
        # A node spans 64 px of the input, and the map reaches half its height 32 px off (224, 96).
        ("input", [192, 64, 256, 128]),
        # 448 px of 480 are 955.73 of 1024: the map is enlarged to 956 px, and a node spans 136.57 of them.
        ("frame", [409 * 448 / 956, 136 * 448 / 956, 547 * 448 / 956, 273 * 448 / 956]),
    ],
)
def test_a_crop_is_undone(map_size, corners) -> None:
    scale = 1024 / 480
    there = affine(scale, scale, 16 * scale, 16 * scale)
    rule = BoxRule("fraction(0.5)", map_size=map_size)
    _, xyxy, _ = boxes_from(one_warm(7, 1, 3), there, (448, 448), rule, (1024, 1024))
    np.testing.assert_allclose(xyxy, [[(corner + 16) * scale for corner in corners]], atol=1e-9)


@pytest.mark.parametrize("map_size", MAP_SIZES)
def test_height_and_width_are_never_exchanged(map_size) -> None:
    """An input of 32 x 64 from a film of 96 x 256: each of 4 x 8 nodes spans 24 x 32 px of the film."""
    heatmap = np.zeros((1, 4, 8), np.float32)
    heatmap[0, :2, 6:] = 1.0  # held to the edges; half of the height lies between two nodes
    rule = BoxRule("fraction(0.499)", map_size=map_size)
    _, xyxy, _ = boxes_from(heatmap, affine(4.0, 3.0), (32, 64), rule, (96, 256))
    np.testing.assert_array_equal(xyxy, [[192, 0, 256, 48]])


def test_at_the_frame_edges_are_whole_pixels_of_it() -> None:
    maps, there = np.random.default_rng(2).normal(size=(9, 4, 8)).astype(np.float32), affine(4.0, 3.0)
    _, xyxy, _ = boxes_from(maps, np.concatenate([there] * 9), (32, 64), BoxRule("dynamic(80)"), (96, 256))
    assert len(xyxy) == 9
    np.testing.assert_array_equal(xyxy, xyxy.round())
    assert (xyxy % [4, 3, 4, 3]).any()


def test_a_flipped_input_gives_the_mirrored_box() -> None:
    heatmap = np.random.default_rng(0).random((1, 7, 7), dtype=np.float32)
    rule = BoxRule("dynamic(87.5)")
    _, plain, _ = boxes_from(heatmap, affine(2.0, 2.0), (64, 64), rule, (128, 128))
    _, flipped, _ = boxes_from(heatmap, affine(-2.0, 2.0, 128.0), (64, 64), rule, (128, 128))
    np.testing.assert_allclose(flipped[:, [2, 1, 0, 3]], plain * [-1, 1, -1, 1] + [128, 0, 128, 0])


def test_an_input_turned_by_a_quarter_is_enlarged_as_it_lies_on_the_film() -> None:
    """Input rows run across the film, three film pixels each; input columns down it, two each."""
    heatmap = np.zeros((1, 2, 4), np.float32)
    heatmap[0, 1, :2] = 1.0
    turned = np.array([[[0.0, 3.0, 0.0], [2.0, 0.0, 0.0]]])
    _, xyxy, _ = boxes_from(heatmap, turned, (8, 16), BoxRule("fraction(0.499)"), (32, 24))
    np.testing.assert_array_equal(xyxy, [[12, 0, 24, 16]])


def test_a_box_is_cut_at_the_edge_of_the_film_and_dropped_beyond_it() -> None:
    rule = BoxRule("fraction(0.5)", map_size="input")
    there = np.concatenate([affine(1.0, 1.0, -26.0), affine(1.0, 1.0, -40.0), affine(1.0, 1.0)])
    row, xyxy, peak = boxes_from(np.concatenate([one_warm(8, 3, 3)] * 3), there, (64, 64), rule, (64, 64))
    assert row.tolist() == [0, 2]
    np.testing.assert_array_equal(xyxy, [[0, 24, 6, 32], [24, 24, 32, 32]])
    assert len(peak) == 2


def test_films_of_many_sizes_in_one_call() -> None:
    maps = np.random.default_rng(1).normal(size=(5, 7, 6)).astype(np.float32)
    sizes = [(2.0, 3.0, 0.0), (1.5, 1.0, 0.0), (2.0, 3.0, 5.0), (4.0, 0.5, 0.0), (1.5, 1.0, 0.0)]
    there = np.concatenate([affine(*size) for size in sizes])
    rules = [BoxRule("dynamic(80)", "all"), BoxRule("otsu", map_size="input")]
    together = sweep_from(maps, there, (30, 40), rules, (90, 80))
    for one in range(5):
        alone = sweep_from(maps[[one]], there[[one]], (30, 40), rules, (90, 80))
        for (row, xyxy, peak), (_, xyxy_alone, peak_alone) in zip(together, alone, strict=True):
            np.testing.assert_array_equal(xyxy[row == one], xyxy_alone)
            np.testing.assert_array_equal(peak[row == one], peak_alone)
    assert all((np.diff(row) >= 0).all() and len(row) for row, _, _ in together)


# Sweeps.


def test_a_sweep_is_each_rule_alone() -> None:
    rng = np.random.default_rng(5)
    maps, there = rng.normal(size=(4, 7, 7)).astype(np.float32), np.concatenate([affine(4.0, 3.0)] * 4)
    thresholds = [
        "dynamic(80)",
        "fraction(0.7)",
        "level(90)",
        "otsu",
        "static_band(60, 180)",
        "two_level(60, 180)",
    ]
    assert [text.partition("(")[0] for text in thresholds] == sorted(THRESHOLDS)
    rules = [BoxRule(*r) for r in itertools.product(thresholds, COMPONENTS, MAP_SIZES, (False, True))]
    order = rng.permutation(len(rules))
    swept = sweep_from(maps, there, (32, 32), [rules[i] for i in order], (96, 128))
    assert len(swept) == len(rules) == 96
    for i, together in zip(order, swept, strict=True):
        for ours, alone in zip(together, boxes_from(maps, there, (32, 32), rules[i], (96, 128)), strict=True):
            np.testing.assert_array_equal(ours, alone)


def test_a_sweep_over_no_rules_is_empty() -> None:
    assert sweep_from(one_warm(4, 1, 1), IDENTITY[None], (4, 4), [], (4, 4)) == []


# What is refused, and what is empty.


def _boxes(maps: np.ndarray, there: np.ndarray) -> tuple:
    return boxes_from(maps, there, (8, 8), BoxRule("otsu"), (8, 8))


def _peaks(maps: np.ndarray, there: np.ndarray) -> tuple:
    return peaks_from(maps, there, (8, 8), (8, 8))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("locate", [_boxes, _peaks])
def test_a_map_that_is_not_finite_is_named(value, locate) -> None:
    maps = np.zeros((4, 3, 3), np.float32)
    maps[2, 1, 1] = value
    with pytest.raises(ValueError, match="heatmap 2 holds NaN or infinite"):
        locate(maps, np.stack([IDENTITY] * 4))


@pytest.mark.parametrize("locate", [_boxes, _peaks])
def test_a_map_without_values_is_refused(locate) -> None:
    with pytest.raises(ValueError, match="0 x 3 have no values"):
        locate(np.zeros((1, 0, 3), np.float32), IDENTITY[None])


@pytest.mark.parametrize("locate", [_boxes, _peaks])
def test_an_affine_that_leaves_no_pixel_is_named(locate) -> None:
    there = np.stack([IDENTITY, IDENTITY * [[1.0], [0.01]]])
    with pytest.raises(ValueError, match="affine 1 leaves 0 x 8 px"):
        locate(np.zeros((2, 3, 3), np.float32), there)


@pytest.mark.parametrize("locate", [_boxes, _peaks])
def test_no_maps_have_no_boxes_and_no_peaks(locate) -> None:
    row, *columns = locate(np.zeros((0, 7, 7), np.float32), np.zeros((0, 2, 3)))
    assert row.shape == (0,)
    assert [column.shape for column in columns] in ([(0, 4), (0,)], [(0, 2)])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"threshold": "dynamic"}, "write dynamic"),
        ({"component": "biggest"}, "unknown component rule 'biggest'"),
        ({"map_size": "film"}, "unknown map size 'film'"),
    ],
)
def test_a_rule_that_does_not_exist_is_refused(wrong, message) -> None:
    with pytest.raises(ValueError, match=message):
        BoxRule(**wrong)


# Peaks.


def test_a_plateau_has_every_pixel_and_only_those_on_the_film() -> None:
    """Two equal nodes side by side in the corner: 2 px of held edge and 4 px between them, 2 px high."""
    heatmap = np.zeros((1, 3, 4), np.float32)
    heatmap[0, 0, :2] = 1.0
    row, xy = peaks_from(heatmap, affine(1.0, 1.0), (12, 16), (12, 16))
    assert set(map(tuple, xy.tolist())) == {(x + 0.5, y + 0.5) for x in range(6) for y in range(2)}
    _, shifted = peaks_from(heatmap, affine(1.0, 1.0, -3.0), (12, 16), (12, 16))
    assert set(map(tuple, shifted.tolist())) == {(x + 0.5, y + 0.5) for x in range(3) for y in range(2)}
    assert row.tolist() == [0] * 12


def test_peaks_of_many_maps_come_in_their_order_and_each_through_its_affine() -> None:
    maps = np.concatenate([one_warm(8, 2, 5), one_warm(8, 0, 0), one_warm(8, 7, 3)])
    there = np.concatenate([affine(4.0, 4.0, 1.0), affine(6.0, 6.0), affine(4.0, 4.0)])
    row, xy = peaks_from(maps, there, (8, 8), (48, 48))
    assert (np.diff(row) >= 0).all()
    # nodes span 4, 6 and 4 px; at the edge the maximum is held over half a node
    means = [xy[row == one].mean(axis=0).tolist() for one in range(3)]
    np.testing.assert_allclose(means, [[23.0, 10.0], [1.5, 1.5], [14.0, 31.0]])


def test_a_large_flat_map_is_left_at_once() -> None:
    flat = np.full((1, 512, 512), 2.0, np.float32)
    assert len(peaks_from(flat, IDENTITY[None], (512, 512), (512, 512))[0]) == 0
