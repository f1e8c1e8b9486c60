"""The head with a hidden layer: its sizes, and class maps by the gradient through it alone."""

import pytest
import torch
from torch import nn

from hilum.explain import heatmaps
from hilum.models.classifier import Body
from hilum.models.hidden import HiddenLayer


def _model(**options) -> HiddenLayer:
    torch.manual_seed(0)
    body = nn.Sequential(nn.Sequential(nn.Conv2d(3, 8, 4, stride=4), nn.ReLU()))
    return HiddenLayer(Body(body, 8, ("Effusion", "Mass"), (16, 16)), **options).eval()


def test_the_layers_are_those_of_mobilenet() -> None:
    kinds = [type(layer) for layer in _model().head]
    assert kinds == [nn.Linear, nn.Hardswish, nn.Dropout, nn.Linear]
    assert _model().head[0].out_features == 1280


def test_what_a_branch_pools_to_are_the_averages() -> None:
    model, images = _model(width=32.0), torch.randn(2, 3, 16, 16)
    activations, pooled, logits = model.read(images)
    torch.testing.assert_close(pooled, activations.mean(dim=(2, 3)))
    torch.testing.assert_close(logits, model(images))


def test_its_grad_cam_is_weighed_by_the_gradient_of_the_whole_head() -> None:
    model, images = _model(width=32.0), torch.randn(1, 3, 16, 16)
    activations = model.activations(images).detach().requires_grad_()
    model.logits_from(activations)[0, 1].backward()
    weights = activations.grad.mean(dim=(2, 3), keepdim=True)
    expected = (weights * activations).sum(dim=1)[0].detach().numpy()
    assert heatmaps(model, images, ["Mass"])[0, 0] == pytest.approx(expected, abs=1e-6)


def test_the_start_is_the_prevalence_where_nothing_is_seen() -> None:
    model = _model(width=32.0)
    model.start_at(torch.tensor([0.1, 0.5]))
    assert model.head[-1].bias.tolist() == pytest.approx([-2.1972, 0.0], abs=1e-4)


def test_no_film_no_logits() -> None:
    assert _model(width=32.0)(torch.zeros(0, 3, 16, 16)).shape == (0, 2)
