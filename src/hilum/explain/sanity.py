"""Heatmaps -> do they depend on what was learnt, name the pixels that matter, and come again?

A heatmap may please and still be an edge detector. These checks need no reference box.
"""

import copy
import itertools
import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, Int
from torch import nn

from hilum.localize.scale import enlarged
from hilum.models import Classifier

Maps = Callable[[Classifier], Float[np.ndarray, "n c u v"]]
"""The maps that a model gives of films that stay the same."""

Probability = Callable[[Float32[np.ndarray, "s ch h w"]], Float[np.ndarray, " s"]]
"""The probability of one finding on some normalised films."""


def rank_correlations(
    first: Float[np.ndarray, "*k u v"], second: Float[np.ndarray, "*k u v"]
) -> Float64[np.ndarray, "*k"]:
    """Spearman's correlation of every two maps in the same place, pixel by pixel.

    Returns:
        In [-1, 1]; pixels of one value share their mean rank, and a flat map correlates with nothing: 0.

    Example:
        >>> rank_correlations(np.array([[1.0, 2.0, 9.0]]), np.array([[0.0, 5.0, 4.0]]))
        array(0.5)
    """
    ranks = [_centred_ranks(maps) for maps in (first, second)]
    both = (ranks[0] * ranks[1]).sum(axis=-1)
    scale = np.sqrt((ranks[0] ** 2).sum(axis=-1) * (ranks[1] ** 2).sum(axis=-1))
    return np.asarray(np.divide(both, scale, out=np.zeros_like(both), where=scale > 0))


def randomised(model: Classifier, rng: np.random.Generator) -> Iterator[Classifier]:
    """The model with its head drawn anew, then its next block too, down to the stem; as copies.

    Whatever has two axes or more becomes normal with a variance of 2 / fan-in (He et al. 2015,
    arXiv:1502.01852, equation 10), biases and running means 0, other vectors 1: a network before training,
    whose batch norms have seen no film.

    Source: Adebayo et al., NeurIPS 2018 (arXiv:1810.03292), section 3, cascading randomization.
    """
    model = copy.deepcopy(model)
    for block in model.blocks:
        _draw_anew(block, rng)
        yield copy.deepcopy(model)


def randomisation_curve(
    model: Classifier, maps: Maps, rng: np.random.Generator, depths: Sequence[int] | None = None
) -> Float64[np.ndarray, "d n c"]:
    """Rank correlation of each map with that of the model whose upper blocks were drawn anew.

    Source: Adebayo et al., NeurIPS 2018 (arXiv:1810.03292), section 3.

    Differs from the paper: maps are compared as they are, signed if the method's are.

    Args:
        model: In eval mode.
        maps: What is asked, of the model and of each copy.
        rng: Source of the new weights.
        depths: Numbers of blocks drawn anew, rising, from 1 for the head to all; every one by default.

    Returns:
        One row a depth. A map that shows what was learnt falls to about 0, one that stays at 1 never looked.

    Raises:
        ValueError: A depth that the model does not have.
    """
    n_blocks = len(model.blocks)
    depths = range(1, n_blocks + 1) if depths is None else depths
    if list(depths) != sorted({*depths} & {*range(1, n_blocks + 1)}):
        raise ValueError(f"depths {list(depths)}: they must rise from 1 to at most {n_blocks}")
    before = maps(model)
    copies = enumerate(randomised(model, rng), start=1)
    rows = [rank_correlations(before, maps(one)) for depth, one in copies if depth in depths]
    return np.stack(rows) if rows else np.zeros((0, *before.shape[:2]))


def deletion_curve(
    probability: Probability,
    film: Float32[np.ndarray, "ch h w"],
    heatmap: Float32[np.ndarray, "u v"],
    rng: np.random.Generator,
    n_steps: int = 16,
) -> Float64[np.ndarray, " t"]:
    """Probability of a finding while its film loses its pixels, the hottest first; from 0 % gone to 100 %.

    A pixel that is gone is 0, the mean of the films that the network was made for.

    Source: Petsiuk et al., BMVC 2018 (arXiv:1806.07421), section 4.

    Args:
        probability: Of the finding that the map explains.
        film: Normalised.
        heatmap: Raw; enlarged to the film.
        rng: Decides between pixels of one value.
        n_steps: Steps of equally many pixels.

    Returns:
        `n_steps` + 1 probabilities. Their area is small where the map found what the probability rests on.
    """
    rank = _ranks_from_hottest(heatmap, film.shape[-2:], rng)
    gone = rank < _counts(rank.size, n_steps)
    return probability(np.where(gone[:, None], np.float32(0), film)).astype(np.float64)


