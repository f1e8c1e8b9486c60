"""A backbone whose coarse maps are merged, step by step, with its finer ones."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate

from hilum.models.pyramid import Pyramid, levels_of


class Merge(nn.Module):
    """Both maps to a quarter of their channels, the coarse one enlarged, joined, to the finer one's channels.

    Source: D'Souza et al. 2022, section 3.1 and figure 2. Their parameter count speaks for a batch norm
    after each convolution, which the text does not mention.
    """

    def __init__(self, n_coarse: int, n_fine: int, norm: bool) -> None:
        super().__init__()
        self.coarse = _convolution(n_coarse, n_coarse // 4, norm)
        self.fine = _convolution(n_fine, n_fine // 4, norm)
        self.joined = _convolution(n_coarse // 4 + n_fine // 4, n_fine, norm)

    def forward(
        self, coarse: Float[Tensor, "n c u v"], fine: Float[Tensor, "n d h w"]
    ) -> Float[Tensor, "n d h w"]:
        """A map of the finer one's size."""
        enlarged = interpolate(self.coarse(coarse), fine.shape[2:], mode="bilinear", align_corners=False)
        return self.joined(torch.cat([enlarged, self.fine(fine)], dim=1))


def multires_from(
    blocks: nn.Sequential, _n_channels: int, norm: Literal["norm", "plain"] = "norm"
) -> tuple[nn.Sequential, int]:
    """A backbone with its last four map sizes merged, and the channels of the finest.

    Args:
        blocks: From stem to end.
        norm: Whether convolutions are followed by a batch norm.

    Raises:
        ValueError: The backbone has maps of fewer than four sizes.
    """
    levels = levels_of(blocks)
    steps = zip(reversed(levels[1:]), reversed(levels[:-1]), strict=True)
    merges = [Merge(coarse, fine, norm == "norm") for (_, coarse), (_, fine) in steps]
    return Pyramid(blocks, levels, merges), levels[0][1]


def _convolution(n_in: int, n_out: int, norm: bool) -> nn.Sequential:
    parts: list[nn.Module] = [nn.Conv2d(n_in, n_out, 1)]
    if norm:
        parts.append(nn.BatchNorm2d(n_out))
    return nn.Sequential(*parts, nn.ReLU(inplace=True))
