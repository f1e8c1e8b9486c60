"""A module and the shape of its input -> the shape of its output, without computing it."""

import torch
from torch import nn
from torch.func import functional_call


def shape_after(module: nn.Module, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of what a module in eval mode makes of a tensor; its weights are neither read nor changed.

    Example:
        >>> shape_after(nn.Conv2d(3, 8, 3, stride=2), (1, 3, 65, 65))
        (1, 8, 32, 32)
    """
    was_training = module.training
    with torch.no_grad():
        tensors = [*module.named_parameters(), *module.named_buffers()]
        without_values = {name: tensor.to("meta") for name, tensor in tensors}
        made = functional_call(module.eval(), without_values, torch.zeros(shape, device="meta"))
    module.train(was_training)
    return tuple(made.shape)
