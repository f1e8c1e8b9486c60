"""Methods by name, and a map's full name -> the function that makes it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from jaxtyping import Float, Int
from torch import Tensor

from hilum.explain.cam import (
    Weights,
    cam,
    channel_sum,
    grad_cam,
    grad_cam_plus_plus,
    hires_cam,
    layer_cam,
    unweighted,
    xgrad_cam,
)
from hilum.explain.capture import Captured, Layer
from hilum.explain.eigen import eigen_cam, eigen_cam_centred
from hilum.explain.gradients import (
    gradient,
    integrated_gradients,
    smooth_grad,
    smooth_integrated_gradients,
)
from hilum.explain.guided import guided_backprop, guided_grad_cam
from hilum.explain.own_maps import own
from hilum.explain.perturbation import occlusion, rise
from hilum.explain.rollout import attention_rollout
from hilum.explain.score_cam import score_cam
from hilum.explain.smoothing import Maps, eigen_weighted, map_rank1
from hilum.lookup import call, call_from

WEIGHTS: dict[str, Callable[..., Weights]] = {
    "cam": cam,
    "gradcam": grad_cam,
    "gradcam++": grad_cam_plus_plus,
    "hirescam": hires_cam,
    "layercam": layer_cam,
    "scorecam": score_cam,
    "xgradcam": xgrad_cam,
}
"""Methods that weigh the channels of the last feature map and sum them; these allow eigen smoothing."""


def _sum_of(weigh: Callable[..., Weights]) -> Callable[..., Float[Tensor, "n c u v"]]:
    def maps(
        captured: Captured, findings: Int[Tensor, " c"], layer: Layer = "last"
    ) -> Float[Tensor, "n c u v"]:
        return channel_sum(captured.at(layer).activations, weigh(captured, findings, layer))

    return maps


METHODS: dict[str, Callable[..., Float[Tensor, "n c u v"]]] = {
    **{name: _sum_of(weigh) for name, weigh in WEIGHTS.items()},
    "attention_rollout": attention_rollout,
    "eigencam": eigen_cam,
    "eigencam_centred": eigen_cam_centred,
    "gradient": gradient,
    "guided_backprop": guided_backprop,
    "guided_gradcam": guided_grad_cam,
    "integrated_gradients": integrated_gradients,
    "occlusion": occlusion,
    "own": own,
    "rise": rise,
    "smooth_integrated_gradients": smooth_integrated_gradients,
    "smoothgrad": smooth_grad,
}
"""Heatmap methods by the name that recipes, tables and folders use."""

_WITH_CHANNELS = {**WEIGHTS, "eigencam": unweighted, "eigencam_centred": unweighted}
"""Eigen-CAM is the main direction of channels as they are; smoothed, it is the centred one."""


def _eigen(of: Literal["weighted", "map_rank1"] = "weighted") -> str:
    return of


def _augmentation(
    passes: Literal["six", "three_flipped"] = "six", sign: Literal["relu", "signed"] = "relu"
) -> tuple[str, str]:
    return passes, sign


SMOOTHINGS: dict[str, Callable[..., Any]] = {"augmentation": _augmentation, "eigen": _eigen}
"""Smoothings by the name that follows a method's; each gives its options."""

_NOT_IN_PARENTHESES = re.compile(r"-(?![^(]*\))")


@dataclass(frozen=True)
class Plan:
    """How the maps of one name are made.

    Attributes:
        make: From a capture and columns of findings to maps, eigen smoothing included.
        pre_relu: Whether it asks for the last feature map before its ReLU.
        augmentation: Options of that smoothing, or None.
    """

    make: Maps
    pre_relu: bool
    augmentation: tuple[str, str] | None


def plan_from(name: str) -> Plan:
    """What a name such as "gradcam++-eigen-augmentation" asks for.

    Raises:
        ValueError: An unknown method, smoothing or option, or augmentation before eigen.
        TypeError: Eigen smoothing of a method that weighs no channels.
    """
    method, *rest = _NOT_IN_PARENTHESES.split(name)
    make = call(METHODS, method, "heatmap method", n_given=2)
    options = {call_from(each)[0]: call(SMOOTHINGS, each, "smoothing")() for each in rest}
    if list(options) != sorted(options, reverse=True) or len(options) != len(rest):
        right = "-".join([method, *sorted(rest, reverse=True)])
        raise ValueError(f"heatmap {name!r}: eigen smoothing comes before augmentation, each once: {right}")
    if "eigen" in options:
        make = _eigen_smoothed(make, method, options["eigen"])
    return Plan(make, "pre_relu" in call_from(method)[1], options.get("augmentation"))


def costs_by_finding(name: str) -> bool:
    """Whether each finding costs passes or a map as large as the input: make only those wanted."""
    kind, _ = call_from(_NOT_IN_PARENTHESES.split(name)[0])
    return kind not in {*WEIGHTS, "attention_rollout", "eigencam", "eigencam_centred", "own"} - {"scorecam"}


def _eigen_smoothed(make: Maps, method: str, of: str) -> Maps:
    if of == "map_rank1":
        return lambda captured, findings: map_rank1(make(captured, findings))
    kind, arguments = call_from(method)
    if kind not in _WITH_CHANNELS:
        raise TypeError(f"{kind} weighs no channels to be smoothed; eigen(map_rank1) smooths any map")
    weigh = call(_WITH_CHANNELS, method, "heatmap method", n_given=2)
    layer: Any = arguments[0] if arguments else "last"
    return lambda captured, findings: eigen_weighted(
        captured.at(layer).activations, weigh(captured, findings)
    )
