"""Masks drawn by hand: a map as large as the network's input is its own enlargement, cell for pixel."""

import numpy as np
import pytest

from hilum.localize import COMPONENTS, BoxRule, boxes_from
from hilum.localize.component import ALL, HULL, LARGEST, LARGEST_BOX, REACH

IDENTITY = np.array([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])


def boxes(drawing: str, component: str, connectivity: int = 8, n_least: int = 0) -> list[list[float]]:
    """Boxes of a mask of dots and hashes, of components of so many pixels at least."""
    mask = np.array([[sign == "#" for sign in line] for line in drawing.split()], dtype=np.float32)
    hw, share = mask.shape, n_least / mask.size
    rule = BoxRule("fraction(0.5)", component, "input", connectivity=connectivity, min_area=share)
    return boxes_from(mask[None], IDENTITY, hw, rule, hw)[1].tolist()


FOUR = """
###.....
###...#.
###..#..
....#...
...#....
........
#.......
"""
"""A square of 9 pixels, a diagonal of 4 in a box of 16, and one pixel alone."""


@pytest.mark.parametrize(
    ("component", "expected"),
    [
        ("largest", [[0, 0, 3, 3]]),
        ("largest_box", [[3, 1, 7, 5]]),
        ("all", [[0, 0, 3, 3], [0, 6, 1, 7], [3, 1, 7, 5]]),
        ("hull", [[0, 0, 7, 7]]),
    ],
)
def test_each_rule_gives_its_box(component, expected) -> None:
    assert sorted(boxes(FOUR, component)) == expected


def test_compiled_code_knows_each_name_by_its_own_number() -> None:
    assert COMPONENTS == {"largest": LARGEST, "largest_box": LARGEST_BOX, "all": ALL, "hull": HULL}
    assert len(set(COMPONENTS.values())) == 4
    assert sorted(REACH) == [4, 8]


@pytest.mark.parametrize(
    ("drawing", "n_of_8", "n_of_4"),
    [
        ("#. .#", 1, 2),
        (".# #.", 1, 2),
        ("## ..", 1, 1),
        ("#. #.", 1, 1),
        ("#.#", 2, 2),
        ("# . #", 2, 2),
        ("#.. ..# #..", 3, 3),
        ("#.# .#. #.#", 1, 5),
        ("### #.# ###", 1, 1),
        ("#.. ##. .## ..#", 1, 1),
        ("##. ..# ##.", 1, 3),
        (".## #.. .##", 1, 3),
        ("##### ....# ###.# #.#.# #.### #....", 1, 1),
        ("##### ....# ###.# #.#.# .#.## #....", 1, 4),
        ("#.#.# #.#.# #####", 1, 1),
        ("##### #.#.# #.#.#", 1, 1),
    ],
)
def test_with_8_neighbours_a_corner_joins_and_with_4_it_takes_an_edge(drawing, n_of_8, n_of_4) -> None:
    assert len(boxes(drawing, "all")) == n_of_8
    assert len(boxes(drawing, "all", 4)) == n_of_4


@pytest.mark.parametrize(
    ("component", "expected"),
    [("largest", [[0, 0, 3, 3]]), ("largest_box", [[0, 0, 3, 3]]), ("hull", [[0, 0, 7, 7]])],
)
def test_a_diagonal_is_four_components_of_one_pixel_with_4_neighbours(component, expected) -> None:
    assert boxes(FOUR, component, 4) == expected
    assert len(boxes(FOUR, "all", 4)) == 6


@pytest.mark.parametrize(
    ("component", "n_least", "expected"),
    [
        ("all", 1, [[0, 0, 3, 3], [0, 6, 1, 7], [3, 1, 7, 5]]),
        ("all", 2, [[0, 0, 3, 3], [3, 1, 7, 5]]),
        ("all", 4, [[0, 0, 3, 3], [3, 1, 7, 5]]),
        ("all", 5, [[0, 0, 3, 3]]),
        ("all", 10, []),
        ("largest", 9, [[0, 0, 3, 3]]),
        ("largest", 10, []),
        ("largest_box", 4, [[3, 1, 7, 5]]),
        ("largest_box", 5, [[0, 0, 3, 3]]),
        ("hull", 1, [[0, 0, 7, 7]]),
        ("hull", 2, [[0, 0, 7, 5]]),
        ("hull", 5, [[0, 0, 3, 3]]),
        ("hull", 10, []),
    ],
)
def test_a_component_of_too_few_pixels_is_as_if_it_were_not_there(component, n_least, expected) -> None:
    assert sorted(boxes(FOUR, component, n_least=n_least)) == expected


@pytest.mark.parametrize("component", ["largest", "largest_box"])
@pytest.mark.parametrize(
    ("drawing", "expected"),
    [
        ("##..## ......", [0, 0, 2, 1]),
        ("...... ....## ...... ##....", [4, 1, 6, 2]),
        (".....# #....# #.....", [5, 0, 6, 2]),
        ("#.... #...# ....#", [0, 0, 1, 2]),
    ],
)
def test_of_equals_the_first_one_read_is_kept(drawing, component, expected) -> None:
    assert boxes(drawing, component) == [expected]


@pytest.mark.parametrize("component", COMPONENTS)
def test_an_empty_mask_gives_no_box(component) -> None:
    """Between 2 and 3 of 255 there is no pixel of a map of zeros and ones."""
    mask = np.eye(3, dtype=np.float32)[None]
    rule = BoxRule("static_band(2, 3)", component, "input")
    assert len(boxes_from(mask, IDENTITY, (3, 3), rule, (3, 3))[1]) == 0
