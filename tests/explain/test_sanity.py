"""Checks of heatmaps on networks and maps of which the answer is known."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from hilum.explain import heatmaps
from hilum.explain.sanity import (
    area_under,
    deletion_curve,
    insertion_curve,
    randomisation_curve,
    randomised,
    rank_correlations,
    repeatability,
)

SIDE = 8


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("n_values", [1000, 4, 2])
def test_rank_correlation_is_spearmans_with_ties_too(n_values, rng) -> None:
    first, second = rng.integers(0, n_values, (2, 3, 2, 7, 5)).astype(np.float32)
    ours = rank_correlations(first, second)
    for film in range(3):
        for finding in range(2):
            theirs, _ = spearmanr(first[film, finding].ravel(), second[film, finding].ravel())
            assert ours[film, finding] == pytest.approx(theirs, abs=1e-12)


def test_rank_correlation_looks_at_the_order_alone(rng) -> None:
    maps = rng.random((4, 2, 5, 5))
    np.testing.assert_allclose(rank_correlations(maps, np.exp(5 * maps)), 1, atol=1e-12)
    np.testing.assert_allclose(rank_correlations(maps, -maps), -1, atol=1e-12)
    assert (rank_correlations(maps, np.ones_like(maps)) == 0).all()
    assert rank_correlations(maps[:0], maps[:0]).shape == (0, 2)


def test_blocks_are_drawn_anew_from_the_head_down(model, rng) -> None:
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    n_copies = 0
    for n_copies, one in enumerate(randomised(model, rng), start=1):
        assert not one.training
        for number, (old, new) in enumerate(zip(model.blocks, one.blocks, strict=True)):
            pairs = list(zip(old.parameters(), new.parameters(), strict=True))
            changed = [not torch.equal(a, b) for a, b in pairs]
            assert any(changed) if number < n_copies and pairs else not any(changed)
    assert n_copies == len(model.blocks)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_new_weights_are_those_of_a_network_before_training(model, rng) -> None:
    *_, last = randomised(model, rng)
    for name, tensor in last.state_dict().items():
        if name.endswith(("bias", "running_mean")):
            assert (tensor == 0).all()
        elif tensor.ndim == 1:
            assert (tensor == 1).all()
    model.head = torch.nn.Linear(200, 300)
    first = next(randomised(model, rng)).get_submodule("head")
    weight = first.get_parameter("weight")
    assert weight.std().item() == pytest.approx((2 / 200) ** 0.5, rel=0.02)
    assert abs(weight.mean().item()) < 0.002


def test_a_map_that_ignores_the_network_never_changes(model, images, rng) -> None:
    edges = images.mean(dim=1, keepdim=True).numpy()
    curve = randomisation_curve(model, lambda _: edges, rng)
    assert curve.shape == (len(model.blocks), len(images), 1)
    np.testing.assert_allclose(curve, 1, atol=1e-12)


def test_each_depth_is_compared_with_the_model_itself(model, rng) -> None:
    """The first vector of the head is the map: changed at the first depth, and not again."""

    def maps(one) -> np.ndarray:
        return one.head.weight.detach().numpy()[None, :1, None]

    curve = randomisation_curve(model, maps, rng)
    assert (abs(curve) < 1).all()
    assert (curve == curve[0]).all()


def test_maps_of_the_network_change_and_the_same_draws_give_the_same_curve(model, images, metadata) -> None:
    def maps(one) -> np.ndarray:
        return heatmaps(one, images, None, "hirescam", metadata=metadata)

    curve = randomisation_curve(model, maps, np.random.default_rng(3))
    assert (curve[-1] < 0.99).all()
    some = randomisation_curve(model, maps, np.random.default_rng(3), [1, len(model.blocks)])
    np.testing.assert_array_equal(some, curve[[0, -1]])
    nothing = randomisation_curve(model, maps, np.random.default_rng(3), [])
    assert nothing.shape == (0, 3, 3)
    for depths in ([0], [2, 1], [1, 1], [len(model.blocks) + 1]):
        with pytest.raises(ValueError, match="from 1 to at most"):
            randomisation_curve(model, maps, np.random.default_rng(3), depths)


@pytest.fixture
def linear(rng) -> tuple[np.ndarray, np.ndarray]:
    """A film of ones, and what each of its pixels gives to a probability of 1."""
    weight = rng.random((SIDE, SIDE)).astype(np.float32)
    return np.ones((3, SIDE, SIDE), np.float32), weight / weight.sum()


def test_curves_of_a_linear_network_are_known(linear, rng) -> None:
    film, weight = linear
    best = np.concatenate([[0], np.cumsum(np.sort(weight.ravel())[::-1])])[::4]

    def probability(films) -> np.ndarray:
        assert films.dtype == np.float32
        return (films[:, 0] * weight).sum(axis=(1, 2))

    for heatmap, gone in ((weight, best), (-weight, 1 - best[::-1])):
        deleted = deletion_curve(probability, film, heatmap, rng)
        np.testing.assert_allclose(deleted, 1 - gone, atol=1e-6)
        inserted = insertion_curve(probability, film, heatmap, rng)
        np.testing.assert_allclose(inserted, gone, atol=1e-6)
    assert len(deletion_curve(probability, film, weight, rng, 5)) == 6


def test_a_small_map_is_enlarged_to_the_film(rng) -> None:
    film = np.ones((1, SIDE, SIDE), np.float32)
    corner = np.array([[9.0, 0.0], [0.0, 0.0]], np.float32)

    def seen(films) -> np.ndarray:
        return films[:, 0, : SIDE // 4, : SIDE // 4].mean(axis=(1, 2))

    assert insertion_curve(seen, film, corner, rng)[1] == pytest.approx(1)
    assert deletion_curve(seen, film, corner, rng)[1] == pytest.approx(0)


def test_pixels_of_one_value_go_at_random(linear) -> None:
    film, weight = linear
    flat = np.zeros((SIDE, SIDE), np.float32)

    def probability(films) -> np.ndarray:
        return (films[:, 0] * weight).sum(axis=(1, 2))

    areas = [
        area_under(deletion_curve(probability, film, flat, np.random.default_rng(seed)))
        for seed in range(200)
    ]
    assert len(set(map(float, areas))) > 190
    assert np.mean(areas) == pytest.approx(0.5, abs=0.01)
    assert area_under(deletion_curve(probability, film, weight, np.random.default_rng(0))) < min(areas)


def test_repeatability_is_the_mean_over_pairs_of_networks(rng) -> None:
    maps = rng.random((3, 2, 4, 6, 6))
    ours = repeatability(maps)
    assert ours.shape == (2, 4)
    pairs = [rank_correlations(maps[a], maps[b]) for a, b in ((0, 1), (0, 2), (1, 2))]
    np.testing.assert_allclose(ours, sum(pairs) / 3)
    np.testing.assert_allclose(repeatability(np.stack([maps[0], -maps[0]])), -1)
    with pytest.raises(ValueError, match="maps of 1 networks"):
        repeatability(maps[:1])
