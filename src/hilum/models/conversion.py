"""A checkpoint of torchxrayvision -> a weights file of hilum that gives the same logits."""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from hilum import models
from hilum.data.geometry import Geometry
from hilum.data.metadata import MetadataScaling
from hilum.errors import WeightsError
from hilum.findings import canonical
from hilum.lookup import pick
from hilum.models.backbones import backbone_from
from hilum.models.classifier import AveragePooling, Body
from hilum.models.inputs import BLACK, WHITE
from hilum.models.pickled import checkpoint_from

LABELS = (
    *("Atelectasis", "Consolidation", "Infiltration", "Pneumothorax", "Edema", "Emphysema", "Fibrosis"),
    *("Effusion", "Pneumonia", "Pleural_Thickening", "Cardiomegaly", "Nodule", "Mass", "Hernia"),
    *("Lung Lesion", "Fracture", "Lung Opacity", "Enlarged Cardiomediastinum"),
)
"""Outputs of every network of torchxrayvision, in order, whether it learned them or not."""

_CHESTXRAY14, _CHEXPERT = (
    LABELS[:14],
    tuple(LABELS[place] for place in (0, 1, 3, 4, 7, 8, 10, 14, 15, 16, 17)),
)


@dataclass(frozen=True)
class Release:
    """Weights that torchxrayvision publishes.

    Attributes:
        file: Name of the file.
        learned: Those of `LABELS` that it was trained for; its other outputs mean nothing.
        films: Every set whose films it may have seen; which films of them, nobody kept.
    """

    file: str
    learned: tuple[str, ...]
    films: tuple[str, ...]


_END = "-densenet121-d121-tw-lr001-rot45-tr15-sc15-seed0-best.pt"
_ALL = ("ChestX-ray14", "RSNA Pneumonia stage 2", "PadChest", "CheXpert", "MIMIC-CXR", "Open-I")
_FIVE = ("ChestX-ray14", "RSNA Pneumonia stage 2", "PadChest", "SIIM-ACR Pneumothorax", "VinDr-CXR")

RELEASES = {
    "densenet121-res224-all": Release(f"nih-pc-chex-mimic_ch-google-openi-kaggle{_END}", LABELS, _ALL),
    "densenet121-res224-nih": Release(f"nih{_END}", _CHESTXRAY14, ("ChestX-ray14",)),
    "densenet121-res224-pc": Release(f"pc{_END}", (*_CHESTXRAY14, "Fracture"), ("PadChest",)),
    "densenet121-res224-chex": Release(f"chex{_END}", _CHEXPERT, ("CheXpert",)),
    "densenet121-res224-rsna": Release(
        f"kaggle{_END}", ("Pneumonia", "Lung Opacity"), ("RSNA Pneumonia stage 2",)
    ),
    "densenet121-res224-mimic_nb": Release(f"mimic_nb{_END}", _CHEXPERT, ("MIMIC-CXR",)),
    "densenet121-res224-mimic_ch": Release(f"mimic_ch{_END}", _CHEXPERT, ("MIMIC-CXR",)),
    "resnet50-res512-all": Release(
        "pc-nih-rsna-siim-vin-resnet50-test512-e400-state.pt",
        tuple(label for label in LABELS if label not in ("Lung Lesion", "Enlarged Cardiomediastinum")),
        _FIVE,
    ),
}
"""By the names of torchxrayvision 1.5.7. Source: Cohen et al., MIDL 2022 (arXiv:2111.00595)."""


@dataclass(frozen=True)
class _Layout:
    """Where a network of torchxrayvision keeps its ends, and how large its films are."""

    backbone: str
    stem: str
    head: str
    input_px: int


_LAYOUTS = (
    _Layout("densenet121", "features.conv0.weight", "classifier", 224),
    _Layout("resnet50", "conv1.weight", "fc", 512),
)


@dataclass(frozen=True)
class Origin:
    """Where converted weights come from; stands in the header of their file.

    Attributes:
        file: Name of the checkpoint.
        sha256: Of the checkpoint.
        films: Every set whose films the weights may have seen; empty where nobody knows.
    """

    file: str
    sha256: str
    films: tuple[str, ...]


