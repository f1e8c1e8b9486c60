import pytest
import torch
from torch import nn

from hilum.models.backbones import backbone_from
from hilum.models.neck import NECKS, none, transition


def test_the_table_is_whole() -> None:
    assert sorted(NECKS) == ["multires", "none", "pylon", "transition"]


def test_a_transition_is_one_convolution_with_a_bias() -> None:
    body, n_channels = backbone_from("resnet34")
    made, width = transition(body, n_channels, 512.0)
    assert (n_channels, width) == (512, 512)
    added = made[-1]
    assert isinstance(added, nn.Conv2d)
    assert (added.kernel_size, added.bias is not None) == ((1, 1), True)
    with torch.inference_mode():
        maps = made.eval()(torch.randn(1, 3, 64, 64))
    assert maps.shape == (1, 512, 2, 2)
    assert (maps < 0).any()  # no activation
    with pytest.raises(ValueError, match="width is 0; it must be a whole number"):
        transition(body, n_channels, 0.0)


def test_nothing_is_nothing() -> None:
    body, n_channels = backbone_from("resnet10t")
    assert none(body, n_channels) == (body, n_channels)
