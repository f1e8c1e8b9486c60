"""Attention rollout: how far each patch token of a vision transformer reaches the last layer."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from hilum.explain.capture import Captured, grid_from
from hilum.models import Foreign


def attention_rollout(captured: Captured, findings: Int[Tensor, " c"]) -> Float[Tensor, "n c u v"]:
    """Product over the layers of 0.5 (A + I), rows normalised, A the mean over the heads.

    The mean of the patches' rows, since the heads of `hilum.models` pool the patches; of a network from
    elsewhere the row of its class token, where it has one. It runs the film once more, because fused
    attention keeps no A. The same map for every finding.

    Source: Abnar and Zuidema, ACL 2020 (arXiv:2005.00928), equations 1 and 2.

    Raises:
        TypeError: The network has no attention as timm's vision transformers have it.
    """
    model: Any = captured.model
    layers = [part for part in model.modules() if hasattr(part, "fused_attn") and hasattr(part, "attn_drop")]
    if not layers:
        raise TypeError(f"{type(model).__name__} has no attention layers of timm; use eigencam")
    if not len(captured.images):
        return captured.images.new_zeros(0, len(findings), 1, 1)
    rolled = _rolled(captured, layers)
    hw = (captured.images.shape[2], captured.images.shape[3])
    height, width = grid_from(rolled.shape[1], hw)
    first_patch = rolled.shape[1] - height * width
    by_class_token = first_patch and isinstance(model, Foreign)
    row = rolled[:, 0] if by_class_token else rolled[:, first_patch:].mean(dim=1)
    maps = row[:, first_patch:].unflatten(1, (height, width))
    return maps[:, None].expand(-1, len(findings), -1, -1)


def _rolled(captured: Captured, layers: list[nn.Module]) -> Float[Tensor, "n t t"]:
    """The product, taken up layer by layer, so that one A is held at a time."""
    rolled: list[Tensor] = []

    def multiply(_module: nn.Module, _inputs: object, attention: Tensor) -> None:
        A = 0.5 * (attention.mean(dim=1) + torch.eye(attention.shape[-1]).to(attention))
        A = A / A.sum(dim=-1, keepdim=True)
        rolled[:] = [A @ rolled[0] if rolled else A]

    parts: list[Any] = layers
    fused = [part.fused_attn for part in parts]
    hooks = [part.attn_drop.register_forward_hook(multiply) for part in parts]
    try:
        for part in parts:
            part.fused_attn = False
        with torch.inference_mode():
            captured.model(captured.images, captured.metadata)
    finally:
        for part, was in zip(parts, fused, strict=True):
            part.fused_attn = was
        for hook in hooks:
            hook.remove()
    return rolled[0]