def convert(
    path: Path, out: Path, *, allow_pickle: bool = False, sha256: str | None = None, name: str | None = None
) -> tuple[Origin, tuple[str, ...]]:
    """Writes a checkpoint of torchxrayvision as weights of hilum, with the outputs that were trained.

    Args:
        path: As torchxrayvision publishes it, or a network of the same kind that was saved with torch.
        out: A .safetensors file.
        allow_pickle: Whether anything but plain tensors may be read; see `checkpoint_from`.
        sha256: What the file must have, as hex digits.
        name: Entry of `RELEASES`; else told by the file's name, else by labels within the file.

    Returns:
        Where they come from, and the findings, in the order of torchxrayvision.

    Raises:
        WeightsError: Another sum, a pickle that is not allowed, or another network.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: no such weights file")
    if out.absolute() == path.absolute():
        raise WeightsError(f"{out}: would be overwritten by itself; give another --out")
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if sha256 is not None and sha256.strip().lower() != found:
        raise WeightsError(f"{path}: its SHA-256 is {found}, not {sha256}; nothing was read")
    try:
        checkpoint = checkpoint_from(content, allow_pickle=allow_pickle)
        labels, films = _outputs(path, name, checkpoint.labels)
        model, settings, input_px = _model_from(checkpoint.state, labels)
    except (WeightsError, ValueError) as error:
        raise WeightsError(f"{path}: {error}") from error
    origin = Origin(path.name, found, films)
    geometry, unused = Geometry(input_px, input_px, input_px), MetadataScaling(0.0, 100.0, 50.0)
    models.save(out, model, settings, geometry, unused, asdict(origin))
    return origin, model.findings


def _outputs(
    path: Path, name: str | None, carried: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """A label for every output, empty where it was not trained, and the films behind the weights."""
    by_file = {release.file: release for release in RELEASES.values()}
    release = by_file.get(path.name) if name is None else pick(RELEASES, name, "weights")
    if release is not None:
        return tuple(label if label in release.learned else "" for label in LABELS), release.films
    if not carried:
        raise WeightsError(
            "neither its file's name nor its content says what its outputs are; give --name, one of "
            f"{', '.join(RELEASES)}"
        )
    return carried, ()


def _model_from(
    state: dict[str, Tensor], labels: tuple[str, ...]
) -> tuple[AveragePooling, dict[str, object], int]:
    layout = next((layout for layout in _LAYOUTS if layout.stem in state), None)
    if layout is None:
        raise WeightsError("no network of torchxrayvision: it is neither a densenet121 nor a resnet50")
    state = {key: tensor for key, tensor in state.items() if key != "op_threshs"}
    stem, weight, bias = (
        state[layout.stem],
        *(state.get(f"{layout.head}.{end}") for end in ("weight", "bias")),
    )
    if stem.ndim != 4 or stem.shape[1] != 1:
        raise WeightsError(f"its first convolution is {tuple(stem.shape)}; one channel is expected")
    if weight is None or bias is None or not len(labels) == len(weight) == len(bias):
        raise WeightsError(f"it has no linear layer with an output for each of {len(labels)} labels")
    kept = [place for place, label in enumerate(labels) if label]
    findings = tuple(canonical(labels[place]) for place in kept)
    blocks, n_channels = backbone_from(layout.backbone, 32, state | {layout.stem: three_channels(stem)})
    hw = (layout.input_px, layout.input_px)
    model = AveragePooling(Body(blocks, n_channels, findings, hw)).eval()
    try:
        model.head.load_state_dict({"weight": weight[kept], "bias": bias[kept]})
    except RuntimeError as error:
        raise WeightsError(f"its linear layer is not that of {layout.backbone}") from error
    known, given = (sum("num_batches" not in key for key in each) for each in (model.state_dict(), state))
    if known != given:
        raise WeightsError(f"it has {given} tensors where {layout.backbone} has {known}")
    settings = {
        "name": "average_pooling",
        "backbone": layout.backbone,
        "map_stride": 32,
        "metadata": False,
        "neck": "none",
    }
    return model, settings, layout.input_px


def three_channels(stem: Float[Tensor, "d 1 k k"]) -> Float[Tensor, "d 3 k k"]:
    """A first convolution of grey values in [-1024, 1024] for hilum's three normalised channels.

    Each channel takes its share of the weights: the shares are the shortest ones that bring black to -1024
    and white to 1024. So there is no shift left over, and the zeros with which a convolution pads its input
    stay what they were to torchxrayvision: middle grey. A bias could not do that at the border.
    """
    shares = np.linalg.lstsq(np.array([BLACK, WHITE]), np.array([-1024.0, 1024.0]))[0]
    return (stem.double() * torch.from_numpy(shares).view(1, 3, 1, 1)).float()
