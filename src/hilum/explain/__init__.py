"""A model and films as tensors -> heatmaps as numpy arrays: raw, at map resolution, all findings at once."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from hilum.explain.cam import cam, grad_cam, grad_cam_plus_plus, hires_cam, layer_cam, xgrad_cam
from hilum.explain.capture import capture
from hilum.explain.eigen import eigen_cam, eigen_cam_centred
from hilum.findings import positions
from hilum.lookup import pick
from hilum.models.classifier import Classifier, LastMapClassifier

METHODS = {
    "cam": cam,
    "eigencam": eigen_cam,
    "eigencam_centred": eigen_cam_centred,
    "gradcam": grad_cam,
    "gradcam++": grad_cam_plus_plus,
    "hirescam": hires_cam,
    "layercam": layer_cam,
    "xgradcam": xgrad_cam,
}
"""Heatmap methods by the name that recipes, tables and folders use."""


def heatmaps(
    model: Classifier,
    images: Float[Tensor, "n 3 h w"],
    findings: Sequence[str] | None = None,
    method: str = "gradcam",
    metadata: Float[Tensor, "n 3"] | None = None,
) -> Float32[np.ndarray, "n c u v"]:
    """Where the model looked for each finding, in one forward pass.

    Args:
        model: In eval mode.
        images: Normalised films, as `hilum.models.network_input` makes them.
        findings: Those wanted, in order; all by default.
        method: A name of `METHODS`.
        metadata: View, age and sex, for a model that takes them.

    Returns:
        Signed maps at the resolution of the last feature map, neither ReLU nor min-max applied.

    Raises:
        ValueError: An unknown method or finding, or a model in training mode.
        TypeError: The method is not defined for this model.
    """
    _, maps = logits_and_heatmaps(model, images, (method,), findings, metadata)
    return maps[method]


def logits_and_heatmaps(
    model: Classifier,
    images: Float[Tensor, "n 3 h w"],
    methods: Sequence[str],
    findings: Sequence[str] | None = None,
    metadata: Float[Tensor, "n 3"] | None = None,
) -> tuple[Float32[np.ndarray, "n f"], dict[str, Float32[np.ndarray, "n c u v"]]]:
    """Logits of every finding and the maps of several methods, all from one forward pass."""
    functions = {method: pick(METHODS, method, "heatmap method") for method in methods}
    if not isinstance(model, LastMapClassifier):
        raise TypeError(f"{type(model).__name__} has no last feature map from which {methods} could be made")
    captured = capture(model, images, metadata)
    wanted = model.findings if findings is None else findings
    columns = torch.tensor(positions(wanted, model.findings), device=images.device)
    with torch.inference_mode():
        maps = {method: make(model, captured, columns) for method, make in functions.items()}
    return captured.logits.float().cpu().numpy(), {
        method: made.float().cpu().contiguous().numpy() for method, made in maps.items()
    }


__all__ = ["METHODS", "heatmaps", "logits_and_heatmaps"]
