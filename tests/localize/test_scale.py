import numpy as np
import pytest

from hilum.localize.scale import axis_from, enlarged, unit_map

SIZES = [(2, 4), (7, 224), (7, 1024), (14, 956), (8, 256), (5, 5), (9, 4), (32, 20), (1, 6), (3, 1)]


def test_two_by_two_to_four_by_four() -> None:
    """Pixel centres lie at -1/4, 1/4, 3/4 and 5/4 nodes: the outer ones hold the outer values."""
    shares = np.array([0.0, 0.25, 0.75, 1.0])
    found = enlarged(np.array([[0.0, 0.0], [0.0, 1.0]], dtype=np.float32), (4, 4))
    np.testing.assert_array_equal(found, np.outer(shares, shares))


def test_height_comes_first() -> None:
    assert enlarged(np.zeros((2, 3), np.float32), (5, 7)).shape == (5, 7)


@pytest.mark.parametrize(
    ("signed", "expected"), [(False, [0.0, 0.0, 0.25, 1.0]), (True, [0.0, 4 / 12, 6 / 12, 1.0])]
)
def test_negative_evidence_becomes_nothing_or_the_bottom(signed, expected) -> None:
    found = unit_map(np.array([[-4.0, 0.0, 2.0, 8.0]]), signed=signed)
    np.testing.assert_allclose(found, [expected], atol=1e-7)


def test_the_least_positive_value_becomes_nought() -> None:
    np.testing.assert_allclose(unit_map(np.array([[3.0, 4.0, 5.0]])), [[0.0, 0.5, 1.0]], atol=1e-7)


@pytest.mark.parametrize("value", [0.0, 5.0, -5.0])
@pytest.mark.parametrize("signed", [False, True])
def test_a_flat_map_is_nought(value, signed) -> None:
    np.testing.assert_array_equal(unit_map(np.full((2, 3), value), signed=signed), np.zeros((2, 3)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_range_beside_which_the_epsilon_matters(dtype) -> None:
    found = unit_map(np.array([[0.0, 1e-7]], dtype=dtype))
    np.testing.assert_allclose(found, [[0.0, 0.5]], rtol=1e-6)
    assert found.dtype == np.float64


@pytest.mark.parametrize(("n_nodes", "n_pixels"), SIZES)
def test_the_cells_of_an_axis_rebuild_the_enlarged_map(n_nodes, n_pixels) -> None:
    axis = axis_from(n_nodes, n_pixels)
    line = np.random.default_rng(n_pixels).normal(size=n_nodes).astype(np.float32)
    n_in_cell = np.diff(axis.start)
    assert axis.start[0] == 0
    assert axis.start[-1] == n_in_cell.sum() == n_pixels
    assert n_in_cell.min() > 0
    before, after = line[np.repeat(axis.node, n_in_cell)], line[np.repeat(axis.after, n_in_cell)]
    part = axis.part[:n_pixels]
    np.testing.assert_allclose(
        before + (after - before) * part, enlarged(line[None], (1, n_pixels))[0], atol=1e-5
    )
    outside = np.repeat(axis.node == axis.after, n_in_cell)
    assert ((part[~outside] >= 0) & (part[~outside] < 1)).all()
    np.testing.assert_array_equal(axis.part[n_pixels:], np.zeros(16))


def test_one_cell_lies_beyond_each_end_and_one_between_two_nodes() -> None:
    axis = axis_from(7, 1024)
    assert len(axis.node) == 8
    assert axis.node.tolist() == [0, 0, 1, 2, 3, 4, 5, 6]
    assert axis.after.tolist() == [0, 1, 2, 3, 4, 5, 6, 6]
