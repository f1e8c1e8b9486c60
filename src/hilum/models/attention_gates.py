"""Maps of two middle layers, weighed by what the last one says of them."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate

from hilum.models.classifier import Body, Classifier, OwnMaps
from hilum.models.shape import shape_after

GATED = (2, 3)
"""Blocks, counted from the stem, whose maps are gated: the second and third group of a ResNet."""


class Gate(nn.Module):
    """An attention map for a layer, from the layer and the gating signal, and the layer's weighed sum.

    Source: Schlemper et al., Medical Image Analysis 2019 (arXiv:1808.08114), equations 1 and 2, as Sorkhei
    et al. 2019 use it.
    """

    def __init__(self, n_channels: int, n_gating: int, norm: str) -> None:
        super().__init__()
        flow = norm == "mean_flow"
        n_between = n_gating if flow else n_channels // 2
        self.norm = norm
        self.of_layer = nn.Conv2d(n_channels, n_between, 1, bias=False)
        self.of_gating = nn.Conv2d(n_gating, n_between, 1, bias=not flow)
        self.score = nn.Conv2d(n_between, 1, 1)
        self.out = (
            nn.Identity()
            if flow
            else nn.Sequential(nn.Conv2d(n_channels, n_channels, 1), nn.BatchNorm2d(n_channels))
        )

    def attention(
        self, layer: Float[Tensor, "n d h w"], gating: Float[Tensor, "n g u v"]
    ) -> Float[Tensor, "n 1 h w"]:
        """How much each cell of the layer counts."""
        enlarged = interpolate(self.of_gating(gating), layer.shape[2:], mode="bilinear", align_corners=True)
        scores = self.score(torch.relu(self.of_layer(layer) + enlarged))
        if self.norm != "mean_flow":
            return scores.sigmoid()
        above = scores - scores.amin(dim=(2, 3), keepdim=True)
        return above / above.sum(dim=(2, 3), keepdim=True).clamp(min=1e-12)

    def forward(
        self, layer: Float[Tensor, "n d h w"], gating: Float[Tensor, "n g u v"]
    ) -> Float[Tensor, "n d"]:
        """The layer's channels, summed over the weighed cells."""
        weighed = self.out(self.attention(layer, gating) * layer)
        return weighed.mean(dim=(2, 3)) if self.norm == "mean" else weighed.sum(dim=(2, 3))


class AttentionGates(Classifier, OwnMaps):
    """A ResNet whose second and third group are gated by its last map; three vectors to the logits.

    Source: Sorkhei et al. 2019, section on the attention-gated network; what its text and its code say apart
    are options.

    Args:
        body: What it is put on: a stem and four groups.
        aggregation: "concat", as the text: one linear layer on all vectors. "mean", as the code trains: the
            mean of three classifiers' probabilities. "ft": a linear layer on their probabilities.
        norm: "mean" divides the sum over the gated cells by their number. "kth" leaves the plain sum, as the
            code. "mean_flow" makes the weights of a map sum to 1, as Schlemper et al. do.
    """

    def __init__(
        self,
        body: Body,
        aggregation: Literal["concat", "mean", "ft"] = "concat",
        norm: Literal["mean", "kth", "mean_flow"] = "mean",
    ) -> None:
        super().__init__(body.without_metadata().findings, body.input_hw)
        backbone, n_channels = body.backbone, body.n_channels
        if len(backbone) != 5:
            raise ValueError(
                f"attention gates need a stem and four groups, as a ResNet; found {len(backbone)} blocks"
            )
        self.backbone = backbone
        self.aggregation = aggregation
        gated = [shape_after(backbone[: place + 1], (1, 3, 64, 64)) for place in GATED]
        widths = [*(shape[1] for shape in gated), n_channels]
        self.gating = nn.Conv2d(n_channels, n_channels, 1)
        self.gates = nn.ModuleList(Gate(width, n_channels, norm) for width in widths[:-1])
        n = len(body.findings)
        if aggregation == "concat":
            self.heads = nn.ModuleList([nn.Linear(sum(widths), n)])
        else:
            self.heads = nn.ModuleList(nn.Linear(width, n) for width in widths)
        self.last = nn.Linear(3 * n, n) if aggregation == "ft" else None

    @property
    def blocks(self) -> list[nn.Module]:
        """All that stands behind the backbone, then its blocks, last first."""
        parts = [self.heads, self.gates, self.gating] + ([self.last] if self.last is not None else [])
        return [nn.ModuleList(parts), *reversed(list(self.backbone))]

    def start_at(self, prevalence: Float[Tensor, " f"]) -> None:
        """Sets biases to the log-odds of the prevalence; with "ft" those of the last layer."""
        with torch.no_grad():
            for head in self.heads if self.last is None else [self.last]:
                assert isinstance(head, nn.Linear)
                head.bias.copy_(torch.logit(prevalence))

    def forward(
        self,
        images: Float[Tensor, "n 3 h w"],
        metadata: Float[Tensor, "n 3"] | None = None,  # noqa: ARG002
    ) -> Float[Tensor, "n f"]:
        """Logits; those of the mean probability where classifiers are averaged."""
        layers, gating = self._layers(images)
        vectors = [gate(layer, gating) for gate, layer in zip(self.gates, layers, strict=True)]
        vectors.append(gating.mean(dim=(2, 3)))
        if self.aggregation == "concat":
            return self.heads[0](torch.cat(vectors, dim=1))
        each = [head(vector) for head, vector in zip(self.heads, vectors, strict=True)]
        if self.last is not None:
            return self.last(torch.cat(each, dim=1).sigmoid())
        return torch.stack(each).sigmoid().mean(dim=0).logit(eps=1e-6)

    def own_maps(
        self,
        images: Float[Tensor, "n 3 h w"],
        metadata: Float[Tensor, "n 3"] | None = None,  # noqa: ARG002
    ) -> Float[Tensor, "n f u v"]:
        """The mean of both attention maps and the class map of the last layer, each scaled to [0, 1].

        Two thirds of it know nothing of the finding.
        """
        layers, gating = self._layers(images)
        maps = [gate.attention(layer, gating) for gate, layer in zip(self._typed_gates, layers, strict=True)]
        head = self.heads[len(self.heads) - 1]
        assert isinstance(head, nn.Linear)
        weights = head.weight[:, -gating.shape[1] :]
        of_findings = torch.einsum("nduv,fd->nfuv", gating, weights)
        hw = maps[0].shape[2:]
        unit = [
            _unit(interpolate(each, hw, mode="bilinear", align_corners=False))
            for each in (*maps, of_findings)
        ]
        return (unit[0] + unit[1] + unit[2]) / 3

    @property
    def _typed_gates(self) -> list[Gate]:
        return [gate for gate in self.gates if isinstance(gate, Gate)]

    def _layers(self, images: Tensor) -> tuple[list[Tensor], Tensor]:
        """The gated maps, and the gating signal."""
        kept = []
        for place, block in enumerate(self.backbone):
            images = block(images)
            if place in GATED:
                kept.append(images)
        return kept, self.gating(images)


def _unit(maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    low, high = maps.amin(dim=(2, 3), keepdim=True), maps.amax(dim=(2, 3), keepdim=True)
    return (maps - low) / (high - low + 1e-7)
