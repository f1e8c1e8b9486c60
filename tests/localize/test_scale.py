import numpy as np
import pytest

from hilum.localize.scale import axis_from, cohort_ranges, enlarged, extremes_from, unit_map

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


# A cohort's range.


def of_films(minima: list[float], maxima: list[float]) -> np.ndarray:
    """Extremes of one finding."""
    return np.stack([minima, maxima], axis=-1)[:, None].astype(float)


def test_extremes_are_of_each_map() -> None:
    maps = np.array([[[[1.0, -2.0]], [[0.0, 5.0]]]], dtype=np.float32)
    np.testing.assert_array_equal(extremes_from(maps), [[[-2.0, 1.0], [0.0, 5.0]]])
    assert extremes_from(np.zeros((0, 3, 7, 7), np.float32)).shape == (0, 3, 2)


@pytest.mark.parametrize(
    ("signed", "percentile", "expected"),
    [
        (False, 75.0, [0.0, 3.0]),
        (True, 75.0, [-3.0, 3.0]),
        (False, 100.0, [0.0, 4.0]),
        (False, 87.5, [0.0, 3.5]),
        (True, 87.5, [-3.5, 3.5]),
    ],
)
def test_a_range_is_of_percentiles_of_the_films(signed, percentile, expected) -> None:
    line = [0.0, 1.0, 2.0, 3.0, 4.0]
    found = cohort_ranges(of_films([-x for x in line], line), signed, percentile)
    np.testing.assert_array_equal(found, [expected])


def test_each_finding_has_its_own_range_of_the_films_that_have_a_map_of_it() -> None:
    first, second = of_films([0.0] * 3, [1.0, np.nan, 3.0]), of_films([np.nan, 0.0, 0.0], [9.0, 10.0, 30.0])
    found = cohort_ranges(np.concatenate([first, second], axis=1), percentile=100.0)
    np.testing.assert_array_equal(found, [[0.0, 3.0], [0.0, 30.0]])


@pytest.mark.parametrize("n", [1, 2, 50, 100, 101, 1000])
def test_few_films_exceed_their_own_range(n) -> None:
    maxima = np.random.default_rng(n).exponential(size=n)
    (found,) = cohort_ranges(of_films([0.0] * n, maxima.tolist()))
    assert (maxima > found[1]).sum() <= np.ceil(n / 100)


def test_a_finding_of_negative_evidence_alone_has_a_range_of_no_width() -> None:
    cold = of_films([-3.0, -2.0], [-1.0, -0.5])
    np.testing.assert_array_equal(cohort_ranges(cold), [[0.0, 0.0]])
    assert (np.diff(cohort_ranges(cold, signed=True)) > 0).all()


@pytest.mark.parametrize(
    ("minima", "maxima", "percentile", "message"),
    [
        ([np.nan, 0.0], [1.0, np.nan], 99.0, "finding 0 has no map on any film"),
        ([], [], 99.0, "finding 0 has no map on any film"),
        ([0.0], [np.inf], 99.0, "infinite"),
        ([-np.inf], [1.0], 99.0, "infinite"),
        ([0.0], [1.0], 50.0, "percentile 50 must lie above 50"),
        ([0.0], [1.0], 101.0, "percentile 101 must"),
        ([0.0], [1.0], np.nan, "percentile nan must"),
    ],
)
def test_a_range_that_cannot_be_told_is_refused(minima, maxima, percentile, message) -> None:
    with pytest.raises(ValueError, match=message):
        cohort_ranges(of_films(minima, maxima), percentile=percentile)


def test_no_findings_have_no_ranges() -> None:
    assert cohort_ranges(np.zeros((4, 0, 2))).shape == (0, 2)
