"""The door for maps that a model makes by itself."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hilum.explain.capture import Captured
from hilum.models import OwnMaps


def own(captured: Captured, findings: Int[Tensor, " c"]) -> Float[Tensor, "n c u v"]:
    """What the model shows of its own way to the logits, such as the class maps of WILDCAT.

    Raises:
        TypeError: The model makes no maps.
    """
    model = captured.model
    if not isinstance(model, OwnMaps):
        raise TypeError(f"{type(model).__name__} makes no maps of its own; use gradcam")
    with torch.inference_mode():
        return model.own_maps(captured.images, captured.metadata)[:, findings]
