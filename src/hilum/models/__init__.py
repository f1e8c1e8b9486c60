"""Films as tensors -> logits; every network, and how to rebuild one from its weights file."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from hilum.data.geometry import Geometry
from hilum.data.metadata import N_METADATA, MetadataScaling
from hilum.errors import WeightsError
from hilum.lookup import call, call_from
from hilum.models import weights
from hilum.models.attention_gates import AttentionGates
from hilum.models.attention_guided import AttentionGuided, ClassMaps
from hilum.models.backbones import OWN, backbone_from
from hilum.models.capsule_cascade import CapsuleCascade
from hilum.models.capsules import CapsNet
from hilum.models.classifier import (
    AveragePooling,
    Body,
    Branch,
    Classifier,
    Composite,
    LastMapClassifier,
    OwnMaps,
)
from hilum.models.foreign import Foreign
from hilum.models.fully_connected import FullyConnected
from hilum.models.hidden import HiddenLayer
from hilum.models.inputs import network_input, resized
from hilum.models.neck import NECKS
from hilum.models.patches import Patches
from hilum.models.pixel_correlation import PixelCorrelation
from hilum.models.pooling import LogSumExpPooling, LseLba, MaxPooling, Pcam, Wildcat
from hilum.models.retinanet import RetinaNet
from hilum.models.space_attention import SpaceAttention

MODELS = {
    "attention_gates": AttentionGates,
    "average_pooling": AveragePooling,
    "capsule_cascade": CapsuleCascade,
    "capsules": CapsNet,
    "fully_connected": FullyConnected,
    "hidden_layer": HiddenLayer,
    "log_sum_exp": LogSumExpPooling,
    "lse_lba": LseLba,
    "max_pooling": MaxPooling,
    "patches": Patches,
    "pcam": Pcam,
    "pixel_correlation": PixelCorrelation,
    "retinanet": RetinaNet,
    "space_attention": SpaceAttention,
    "wildcat": Wildcat,
}
"""Heads by the name that a recipe gives under `[model] name`, with their numbers: "log_sum_exp(10)"."""

GUIDED = {"attention_guided": AttentionGuided}
"""Models of a global and a local branch, by the same."""


def build(
    *,
    name: str,
    backbone: str,
    map_stride: int,
    metadata: bool,
    findings: tuple[str, ...],
    input_hw: tuple[int, int],
    neck: str = "none",
    branch: str = "",
    local_branch: str = "",
    local_backbone: str = "",
    start: str = weights.NONE,
    class_maps: ClassMaps | None = None,
) -> Classifier:
    """A model of the table on a backbone, or one of two branches.

    Args:
        name: Entry of `MODELS` or of `GUIDED`, with its numbers if it has any.
        backbone: timm's name of a network, or "resnet38".
        map_stride: 32 or 16, see `backbone_from`.
        metadata: Whether view, age and sex join the pooled map.
        findings: Outputs, in order.
        input_hw: Height and width of the input, in px.
        neck: Entry of `NECKS`, with its options if it has any.
        branch: Of a model of two branches: the entry of `MODELS` that reads the whole film.
        local_branch: The one that reads the crop; empty for the same.
        local_backbone: What that one stands on; empty for the same.
        start: "imagenet", "none", or a file; see `weights.start_weights`. A branch on one of `OWN` starts
            from scratch.
        class_maps: For a model whose crop comes from a class map: what makes one.

    Raises:
        ValueError: An unknown name or stride, or branches of a model that has none.
        WeightsError: The start weights are not to be had.
    """
    if call_from(name)[0] in GUIDED:
        guided = call(GUIDED, name, "model", n_given=4)
        of_film, of_crop = (
            _branch(each or branch, on or backbone, map_stride, findings, input_hw, neck, start)
            for each, on in ((branch, backbone), (local_branch, local_backbone))
        )
        return guided(of_film, of_crop, N_METADATA if metadata else 0, class_maps)
    if branch or local_branch or local_backbone:
        known = ", ".join(GUIDED)
        raise ValueError(f"{name} has no branches; branch, local_branch, local_backbone are for {known}")
    head, between = call(MODELS, name, "model", n_given=1), call(NECKS, neck, "neck", n_given=2)
    load = weights.start_weights(backbone, start)
    blocks, n_channels = between(*backbone_from(backbone, map_stride, load() if load else None))
    return head(Body(blocks, n_channels, findings, input_hw, N_METADATA if metadata else 0))


def _branch(
    name: str,
    backbone: str,
    map_stride: int,
    findings: tuple[str, ...],
    input_hw: tuple[int, int],
    neck: str,
    start: str,
) -> Branch:
    own = backbone.partition("(")[0].strip() in OWN
    made = build(
        name=name or "average_pooling",
        backbone=backbone,
        map_stride=map_stride,
        metadata=False,
        findings=findings,
        input_hw=input_hw,
        neck=neck,
        start=weights.NONE if own else start,
    )
    if not isinstance(made, Branch):
        raise ValueError(f"{name} pools no features to be a branch; average_pooling and max_pooling do")
    return made


def save(
    path: Path,
    model: Classifier,
    settings: dict[str, Any],
    geometry: Geometry,
    scaling: MetadataScaling,
    origin: dict[str, Any] | None = None,
) -> None:
    """Writes weights with the header from which `load` rebuilds the model.

    Args:
        path: A .safetensors file.
        model: Made by `build`.
        settings: name, backbone, map_stride, metadata and neck, as given to `build`.
        geometry: How films are brought to its input.
        scaling: Fitted on its training films.
        origin: Where tensors that were trained elsewhere come from, and which films they have seen.
    """
    header: dict[str, Any] = {
        "model": settings,
        "findings": list(model.findings),
        "geometry": asdict(geometry),
        "metadata_scaling": asdict(scaling),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),  # buffers are none
    }
    weights.save(path, model, header | ({"origin": origin} if origin else {}))


def load(path: Path, class_maps: ClassMaps | None = None) -> tuple[Classifier, Geometry, MetadataScaling]:
    """The model of a weights file, ready to score films, with its input geometry and metadata scaling.

    Args:
        path: What `save` wrote.
        class_maps: As `build` takes it.

    Raises:
        WeightsError: The file is not one that `save` wrote.
    """
    header = weights.read_header(path)
    try:
        geometry, scaling = Geometry(**header["geometry"]), MetadataScaling(**header["metadata_scaling"])
        findings, input_hw = tuple(header["findings"]), geometry.input_hw
        model = build(**header["model"], findings=findings, input_hw=input_hw, class_maps=class_maps)
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{path}: its header describes no model of hilum: {error!r}") from error
    weights.load_into(path, model)
    return model.eval(), geometry, scaling


__all__ = [
    "MODELS",
    "NECKS",
    "Classifier",
    "Composite",
    "Foreign",
    "LastMapClassifier",
    "OwnMaps",
    "build",
    "load",
    "network_input",
    "resized",
    "save",
]
