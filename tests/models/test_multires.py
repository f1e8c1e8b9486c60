"""Merged maps: shapes, the printed parameter counts, and one merge worked out by hand."""

import pytest
import torch
from torch.nn.functional import interpolate

from hilum.models import build
from hilum.models.backbones import backbone_from
from hilum.models.multires import Merge, multires_from

FOURTEEN = tuple(f"f{n}" for n in range(14))


def _n_parameters(model) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def _model(backbone: str, neck: str):
    settings = {"name": "log_sum_exp(10)", "backbone": backbone, "map_stride": 32, "metadata": False}
    return build(**settings, findings=FOURTEEN, input_hw=(256, 256), neck=neck).eval()


def test_parameters_of_the_standard_networks_are_as_printed() -> None:
    assert _n_parameters(_model("resnet50", "none")) == 23_536_718
    assert _n_parameters(_model("efficientnet_b4", "none")) == 17_573_718


def test_parameters_of_the_merged_resnet() -> None:
    """D'Souza et al. 2022 print 26,273,615: with batch norms 65 are missing, without them 6,337."""
    assert _n_parameters(_model("resnet50", "multires(plain)")) == 26_267_278
    assert _n_parameters(_model("resnet50", "multires")) == 26_273_615 - 65


def test_widths_of_the_merges() -> None:
    with torch.device("meta"):
        body, _ = multires_from(*backbone_from("resnet50"))
    joined = [merge.joined[0] for merge in list(body)[-3:]]
    assert [(part.in_channels, part.out_channels) for part in joined] == [(768, 1024), (384, 512), (192, 256)]


def test_maps_of_the_merged_networks() -> None:
    with torch.inference_mode():
        model = _model("resnet50", "multires")
        assert model.activations(torch.zeros(1, 3, 256, 256)).shape == (1, 256, 64, 64)
        assert model(torch.zeros(2, 3, 256, 256)).shape == (2, 14)
        model = _model("efficientnet_b4", "multires")
        assert model.activations(torch.zeros(1, 3, 256, 256)).shape == (1, 32, 64, 64)


def test_blocks_stand_in_their_order_and_come_from_the_backbone() -> None:
    body, n_channels = backbone_from("resnet10t")
    merged, n_merged = multires_from(body, n_channels)
    names = [name for name, _ in merged.named_children()]
    assert names == ["stem", "layer1", "layer2", "layer3", "layer4", "merge3", "merge2", "merge1"]
    assert n_merged == 64
    frozen = {id(parameter) for parameter in body.parameters()}
    assert frozen < {id(parameter) for parameter in merged.parameters()}


def test_a_merge_by_hand() -> None:
    torch.manual_seed(0)
    merge = Merge(8, 4, norm=False)
    coarse, fine = torch.randn(2, 8, 3, 3), torch.randn(2, 4, 6, 6)

    def convolved(part, x):
        return torch.einsum("nchw,dc->ndhw", x, part[0].weight[..., 0, 0]) + part[0].bias[:, None, None]

    up = interpolate(convolved(merge.coarse, coarse).relu(), (6, 6), mode="bilinear", align_corners=False)
    both = torch.cat([up, convolved(merge.fine, fine).relu()], dim=1)
    assert both.shape[1] == 3
    torch.testing.assert_close(merge(coarse, fine), convolved(merge.joined, both).relu())


def test_every_map_reaches_the_finest() -> None:
    model = _model("resnet10t", "multires(plain)")
    model(torch.randn(2, 3, 64, 64)).sum().backward()
    for name, block in model.backbone.named_children():
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in block.parameters()), name


def test_too_few_sizes() -> None:
    body, n_channels = backbone_from("vit_tiny_patch16_224")
    with pytest.raises(ValueError, match="maps of 1 sizes cannot be merged; 4 are needed"):
        multires_from(body, n_channels)
