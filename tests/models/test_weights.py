"""What is written is what is read, and what cannot be read says what to do."""

import errno
import json
import os
import pickle
import time
from pathlib import Path

import huggingface_hub
import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from hilum import models
from hilum.data.geometry import Geometry
from hilum.data.metadata import MetadataScaling
from hilum.errors import DiskError, WeightsError
from hilum.models import weights
from hilum.models.weights import PACKAGED, load_into, read_header, save, start_weights

GEOMETRY, SCALING = Geometry(64, 72, 96), MetadataScaling(0.1 + 0.2, 94.0, 47.5)
FINDINGS = ("Pleural_Thickening", "Mass", "Herzgröße")
SETTINGS = {"name": "average_pooling", "backbone": "resnet10t", "map_stride": 16, "metadata": True}


def _model(seed: int = 0, **other) -> models.Classifier:
    torch.manual_seed(seed)
    return models.build(**SETTINGS | other, findings=FINDINGS, input_hw=GEOMETRY.input_hw)


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "run" / "weights.safetensors"


@pytest.fixture
def saved(path) -> Path:
    models.save(path, _model(), SETTINGS, GEOMETRY, SCALING)
    return path


def test_every_bit_comes_back(saved) -> None:
    model = _model()
    back, geometry, scaling = models.load(saved)
    assert (geometry, scaling, back.findings) == (GEOMETRY, SCALING, FINDINGS)
    assert back.input_hw == (64, 64)
    ours, theirs = model.state_dict(), back.state_dict()
    assert list(ours) == list(theirs)
    for name, tensor in ours.items():
        assert tensor.dtype == theirs[name].dtype, name
        assert torch.equal(tensor, theirs[name]), name
    assert not back.training
    assert os.listdir(saved.parent) == ["weights.safetensors"]


def test_odd_numbers_come_back(path) -> None:
    module = nn.BatchNorm1d(4)
    module.weight.data = torch.tensor([float("inf"), -0.0, 1e-45, float("nan")])
    module.num_batches_tracked += 2**40
    module.to(memory_format=torch.channels_last)
    save(path, module, {})
    back = nn.BatchNorm1d(4)
    load_into(path, back)
    assert back.weight.detach().numpy().tobytes() == module.weight.detach().numpy().tobytes()
    assert back.num_batches_tracked == 2**40


def test_the_header_comes_back_as_it_was(saved) -> None:
    assert read_header(saved) == {
        "model": SETTINGS,
        "findings": list(FINDINGS),
        "geometry": {"input_px": 64, "resize_px": 72, "store_px": 96, "fit": "stretch"},
        "metadata_scaling": {"youngest": 0.1 + 0.2, "oldest": 94.0, "median": 47.5},
        "parameters": sum(len(p.flatten()) for p in _model().parameters()),
    }


def test_equal_models_are_equal_files(saved, tmp_path) -> None:
    models.save(tmp_path / "again", _model(), SETTINGS, GEOMETRY, SCALING)
    assert (tmp_path / "again").read_bytes() == saved.read_bytes()


def _rewritten(path: Path, header: object) -> None:
    save_file(load_file(path), path, None if header is None else {"hilum": json.dumps(header)})


def _header_changed(path: Path, **changes) -> None:
    header = read_header(path) | changes
    _rewritten(path, {key: value for key, value in header.items() if value is not None})


NO_FILE, NOT_OURS = "no such weights file", "no weights file of hilum .*; it must be safetensors"
NO_MODEL, NOT_THIS = "its header describes no model of hilum", "not the weights of this model"
DAMAGE = {
    "absent": (lambda path: path.unlink(), NO_FILE),
    "a folder": (lambda path: (path.unlink(), path.mkdir()), NO_FILE),
    "empty": (lambda path: os.truncate(path, 0), NOT_OURS),
    "cut in its header": (lambda path: os.truncate(path, 100), NOT_OURS),
    "last byte cut": (lambda path: os.truncate(path, path.stat().st_size - 1), NOT_OURS),
    "half": (lambda path: os.truncate(path, path.stat().st_size // 2), NOT_OURS),
    "text": (lambda path: path.write_text("<html>not found</html>"), NOT_OURS),
    "a pickle": (lambda path: path.write_bytes(pickle.dumps({"weight": 1})), NOT_OURS),
    "of another tool": (lambda path: _rewritten(path, None), NOT_OURS),
    "header no json": (lambda path: save_file(load_file(path), path, {"hilum": "{"}), NOT_OURS),
    "header no table": (lambda path: _rewritten(path, [1]), NOT_OURS),
    "no findings": (lambda path: _header_changed(path, findings=None), NO_MODEL),
    "no geometry": (lambda path: _header_changed(path, geometry=None), NO_MODEL),
    "no scaling": (lambda path: _header_changed(path, metadata_scaling=None), NO_MODEL),
    "no model": (lambda path: _header_changed(path, model=None), NO_MODEL),
    "findings a number": (lambda path: _header_changed(path, findings=3), NO_MODEL),
    "geometry too large": (
        lambda path: _header_changed(path, geometry={"input_px": 9, "resize_px": 8, "store_px": 8}),
        NO_MODEL,
    ),
    "a setting too many": (lambda path: _header_changed(path, model=SETTINGS | {"depth": 3}), NO_MODEL),
    "a setting too few": (lambda path: _header_changed(path, model={"name": "average_pooling"}), NO_MODEL),
    "an unknown head": (lambda path: _header_changed(path, model=SETTINGS | {"name": "capsule"}), NO_MODEL),
    "an unknown network": (lambda path: _header_changed(path, model=SETTINGS | {"backbone": "x"}), NO_MODEL),
    "another stride": (lambda path: _header_changed(path, model=SETTINGS | {"map_stride": 32}), NOT_THIS),
    "another network": (
        lambda path: _header_changed(path, model=SETTINGS | {"backbone": "resnet18"}),
        NOT_THIS,
    ),
    "a finding too few": (lambda path: _header_changed(path, findings=["Mass"]), NOT_THIS),
    "no metadata": (lambda path: _header_changed(path, model=SETTINGS | {"metadata": False}), NOT_THIS),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_is_no_weights_file_says_so(saved, damage) -> None:
    change, message = DAMAGE[damage]
    change(saved)
    with pytest.raises(WeightsError, match=f"^{saved}: {message}") as caught:
        models.load(saved)
    assert len(str(caught.value)) < 600


def test_a_pickle_is_never_run(saved, tmp_path) -> None:
    class Payload:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "was run"),)

    torch.save({"weight": Payload()}, saved)
    for load in (models.load, lambda path: start_weights("resnet18", str(path))()):
        with pytest.raises(WeightsError):
            load(saved)
    assert not (tmp_path / "was run").exists()


def test_a_full_disk_leaves_the_old_weights(saved, monkeypatch) -> None:
    before = saved.read_bytes()

    def full(self: Path, content: bytes) -> None:
        self.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DiskError, match="the disk is full"):
        models.save(saved, _model(1), SETTINGS, GEOMETRY, SCALING)
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == ["weights.safetensors"]


