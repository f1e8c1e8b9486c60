"""A model and films as tensors -> heatmaps as numpy arrays, raw, all findings at once.

A map is named by its method, with options in parentheses, and by how it is smoothed: "gradcam",
"gradcam(pre_relu)", "smoothgrad(25)", "gradcam++-eigen-augmentation". Maps made from the last feature map
have its resolution, those made from the film have the input's.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from hilum.explain.capture import capture, captured_from
from hilum.explain.name import METHODS, SMOOTHINGS, WEIGHTS, costs_by_finding, plan_from
from hilum.explain.smoothing import augmentation
from hilum.findings import positions
from hilum.models import Classifier, LastMapClassifier


def heatmaps(
    model: Classifier,
    images: Float[Tensor, "n ch h w"],
    findings: Sequence[str] | None = None,
    method: str = "gradcam",
    smoothing: str | None = None,
    metadata: Float[Tensor, "n 3"] | None = None,
    seed: int = 0,
) -> Float32[np.ndarray, "n c u v"]:
    """Where the model looked for each finding.

    Args:
        model: In eval mode.
        images: Normalised films, as `hilum.models.network_input` makes them.
        findings: Those wanted, in order; all by default.
        method: A name of `METHODS`, with its options.
        smoothing: "eigen", "augmentation", "eigen-augmentation", or none.
        metadata: View, age and sex, for a model that takes them.
        seed: Of the methods that draw random numbers.

    Returns:
        Signed maps, neither ReLU nor min-max applied; after "augmentation" the mean of maps in [0, 1].

    Raises:
        ValueError: An unknown method, option or finding, or a model in training mode.
        TypeError: The method is not defined for this model, or the smoothing for this method.
    """
    name = method if smoothing is None else f"{method}-{smoothing}"
    _, maps = logits_and_heatmaps(model, images, (name,), findings, metadata, seed)
    return maps[name]


def logits_and_heatmaps(
    model: Classifier,
    images: Float[Tensor, "n ch h w"],
    methods: Sequence[str],
    findings: Sequence[str] | None = None,
    metadata: Float[Tensor, "n 3"] | None = None,
    seed: int = 0,
) -> tuple[Float32[np.ndarray, "n f"], dict[str, Float32[np.ndarray, "n c u v"]]]:
    """Logits of every finding and several kinds of maps, by name, from as few passes as they allow."""
    plans = {name: plan_from(name) for name in methods}
    wanted = model.findings if findings is None else findings
    columns = torch.tensor(positions(wanted, model.findings), device=images.device)
    pre_relu = any(plan.pre_relu for plan in plans.values())
    captured = capture(model, images, metadata, pre_relu=pre_relu, seed=seed)
    made: dict[str, Tensor] = {}
    with torch.inference_mode():
        for name, plan in plans.items():
            if plan.augmentation is None:
                made[name] = plan.make(captured, columns)
        for options in {plan.augmentation for plan in plans.values() if plan.augmentation is not None}:
            sharing = {name: plan.make for name, plan in plans.items() if plan.augmentation == options}
            made |= augmentation(sharing, captured, columns, *options, pre_relu=pre_relu)
    return captured.logits.float().cpu().numpy(), {
        name: made[name].float().cpu().contiguous().numpy() for name in plans
    }


def class_maps(
    model: LastMapClassifier,
    images: Float[Tensor, "n ch h w"],
    activations: Float[Tensor, "n d u v"],
    method: str,
) -> Float[Tensor, "n f u v"]:
    """Maps of every finding, negative evidence left out, from a last feature map that is there already."""
    columns = torch.arange(len(model.findings), device=images.device)
    return plan_from(method).make(captured_from(model, images, activations), columns).relu()


__all__ = [
    "METHODS",
    "SMOOTHINGS",
    "WEIGHTS",
    "class_maps",
    "costs_by_finding",
    "heatmaps",
    "logits_and_heatmaps",
]
