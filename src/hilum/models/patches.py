"""A grid of patches, of which one that shows the finding is enough: multiple-instance learning."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from hilum.lookup import whole
from hilum.models.classifier import Body, LastMapClassifier, OwnMaps

WIDTH = 512
"""Channels between the two convolutions."""


class LogFactors(NamedTuple):
    """Logarithms of what the products are made of.

    Attributes:
        with_finding: log p of every patch.
        without: log(1 - p).
    """

    with_finding: Float[Tensor, "n f p q"]
    without: Float[Tensor, "n f p q"]


class Patches(LastMapClassifier, OwnMaps):
    """A probability for every patch and finding; a film has what at least one of its patches has.

    The last map is brought to P x P cells, bilinearly where it grows, by maxima where it shrinks; a 3 x 3
    convolution, batch norm, ReLU and a 1 x 1 convolution make the patches' logits. With p of each patch the
    film's probability is 1 - prod(1 - p), here from a sum of logarithms.

    Source: Li et al., CVPR 2018 (arXiv:1711.06373), sections 3.1 and 3.2, equations 1 and 2. They move each
    factor from [0, 1] to [0.98, 1] against underflow, so that a film needs several sure patches; `least` =
    0.98 is that, 0 the product itself, which its logarithm holds without it.

    Args:
        body: What it is put on.
        n_patches: Patches a side, P.
        least: Least value of a factor of the products, at least 0 and below 1.
    """

    def __init__(self, body: Body, n_patches: float = 16.0, least: float = 0.0) -> None:
        if not 0 <= least < 1:
            raise ValueError(f"patches: least {least:g} must lie in [0, 1), as 0 and 0.98")
        super().__init__(body.without_metadata().findings, body.input_hw)
        self.backbone, self.least = body.backbone, least
        self.n_patches = whole(n_patches, "n_patches")
        self.head = nn.Sequential(
            nn.Conv2d(body.n_channels, WIDTH, 3, padding=1, bias=False),
            nn.BatchNorm2d(WIDTH),
            nn.ReLU(inplace=True),
            nn.Conv2d(WIDTH, len(self.findings), 1),
        )

    @property
    def blocks(self) -> list[nn.Module]:
        """The head, then the backbone's blocks, last first."""
        return [self.head, *reversed(list(self.backbone))]

    def start_at(self, prevalence: Float[Tensor, " f"]) -> None:
        """Sets the last bias so that patches which all say the same answer the prevalence."""
        each = (1 - (1 - prevalence) ** (1 / self.n_patches**2)) / (1 - self.least)
        bias = self.head[-1].bias
        assert isinstance(bias, Tensor)  # for the type checker: the layer was made with one
        with torch.no_grad():
            bias.copy_(torch.logit(each.clamp(max=0.99)))

    def patches(self, activations: Float[Tensor, "n d u v"]) -> Float[Tensor, "n f p q"]:
        """Logits of every patch."""
        grid = (self.n_patches, self.n_patches)
        if min(activations.shape[2:]) > self.n_patches:
            return self.head(functional.adaptive_max_pool2d(activations, grid)).float()
        return self.head(functional.interpolate(activations, grid, mode="bilinear")).float()

    def log_factors(self, patches: Float[Tensor, "n f p q"]) -> LogFactors:
        """Logarithms of p and 1 - p of every patch from its logit, both moved to [least, 1]."""
        plain = LogFactors(functional.logsigmoid(patches), functional.logsigmoid(-patches))
        if not self.least:
            return plain
        low, rest = torch.tensor(math.log(self.least)).to(patches), math.log1p(-self.least)
        return LogFactors(*(torch.logaddexp(low, rest + each) for each in plain))

    def logits_from(
        self,
        activations: Float[Tensor, "n d u v"],
        metadata: Float[Tensor, "n 3"] | None = None,  # noqa: ARG002
    ) -> Float[Tensor, "n f"]:
        """The log-odds of 1 - prod(1 - p)."""
        return any_of(self.log_factors(self.patches(activations)).without)

    def own_maps(
        self,
        images: Float[Tensor, "n 3 h w"],
        metadata: Float[Tensor, "n 3"] | None = None,  # noqa: ARG002
    ) -> Float[Tensor, "n f u v"]:
        """The probability of every patch."""
        return self.patches(self.activations(images)).sigmoid()


def any_of(log_without: Float[Tensor, "n f p q"]) -> Float[Tensor, "n f"]:
    """Log-odds that at least one patch has the finding, from the logarithm that it has not.

    With S the sum, log((1 - e^S) / e^S) = log(1 - e^S) - S.

    Example:
        >>> halves = torch.full((1, 1, 1, 2), 0.5).log()
        >>> any_of(halves).sigmoid()
        tensor([[0.7500]])
    """
    none = -log_without.sum(dim=(2, 3))
    none = none.clamp(min=torch.finfo(none.dtype).tiny)  # of patches that are all surely without
    return none + torch.log(-torch.expm1(-none))
