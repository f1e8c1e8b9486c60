"""Guided backpropagation: gradients that pass a ReLU only where they are positive."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional
from torch.nn.functional import interpolate
from torch.overrides import TorchFunctionMode

from hilum.explain.cam import channel_sum, grad_cam
from hilum.explain.capture import Captured
from hilum.explain.gradients import in_batches, input_gradients


def guided_backprop(captured: Captured, findings: Int[Tensor, " c"]) -> Float[Tensor, "n c h w"]:
    """|dY/dx| in which each ReLU passes g where both its input and g are above 0.

    Source: Springenberg et al. 2014 (arXiv:1412.6806), section 3.4.

    Raises:
        TypeError: The network has no ReLU: SiLU and GELU have no such rule.
    """
    return in_batches(captured, findings, _guided_gradients)


def guided_grad_cam(captured: Captured, findings: Int[Tensor, " c"]) -> Float[Tensor, "n c h w"]:
    """Guided backpropagation times the ReLU of Grad-CAM, enlarged to the input.

    Source: Selvaraju et al., ICCV 2017 (arXiv:1610.02391), section 3.2.

    Raises:
        TypeError: The network has no ReLU, or no last feature map.
    """
    small = channel_sum(captured.at().activations, grad_cam(captured, findings)).relu()
    if not small.numel():
        return small.new_zeros(*small.shape[:2], *captured.images.shape[2:])
    where = interpolate(small, captured.images.shape[2:], mode="bilinear", align_corners=False)
    return guided_backprop(captured, findings) * where


def _guided_gradients(
    captured: Captured, images: Tensor, metadata: Tensor | None, findings: Tensor
) -> Float[Tensor, "s c ch h w"]:
    with _GuidedReLUs() as mode:
        gradients = input_gradients(captured, images, metadata, findings)
    if not mode.n_met:
        name = type(captured.model).__name__
        raise TypeError(f"{name} ran through no ReLU, which guided_backprop is about; use smoothgrad")
    return gradients


class _PassPositive(torch.autograd.Function):
    """The identity, whose gradient keeps its positive part."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:  # noqa: ARG004
        return values.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:  # noqa: ARG004
        return gradients[0].clamp(min=0)


_IN_PLACE = {torch.relu_: torch.relu, functional.relu_: torch.relu, Tensor.relu_: torch.relu}
_RELUS = {torch.relu, functional.relu, Tensor.relu, *_IN_PLACE}
_CLIPPED = {functional.relu6, functional.hardtanh}


class _GuidedReLUs(TorchFunctionMode):
    """While it is on, every ReLU is a guided one, however it is called.

    It stands at the calls of torch instead of at modules: modules may be shared, work in place, or not be
    there at all, and none of them is touched.
    """

    def __init__(self) -> None:
        super().__init__()
        self.n_met = 0

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Calls the function, guided where it is a ReLU."""
        named = {**(kwargs or {})}
        if func in _RELUS:
            self.n_met += 1
            return _PassPositive.apply(torch.relu(args[0] if args else named["input"]))
        if func in _CLIPPED:  # ReLU6 as most networks write it
            low = 0.0 if func is functional.relu6 else (args[1:2] or [named.get("min_val", -1.0)])[0]
            if low == 0:
                self.n_met += 1
                named["inplace"] = False
                return _PassPositive.apply(func(*args[:3], **named))
        return func(*args, **named)
