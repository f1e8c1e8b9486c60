"""What stands between a backbone and its head."""

from collections import OrderedDict
from collections.abc import Callable

from torch import nn

from hilum.lookup import whole
from hilum.models.multires import multires_from
from hilum.models.pylon import pylon_from

Made = tuple[nn.Sequential, int]
"""Blocks from stem to end, and the channels of the last map."""


def none(blocks: nn.Sequential, n_channels: int) -> Made:
    """Nothing."""
    return blocks, n_channels


def transition(blocks: nn.Sequential, n_channels: int, width: float = 512.0) -> Made:
    """One 1 x 1 convolution to `width` channels, without norm and activation.

    Source: Wang et al., CVPR 2017 (arXiv:1705.02315), section 4.1; Sorkhei et al. 2019 with 512.
    """
    parts = OrderedDict(blocks.named_children())
    parts["transition"] = nn.Conv2d(n_channels, whole(width, "width"), 1)
    return nn.Sequential(parts), parts["transition"].out_channels


NECKS: dict[str, Callable[..., Made]] = {
    "multires": multires_from,
    "none": none,
    "pylon": pylon_from,
    "transition": transition,
}
"""Necks by the name that a recipe gives under `[model] neck`, with their options: "transition(512)"."""
