import pytest
import torch
from torch import nn

from hilum.models.backbones import backbone_from
from hilum.models.shape import shape_after

AT_224 = {
    "resnet18": (512, 7),
    "resnet34": (512, 7),
    "resnet50": (2048, 7),
    "resnet101": (2048, 7),
    "resnet152": (2048, 7),
    "densenet121": (1024, 7),
    "densenet169": (1664, 7),
    "vgg19": (512, 7),
}
"""Channels and side of the last map of the eight backbones of "WILDCAT on RSNA" at 224 px."""


@pytest.mark.parametrize("name", AT_224)
def test_last_maps_of_the_backbones_on_rsna(name) -> None:
    channels, side = AT_224[name]
    with torch.device("meta"):
        body, n_channels = backbone_from(name)
    assert n_channels == channels
    assert shape_after(body, (2, 3, 224, 224)) == (2, channels, side, side)
    assert shape_after(body, (1, 3, 448, 448)) == (1, channels, 2 * side, 2 * side)


def test_vgg_without_its_last_pooling_is_twice_as_fine() -> None:
    with torch.device("meta"):
        body, n_channels = backbone_from("vgg19", 16)
    assert shape_after(body, (1, 3, 224, 224)) == (1, n_channels, 14, 14) == (1, 512, 14, 14)


def test_nothing_of_the_module_changes() -> None:
    body, n_channels = backbone_from("resnet10t")
    before = {name: tensor.clone() for name, tensor in body.state_dict().items()}
    images = torch.zeros(1, 3, 96, 64)
    body.train()
    assert shape_after(body, (1, 3, 96, 64)) == (1, n_channels, 3, 2)
    assert body.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in body.state_dict().items())
    with torch.inference_mode():
        assert body.eval()(images).shape == shape_after(body, tuple(images.shape))
    assert not body.training


def test_a_module_without_weights() -> None:
    assert shape_after(nn.Flatten(), (0, 2, 3, 4)) == (0, 24)
