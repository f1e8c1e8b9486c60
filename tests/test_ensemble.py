"""Means of probabilities and of maps, worked by hand; maps meet where they lie on the film."""

import numpy as np
import pytest

from hilum.ensemble import AVERAGES, grid_over, mean_logits, mean_maps, scaled, soft_vote, squares_from
from hilum.localize.scale import cohort_ranges, enlarged, extremes_from, unit_map

WHOLE = np.array([[[1024.0, 0.0, 0.0], [0.0, 1024.0, 0.0]]])
MIDDLE = np.array([[[512.0, 0.0, 256.0], [0.0, 512.0, 256.0]]])


def _map(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).random(shape)


def test_soft_voting_is_the_mean_and_the_other_that_of_the_logits() -> None:
    members = np.random.default_rng(0).uniform(0.01, 0.99, (3, 5, 2))
    np.testing.assert_allclose(soft_vote(members), (members[0] + members[1] + members[2]) / 3)
    odds = np.prod(
        (members / (1 - members)) ** (1 / 3), axis=0
    )  # the mean logit is the geometric mean of odds
    np.testing.assert_allclose(mean_logits(members), odds / (1 + odds))
    assert set(AVERAGES) == {"probabilities", "logits"}


@pytest.mark.parametrize("average", AVERAGES)
def test_one_member_is_its_own_mean(average: str) -> None:
    alone = np.array([[[0.0, 0.0000001, 0.3, 1.0]]])
    np.testing.assert_allclose(AVERAGES[average](alone).round(7), alone[0], atol=1e-15)
    assert AVERAGES[average](np.zeros((2, 0, 3))).shape == (0, 3)


def test_certain_members_leave_a_mean() -> None:
    assert mean_logits(np.array([[[1.0]], [[0.0]]])) == pytest.approx(0.5)


@pytest.mark.parametrize("signed", [False, True])
def test_units_are_those_of_a_threshold(signed: bool) -> None:
    maps = (1000 * _map(0, 3, 4, 5) - 300).astype(np.float32)
    maps[2] = 7.0
    for one, raw in zip(scaled(maps, signed), maps, strict=True):
        np.testing.assert_allclose(one, unit_map(raw, signed), atol=1e-9)
    ranges = cohort_ranges(extremes_from(maps[:, None]), signed)
    dim = scaled(maps / 2, signed, np.repeat(ranges, 3, axis=0))
    assert dim.max() < scaled(maps, signed, np.repeat(ranges, 3, axis=0)).max() / 1.5


def test_maps_of_one_view_are_averaged_as_they_are() -> None:
    maps = [_map(seed, 1, 4, 6) for seed in range(3)]
    assert grid_over([(4, 6)] * 3, [MIDDLE] * 3, MIDDLE) == (4, 6)
    mean = mean_maps(maps, [MIDDLE] * 3, MIDDLE, (4, 6))
    np.testing.assert_allclose(mean, np.mean(maps, axis=0), rtol=1e-6)


def test_a_coarser_map_is_enlarged_as_ever() -> None:
    coarse, fine = _map(0, 1, 3, 4), _map(1, 1, 6, 8)
    assert grid_over([(3, 4), (6, 8)], [WHOLE] * 2, WHOLE) == (6, 8)
    mean = mean_maps([coarse, fine], [WHOLE] * 2, WHOLE, (6, 8))
    wanted = (enlarged(coarse[0].astype(np.float32), (6, 8)) + fine[0]) / 2
    np.testing.assert_allclose(mean[0], wanted, rtol=1e-5)


def test_a_crop_is_laid_where_it_was_cut() -> None:
    """A crop of the middle half: outside of it the mean is that of the member that saw all."""
    assert grid_over([(4, 4), (4, 4)], [WHOLE, MIDDLE], WHOLE) == (8, 8)
    whole, crop = np.zeros((1, 8, 8)), np.ones((1, 4, 4))
    whole[0, 0, 0] = 0.5
    mean = mean_maps([whole, crop], [WHOLE, MIDDLE], WHOLE, (8, 8))
    wanted = np.zeros((8, 8))
    wanted[2:6, 2:6], wanted[0, 0] = 0.5, 0.5
    np.testing.assert_allclose(mean[0], wanted)
    np.testing.assert_allclose(mean_maps([crop], [MIDDLE], WHOLE, (8, 8))[0, 2:6, 2:6], 1.0)


def test_a_place_that_none_saw_is_dark_and_a_mirrored_view_is_turned_back() -> None:
    mean = mean_maps([np.ones((1, 2, 2))], [MIDDLE], WHOLE, (4, 4))
    assert mean.sum() == 4
    mirrored = np.array([[[-1024.0, 0.0, 1024.0], [0.0, 1024.0, 0.0]]])
    one = _map(3, 1, 2, 5)
    np.testing.assert_allclose(mean_maps([one], [mirrored], WHOLE, (2, 5))[0], one[0, :, ::-1], rtol=1e-6)


def test_turned_views_are_refused() -> None:
    turned = np.array([[[0.0, 1024.0, 0.0], [1024.0, 0.0, 0.0]]])
    with pytest.raises(ValueError, match="is turned"):
        mean_maps([np.ones((1, 2, 2))], [turned], WHOLE, (2, 2))


def test_no_maps_have_a_mean_of_none() -> None:
    none = np.zeros((0, 2, 3))
    assert grid_over([(7, 7)], [none], none) == (1, 1)
    assert mean_maps([np.zeros((0, 7, 7))], [none], none, (1, 1)).shape == (0, 1, 1)
    assert scaled(np.zeros((0, 7, 7), np.float32), signed=False).shape == (0, 7, 7)


def test_a_view_is_the_input_on_the_frame() -> None:
    affine = np.array([[[2.0, 0.0, 34.0], [0.0, 3.0, 5.0]]])
    np.testing.assert_allclose(squares_from(affine, (10, 20)), [[[40.0, 0.0, 34.0], [0.0, 30.0, 5.0]]])