def insertion_curve(
    probability: Probability,
    film: Float32[np.ndarray, "ch h w"],
    heatmap: Float32[np.ndarray, "u v"],
    rng: np.random.Generator,
    n_steps: int = 16,
) -> Float64[np.ndarray, " t"]:
    """Probability of a finding while its film appears, the hottest pixels first; from 0 % there to 100 %.

    Differs from the paper: the film appears out of its mean, not out of its blurred self, so that both curves
    hold the same films at their ends.

    Source: Petsiuk et al., BMVC 2018 (arXiv:1806.07421), section 4.

    Args:
        probability: Of the finding that the map explains.
        film: Normalised.
        heatmap: Raw; enlarged to the film.
        rng: Decides between pixels of one value.
        n_steps: Steps of equally many pixels.

    Returns:
        `n_steps` + 1 probabilities. Their area is large where the map found what suffices.
    """
    rank = _ranks_from_hottest(heatmap, film.shape[-2:], rng)
    there = rank < _counts(rank.size, n_steps)
    return probability(np.where(there[:, None], film, np.float32(0))).astype(np.float64)


def area_under(curve: Float[np.ndarray, "*k t"]) -> Float64[np.ndarray, "*k"]:
    """Mean height of a curve whose points stand at equal distances.

    Example:
        >>> area_under(np.array([1.0, 0.5, 0.0]))
        array(0.5)
    """
    return np.asarray((curve[..., 1:] + curve[..., :-1]).mean(axis=-1) / 2, np.float64)


def repeatability(maps: Float[np.ndarray, "m n c u v"]) -> Float64[np.ndarray, "n c"]:
    """Mean rank correlation between the maps that networks of different random seeds give of the same films.

    Source: Arun et al. 2021 (Radiology: Artificial Intelligence 3(6)), who compare two trainings of one
    network.

    Raises:
        ValueError: Fewer than two networks.
    """
    if len(maps) < 2:
        raise ValueError(f"maps of {len(maps)} networks; at least two are compared")
    pairs = itertools.combinations(maps, 2)
    return np.mean([rank_correlations(first, second) for first, second in pairs], axis=0)


def _centred_ranks(maps: Float[np.ndarray, "*k u v"]) -> Float64[np.ndarray, "*k p"]:
    flat = maps.reshape(math.prod(maps.shape[:-2]), math.prod(maps.shape[-2:]))
    ranks = np.empty(flat.shape)
    for row, values in zip(ranks, flat, strict=True):
        _, place, count = np.unique(values, return_inverse=True, return_counts=True)
        row[:] = (np.cumsum(count) - (count - 1) / 2)[place]
    return (ranks - (flat.shape[1] + 1) / 2).reshape(*maps.shape[:-2], flat.shape[1])


def _draw_anew(block: nn.Module, rng: np.random.Generator) -> None:
    with torch.no_grad():
        for name, tensor in itertools.chain(block.named_parameters(), block.named_buffers()):
            if tensor.ndim > 1:
                deviation = (2 / tensor[0].numel()) ** 0.5
                tensor.copy_(torch.from_numpy(rng.normal(0, deviation, tuple(tensor.shape))))
            elif tensor.is_floating_point():
                tensor.fill_(0.0 if name.endswith(("bias", "running_mean")) else 1.0)


def _ranks_from_hottest(
    heatmap: Float32[np.ndarray, "u v"], film_hw: tuple[int, ...], rng: np.random.Generator
) -> Int[np.ndarray, "h w"]:
    """0 for the hottest pixel."""
    height, width = film_hw
    values = enlarged(heatmap, (height, width)).ravel()
    ranks = np.empty(values.size, np.int64)
    ranks[np.lexsort((rng.random(values.size), -values))] = np.arange(values.size)
    return ranks.reshape(height, width)


def _counts(n_pixels: int, n_steps: int) -> Int[np.ndarray, "t 1 1"]:
    return np.linspace(0, n_pixels, n_steps + 1).round().astype(np.int64)[:, None, None]
