"""One forward pass of a model, keeping its last feature map and how its logits depend on it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from hilum.models import Classifier, Composite, Foreign, LastMapClassifier, resized
from hilum.models.classifier import AveragePooling

Layer = Literal["last", "pre_relu"]
"""The last feature map after its ReLU, or before it: signed, with the gradient that the ReLU lets through."""


@dataclass(frozen=True)
class LastMap:
    """The last feature map, and the gradient of logits with respect to it.

    Attributes:
        activations: A.
        gradients: G = dY/dA of the findings asked for, (m, c, d, p, q), with axes of length 1 where it is
            the same for all films or positions.
    """

    activations: Float[Tensor, "n d u v"]
    gradients: Callable[[Int[Tensor, " c"]], Tensor]


@dataclass(frozen=True)
class Captured:
    """What every map of a film is made from.

    Attributes:
        model: In eval mode.
        images: Normalised films.
        metadata: View, age and sex as the model saw them, or None.
        logits: Of every finding.
        layers: The last feature map by `Layer`, as far as the model has one and it was asked for.
        seed: Of the methods that draw random numbers.
    """

    model: Classifier
    images: Float[Tensor, "n ch h w"]
    metadata: Float[Tensor, "n 3"] | None
    logits: Float[Tensor, "n f"]
    layers: dict[str, LastMap]
    seed: int = 0

    @property
    def explained(self) -> Classifier:
        """The network that has the last feature map: the model, or the one of several that it names."""
        return self.model.explained if isinstance(self.model, Composite) else self.model

    def at(self, layer: Layer = "last") -> LastMap:
        """The last feature map.

        Raises:
            TypeError: The model has none, or not before a ReLU.
        """
        if layer not in self.layers:
            what = "last feature map" if layer == "last" else "ReLU just before its last feature map"
            raise TypeError(
                f"{type(self.model).__name__} has no {what}; gradient, occlusion and rise need none"
            )
        return self.layers[layer]


def capture(
    model: Classifier,
    images: Float[Tensor, "n ch h w"],
    metadata: Float[Tensor, "n 3"] | None = None,
    *,
    pre_relu: bool = False,
    seed: int = 0,
) -> Captured:
    """Runs the model once.

    Args:
        model: In eval mode.
        images: Normalised films.
        metadata: View, age and sex, for a model that takes them.
        pre_relu: Whether to keep the last feature map before its ReLU too.
        seed: Of the methods that draw random numbers.

    Raises:
        ValueError: The model is in training mode, where batch statistics would leak between films.
    """
    if model.training:
        raise ValueError("the model is in training mode; call model.eval() before explaining")
    if isinstance(model, Foreign):
        if metadata is not None:
            raise ValueError("a network from elsewhere takes images only; leave metadata out")
        logits, last = _at_named_layer(model, images)
        return Captured(model, images, metadata, logits, {"last": last}, seed)
    if isinstance(model, Composite):
        inside = capture(model.explained, resized(images, model.explained.input_hw), pre_relu=pre_relu)
        with torch.inference_mode():
            logits = model(images, metadata)
        return replace(inside, model=model, images=images, metadata=metadata, logits=logits, seed=seed)
    with torch.inference_mode():
        if not isinstance(model, LastMapClassifier):
            return Captured(model, images, metadata, model(images, metadata), {}, seed)
        activations, before = _last_map(model, images) if pre_relu else (model.activations(images), None)
        logits = model.logits_from(activations, metadata)
    gradients = partial(_gradients, model, activations, metadata)
    layers = {"last": LastMap(activations, gradients)}
    if before is not None:
        layers["pre_relu"] = LastMap(before, lambda findings: gradients(findings) * (before > 0)[:, None])
    return Captured(model, images, metadata, logits, layers, seed)


def captured_from(
    model: LastMapClassifier, images: Float[Tensor, "n ch h w"], activations: Float[Tensor, "n d u v"]
) -> Captured:
    """What a pass would have kept, of a last feature map that is there already; without metadata."""
    with torch.no_grad():
        logits = model.logits_from(activations)
    last = LastMap(activations, partial(_gradients, model, activations, None))
    return Captured(model, images, None, logits, {"last": last})


def head_gradients(
    model: LastMapClassifier,
    activations: Float[Tensor, "n d u v"],
    metadata: Float[Tensor, "n 3"] | None,
    findings: Int[Tensor, " c"],
) -> Float[Tensor, "n c d u v"]:
    """G of every finding, by one vector-Jacobian product each through the head alone."""
    with torch.inference_mode(False), torch.enable_grad():
        start = activations.clone().requires_grad_()
        logits = model.logits_from(start, None if metadata is None else metadata.clone())
        return jacobian(logits, start, findings)


def _gradients(
    model: LastMapClassifier,
    activations: Float[Tensor, "n d u v"],
    metadata: Float[Tensor, "n 3"] | None,
    findings: Int[Tensor, " c"],
) -> Float[Tensor, "m c d p q"]:
    if not isinstance(model, AveragePooling):
        return head_gradients(model, activations, metadata, findings)
    height, width = activations.shape[2:]
    return (model.map_weights.detach()[findings] / (height * width))[None, :, :, None, None]


def jacobian(
    logits: Float[Tensor, "n f"], start: Float[Tensor, "n *d"], findings: Int[Tensor, " c"]
) -> Float[Tensor, "n c *d"]:
    """Gradient of each finding's logit; the graph is kept."""
    n, *each = start.shape
    totals = logits.sum(dim=0)
    gradients = start.new_empty(n, len(findings), *each)
    for place, finding in enumerate(findings.tolist()):
        (gradients[:, place],) = torch.autograd.grad(totals[finding], start, retain_graph=True)
    return gradients


