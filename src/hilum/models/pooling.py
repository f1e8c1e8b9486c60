"""Heads that pool the last map otherwise than by its average; letters as in the papers."""

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hilum.lookup import whole
from hilum.models.classifier import Body, LastMapClassifier, OwnMaps, PoolingClassifier


class MaxPooling(PoolingClassifier):
    """The maximum of each channel.

    Source: Oquab et al., CVPR 2015, section 3.
    """

    def pooled(self, activations: Float[Tensor, "n d u v"]) -> Float[Tensor, "n d"]:
        """The greatest value of the map."""
        return activations.amax(dim=(2, 3))


class LogSumExpPooling(PoolingClassifier):
    """(1/r) log mean exp(r A) of each channel: between the average (r near 0) and the maximum (r large).

    Source: Wang et al., CVPR 2017 (arXiv:1705.02315), equation 3, with r = 10.
    """

    def __init__(self, body: Body, r: float = 10.0) -> None:
        if r <= 0:
            raise ValueError(f"log_sum_exp({r:g}): r must be above 0, as 10 is")
        super().__init__(body)
        self.r = r

    def pooled(self, activations: Float[Tensor, "n d u v"]) -> Float[Tensor, "n d"]:
        """A smooth maximum of the map."""
        flat = activations.flatten(2)
        return (torch.logsumexp(self.r * flat, dim=2) - math.log(flat.shape[2])) / self.r


class MapHead(LastMapClassifier, OwnMaps):
    """A 1 x 1 convolution makes maps of each finding, and those are pooled; without metadata."""

    def __init__(self, body: Body, n_maps: int) -> None:
        super().__init__(body.without_metadata().findings, body.input_hw)
        self.backbone = body.backbone
        self.head = nn.Conv2d(body.n_channels, n_maps * len(body.findings), 1)

    @property
    def bias(self) -> Float[Tensor, " m"]:
        """Of each map."""
        assert self.head.bias is not None  # for the type checker: the layer was made with one
        return self.head.bias

    @property
    def blocks(self) -> list[nn.Module]:
        """The head, then the backbone's blocks, last first."""
        return [self.head, *reversed(list(self.backbone))]

    def class_maps(self, activations: Float[Tensor, "n d u v"]) -> Float[Tensor, "n f u v"]:
        """The mean of each finding's maps."""
        return self.head(activations).unflatten(1, (len(self.findings), -1)).mean(dim=2)

    def start_at(self, prevalence: Float[Tensor, " f"]) -> None:
        """Sets the bias to the log-odds of the prevalence."""
        with torch.no_grad():
            self.bias.copy_(torch.logit(prevalence))

    def own_maps(
        self,
        images: Float[Tensor, "n 3 h w"],
        metadata: Float[Tensor, "n 3"] | None = None,  # noqa: ARG002
    ) -> Float[Tensor, "n f u v"]:
        """The class maps, in logits."""
        return self.class_maps(self.activations(images))


class Wildcat(MapHead):
    """The mean of a finding's k greatest cells plus alpha times that of its k least, its maps averaged first.

    Source: Durand et al., CVPR 2017, equations 1 and 2.

    Args:
        body: What it is put on.
        n_maps: Maps a finding, M.
        k: Cells, or a share of all cells when below 1.
        alpha: Weight of the least cells.
        scale: "sum" as the paper writes it, "div2" half of that, as its code does.
    """

    def __init__(
        self,
        body: Body,
        n_maps: float = 4.0,
        k: float = 0.2,
        alpha: float = 0.7,
        scale: Literal["sum", "div2"] = "sum",
    ) -> None:
        if k <= 0 or alpha < 0:
            raise ValueError(
                f"wildcat: k {k:g} must be above 0 and alpha {alpha:g} at least 0, as 0.2 and 0.7"
            )
        super().__init__(body, whole(n_maps, "n_maps"))
        self.k = k if k < 1 else whole(k, "k")
        self.alpha, self.scale = alpha, scale

    def start_at(self, prevalence: Float[Tensor, " f"]) -> None:
        """Sets the bias of a finding's maps so that maps of 0 answer its log-odds."""
        weight = (1 + self.alpha) / (2 if self.scale == "div2" and self.alpha else 1)
        n_maps = self.head.out_channels // len(self.findings)
        with torch.no_grad():
            self.bias.copy_((torch.logit(prevalence) / weight).repeat_interleave(n_maps))

    def logits_from(
        self,
        activations: Float[Tensor, "n d u v"],
        metadata: Float[Tensor, "n 3"] | None = None,  # noqa: ARG002
    ) -> Float[Tensor, "n f"]:
        """Greatest and least cells of the class maps; gradients reach these alone."""
        cells = self.class_maps(activations).flatten(2)
        n_cells = cells.shape[2]
        k = min(max(round(self.k * n_cells) if self.k < 1 else int(self.k), 1), n_cells)
        logits = cells.topk(k).values.mean(dim=2)
        if self.alpha:
            logits = logits + self.alpha * cells.topk(k, largest=False).values.mean(dim=2)
            logits = logits / 2 if self.scale == "div2" else logits
        return logits


