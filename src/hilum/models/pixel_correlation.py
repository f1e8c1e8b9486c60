"""Class maps refined by what pixels have in common: each becomes the mean of those that it resembles."""

from collections.abc import Mapping
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate, normalize, scaled_dot_product_attention
from torch.utils.checkpoint import checkpoint

from hilum.lookup import whole
from hilum.models.classifier import Body, OwnMaps
from hilum.models.pooling import LogSumExpPooling
from hilum.models.pyramid import last_and_levels

CHUNK_BYTES = 64 * 2**20
"""Similarities that are in memory at a time."""

EPSILON = 1e-5
SEAM_CHANNELS, SEAM_WIDTH = (64, 128), 192
"""Channels of the last two levels, and of theta, in the code of Wang et al. 2020."""


class PixelCorrelation(LogSumExpPooling, OwnMaps):
    """A classifier with log-sum-exp pooling whose class maps are spread along similar pixels.

    The similarity of two pixels is the cosine of their features after theta, a 1 x 1 convolution without
    bias, where it is positive. The logits are the classifier's, whatever theta is.

    Source: D'Souza et al. 2022, section 3.3, after Wang et al., CVPR 2020 (arXiv:2004.04581), section 3.3.

    Args:
        body: What it is put on.
        r: Of the pooling.
        features: "map" compares pixels by the last map; "seam", as the code of Wang et al. 2020, by the
            film and the last two levels of the backbone.
        background: "background" lets a further class, 1 less the greatest, take the pixels that none claims;
            "plain" gives every pixel to a finding.
        affinity: "cosine", or "attention": softmax attention with `heads` heads, the future work that the
            paper names.
        heads: Of the attention.
    """

    start: Tensor

    def __init__(
        self,
        body: Body,
        r: float = 10.0,
        features: Literal["map", "seam"] = "map",
        background: Literal["background", "plain"] = "background",
        affinity: Literal["cosine", "attention"] = "cosine",
        heads: float = 4.0,
    ) -> None:
        super().__init__(body, r)
        self.features, self.background = features, background
        n_channels, width = body.n_channels, max(body.n_channels // 2, 32)
        self.levels = nn.ModuleList()
        if features == "seam":
            *_, first, last = last_and_levels(self.backbone, torch.zeros(1, 3, 64, 64))[1]
            of_levels = zip((first, last), SEAM_CHANNELS, strict=True)
            self.levels.extend(nn.Conv2d(level.shape[1], n, 1, bias=False) for level, n in of_levels)
            n_channels, width = 3 + sum(SEAM_CHANNELS), SEAM_WIDTH
        self.heads = whole(heads, "heads") if affinity == "attention" else 0
        if self.heads and width % self.heads:
            raise ValueError(f"{self.heads} heads do not share {width} channels evenly")
        self.theta = nn.Conv2d(n_channels, width * (2 if self.heads else 1), 1, bias=False)
        nn.init.kaiming_normal_(self.theta.weight)
        self.register_buffer("start", self.theta.weight.detach().clone())

    @property
    def parts(self) -> Mapping[str, nn.Module]:
        """The classifier, and what compares pixels."""
        return {
            "classifier": nn.ModuleList([self.backbone, self.head]),
            "affinity": nn.ModuleList([self.theta, self.levels]),
        }

    @property
    def blocks(self) -> list[nn.Module]:
        """The head with what compares pixels, then the backbone's blocks, last first."""
        head, *others = super().blocks
        return [nn.ModuleList([head, self.theta, self.levels]), *others]

    @property
    def theta_change(self) -> Float[Tensor, ""]:
        """How far theta has moved from its start, as a share of the start's norm."""
        return (self.theta.weight.detach() - self.start).norm() / self.start.norm()

    def own_maps(
        self,
        images: Float[Tensor, "n 3 h w"],
        metadata: Float[Tensor, "n 3"] | None = None,  # noqa: ARG002
    ) -> Float[Tensor, "n f u v"]:
        """The refined maps of what is prepared of the class maps; never negative."""
        activations, compared = self.compared(images)
        return self.refined(compared, self.prepared(self.class_maps(activations)))

    def class_maps(self, activations: Float[Tensor, "n d u v"]) -> Float[Tensor, "n f u v"]:
        """The linear layer at each cell, without its bias."""
        return torch.einsum("nduv,fd->nfuv", activations, self.map_weights)

    def compared(
        self, images: Float[Tensor, "n 3 h w"]
    ) -> tuple[Float[Tensor, "n d u v"], Float[Tensor, "n k u v"]]:
        """The last map, and the features by which its cells are compared, apart from the graph of both."""
        if self.features == "map":
            activations = self.activations(images)
            return activations, activations.detach()
        activations, levels = last_and_levels(self.backbone, images)
        hw = activations.shape[2:]
        made = [interpolate(images, hw, mode="bilinear", align_corners=False)]
        for level, convolution in zip(levels[-2:], self.levels, strict=True):
            here = convolution(level.detach()).relu()
            made.append(interpolate(here, hw, mode="bilinear", align_corners=False))
        return activations, torch.cat(made, dim=1)

    def prepared(self, class_maps: Float[Tensor, "n f u v"]) -> Float[Tensor, "n f u v"]:
        """Positive evidence as a share of each map's maximum, where its finding is the pixel's strongest.

        Source: Wang et al., CVPR 2020, its code; D'Souza et al. 2022 mention the last step only.
        """
        positive = class_maps.relu()
        unit = positive / (positive.amax(dim=(2, 3), keepdim=True) + EPSILON)
        strongest = unit.amax(dim=1, keepdim=True)
        claimed = strongest > 1 - strongest if self.background == "background" else strongest >= 0
        return unit * (unit == strongest) * claimed

    def refined(
        self, compared: Float[Tensor, "n k u v"], maps: Float[Tensor, "n f u v"]
    ) -> Float[Tensor, "n f u v"]:
        """Each pixel's mean over all pixels, weighed by their similarity to it."""
        height, width = maps.shape[2:]
        values = maps.flatten(2).mT
        projected = self.theta(compared).flatten(2).mT
        if self.heads:
            queries, keys = projected.unflatten(2, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
            shared = values[:, None].expand(-1, self.heads, -1, -1)
            made = scaled_dot_product_attention(queries, keys, shared).mean(dim=1)
        else:
            made = correlated(normalize(projected, dim=2, eps=EPSILON), values)
        return made.mT.unflatten(2, (height, width))


def correlated(unit: Float[Tensor, "n p k"], values: Float[Tensor, "n p f"]) -> Float[Tensor, "n p f"]:
    """Means of values over pixels, weighed by the positive part of the cosines of unit features.

    Some rows at a time, and computed again for the gradient, so that no n x p x p array is ever held.

    Source: D'Souza et al. 2022, equation 6; Wang et al., CVPR 2020, equation 5.
    """
    n, n_pixels, _ = unit.shape
    rows = max(CHUNK_BYTES // max(4 * n * n_pixels, 1), 1)

    def some(part: Tensor) -> Tensor:
        similarity = (part @ unit.mT).relu()
        return similarity @ values / (similarity.sum(dim=2, keepdim=True) + EPSILON)

    again = torch.is_grad_enabled() and unit.requires_grad
    parts = [
        checkpoint(some, part, use_reentrant=False) if again else some(part) for part in unit.split(rows, 1)
    ]
    return torch.cat(parts, dim=1)
