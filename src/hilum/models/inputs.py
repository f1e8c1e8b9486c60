"""uint8 films and an affine each -> what a network sees: placed, normalised, three channels."""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, for grey values in [0, 1]
BLACK = tuple(-mean / std for mean, std in zip(_MEAN, _STD, strict=True))
"""A black pixel, normalised."""
WHITE = tuple((1 - mean) / std for mean, std in zip(_MEAN, _STD, strict=True))
"""A white pixel, normalised."""


def network_input(
    films: UInt8[Tensor, "n s s"], affine: Float[Tensor, "n 2 3"], input_hw: tuple[int, int]
) -> Float[Tensor, "n 3 h w"]:
    """Films cut out by their affines and normalised.

    Args:
        films: Grey values as stored.
        affine: From network-input pixels to pixels of the stored film; outside it is black.
        input_hw: Height and width of the network's input, in px.

    Returns:
        Float `(n, 3, h, w)` in channels_last order on the device of `films`.
    """
    grey = films.unsqueeze(1).float() / 255.0
    identity = torch.eye(2, 3, device=affine.device, dtype=affine.dtype)
    if films.shape[1:] != input_hw or not torch.equal(affine, identity.expand_as(affine)):
        grey = _placed(grey, affine, input_hw)
    mean, std = grey.new_tensor(_MEAN).view(1, 3, 1, 1), grey.new_tensor(_STD).view(1, 3, 1, 1)
    return ((grey - mean) / std).contiguous(memory_format=torch.channels_last)


def resized(images: Float[Tensor, "n 3 h w"], hw: tuple[int, int]) -> Float[Tensor, "n 3 p q"]:
    """Images for a network with an input of its own; as they are where that is theirs."""
    return images if images.shape[2:] == hw else functional.interpolate(images, hw, mode="area")


def _placed(
    grey: Float[Tensor, "n 1 s s"], affine: Float[Tensor, "n 2 3"], input_hw: tuple[int, int]
) -> Float[Tensor, "n 1 h w"]:
    height, width = input_hw
    if not len(grey):  # torch makes no grid for an empty batch
        return grey.new_zeros(0, 1, height, width)
    side = grey.shape[-1]
    linear = affine[:, :, :2] * affine.new_tensor([width / side, height / side])
    shift = affine.new_tensor([width, height]) / 2
    offset = 2 * (affine[:, :, :2] @ shift + affine[:, :, 2]) / side - 1
    theta = torch.cat([linear, offset.unsqueeze(2)], dim=2).to(grey)
    grid = functional.affine_grid(theta, [len(grey), 1, height, width], align_corners=False)
    return functional.grid_sample(grey, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
