"""A decoder that enlarges the last map and adds what finer maps say, all at one width."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate

from hilum.lookup import whole
from hilum.models.pyramid import Pyramid, levels_of

KERNELS = (7, 5, 3)
"""Of the attention's convolutions, from the finest of its three sizes to the coarsest."""


class PyramidAttention(nn.Module):
    """The last map at the decoder's width, times one map of attention from three smaller copies of it.

    Source: Preechakul et al., iScience 2022 (arXiv:2010.11475), after Li et al. 2018 (arXiv:1805.10180).
    Differs from the paper: halving rounds up, so that maps of any size pass.
    """

    def __init__(self, n_channels: int, width: int) -> None:
        super().__init__()
        self.narrow = _convolution(n_channels, width, 1)
        self.down = nn.ModuleList(
            nn.Sequential(
                nn.MaxPool2d(2, ceil_mode=True),
                _convolution(1 if number else n_channels, 1, kernel),
            )
            for number, kernel in enumerate(KERNELS)
        )
        self.across = nn.ModuleList(_convolution(1, 1, kernel) for kernel in KERNELS)

    def forward(self, last: Float[Tensor, "n c u v"]) -> Float[Tensor, "n d u v"]:
        """A map of the same size."""
        smaller = [last]
        for halve in self.down:
            smaller.append(halve(smaller[-1]))
        attention: Tensor | float = 0.0
        for number in range(len(KERNELS), 0, -1):
            here = self.across[number - 1](smaller[number]) + attention
            attention = _enlarged(here, smaller[number - 1])
        return self.narrow(last) * attention


class Up(nn.Module):
    """The coarse map enlarged, plus the fine one after two 1 x 1 convolutions.

    Source: as `PyramidAttention`; the authors' code has two convolutions.
    """

    def __init__(self, before: nn.Module, n_fine: int, width: int) -> None:
        super().__init__()
        self.before = before
        self.fine = nn.Sequential(_convolution(n_fine, n_fine, 1), _convolution(n_fine, width, 1))

    def forward(
        self, coarse: Float[Tensor, "n c u v"], fine: Float[Tensor, "n e h w"]
    ) -> Float[Tensor, "n d h w"]:
        """A map of the finer one's size."""
        return _enlarged(self.before(coarse), fine) + self.fine(fine)


def pylon_from(blocks: nn.Sequential, n_channels: int, width: float = 128.0) -> tuple[nn.Sequential, int]:
    """A backbone with PYLON's decoder: from its last map to one eight times as fine, of `width` channels.

    Raises:
        ValueError: The backbone has maps of fewer than four sizes.
    """
    levels, n_out = levels_of(blocks), whole(width, "width")
    finer = [n_fine for _, n_fine in reversed(levels[:-1])]
    first = PyramidAttention(n_channels, n_out)
    merges = [Up(nn.Identity() if number else first, n_fine, n_out) for number, n_fine in enumerate(finer)]
    return Pyramid(blocks, levels, merges), n_out


def _convolution(n_in: int, n_out: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, kernel, padding=kernel // 2), nn.BatchNorm2d(n_out), nn.ReLU(inplace=True)
    )


def _enlarged(small: Float[Tensor, "n c u v"], like: Float[Tensor, "n d h w"]) -> Float[Tensor, "n c h w"]:
    return interpolate(small, like.shape[2:], mode="bilinear", align_corners=True)
