"""A backbone whose coarse maps are merged, step by step, with its finer ones."""

from collections import OrderedDict
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate

N_MERGES = 3


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


class MultiRes(nn.Sequential):
    """Blocks of a backbone in their order, then the merges from the coarsest to the finest map.

    Args:
        blocks: From stem to end, with maps of four sizes at least.
        levels: Places of the blocks whose maps are merged, finest first; their channels.
        norm: Whether convolutions are followed by a batch norm.
    """

    def __init__(
        self,
        blocks: OrderedDict[str, nn.Module],
        levels: list[tuple[int, int]],
        norm: Literal["norm", "plain"] = "norm",
    ) -> None:
        super().__init__(OrderedDict(blocks))
        self._n_blocks = len(blocks)
        self._levels = [place for place, _ in levels]
        for step in range(len(levels) - 1, 0, -1):
            merge = Merge(levels[step][1], levels[step - 1][1], norm == "norm")
            self.add_module(f"merge{step}", merge)

    def forward(self, input: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d u v"]:  # noqa: A002 - torch's name
        """The finest of the merged maps."""
        parts, maps = list(self), []
        for block in parts[: self._n_blocks]:
            maps.append(block(maps[-1] if maps else input))
        merged = maps[self._levels[-1]]
        for merge, place in zip(parts[self._n_blocks :], reversed(self._levels[:-1]), strict=True):
            merged = merge(merged, maps[place])
        return merged


def multires_from(
    blocks: nn.Sequential, _n_channels: int, norm: Literal["norm", "plain"] = "norm"
) -> tuple[nn.Sequential, int]:
    """A backbone with its last four map sizes merged, and the channels of the finest.

    Of blocks with maps of one size the last one counts. A film of 64 px goes through once, to measure them.

    Raises:
        ValueError: The backbone has maps of fewer than four sizes.
    """
    last: dict[int, tuple[int, int]] = {}
    was_training = blocks.training
    with torch.inference_mode():
        made = torch.zeros(1, 3, 64, 64)
        for place, block in enumerate(blocks.eval()):
            made = block(made)
            last[made.shape[-1]] = (place, made.shape[1])
    blocks.train(was_training)
    if len(last) <= N_MERGES:
        raise ValueError(
            f"a backbone with maps of {len(last)} sizes cannot be merged; {N_MERGES + 1} are needed"
        )
    levels = [last[size] for size in sorted(last, reverse=True)][-(N_MERGES + 1) :]
    return MultiRes(OrderedDict(blocks.named_children()), levels, norm), levels[0][1]


def _convolution(n_in: int, n_out: int, norm: bool) -> nn.Sequential:
    parts: list[nn.Module] = [nn.Conv2d(n_in, n_out, 1)]
    if norm:
        parts.append(nn.BatchNorm2d(n_out))
    return nn.Sequential(*parts, nn.ReLU(inplace=True))
