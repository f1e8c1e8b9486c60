"""What becomes of checkpoints of other tools; logits beside the peer's own are in tests/agreement."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import nn

from hilum import models
from hilum.errors import WeightsError
from hilum.models.conversion import LABELS, RELEASES, convert, three_channels
from hilum.models.inputs import BLACK, WHITE
from hilum.models.weights import read_header

NIH = RELEASES["densenet121-res224-nih"].file


def _state(name: str, **changed: torch.Tensor) -> dict[str, torch.Tensor]:
    """timm's, whose tensors are named as torchxrayvision's are."""
    torch.manual_seed(0)
    return timm.create_model(name, num_classes=18, in_chans=1).state_dict() | changed


def _module(name: str, **attributes: object) -> nn.Module:
    """A whole module with that state."""
    module = nn.Module()
    for key, tensor in _state(name).items():
        *inside, last = key.split(".")
        holder = module
        for part in inside:
            if part not in holder._modules:
                holder.add_module(part, nn.Module())
            holder = holder.get_submodule(part)
        holder.register_buffer(last, tensor)
    for attribute, value in attributes.items():
        setattr(module, attribute, value)
    return module


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "converted" / "out.safetensors"


@pytest.fixture
def pickled(tmp_path: Path) -> Path:
    torch.save(_module("densenet121"), tmp_path / NIH)
    return tmp_path / NIH


def test_three_channels_see_what_one_channel_saw() -> None:
    grey = torch.randn(4, 1, 7, 7, generator=torch.Generator().manual_seed(0))
    stem = three_channels(grey)
    for colour, level in ((BLACK, -1024.0), (WHITE, 1024.0), ((0.0, 0.0, 0.0), 0.0)):
        seen = (stem * torch.tensor(colour).view(1, 3, 1, 1)).sum(dim=1)
        torch.testing.assert_close(seen, level * grey[:, 0], rtol=1e-5, atol=1e-3)


def test_the_header_says_what_the_weights_have_seen(pickled: Path, out: Path) -> None:
    origin, findings = convert(pickled, out, allow_pickle=True)
    header = read_header(out)
    digest = hashlib.sha256(pickled.read_bytes()).hexdigest()
    assert header["origin"] == {"file": NIH, "sha256": digest, "films": ["ChestX-ray14"]}
    assert vars(origin) == header["origin"] | {"films": ("ChestX-ray14",)}
    assert tuple(header["findings"]) == findings == LABELS[:14]
    assert header["geometry"] == {"input_px": 224, "resize_px": 224, "store_px": 224, "fit": "stretch"}
    assert not models.load(out)[0].training


def test_outputs_that_were_not_trained_are_left_out(tmp_path: Path, out: Path) -> None:
    state = _state("resnet50")
    torch.save(state, tmp_path / "own.pt")
    _, findings = convert(tmp_path / "own.pt", out, name="densenet121-res224-rsna")  # any table of labels
    assert findings == ("Pneumonia", "Lung Opacity")
    head = models.load(out)[0].head
    assert torch.equal(head.weight, state["fc.weight"][[8, 16]])


def test_labels_that_a_module_carries_name_its_outputs(tmp_path: Path, out: Path) -> None:
    own = ["Infiltrate", "", *(f"own {place}" for place in range(16))]
    torch.save(_module("resnet50", pathologies=own), tmp_path / "own.pt")
    origin, findings = convert(tmp_path / "own.pt", out, allow_pickle=True)
    assert findings == ("Infiltration", *own[2:])
    assert origin.films == ()


def test_the_sum_is_compared_before_anything_is_read(pickled: Path, out: Path) -> None:
    digest = hashlib.sha256(pickled.read_bytes()).hexdigest()
    with pytest.raises(WeightsError, match=f"its SHA-256 is {digest}, not 00; nothing was read"):
        convert(pickled, out, allow_pickle=True, sha256="00")
    assert not out.exists()
    convert(pickled, out, allow_pickle=True, sha256=f" {digest.upper()}")
    assert out.exists()


REFUSED = {
    "another network": (lambda: {"weight": torch.ones(3)}, "neither a densenet121 nor a resnet50"),
    "a deeper one": (lambda: _state("resnet101"), r"it has 522 tensors where resnet50 has 267"),
    "a shallower one": (lambda: _state("resnet34"), "its linear layer is not|not the weights of resnet50"),
    "three channels": (
        lambda: _state("resnet50", **{"conv1.weight": torch.ones(64, 3, 7, 7)}),
        "one channel",
    ),
    "fewer outputs": (lambda: _state("resnet50", **{"fc.bias": torch.ones(14)}), "for each of 18 labels"),
    "a table": (lambda: {"state_dict": {}}, "holds a dict, not the tensors"),
    "a list": (lambda: [1.0], "holds a list, not the tensors"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_other_networks_are_refused(tmp_path: Path, out: Path, case: str) -> None:
    make, message = REFUSED[case]
    file = tmp_path / RELEASES["resnet50-res512-all"].file
    torch.save(make(), file)
    with pytest.raises(WeightsError, match=f"^{file}: .*{message}"):
        convert(file, out)
    assert not out.exists()


def test_what_cannot_be_named_or_written_is_refused(tmp_path: Path, out: Path) -> None:
    file = tmp_path / "own.pt"
    with pytest.raises(WeightsError, match="no such weights file"):
        convert(file, out)
    torch.save(_state("resnet50"), file)
    with pytest.raises(
        WeightsError, match="what its outputs are; give --name, one of densenet121-res224-all"
    ):
        convert(file, out)
    with pytest.raises(WeightsError, match="unknown weights 'nih'"):
        convert(file, out, name="nih")
    with pytest.raises(WeightsError, match="would be overwritten by itself"):
        convert(file, file)


def test_a_converted_file_is_a_start(pickled: Path, out: Path) -> None:
    convert(pickled, out, allow_pickle=True)

    def started(backbone: str) -> models.Classifier:
        settings: dict[str, Any] = {"map_stride": 32, "metadata": True, "findings": ("Mass",)}
        return models.build(
            name="log_sum_exp(10)", backbone=backbone, start=str(out), input_hw=(64, 64), **settings
        )

    ours, theirs = started("densenet121").state_dict(), models.load(out)[0].state_dict()
    taken = [name for name in ours if name.startswith("backbone.")]
    assert len(taken) > 700
    assert all(torch.equal(ours[name], theirs[name]) for name in taken)
    with pytest.raises(WeightsError, match="not the weights of densenet169"):
        started("densenet169")