def _last_map(model: LastMapClassifier, images: Tensor) -> tuple[Tensor, Tensor | None]:
    """The last feature map, and what its ReLU made it from, or None if no ReLU module did."""
    before: list[Tensor] = []

    def keep(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        before[:] = [inputs[0].clone()]  # the ReLU may work in place

    relus = [part for part in model.modules() if isinstance(part, nn.ReLU)]
    hooks = [relu.register_forward_pre_hook(keep) for relu in relus]
    try:
        activations = model.activations(images)
    finally:
        for hook in hooks:
            hook.remove()
    found = bool(before) and torch.equal(before[0].relu(), activations)
    return activations, before[0] if found else None


def _at_named_layer(model: Foreign, images: Float[Tensor, "n ch h w"]) -> tuple[Tensor, LastMap]:
    """One pass whose graph begins at the layer."""
    kept: list[Tensor] = []

    def begin(_module: nn.Module, _inputs: object, output: object) -> Tensor:
        if not isinstance(output, Tensor) or output.ndim not in (3, 4):
            axes = f" of {output.ndim} axes" if isinstance(output, Tensor) else ""
            raise TypeError(
                f"the layer gave {type(output).__name__}{axes}; name one that gives a map or tokens"
            )
        kept[:] = [output.detach().clone().requires_grad_()]
        torch.set_grad_enabled(True)
        return kept[0].clone()  # what follows may work in place

    hook = model.layer.register_forward_hook(begin)
    try:
        with torch.inference_mode(False), torch.no_grad():
            logits = model(images.clone() if images.is_inference() else images)
    finally:
        hook.remove()
    if not kept:
        raise TypeError("the layer took no part in the forward pass")
    (start,) = kept
    hw = (images.shape[2], images.shape[3])

    def gradients(findings: Int[Tensor, " c"]) -> Tensor:
        with torch.inference_mode(False), torch.enable_grad():
            each = jacobian(logits, start, findings)
        return each if start.ndim == 4 else _as_map(each.flatten(0, 1), hw).unflatten(0, each.shape[:2])

    activations = start.detach() if start.ndim == 4 else _as_map(start.detach(), hw)
    return logits.detach(), LastMap(activations, gradients)


def _as_map(tokens: Float[Tensor, "n t d"], input_hw: tuple[int, int]) -> Float[Tensor, "n d u v"]:
    """Patch tokens of a film laid out as a map; whatever stands before them is left out."""
    height, width = grid_from(tokens.shape[1], input_hw)
    return tokens[:, tokens.shape[1] - height * width :].mT.unflatten(2, (height, width))


def grid_from(n_tokens: int, input_hw: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of the patches behind so many tokens, at most eight of which are no patches.

    Raises:
        TypeError: No such grid has the shape of the input.

    Example:
        >>> grid_from(197, (224, 224))
        (14, 14)
    """
    for n_patches in range(n_tokens, max(n_tokens - 9, 0), -1):
        height = round((n_patches * input_hw[0] / input_hw[1]) ** 0.5)
        if height and n_patches % height == 0 and height * input_hw[1] == n_patches // height * input_hw[0]:
            return height, n_patches // height
    raise TypeError(f"{n_tokens} tokens are no grid over an input of {input_hw[0]} x {input_hw[1]} px")
