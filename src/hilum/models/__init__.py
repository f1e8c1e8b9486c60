"""Films as tensors -> logits; every network, and how to rebuild one from its weights file."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from hilum.data.geometry import Geometry
from hilum.data.metadata import N_METADATA, MetadataScaling
from hilum.errors import WeightsError
from hilum.lookup import call
from hilum.models import weights
from hilum.models.attention_gates import AttentionGates
from hilum.models.backbones import backbone_from
from hilum.models.classifier import AveragePooling, Body, Classifier, LastMapClassifier, OwnMaps
from hilum.models.foreign import Foreign
from hilum.models.fully_connected import FullyConnected
from hilum.models.inputs import network_input
from hilum.models.neck import NECKS
from hilum.models.pooling import LogSumExpPooling, LseLba, MaxPooling, Pcam, Wildcat
from hilum.models.space_attention import SpaceAttention

MODELS = {
    "attention_gates": AttentionGates,
    "average_pooling": AveragePooling,
    "fully_connected": FullyConnected,
    "log_sum_exp": LogSumExpPooling,
    "lse_lba": LseLba,
    "max_pooling": MaxPooling,
    "pcam": Pcam,
    "space_attention": SpaceAttention,
    "wildcat": Wildcat,
}
"""Heads by the name that a recipe gives under `[model] name`, with their numbers: "log_sum_exp(10)"."""


def build(
    *,
    name: str,
    backbone: str,
    map_stride: int,
    metadata: bool,
    findings: tuple[str, ...],
    input_hw: tuple[int, int],
    neck: str = "none",
    start: str = weights.NONE,
) -> Classifier:
    """A model of the table on a backbone.

    Args:
        name: Entry of `MODELS`, with its numbers if it has any.
        backbone: timm's name of a network, or "resnet38".
        map_stride: 32 or 16, see `backbone_from`.
        metadata: Whether view, age and sex join the pooled map.
        findings: Outputs, in order.
        input_hw: Height and width of the input, in px.
        neck: Entry of `NECKS`, with its options if it has any.
        start: "imagenet", "none", or a file; see `weights.start_weights`.

    Raises:
        ValueError: An unknown name or stride.
        WeightsError: The start weights are not to be had.
    """
    head, between = call(MODELS, name, "model", n_given=1), call(NECKS, neck, "neck", n_given=2)
    load = weights.start_weights(backbone, start)
    blocks, n_channels = between(*backbone_from(backbone, map_stride, load() if load else None))
    return head(Body(blocks, n_channels, findings, input_hw, N_METADATA if metadata else 0))


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


def load(path: Path) -> tuple[Classifier, Geometry, MetadataScaling]:
    """The model of a weights file, ready to score films, with its input geometry and metadata scaling.

    Raises:
        WeightsError: The file is not one that `save` wrote.
    """
    header = weights.read_header(path)
    try:
        geometry, scaling = Geometry(**header["geometry"]), MetadataScaling(**header["metadata_scaling"])
        model = build(**header["model"], findings=tuple(header["findings"]), input_hw=geometry.input_hw)
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{path}: its header describes no model of hilum: {error!r}") from error
    weights.load_into(path, model)
    return model.eval(), geometry, scaling


__all__ = [
    "MODELS",
    "NECKS",
    "Classifier",
    "Foreign",
    "LastMapClassifier",
    "OwnMaps",
    "build",
    "load",
    "network_input",
    "save",
]