def test_start_from_nothing_or_a_file(tmp_path) -> None:
    assert start_weights("resnet18", "none") is None
    state = timm.create_model("resnet10t").state_dict()
    save_file(state, tmp_path / "start.safetensors")
    model = _model(map_stride=32, start=str(tmp_path / "start.safetensors"))
    loaded = model.backbone.state_dict()
    assert torch.equal(loaded["layer4.0.conv1.weight"], state["layer4.0.conv1.weight"])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("gone.safetensors", None, "no such file; give a .safetensors file of timm's resnet18"),
        ("start.pth", b"", "pickles are not loaded, a pickle can run code; give a .safetensors"),
        ("start.safetensors", b"half", "not a whole safetensors file"),
    ],
)
def test_a_file_to_start_from_must_be_whole(tmp_path, name, content, message) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match=message):
        start_weights("resnet18", str(tmp_path / name))()


def test_imagenet_weights_that_come_with_a_package() -> None:
    assert sorted(PACKAGED) == ["efficientnet_lite0"]
    load = start_weights("efficientnet_lite0.ra_in1k", "imagenet")
    network = timm.create_model("efficientnet_lite0")
    missing, unexpected = network.load_state_dict(load(), strict=False)
    assert unexpected == []
    assert all(name.endswith("num_batches_tracked") for name in missing)
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        logits = network.eval()(images)
    assert logits.shape == (2, 1000)
    assert 0.5 < logits.std() < 5  # a network of mixed-up layers answers with almost nothing, or wildly


def test_the_hub_is_asked_and_then_loaded_from(monkeypatch, tmp_path) -> None:
    state = {"conv1.weight": torch.ones(1)}
    save_file(state, tmp_path / "model.safetensors")
    asked = []
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *names: None)
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", lambda url, timeout: asked.append(url))
    monkeypatch.setattr(
        huggingface_hub,
        "hf_hub_download",
        lambda *names: asked.append(names) or tmp_path / "model.safetensors",
    )
    load = start_weights("resnet18.tv_in1k", "imagenet")
    assert len(asked) == 1  # nothing is fetched before the work starts
    assert "timm/resnet18.tv_in1k" in asked[0]
    assert torch.equal(load()["conv1.weight"], state["conv1.weight"])
    assert asked[1] == ("timm/resnet18.tv_in1k", "model.safetensors")


def test_the_hubs_cache_needs_no_hub(monkeypatch, tmp_path) -> None:
    save_file({"conv1.weight": torch.ones(1)}, tmp_path / "model.safetensors")
    monkeypatch.setattr(
        huggingface_hub, "try_to_load_from_cache", lambda *names: str(tmp_path / "model.safetensors")
    )
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", lambda *_, **__: pytest.fail("was asked"))
    assert list(start_weights("resnet18.tv_in1k", "imagenet")()) == ["conv1.weight"]


def _refused(*_, **__) -> None:
    raise ConnectionRefusedError("the proxy says no")


def _mute(*_, **__) -> None:
    time.sleep(1)


@pytest.mark.parametrize(
    ("answer", "reason"), [(_refused, "ConnectionRefusedError"), (_mute, r"no answer within 0\.1 s")]
)
def test_a_hub_that_cannot_be_reached_is_given_up_soon(monkeypatch, answer, reason) -> None:
    monkeypatch.setattr(weights, "PATIENCE_S", 0.1)
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *names: None)
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", answer)
    start = time.perf_counter()
    with pytest.raises(WeightsError, match=reason) as caught:
        _model(backbone="resnet18.tv_in1k", start="imagenet")
    assert time.perf_counter() - start < 0.9
    for what_to_do in ("--set model.weights=FILE", "--set model.weights=none", "timm/resnet18.tv_in1k"):
        assert what_to_do in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [("resnet18.of_nobody", "^timm: "), ("resnet10", "timm has no ImageNet weights for 'resnet10'")],
)
def test_networks_without_imagenet_weights(name, message) -> None:
    with pytest.raises(WeightsError, match=message):
        start_weights(name, "imagenet")
