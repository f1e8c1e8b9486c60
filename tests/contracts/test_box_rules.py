"""Every threshold with every component rule and connectivity, at both map sizes and scales."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from hilum.boxes import area
from hilum.localize import COMPONENTS, THRESHOLDS, BoxRule, boxes_from, peaks_from
from hilum.localize.component import REACH
from hilum.localize.regions import Boxes
from hilum.localize.rule import MAP_SIZES, SCALES
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
RULES = {
    way: [
        BoxRule(*way[:2], map_size, signed, connectivity=way[2], scale=scale)
        for map_size, signed, scale in itertools.product(MAP_SIZES, (False, True), SCALES)
    ]
    for way in itertools.product(NUMBERS.values(), COMPONENTS, REACH)
}
"""Both sizes, signs and scales of each threshold, component rule and connectivity."""

every_way = pytest.mark.parametrize("rules", RULES.values(), ids=["-".join(map(str, way)) for way in RULES])

RANGE = [0.0, 1.5]
"""Of every map here, as a cohort would give it."""


def _boxes(maps: np.ndarray, rule: BoxRule, probabilities: np.ndarray | None = None, unit: int = 1) -> Boxes:
    n = len(maps)
    ranges = np.tile(RANGE, (n, 1)) * unit
    return boxes_from(maps, _affine(n), INPUT_HW, rule, FRAME_HW, probabilities, ranges)


def _affine(n: int) -> np.ndarray:
    """The input lies 8 px inside the frame on every side."""
    return np.tile(np.array([[3.75, 0.0, 8.0], [0.0, 3.75, 8.0]]), (n, 1, 1))


def test_the_tables_are_whole() -> None:
    assert sorted(THRESHOLDS) == sorted(NUMBERS)
    assert len(THRESHOLDS) == 6
    assert sorted(COMPONENTS) == ["all", "hull", "largest", "largest_box"]
    assert sorted(REACH) == [4, 8]
    assert len(RULES) == 6 * 4 * 2
    assert {len(rules) for rules in RULES.values()} == {2 * 2 * 2}


@every_way
def test_maps_give_boxes_inside_the_frame(rules: list[BoxRule]) -> None:
    maps = np.random.default_rng(3).normal(size=(6, 8, 8)).astype(np.float32)
    for rule in rules:
        rows, xyxy, peaks = _boxes(maps, rule)
        assert set(rows.tolist()) == set(range(6))
        assert (np.diff(rows) >= 0).all()
        assert ((xyxy >= 0) & (xyxy <= 256)).all()
        assert (area(xyxy) > 0).all()
        assert ((peaks > 0) & (peaks <= 1)).all()
        if rule.component != "all":
            n_masks = len(cuts_from(rule.threshold))
            assert np.bincount(rows).max() <= n_masks


@every_way
def test_a_flat_map_gives_none(rules: list[BoxRule]) -> None:
    maps = np.stack([np.zeros((8, 8)), np.full((8, 8), 3.0)]).astype(np.float32)
    for rule in rules:
        rows, xyxy, peaks = _boxes(maps, rule)
        assert (len(rows), xyxy.shape, len(peaks)) == (0, (0, 4), 0)


@every_way
def test_no_map_gives_none(rules: list[BoxRule]) -> None:
    for rule in rules:
        rows, xyxy, peaks = _boxes(np.zeros((0, 8, 8), np.float32), rule)
        assert (len(rows), xyxy.shape, len(peaks)) == (0, (0, 4), 0)


@every_way
def test_the_same_box_whatever_the_unit_of_the_map(rules: list[BoxRule]) -> None:
    maps = np.random.default_rng(4).normal(size=(4, 8, 8)).astype(np.float32)
    for rule in rules:
        one, other = (_boxes(maps * unit, rule, unit=unit) for unit in (1, 1024))
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_allclose(one[1], other[1], atol=1e-6)


@every_way
def test_a_gate_lets_only_likely_films_through(rules: list[BoxRule]) -> None:
    maps = np.random.default_rng(5).normal(size=(4, 8, 8)).astype(np.float32)
    for rule in rules:
        open_to_all, gated = _boxes(maps, rule), replace(rule, gate=0.5)
        found = _boxes(maps, gated, np.array([0.9, 0.1, 0.5, 0.4]))
        through = np.isin(open_to_all[0], [0, 2])
        for column, every in zip(found, open_to_all, strict=True):
            np.testing.assert_array_equal(column, every[through])


@every_way
def test_a_least_area_takes_small_components_out(rules: list[BoxRule]) -> None:
    """One share that all components reach, and one that none does."""
    maps = np.random.default_rng(6).normal(size=(3, 8, 8)).astype(np.float32)
    for rule in rules:
        plain, all_there, none = (_boxes(maps, replace(rule, min_area=area)) for area in (0.0, 1e-9, 0.95))
        for one, other in zip(plain, all_there, strict=True):
            np.testing.assert_array_equal(one, other)
        assert len(plain[0]) > len(none[0]) == 0


@pytest.mark.parametrize("threshold", NUMBERS)
def test_a_film_of_little_evidence_is_dark_at_the_cohorts_scale(threshold: str) -> None:
    """Unless the threshold is of the map itself."""
    maps = np.random.default_rng(7).random((3, 8, 8), dtype=np.float32)
    film, cohort = (BoxRule(NUMBERS[threshold], scale=scale) for scale in ("film", "cohort"))
    assert len(_boxes(maps * 0.1, film)[0]) >= 3
    assert len(_boxes(maps * 1.5, cohort)[0]) >= 3
    faint = _boxes(maps * 0.1, cohort)
    assert len(faint[0]) == (3 if threshold in ("dynamic", "otsu") else 0)
    assert (faint[2] < 0.1).all()


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
