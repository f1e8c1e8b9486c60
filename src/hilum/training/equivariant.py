"""The step that teaches pixels whom they resemble: refined maps of a turned film are turned refined maps."""

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from hilum.models.pixel_correlation import EPSILON, PixelCorrelation
from hilum.training.losses import Loss, binary_cross_entropy
from hilum.training.stepped import Seen, Stepped

INSIDE = 0.999
"""Share of a turned cell that must come from inside the film."""


def equivariant(
    model: PixelCorrelation,
    seen: Seen,
    _loss: Loss,
    degrees: float = 30.0,
    msml: float = 1.5,
    ecr: float = 1.0,
    hardest: float = 0.2,
    sign: Literal["sum", "difference"] = "sum",
    pooled: Literal["raw", "literal"] = "raw",
) -> Stepped:
    """Two branches of shared weights, one of which sees the film turned; the classifier gives no gradient.

    Source: D'Souza et al. 2022, equations 7 to 9; Wang et al., CVPR 2020 (arXiv:2004.04581), equation 8.

    Args:
        model: Its affinity learns.
        seen: Films and labels.
        _loss: Of classification; not used, as the logits do not change.
        degrees: Films are turned by up to so many either way.
        msml: Weight of the multilabel soft margin loss of both branches' pooled refined maps; 0 for none.
        ecr: Weight of the equivariance loss; 0 for none.
        hardest: Share of an image's differences, the greatest ones, that count; 1 for all.
        sign: "sum" of both differences as Wang et al. have it, or their "difference", as D'Souza et al.
            print it: its second term rewards branches that disagree.
        pooled: "raw" pools refined raw class maps, in logits; "literal" refined maps in [0, 1], of which no
            pool says that a finding is absent.
    """
    images, labels = seen.images, seen.labels
    angle = _angles(model, len(images), degrees).to(images)
    here, there = (_branch(model, each, labels, seen.metadata) for each in (images, turned(images, angle)))
    inside = turned(torch.ones_like(here.prepared[:, :1]), angle) > INSIDE
    first = _hard(turned(here.prepared, angle) - there.refined, inside, hardest)
    second = _hard(turned(here.refined, angle) - there.prepared, inside, hardest)
    equivariance = second + first if sign == "sum" else second - first
    pools = [branch.raw if pooled == "raw" else branch.refined for branch in (here, there)]
    margin = sum(binary_cross_entropy(pool.mean(dim=(2, 3)), labels) for pool in pools) / 2
    assert isinstance(margin, Tensor)
    total = msml * margin + ecr * equivariance
    parts = {"msml": margin, "ecr": equivariance, "theta_change": model.theta_change}
    return Stepped(total, total, parts, here.logits)


class _Made:
    """What one branch makes of its films.

    Attributes:
        logits: Of the classifier.
        prepared: Class maps in [0, 1], of the findings that the film has.
        refined: The same after the affinity.
        raw: Class maps as they are, after the affinity.
    """

    def __init__(self, logits: Tensor, prepared: Tensor, refined: Tensor, raw: Tensor) -> None:
        self.logits, self.prepared, self.refined, self.raw = logits, prepared, refined, raw


def _branch(model: PixelCorrelation, images: Tensor, labels: Tensor, metadata: Tensor) -> _Made:
    activations, compared = model.compared(images)
    with torch.no_grad():
        logits = model.logits_from(activations, metadata).float()
        class_maps = model.class_maps(activations)
        prepared = model.prepared(class_maps)
    present = (labels == 1)[:, :, None, None]
    both = model.refined(compared, torch.cat([prepared, class_maps], dim=1))
    refined, raw = both.chunk(2, dim=1)
    return _Made(logits, _unit(prepared) * present, _unit(refined) * present, raw)


def _unit(maps: Float[Tensor, "n f u v"]) -> Float[Tensor, "n f u v"]:
    return maps / (maps.detach().amax(dim=(2, 3), keepdim=True) + EPSILON)


def _hard(difference: Float[Tensor, "n f u v"], inside: Tensor, hardest: float) -> Float[Tensor, ""]:
    """The mean of each film's greatest absolute differences, over all findings and pixels.

    Source: D'Souza et al. 2022: online hard example mining of 20 %.
    """
    each = (difference.abs() * inside).flatten(1)
    return each.topk(max(round(hardest * each.shape[1]), 1), dim=1).values.mean()


def _angles(model: PixelCorrelation, n: int, degrees: float) -> Float[Tensor, " n"]:
    """In radians: drawn in training, spread evenly in validation, so that epochs can be compared."""
    share = 2 * torch.rand(n) - 1 if model.training else torch.linspace(-1, 1, n)
    return share * math.radians(degrees)


def turned(images: Float[Tensor, "n c h w"], angle: Float[Tensor, " n"]) -> Float[Tensor, "n c h w"]:
    """Square images turned about their centre, each by its angle in radians; 0 outside."""
    cos, sin, none = angle.cos(), angle.sin(), torch.zeros_like(angle)
    theta = torch.stack([torch.stack([cos, -sin, none], 1), torch.stack([sin, cos, none], 1)], 1)
    grid = affine_grid(theta.to(images), list(images.shape), align_corners=False)
    return grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
