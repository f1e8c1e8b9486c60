"""Class maps from each cell and the mean of all cells, averaged to the logits."""

from dataclasses import replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from hilum.models.classifier import Body
from hilum.models.pooling import MapHead


class SpaceAttention(MapHead):
    """Every cell of the last map, with its context beside it, goes through a 1 x 1 convolution to class maps.

    The context is the same for all cells, so it moves a class map as a whole: scaled to [0, 1] the maps are
    those of a plain 1 x 1 convolution.

    Source: Sorkhei et al. 2019, section on space attention, after Ma et al., ICASSP 2019.

    Args:
        body: What it is put on.
        context: "global" is the mean of the map; "pool7" the means of 7 x 7 windows, as the authors' code
            has it: of an 8 x 8 map four, each held over a quarter.
    """

    def __init__(self, body: Body, context: Literal["global", "pool7"] = "global") -> None:
        super().__init__(replace(body, n_channels=2 * body.n_channels), 1)
        self.context = context

    def class_maps(self, activations: Float[Tensor, "n d u v"]) -> Float[Tensor, "n f u v"]:
        """One map a finding, in logits."""
        if self.context == "global":
            around = activations.mean(dim=(2, 3), keepdim=True).expand_as(activations)
        else:
            window = [min(7, side) for side in activations.shape[2:]]
            around = interpolate(avg_pool2d(activations, window, stride=1), activations.shape[2:])
        return self.head(torch.cat([around, activations], dim=1))

    def logits_from(
        self,
        activations: Float[Tensor, "n d u v"],
        metadata: Float[Tensor, "n 3"] | None = None,  # noqa: ARG002
    ) -> Float[Tensor, "n f"]:
        """The mean of each class map."""
        return self.class_maps(activations).mean(dim=(2, 3))
