"""Where a box lies on the film, by hand."""

import numpy as np
import pytest

from hilum.localize import BoxRule, boxes_from, peaks_from, sweep_from
from hilum.localize.rule import MAP_SIZES

IDENTITY = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


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
