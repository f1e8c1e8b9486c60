"""Every threshold with every component rule, at both map sizes."""

import itertools

import numpy as np
import pytest

from hilum.boxes import area
from hilum.localize import COMPONENTS, THRESHOLDS, BoxRule, boxes_from, peaks_from
from hilum.localize.threshold import cuts_from

NUMBERS = {
    "dynamic": "dynamic(87.5)",
    "fraction": "fraction(0.7)",
    "level": "level(180)",
    "otsu": "otsu",
    "static_band": "static_band(60, 180)",
    "two_level": "two_level(60, 180)",
}
"""Each threshold as a recipe would write it."""

INPUT_HW, FRAME_HW = (64, 64), (256, 256)
RULES = [
    BoxRule(threshold, component, map_size, signed)
    for threshold, component, map_size, signed in itertools.product(
        NUMBERS.values(), COMPONENTS, ("frame", "input"), (False, True)
    )
]


def _named(rule: BoxRule) -> str:
    return f"{rule.name}-{rule.map_size}-{'signed' if rule.signed else 'relu'}"


def _affine(n: int) -> np.ndarray:
    """The input lies 8 px inside the frame on every side."""
    return np.tile(np.array([[3.75, 0.0, 8.0], [0.0, 3.75, 8.0]]), (n, 1, 1))


def test_the_tables_are_whole() -> None:
    assert sorted(THRESHOLDS) == sorted(NUMBERS)
    assert len(THRESHOLDS) == 6
    assert sorted(COMPONENTS) == ["all", "hull", "largest", "largest_box"]
    assert len(RULES) == 6 * 4 * 2 * 2


@pytest.mark.parametrize("rule", RULES, ids=_named)
def test_maps_give_boxes_inside_the_frame(rule: BoxRule) -> None:
    maps = np.random.default_rng(3).normal(size=(6, 8, 8)).astype(np.float32)
    rows, xyxy, peaks = boxes_from(maps, _affine(6), INPUT_HW, rule, FRAME_HW)
    assert set(rows.tolist()) == set(range(6))
    assert (np.diff(rows) >= 0).all()
    assert ((xyxy >= 0) & (xyxy <= 256)).all()
    assert (area(xyxy) > 0).all()
    assert ((peaks > 0) & (peaks <= 1)).all()
    if rule.component != "all":
        n_masks = len(cuts_from(rule.threshold))
        assert np.bincount(rows).max() <= n_masks


@pytest.mark.parametrize("rule", RULES, ids=_named)
def test_a_flat_map_gives_none(rule: BoxRule) -> None:
    maps = np.stack([np.zeros((8, 8)), np.full((8, 8), 3.0)]).astype(np.float32)
    rows, xyxy, peaks = boxes_from(maps, _affine(2), INPUT_HW, rule, FRAME_HW)
    assert (len(rows), xyxy.shape, len(peaks)) == (0, (0, 4), 0)


@pytest.mark.parametrize("rule", RULES, ids=_named)
def test_no_map_gives_none(rule: BoxRule) -> None:
    rows, xyxy, peaks = boxes_from(np.zeros((0, 8, 8), np.float32), _affine(0), INPUT_HW, rule, FRAME_HW)
    assert (len(rows), xyxy.shape, len(peaks)) == (0, (0, 4), 0)


@pytest.mark.parametrize("rule", RULES, ids=_named)
def test_the_same_box_whatever_the_unit_of_the_map(rule: BoxRule) -> None:
    maps = np.random.default_rng(4).normal(size=(4, 8, 8)).astype(np.float32)
    one, other = (boxes_from(m, _affine(4), INPUT_HW, rule, FRAME_HW) for m in (maps, maps * 1024))
    np.testing.assert_array_equal(one[0], other[0])
    np.testing.assert_allclose(one[1], other[1], atol=1e-6)


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_hot_corner_is_boxed_where_it_is(component: str) -> None:
    maps = np.zeros((1, 8, 8), np.float32)
    maps[0, 1, 6] = 1.0
    rule = BoxRule("fraction(0.5)", component)
    _, xyxy, _ = boxes_from(maps, _affine(1), INPUT_HW, rule, FRAME_HW)
    # Node (1, 6) is centred at (52, 12) of the input; half of its height lies within half a node.
    x, y = 52 * 3.75 + 8, 12 * 3.75 + 8
    np.testing.assert_allclose(xyxy, [[x - 15, y - 15, x + 15, y + 15]], atol=2.0)
    _, xy = peaks_from(maps, _affine(1), INPUT_HW, FRAME_HW)
    np.testing.assert_allclose(xy.mean(axis=0), [x, y], atol=2.0)


@pytest.mark.parametrize("threshold", NUMBERS.values())
def test_a_map_that_is_not_finite_is_refused(threshold: str) -> None:
    maps = np.full((1, 8, 8), np.nan, np.float32)
    with pytest.raises(ValueError, match="finite"):
        boxes_from(maps, _affine(1), INPUT_HW, BoxRule(threshold), FRAME_HW)
