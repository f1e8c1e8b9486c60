"""Refined maps against a direct loop; logits that do not move; what is prepared, by hand."""

import numpy as np
import pytest
import torch
from torch import nn

from hilum import models
from hilum.models import pixel_correlation
from hilum.models.classifier import Body
from hilum.models.pixel_correlation import PixelCorrelation, correlated
from hilum.models.pooling import LogSumExpPooling

FINDINGS = ("Effusion", "Mass")


def _model(**options) -> PixelCorrelation:
    torch.manual_seed(0)
    stem = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU())
    body = nn.Sequential(stem, nn.Sequential(nn.Conv2d(8, 64, 3, stride=2, padding=1), nn.ReLU()))
    return PixelCorrelation(Body(body, 64, FINDINGS, (16, 16)), **options).eval()


def _direct(features: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """Equation 6, pixel by pixel."""
    pixels, values = features.reshape(len(features), -1), maps.reshape(len(maps), -1)
    out = np.zeros_like(values)
    for i in range(pixels.shape[1]):
        total = 0.0
        for j in range(pixels.shape[1]):
            length = np.linalg.norm(pixels[:, i]) * np.linalg.norm(pixels[:, j])
            similarity = max(pixels[:, i] @ pixels[:, j] / length, 0.0)
            out[:, i] += similarity * values[:, j]
            total += similarity
        out[:, i] /= total
    return out.reshape(maps.shape)


def test_refined_maps_are_those_of_a_direct_loop() -> None:
    model = _model()
    compared, maps = torch.randn(2, 64, 4, 3), torch.rand(2, 2, 4, 3)
    refined = model.refined(compared, maps).detach().numpy()
    projected = model.theta(compared).detach().double().numpy()
    for film in range(2):
        np.testing.assert_allclose(refined[film], _direct(projected[film], maps[film].numpy()), atol=1e-4)


def test_chunks_give_what_one_piece_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    unit = nn.functional.normalize(torch.randn(2, 30, 8), dim=2).requires_grad_()
    values = torch.rand(2, 30, 3)
    whole = correlated(unit, values)
    (gradient,) = torch.autograd.grad(whole.square().sum(), unit)
    monkeypatch.setattr(pixel_correlation, "CHUNK_BYTES", 4 * 2 * 30 * 7)  # 7 rows at a time
    parts = correlated(unit, values)
    torch.testing.assert_close(parts, whole)
    torch.testing.assert_close(torch.autograd.grad(parts.square().sum(), unit)[0], gradient)


def test_the_logits_are_those_of_the_classifier_alone() -> None:
    model, images = _model(), torch.randn(2, 3, 16, 16)
    alone = LogSumExpPooling(Body(model.backbone, 64, FINDINGS, (16, 16)))
    alone.head = model.head
    before = model(images)
    torch.testing.assert_close(before, alone(images))
    nn.init.normal_(model.theta.weight)
    assert torch.equal(model(images), before)


@pytest.mark.parametrize(
    ("background", "second"), [("background", [[0.0, 1.0], [0.0, 0.0]]), ("plain", [[0.0, 1.0], [0.25, 0.0]])]
)
def test_what_is_prepared_by_hand(background: str, second: list[list[float]]) -> None:
    """Each map over its maximum; the weaker finding of a pixel goes; 0.25 is weaker than its background."""
    maps = torch.tensor([[[[4.0, 1.0], [-3.0, 3.0]], [[2.0, 8.0], [2.0, 4.0]]]])
    prepared = _model(background=background).prepared(maps)[0]
    torch.testing.assert_close(prepared[0], torch.tensor([[1.0, 0.0], [0.0, 0.75]]), atol=1e-4, rtol=0)
    torch.testing.assert_close(prepared[1], torch.tensor(second), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    "options", [{}, {"features": "seam"}, {"affinity": "attention"}, {"background": "plain"}]
)
def test_every_form_makes_maps_and_teaches_theta_alone(options: dict) -> None:
    model, images = _model(**options), torch.randn(2, 3, 16, 16)
    maps = model.own_maps(images)
    assert maps.shape == (2, 2, 4, 4)
    assert (maps >= 0).all()
    _, compared = model.compared(images)
    model.refined(compared, torch.rand(2, 2, 4, 4)).square().sum().backward()
    assert model.theta.weight.grad is not None
    assert model.theta.weight.grad.any()
    assert all(weight.grad is None for weight in model.parts["classifier"].parameters())


def test_theta_on_merged_maps_has_the_width_that_is_stated() -> None:
    model = models.build(
        name="pixel_correlation(10)",
        backbone="resnet50",
        neck="multires",
        map_stride=32,
        metadata=False,
        findings=FINDINGS,
        input_hw=(64, 64),
    )
    assert isinstance(model, PixelCorrelation)
    assert tuple(model.theta.weight.shape) == (128, 256, 1, 1)
    assert model.theta.bias is None
    assert model.theta_change.item() == 0.0


def test_seam_features_are_the_film_and_two_levels() -> None:
    model = _model(features="seam")
    assert tuple(model.theta.weight.shape) == (192, 195, 1, 1)


def test_the_change_of_theta_is_a_share() -> None:
    model = _model()
    with torch.no_grad():
        model.theta.weight.mul_(1.5)
    assert model.theta_change.item() == pytest.approx(0.5)


def test_no_film_no_maps() -> None:
    assert _model().own_maps(torch.zeros(0, 3, 16, 16)).shape == (0, 2, 4, 4)


def test_heads_share_the_width() -> None:
    with pytest.raises(ValueError, match="5 heads do not share 32 channels"):
        _model(affinity="attention", heads=5.0)