class LowerBounded(nn.Module):
    """(1/g) log mean exp(g S) of each finding's map S, g = r0 + exp(beta) learnt for each finding."""

    def __init__(self, r0: float, n_findings: int) -> None:
        super().__init__()
        self.r0 = r0
        self.beta = nn.Parameter(torch.zeros(n_findings))

    def forward(self, maps: Float[Tensor, "n f u v"]) -> Float[Tensor, "n f"]:
        """A smooth maximum of each map."""
        flat, g = maps.flatten(2), self.r0 + self.beta.exp()
        return (torch.logsumexp(g[:, None] * flat, dim=2) - math.log(flat.shape[2])) / g


class LseLba(MapHead):
    """Log-sum-exp of class maps whose sharpness is learnt above a bound, so that it fits small findings.

    Source: Yao et al. 2018 (arXiv:1803.07703), LSE-LBA. They write it for the map of one finding, so
    each finding learns a beta of its own, from 0 on; the maps are logits here, before the sigmoid.

    Args:
        body: What it is put on.
        r0: The bound: 0 may come near the average, 10 stays near the maximum.
    """

    def __init__(self, body: Body, r0: float = 5.0) -> None:
        if r0 < 0:
            raise ValueError(f"lse_lba({r0:g}): r0 must be at least 0, as 5 is")
        super().__init__(body, 1)
        self.pool = LowerBounded(r0, len(body.findings))

    @property
    def blocks(self) -> list[nn.Module]:
        """Class maps and their pooling, then the backbone's blocks, last first."""
        return [nn.ModuleList([self.head, self.pool]), *reversed(list(self.backbone))]

    def logits_from(
        self,
        activations: Float[Tensor, "n d u v"],
        metadata: Float[Tensor, "n 3"] | None = None,  # noqa: ARG002
    ) -> Float[Tensor, "n f"]:
        """The pooled class maps."""
        return self.pool(self.class_maps(activations))


class Pcam(MapHead):
    """Every cell is classified; the logit is the cells' mean, weighted by their own probabilities.

    The linear layer is the same before and after the pooling, so pooling its values is pooling its inputs.

    Source: Ye et al. 2020, "Weakly supervised lesion localization with probabilistic-CAM pooling"
    (arXiv:2005.14480), equations 4 to 6.
    """

    def __init__(self, body: Body) -> None:
        super().__init__(body, 1)

    def logits_from(
        self,
        activations: Float[Tensor, "n d u v"],
        metadata: Float[Tensor, "n 3"] | None = None,  # noqa: ARG002
    ) -> Float[Tensor, "n f"]:
        """The mean logit of the cells, weighted by probability."""
        cells = self.class_maps(activations).flatten(2)
        probabilities = cells.sigmoid()
        return (cells * probabilities).sum(dim=2) / probabilities.sum(dim=2)

    def own_maps(
        self,
        images: Float[Tensor, "n 3 h w"],
        metadata: Float[Tensor, "n 3"] | None = None,  # noqa: ARG002
    ) -> Float[Tensor, "n f u v"]:
        """The probability of every cell."""
        return self.class_maps(self.activations(images)).sigmoid()
