import pytest
import torch
from torch import nn

from hilum.explain import heatmaps
from hilum.models import build
from hilum.models.classifier import Body
from hilum.models.fully_connected import FullyConnected

FINDINGS = ("Effusion", "Mass")


def _model(input_hw: tuple[int, int] = (8, 12)) -> FullyConnected:
    torch.manual_seed(0)
    backbone = nn.Sequential(nn.Sequential(nn.Conv2d(3, 5, 4, stride=4), nn.ReLU()))
    return FullyConnected(Body(backbone, 5, FINDINGS, input_hw), 7.0).eval()


def test_logits_see_every_cell_at_its_place() -> None:
    model, images = _model(), torch.randn(2, 3, 8, 12)
    one, two, last = (part for part in model.head if isinstance(part, nn.Linear))
    assert [part.in_features for part in (one, two, last)] == [5 * 2 * 3, 7, 7]
    with torch.no_grad():
        flat = model.activations(images).reshape(2, 30)
        hidden = (flat @ one.weight.T + one.bias).relu()
        hidden = (hidden @ two.weight.T + two.bias).relu()
        torch.testing.assert_close(model(images), hidden @ last.weight.T + last.bias)
        mirrored = model.activations(images).flip(3)
        assert not torch.allclose(model.logits_from(mirrored), model(images))


def test_half_of_both_layers_drops_out_in_training() -> None:
    model, images = _model(), torch.randn(2, 3, 8, 12)
    dropped = [part.p for part in model.head if isinstance(part, nn.Dropout)]
    assert dropped == [0.5, 0.5]
    assert torch.equal(model(images), model(images))
    model.train()
    assert not torch.equal(model(images), model(images))


def test_vgg19_is_simonyans_network_e() -> None:
    """144 million parameters with 1,000 outputs (table 2); 139,570,240 + 4,097 with one."""
    with torch.device("meta"):
        settings = {"backbone": "vgg19", "map_stride": 32, "metadata": False}
        model = build(name="fully_connected(4096)", **settings, findings=("Pneumonia",), input_hw=(224, 224))
    n = sum(parameter.numel() for parameter in model.parameters())
    assert n == 143_667_240 - 1000 * 4097 + 4097


def test_grad_cam_goes_through_its_layers() -> None:
    model, images = _model(), torch.randn(2, 3, 8, 12)
    made = heatmaps(model, images, method="gradcam")
    assert made.shape == (2, 2, 2, 3)
    activations = model.activations(images).detach().requires_grad_()
    model.logits_from(activations)[:, 1].sum().backward()
    weights = activations.grad.mean(dim=(2, 3), keepdim=True)
    expected = (weights * activations.detach()).sum(dim=1)
    torch.testing.assert_close(torch.from_numpy(made[:, 1]), expected)
    with pytest.raises(TypeError, match="FullyConnected has no CAM"):
        heatmaps(model, images, method="cam")


def test_it_starts_at_the_prevalence() -> None:
    model, prevalence = _model(), torch.tensor([0.01, 0.3])
    nn.init.zeros_(model.head[-1].weight)
    model.start_at(prevalence)
    torch.testing.assert_close(model(torch.randn(3, 3, 8, 12)).sigmoid(), prevalence.expand(3, 2))


def test_what_is_refused() -> None:
    body = _model().backbone
    with pytest.raises(ValueError, match="width is 0; it must be a whole number"):
        FullyConnected(Body(body, 5, FINDINGS, (8, 8)), 0.0)
    with pytest.raises(ValueError, match="metadata = false"):
        FullyConnected(Body(body, 5, FINDINGS, (8, 8), 3))
