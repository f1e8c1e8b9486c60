"""PYLON's decoder: its sizes, and each part worked out from its convolutions."""

import pytest
import torch
from torch.nn.functional import interpolate, max_pool2d

from hilum.models import build
from hilum.models.backbones import backbone_from
from hilum.models.pylon import PyramidAttention, Up, pylon_from
from hilum.models.shape import shape_after


def test_maps_of_256_px_films() -> None:
    with torch.device("meta"):
        body, n_channels = pylon_from(*backbone_from("resnet50"))
        assert shape_after(body, (1, 3, 256, 256)) == (1, n_channels, 64, 64) == (1, 128, 64, 64)
        assert shape_after(pylon_from(*backbone_from("resnet10t"), 32.0)[0], (1, 3, 224, 224))[1:] == (
            32,
            56,
            56,
        )
    names = [name for name, _ in body.named_children()]
    assert names == ["stem", "layer1", "layer2", "layer3", "layer4", "merge3", "merge2", "merge1"]


def test_attention_weighs_the_last_map() -> None:
    torch.manual_seed(0)
    module = PyramidAttention(6, 4).eval()
    last = torch.randn(2, 6, 8, 8)
    with torch.no_grad():
        one = module.down[0][1](max_pool2d(last, 2))
        two = module.down[1][1](max_pool2d(one, 2))
        three = module.down[2][1](max_pool2d(two, 2))
        assert [each.shape[1:] for each in (one, two, three)] == [(1, 4, 4), (1, 2, 2), (1, 1, 1)]

        def up(small, side):
            return interpolate(small, (side, side), mode="bilinear", align_corners=True)

        attention = up(module.across[2](three), 2)
        attention = up(module.across[1](two) + attention, 4)
        attention = up(module.across[0](one) + attention, 8)
        torch.testing.assert_close(module(last), module.narrow(last) * attention)
        assert module(last).shape == (2, 4, 8, 8)
        assert [part[1][0].kernel_size[0] for part in module.down] == [7, 5, 3]
        assert module(last[..., :1, :3]).shape == (2, 4, 1, 3)


def test_a_step_adds_the_finer_map() -> None:
    torch.manual_seed(0)
    step = Up(torch.nn.Identity(), 5, 4).eval()
    coarse, fine = torch.randn(2, 4, 3, 3), torch.randn(2, 5, 6, 6)
    with torch.no_grad():
        enlarged = interpolate(coarse, (6, 6), mode="bilinear", align_corners=True)
        torch.testing.assert_close(step(coarse, fine) - step.fine(fine), enlarged)
    assert [part[0].out_channels for part in step.fine] == [5, 4]


def test_class_maps_are_pooled_by_their_maximum() -> None:
    """What the recipe calls PYLON: one map a finding, its greatest cell the logit."""
    torch.manual_seed(0)
    settings = {"backbone": "resnet10t", "map_stride": 32, "metadata": False, "neck": "pylon(16)"}
    model = build(
        name="wildcat(1, 1, 0)", **settings, findings=("Effusion", "Mass"), input_hw=(64, 64)
    ).eval()
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        maps = model.own_maps(images)
        assert maps.shape == (2, 2, 16, 16)
        torch.testing.assert_close(model(images), maps.amax(dim=(2, 3)))
    model.train()(images).sum().backward()
    for name, block in model.backbone.named_children():
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in block.parameters()), name


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match=r"width is 0\.5; it must be a whole number"):
        pylon_from(*backbone_from("resnet10t"), 0.5)
    with pytest.raises(ValueError, match="maps of 1 sizes cannot be merged; 4 are needed"):
        pylon_from(*backbone_from("vit_tiny_patch16_224"))
