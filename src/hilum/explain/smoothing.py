"""Two ways to smooth a map: the mean over altered films, and the main direction of the weighted channels."""

from collections.abc import Callable, Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import interpolate

from hilum.explain.cam import Weights, channel_sum
from hilum.explain.capture import Captured, capture
from hilum.explain.eigen import first_projection

AT_ONCE = 16
"""Altered films a forward pass, at most, unless one of each is more."""

FACTORS = (0.9, 1.0, 1.1)

Copy = tuple[bool, float]
"""Of a film: whether it is flipped left to right, and what its normalised values are multiplied by."""

_AS_IT_IS: Copy = (False, 1.0)

Maps = Callable[[Captured, Tensor], Tensor]


def augmentation(
    maps: dict[str, Maps],
    captured: Captured,
    findings: Int[Tensor, " c"],
    passes: str = "six",
    sign: str = "relu",
    *,
    pre_relu: bool = False,
) -> dict[str, Float[Tensor, "n c u v"]]:
    """The mean of the maps of altered films, each turned back and scaled to [0, 1] first.

    Films are flipped left to right or not, and normalised values multiplied by 0.9, 1 and 1.1. The scale is
    that of the map enlarged to the input, so that the mean of the small maps, enlarged, is the mean of the
    enlarged ones.

    Source: Gascoigne-Burns and Katsigiannis 2021, section II-D, by way of pytorch-grad-cam, whose six passes
    these are; "three_flipped" is the section read to the letter: all copies flipped.

    Args:
        maps: Functions that make the maps to be smoothed, by name; all share the passes.
        captured: The films as they are, which are one of the six copies; they are not run again.
        findings: Columns wanted.
        passes: "six" copies or "three_flipped".
        sign: "relu" makes negative evidence 0 before a pass is scaled, "signed" keeps its rank.
        pre_relu: Whether a map is made from the last feature map before its ReLU.
    """
    flips = (False, True) if passes == "six" else (True,)
    copies = [(flip, factor) for flip in flips for factor in FACTORS]
    sums: dict[str, Tensor] = {}
    for inside, again in _captured_again(captured, copies, pre_relu):
        for name, make in maps.items():
            made = make(again, findings)
            made = _unit(made if sign == "signed" else made.relu(), captured.images.shape[2:])
            for (flip, _), each in zip(inside, made.tensor_split(len(inside)), strict=True):
                turned = each.flip(3) if flip else each
                sums[name] = sums[name] + turned if name in sums else turned
    return {name: total / len(copies) for name, total in sums.items()}


def eigen_weighted(activations: Float[Tensor, "n d u v"], weights: Weights) -> Float[Tensor, "n c u v"]:
    """The first principal component of the positions, over the weighted channels weight_k A_k.

    Its sign is that of the map it replaces, sum_k weight_k A_k.

    Source: Gascoigne-Burns and Katsigiannis 2021, section II-D, by way of pytorch-grad-cam.
    """
    made = channel_sum(activations, weights)
    weights = weights.expand(len(activations), *weights.shape[1:])
    for film, A in enumerate(activations):
        weighted = weights[film] * A
        made[film] = first_projection(weighted - weighted.mean(dim=(2, 3), keepdim=True), made[film])
    return made


def map_rank1(maps: Float[Tensor, "n c u v"]) -> Float[Tensor, "n c u v"]:
    """The part of each map that one row times one column can hold: its leading singular triple.

    Source: Gascoigne-Burns and Katsigiannis 2021, section II-D, read to the letter.
    """
    if not maps.numel():
        return maps
    U, S, Vh = torch.linalg.svd(maps.double(), full_matrices=False)
    return (U[..., :1] * S[..., None, :1] @ Vh[..., :1, :]).to(maps.dtype)


def _captured_again(
    captured: Captured, copies: list[Copy], pre_relu: bool
) -> Iterator[tuple[list[Copy], Captured]]:
    """Some of the copies at a time, and what the model makes of them; that of the films as they are first."""
    if _AS_IT_IS in copies:
        yield [_AS_IT_IS], captured
    altered = [copy for copy in copies if copy != _AS_IT_IS]
    together = max(1, AT_ONCE // max(len(captured.images), 1))
    for first in range(0, len(altered), together):
        inside = altered[first : first + together]
        images = [(captured.images.flip(3) if flip else captured.images) * factor for flip, factor in inside]
        metadata = None if captured.metadata is None else captured.metadata.repeat(len(inside), 1)
        again = capture(captured.model, torch.cat(images), metadata, pre_relu=pre_relu, seed=captured.seed)
        yield inside, again


def _unit(maps: Float[Tensor, "n c u v"], input_hw: tuple[int, ...]) -> Float[Tensor, "n c u v"]:
    """Scaled by the range that each map has when enlarged to the input.

    As in pytorch-grad-cam they are scaled by their own range first: the 1e-7 that keeps flat maps flat would
    otherwise darken maps of little range, such as gradients.
    """
    if not maps.numel():
        return maps
    maps = _scaled(maps, maps)
    if maps.shape[2:] == input_hw:
        return _scaled(maps, maps)
    return _scaled(maps, interpolate(maps, input_hw, mode="bilinear", align_corners=False))


def _scaled(maps: Float[Tensor, "n c u v"], by: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c u v"]:
    low, high = by.amin(dim=(2, 3), keepdim=True), by.amax(dim=(2, 3), keepdim=True)
    return (maps - low) / (high - low + 1e-7)
