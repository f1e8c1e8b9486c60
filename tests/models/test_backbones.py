"""Blocks, strides and start weights; tests/contracts/test_models.py holds every family against timm."""

import pytest
import timm
import torch
from torch import nn

from hilum.errors import WeightsError
from hilum.models.backbones import FAMILIES, TRANSITION_CHANNELS, backbone_from

SIDE = 64
BLOCKS = {
    "densenet121": ["stem", "dense1", "dense2", "dense3", "dense4"],
    "efficientnet_lite0": ["stem", *(f"stage{number}" for number in range(7)), "end"],
    "resnet18": ["stem", "layer1", "layer2", "layer3", "layer4"],
    "resnext50_32x4d": ["stem", "layer1", "layer2", "layer3", "layer4"],
    "vgg11": ["stage0", "stage1", "stage2", "stage3", "stage4", "stage5"],
}
OF_PATCHES = {"convnext", "deit", "vit_"}
"""Families whose map does not end in a ReLU or SiLU."""

CHANNELS = {
    "densenet121": 1024,
    "efficientnet_lite0": 1280,
    "resnet18": 512,
    "resnext50_32x4d": 2048,
    "vgg11": 512,
}
images = torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


def _names(body: nn.Sequential) -> list[str]:
    return [name for name, _ in body.named_children()]


@pytest.mark.parametrize("name", BLOCKS)
def test_blocks_from_stem_to_end(name) -> None:
    covered = {family for family in FAMILIES if any(one.startswith(family) for one in BLOCKS)}
    assert covered == set(FAMILIES) - OF_PATCHES - {"mobilenetv3"}
    body, n_channels = backbone_from(name)
    assert _names(body) == BLOCKS[name]
    assert n_channels == CHANNELS[name]
    with torch.inference_mode():
        last = body.eval()(images)
    assert last.shape == (2, n_channels, 2, 2)
    assert last.min() >= 0  # the map is taken after its activation function


def test_blocks_of_a_mobilenet_end_before_its_hidden_layer() -> None:
    """The map is that after Hardswish, which lets little that is negative through."""
    body, n_channels = backbone_from("mobilenetv3_large_100")
    assert _names(body) == ["stem", *(f"stage{number}" for number in range(7))]
    with torch.inference_mode():
        last = body.eval()(images)
    assert n_channels == 960
    assert last.shape == (2, 960, 2, 2)
    assert -0.376 < last.min() < 0


@pytest.mark.parametrize("name", ["efficientnet_lite0", "resnet18", "resnext50_32x4d"])
def test_stride_16_leaves_the_deepest_blocks_out(name) -> None:
    body, n_channels = backbone_from(name, 16)
    assert n_channels == TRANSITION_CHANNELS == 256
    n_kept = len(body) - 1
    assert _names(body) == [*BLOCKS[name][:n_kept], "transition"]
    body.eval()
    with torch.inference_mode():
        assert body(images).shape == (2, 256, 4, 4)
        assert body[:n_kept](images).shape[2:] == (4, 4)
        assert body(images).min() >= 0
    next_block = dict(backbone_from(name)[0].named_children())[BLOCKS[name][n_kept]]
    assert next_block(body[:n_kept](images)).shape[2:] == (2, 2)  # no block of this stride was left out


def test_stride_16_of_vgg_leaves_the_last_pooling_out() -> None:
    body, n_channels = backbone_from("vgg11", 16)
    assert (_names(body), n_channels) == (BLOCKS["vgg11"][:-1], 512)
    with torch.inference_mode():
        assert body.eval()(images).shape == (2, 512, 4, 4)
    assert isinstance(body[-1][-1], nn.ReLU)


@pytest.mark.parametrize("stride", [8, 0, 64])
def test_other_strides_are_refused(stride) -> None:
    with pytest.raises(ValueError, match=rf"resnet18 has no map of stride {stride}; 32, or 16 for \['effi"):
        backbone_from("resnet18", stride)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet19", r"timm has no network 'resnet19'; near: .*resnet18"),
        ("efficientnet-b4", "near: .*efficientnet_b4"),
        ("qqq", "timm has no network 'qqq'; near: none"),
        ("", "timm has no network ''"),
    ],
)
def test_networks_that_are_not_to_be_had(name, message) -> None:
    with pytest.raises(ValueError, match=message):
        backbone_from(name)


def test_a_weights_tag_names_the_same_network() -> None:
    assert _names(backbone_from("resnet18.tv_in1k")[0]) == BLOCKS["resnet18"]


@pytest.mark.parametrize("stride", [32, 16])
def test_start_weights_fill_every_block(stride) -> None:
    theirs = timm.create_model("resnet18", num_classes=5)
    body, _ = backbone_from("resnet18", stride, theirs.state_dict())
    wanted = dict(theirs.named_parameters())
    for block in _names(body)[1:-1]:
        for name, tensor in getattr(body, block).named_parameters():
            assert torch.equal(tensor, wanted[f"{block}.{name}"]), name
    assert torch.equal(body[0][0].weight, theirs.conv1.weight)


def test_weights_of_another_network_are_refused() -> None:
    state = timm.create_model("resnet18").state_dict()
    with pytest.raises(WeightsError, match=r"not the weights of resnet34: \d+ tensors differ, first 'layer1"):
        backbone_from("resnet34", state=state)
    with pytest.raises(WeightsError, match=r"not the weights of resnet18: .* first 'conv1\.weight'"):
        backbone_from("resnet18", state={})
    grey = {**state, "conv1.weight": state["conv1.weight"][:, :1]}
    with pytest.raises(WeightsError, match=r"1 tensors differ, first 'conv1\.weight'"):
        backbone_from("resnet18", state=grey)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["densenet169", "densenet201", "efficientnet_b4", "resnet50", "resnet101", "resnext101_32x8d"]
)
def test_large_networks(name) -> None:
    theirs = timm.create_model(name, num_classes=0).eval()
    body, n_channels = backbone_from(name, 32, theirs.state_dict())
    with torch.inference_mode():
        ours = body.eval()(images)
        torch.testing.assert_close(ours, theirs.forward_features(images))
    assert ours.shape == (2, n_channels, 2, 2)
