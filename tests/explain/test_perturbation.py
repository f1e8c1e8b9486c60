"""Occlusion and RISE of a logit that is a sum over the film, for which both are known."""

import numpy as np
import pytest
import torch
from torch import nn

from hilum.explain import heatmaps
from hilum.explain.capture import capture
from hilum.explain.perturbation import occlusion, rise
from hilum.models import Foreign

SIDE = 12
FINDINGS = ("Effusion", "Mass")


class _Sum(nn.Module):
    """Logit = the film's first channel times a weight a pixel."""

    def __init__(self, weight: torch.Tensor, bias: float = 0.0) -> None:
        super().__init__()
        self.layer = nn.Identity()
        self.weight, self.bias = weight, bias

    def forward(self, films):
        return torch.einsum("nchw,fhw->nf", self.layer(films)[:, :1], self.weight) + self.bias


def _captured(images: torch.Tensor, bias: float = 0.0):
    weight = torch.randn(2, SIDE, SIDE, generator=torch.Generator().manual_seed(3))
    return weight, capture(Foreign(_Sum(weight, bias).eval(), "layer", FINDINGS, (SIDE, SIDE)), images)


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("patch", "stride"), [(4, 4), (4, 2), (5, 3), (12, 12), (20, 7)])
def test_occlusion_is_the_mean_fall_over_the_squares_of_a_pixel(patch, stride, images) -> None:
    weight, captured = _captured(images)
    ours = occlusion(captured, torch.arange(2), float(patch), float(stride))
    starts = [s for s in range(0, SIDE, stride) if s == 0 or s - stride + patch < SIDE]
    for y, x in ((0, 0), (5, 7), (11, 11)):
        for film in range(2):
            part = images[film, 0] * weight
            falls = [
                part[:, a : a + patch, b : b + patch].sum(dim=(1, 2))
                for a in starts
                for b in starts
                if a <= y < a + patch and b <= x < b + patch
            ]
            torch.testing.assert_close(
                ours[film, :, y, x], torch.stack(falls).mean(dim=0), atol=1e-4, rtol=1e-4
            )


def test_squares_of_one_pixel_give_every_pixels_part(images) -> None:
    weight, captured = _captured(images)
    ours = occlusion(captured, torch.arange(2), 1.0, 1.0)
    torch.testing.assert_close(ours, images[:, :1] * weight, atol=1e-4, rtol=1e-4)


def test_rise_rises_where_the_logit_does(images) -> None:
    """Of a sum, the expected map is each pixel's part seen through one mask's blur: it follows the parts."""
    images = images.clone()
    images[:] = 0.0
    images[:, :, 2:5, 7:10] = 1.0
    _, captured = _captured(images)
    captured.model.module.weight[:] = torch.ones(SIDE, SIDE)
    ours = rise(captured, torch.arange(2), 600.0, 4.0)
    assert ours.shape == (2, 2, SIDE, SIDE)
    peak = np.unravel_index(int(ours[0, 0].argmax()), (SIDE, SIDE))
    assert 2 <= peak[0] < 5
    assert 7 <= peak[1] < 10
    assert ours[0, 0, 2:5, 7:10].mean() > 5 * ours[0, 0].std() / 10
    assert ours[0, 0, 8:, :4].abs().max() < ours[0, 0].max() / 3


def test_a_constant_in_the_logit_does_not_move_rise(images) -> None:
    without, with_bias = (
        rise(_captured(images, bias)[1], torch.arange(2), 40.0, 4.0) for bias in (0.0, -7.0)
    )
    torch.testing.assert_close(with_bias, without, atol=1e-3, rtol=1e-3)


def test_rise_is_its_formula(images) -> None:
    """The masks themselves come from a network that keeps what it is shown."""
    seen = []

    class Keeping(_Sum):
        def forward(self, films):
            seen.append(films.clone())
            return super().forward(films)

    weight = torch.randn(2, SIDE, SIDE, generator=torch.Generator().manual_seed(3))
    ones = torch.ones(1, 3, SIDE, SIDE)
    captured = capture(Foreign(Keeping(weight).eval(), "layer", FINDINGS, (SIDE, SIDE)), ones)
    seen.clear()
    ours = rise(captured, torch.arange(2), 37.0, 3.0)
    masks = torch.cat(seen)[:, 0]
    assert len(masks) == 37
    assert masks.min() >= 0
    assert masks.max() <= 1
    assert masks.mean().item() == pytest.approx(0.5, abs=0.05)
    logits = torch.einsum("mhw,fhw->mf", masks, weight)
    expected = torch.einsum("mf,mhw->fhw", logits - logits.mean(dim=0), masks) / 37 / 0.5
    torch.testing.assert_close(ours[0], expected, atol=1e-4, rtol=1e-4)


def test_masks_come_from_the_seed(images) -> None:
    def maps(seed: int) -> np.ndarray:
        model = Foreign(_Sum(torch.ones(2, SIDE, SIDE)).eval(), "layer", FINDINGS, (SIDE, SIDE))
        return heatmaps(model, images, method="rise(20, 3)", seed=seed)

    assert (maps(0) == maps(0)).all()
    assert (maps(0) != maps(1)).any()
