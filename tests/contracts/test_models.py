"""Every model of the table on its smallest backbone, and every family of backbones against timm itself."""

from collections import Counter
from pathlib import Path

import pytest
import timm
import torch

from hilum import models
from hilum.data.geometry import Geometry
from hilum.data.metadata import MetadataScaling
from hilum.models import MODELS, LastMapClassifier
from hilum.models.backbones import FAMILIES, backbone_from
from hilum.models.classifier import PoolingClassifier

SMALLEST = {
    "convnext": "convnext_atto",
    "deit": "deit_tiny_distilled_patch16_224",
    "densenet": "densenet121",
    "efficientnet": "efficientnet_lite0",
    "mobilenetv3": "mobilenetv3_small_050",
    "resnet": "resnet10t",
    "resnext": "resnext50_32x4d",
    "vgg": "vgg11",
    "vit_": "vit_tiny_patch16_224",
}
CAPSULES = {"name": "capsules", "backbone": "capsule_stem(4)"}
CALLED = {"capsule_cascade": {"name": "capsule_cascade(4)"}, "capsules": CAPSULES}
"""What a model is built with, where it is not its name on the smallest ResNet."""
SIDES = {"capsules": 28}
"""Inputs of models for small films, in px."""
IN_ONE_PIECE = {"deit", "vit_"}
WITHOUT_STRIDE_16 = {"convnext", "deit", "densenet", "mobilenetv3", "vit_"}
FINDINGS = ("Effusion", "Mass")
SIDE = 64
WITH_LAST_MAP = [name for name, model in MODELS.items() if issubclass(model, LastMapClassifier)]


def test_the_tables_are_whole() -> None:
    assert sorted(MODELS) == [
        "attention_gates",
        "average_pooling",
        "capsule_cascade",
        "capsules",
        "fully_connected",
        "hidden_layer",
        "log_sum_exp",
        "lse_lba",
        "max_pooling",
        "patches",
        "pcam",
        "pixel_correlation",
        "retinanet",
        "space_attention",
        "wildcat",
    ]
    assert len(MODELS) == 15
    assert sorted(FAMILIES) == sorted(SMALLEST)
    assert len(FAMILIES) == 9


def _settings(name: str, *, metadata: bool = False) -> dict:
    plain = {"name": name, "backbone": "resnet10t", "map_stride": 32, "metadata": metadata}
    return plain | CALLED.get(name, {})


def _side(name: str) -> int:
    return SIDES.get(name, SIDE)


def _model(name: str, *, metadata: bool = False) -> models.Classifier:
    torch.manual_seed(0)
    settings = _settings(name, metadata=metadata)
    return models.build(**settings, findings=FINDINGS, input_hw=(_side(name), _side(name))).eval()


@pytest.mark.parametrize("name", MODELS)
def test_a_model_gives_a_logit_a_finding(name: str) -> None:
    model, side = _model(name), _side(name)
    with torch.inference_mode():
        logits = model(torch.randn(3, 3, side, side))
    assert logits.shape == (3, len(FINDINGS))
    assert torch.isfinite(logits).all()
    assert (model.findings, model.input_hw) == (FINDINGS, (side, side))


@pytest.mark.parametrize("name", MODELS)
def test_blocks_hold_every_parameter_once_last_first(name: str) -> None:
    model = _model(name)
    inside = Counter(id(parameter) for block in model.blocks for parameter in block.parameters())
    assert set(inside) == {id(parameter) for parameter in model.parameters()}
    assert set(inside.values()) == {1}
    stem = next(iter(model.parameters()))
    assert any(stem is parameter for parameter in model.blocks[-1].parameters())


@pytest.mark.parametrize("name", WITH_LAST_MAP)
def test_logits_come_through_the_last_map(name: str) -> None:
    model, images = _model(name), torch.randn(2, 3, _side(name), _side(name))
    assert isinstance(model, LastMapClassifier)
    with torch.inference_mode():
        torch.testing.assert_close(model(images), model.logits_from(model.activations(images)))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("metadata", [False, True])
def test_a_model_comes_back_from_its_file(name: str, metadata: bool, tmp_path: Path) -> None:
    if metadata and not issubclass(MODELS[name], PoolingClassifier):
        with pytest.raises(ValueError, match="metadata = false"):
            _model(name, metadata=True)
        return
    model, path = _model(name, metadata=metadata), tmp_path / "weights.safetensors"
    side = _side(name)
    geometry, scaling = Geometry(side, side, side), MetadataScaling(20.0, 80.0, 50.0)
    models.save(path, model, _settings(name, metadata=metadata), geometry, scaling)
    back, geometry_back, scaling_back = models.load(path)
    images, extras = torch.randn(2, 3, side, side), torch.tensor([[0.0, 0.2, 1.0], [1.0, 0.9, 0.0]])
    with torch.inference_mode():
        assert torch.equal(back(images, extras), model(images, extras))
    assert (geometry_back, scaling_back, back.findings) == (geometry, scaling, FINDINGS)
    assert not back.training


@pytest.mark.parametrize("family", FAMILIES)
def test_a_backbone_is_timms_network_up_to_its_last_map(family: str) -> None:
    torch.manual_seed(0)
    settings = {"dynamic_img_size": True} if family in IN_ONE_PIECE else {}
    theirs = timm.create_model(SMALLEST[family], num_classes=0, **settings).eval()
    body, n_channels = backbone_from(SMALLEST[family], 32, theirs.state_dict())
    images = torch.randn(1, 3, SIDE, SIDE)
    with torch.inference_mode():
        ours, wanted = body.eval()(images), theirs.forward_features(images)
        if family == "convnext":  # timm normalises behind the pooling
            wanted = theirs.head.norm(wanted)
    if family in IN_ONE_PIECE:
        wanted = wanted[:, theirs.num_prefix_tokens :].mT.reshape(1, -1, 4, 4)
    assert ours.shape == (1, n_channels, *wanted.shape[2:])
    torch.testing.assert_close(ours, wanted)
    assert len(body) >= 5 or family in IN_ONE_PIECE


@pytest.mark.parametrize("name", ["swin_tiny_patch4_window7_224", "regnetx_002", "resnetv2_50"])
def test_any_other_network_of_timm_is_one_block(name: str) -> None:
    body, n_channels = backbone_from(name)
    side = 224 if name.startswith("swin") else SIDE
    with torch.inference_mode():
        maps = body.eval()(torch.randn(1, 3, side, side))
    assert maps.shape == (1, n_channels, side // 32, side // 32)
    assert len(body) == 1


@pytest.mark.parametrize("family", FAMILIES)
def test_stride_16_is_a_finer_map_or_a_clear_no(family: str) -> None:
    if family in WITHOUT_STRIDE_16:
        with pytest.raises(ValueError, match="stride 16"):
            backbone_from(SMALLEST[family], 16)
        return
    body, n_channels = backbone_from(SMALLEST[family], 16)
    with torch.inference_mode():
        assert body.eval()(torch.randn(1, 3, SIDE, SIDE)).shape == (1, n_channels, 4, 4)
