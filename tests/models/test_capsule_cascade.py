import pytest
import torch
from torch import nn

from hilum.explain import heatmaps
from hilum.models import build
from hilum.models.capsule_cascade import CapsuleCascade
from hilum.models.classifier import Body

FINDINGS = ("Effusion", "Mass", "Hernia")


def _model() -> CapsuleCascade:
    torch.manual_seed(0)
    groups = [(3, 4), (4, 6)]
    backbone = nn.Sequential(
        *(nn.Sequential(nn.Conv2d(n_in, n_out, 4, stride=4), nn.ReLU()) for n_in, n_out in groups)
    )
    return CapsuleCascade(Body(backbone, 6, FINDINGS, (64, 64)), 4.0).eval()


def test_the_pooled_map_becomes_a_small_image_for_capsules() -> None:
    model, images = _model(), torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        map_, capsules, logits = model.read(images)
        assert torch.equal(logits, model(images))
        assert (map_.shape, capsules.shape, logits.shape) == ((2, 6, 4, 4), (2, 48), (2, 3))
        (linear,) = (part for part in model.mask if isinstance(part, nn.Linear))
        small = (map_.mean(dim=(2, 3)) @ linear.weight.T + linear.bias).reshape(2, 3, 28, 28)
        torch.testing.assert_close(logits, model.capsules(small))
        assert model.reconstructed(capsules, logits > 0).shape == (2, 3, 28, 28)
    assert model.n_pooled == 48


def test_parameters_of_pun_et_al() -> None:
    """DenseNet-121 without its classifier, a linear layer to 2,352 numbers, the capsules of 28 px."""
    findings = tuple(f"f{number}" for number in range(14))
    with torch.device("meta"):
        settings = {"map_stride": 32, "metadata": False, "findings": findings, "input_hw": (224, 224)}
        model = build(name="capsule_cascade", backbone="densenet121", **settings)
    counted = {name: sum(p.numel() for p in part.parameters()) for name, part in model.parts.items()}
    assert counted == {"backbone": 6_953_856, "mask": (1024 + 1) * 2352, "capsules": 21_623_960}
    assert sum(counted.values()) == sum(p.numel() for p in model.parameters())


def test_grad_cam_goes_through_the_capsules() -> None:
    made = heatmaps(_model(), torch.randn(2, 3, 64, 64), method="gradcam")
    assert made.shape == (2, 3, 4, 4)
    assert made.std(axis=(2, 3)).min() > 0


def test_blocks_open_from_the_small_image_backwards() -> None:
    model = _model()
    head, last, stem = model.blocks
    assert {id(p) for p in head.parameters()} == {
        id(p) for part in (model.mask, model.capsules) for p in part.parameters()
    }
    assert (last, stem) == (model.backbone[1], model.backbone[0])


def test_metadata_and_no_width_are_refused() -> None:
    body = Body(_model().backbone, 6, FINDINGS, (64, 64), 3)
    with pytest.raises(ValueError, match="metadata = false"):
        CapsuleCascade(body)
    with pytest.raises(ValueError, match=r"width of the stem is 1\.5"):
        CapsuleCascade(Body(body.backbone, 6, FINDINGS, (64, 64)), 1.5)
