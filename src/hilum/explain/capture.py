"""One forward pass of a model, keeping its last feature map."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from hilum.models.classifier import LastMapClassifier


@dataclass(frozen=True)
class Captured:
    """What every map of a film is made from.

    Attributes:
        activations: Last feature map, after its activation function.
        logits: Of every finding.
        metadata: View, age and sex as the head saw them, or None.
    """

    activations: Float[Tensor, "n d u v"]
    logits: Float[Tensor, "n f"]
    metadata: Float[Tensor, "n 3"] | None


def capture(
    model: LastMapClassifier, images: Float[Tensor, "n 3 h w"], metadata: Float[Tensor, "n 3"] | None = None
) -> Captured:
    """Runs the model once, without gradients.

    Raises:
        ValueError: The model is in training mode, where batch statistics would leak between films.
    """
    if model.training:
        raise ValueError("the model is in training mode; call model.eval() before explaining")
    with torch.inference_mode():
        activations = model.activations(images)
        return Captured(activations, model.logits_from(activations, metadata), metadata)
