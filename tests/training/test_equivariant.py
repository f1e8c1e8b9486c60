"""The equivariance step: it brings turned maps together, and does not with the printed minus sign."""

import math

import pytest
import torch
from torch import nn

from hilum.models.classifier import Body
from hilum.models.pixel_correlation import PixelCorrelation
from hilum.training.equivariant import _hard, _unit, equivariant, turned
from hilum.training.losses import binary_cross_entropy
from hilum.training.stepped import Seen

FINDINGS = ("Effusion", "Mass")


def _model() -> PixelCorrelation:
    torch.manual_seed(3)
    stem = nn.Sequential(nn.Conv2d(3, 16, 5, stride=2, padding=2), nn.ReLU())
    body = nn.Sequential(stem, nn.Sequential(nn.Conv2d(16, 64, 3, stride=2, padding=1), nn.ReLU()))
    return PixelCorrelation(Body(body, 64, FINDINGS, (32, 32)))


def _seen(n: int = 8) -> Seen:
    """Smooth films with a bright disc, whose place decides the finding."""
    draw = torch.Generator().manual_seed(0)
    rows, columns = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    images, labels = 0.2 * torch.rand(n, 1, 32, 32, generator=draw), torch.zeros(n, 2)
    for film in range(n):
        centre = 10 + 12 * torch.rand(2, generator=draw)
        images[film, 0] += ((rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 < 25) * 1.0
        labels[film, film % 2] = 1.0
    return Seen(images.expand(-1, 3, -1, -1), labels, torch.zeros(n, 3), torch.zeros(0, 6))


def _apart(model: PixelCorrelation, seen: Seen) -> tuple[float, float]:
    """The loss over all pixels, and how far refined maps of turned films are from turned refined maps."""
    model.eval()
    loss = equivariant(model, seen, binary_cross_entropy, msml=0.0, hardest=1.0).parts["ecr"].item()
    angle = torch.linspace(-0.5, 0.5, len(seen.images))
    with torch.no_grad():
        inside = turned(torch.ones(len(angle), 1, 8, 8), angle) > 0.999
        here, there = model.own_maps(seen.images), model.own_maps(turned(seen.images, angle))
        apart = (turned(_unit(here), angle) - _unit(there)).abs() * inside
    return loss, (apart[seen.labels == 1].sum() / inside.sum()).item()


def _trained(sign: str, n_steps: int = 40) -> tuple[tuple[float, float], tuple[float, float]]:
    model, seen = _model(), _seen()
    before = _apart(model, seen)
    optimiser = torch.optim.Adam(model.theta.parameters(), lr=3e-3)
    model.train()
    for _ in range(n_steps):
        optimiser.zero_grad()
        equivariant(model, seen, binary_cross_entropy, msml=0.0, sign=sign).minimised.backward()
        optimiser.step()
    return before, _apart(model, seen)


def test_the_sum_brings_turned_maps_together_and_the_printed_minus_sign_does_not() -> None:
    before, with_sum = _trained("sum")
    _, with_minus = _trained("difference")
    assert with_sum[0] < 0.5 * before[0]
    assert with_sum[1] < before[1]
    assert with_minus[0] > 0.8 * before[0]


def test_nothing_but_the_affinity_learns_and_the_logits_stay() -> None:
    model, seen = _model(), _seen()
    logits = model(seen.images)
    stepped = equivariant(model, seen, binary_cross_entropy)
    stepped.minimised.backward()
    assert all(weight.grad is None for weight in model.parts["classifier"].parameters())
    torch.testing.assert_close(stepped.logits, logits)


def test_the_total_is_the_weighted_sum() -> None:
    model, seen = _model().eval(), _seen()
    stepped = equivariant(model, seen, binary_cross_entropy, 30.0, 1.5, 1.0)
    parts = stepped.parts
    assert stepped.minimised.item() == pytest.approx(1.5 * parts["msml"].item() + parts["ecr"].item())
    off = equivariant(model, seen, binary_cross_entropy, 30.0, 0.0, 1.0)
    assert off.minimised.item() == pytest.approx(parts["ecr"].item())


def test_the_hardest_fifth_by_hand() -> None:
    """Of ten differences the two greatest: (4 + 3) / 2; a pixel outside counts for nothing."""
    difference = torch.tensor([[[[0.0, 1.0, -4.0, 0.0, 9.0], [0.0, 2.0, 3.0, 0.0, 0.0]]]])
    inside = torch.tensor([[[[1, 1, 1, 1, 0], [1, 1, 1, 1, 1]]]])
    assert _hard(difference, inside, 0.2).item() == 3.5
    assert _hard(difference, inside, 1.0).item() == 1.0


def test_literal_pools_say_of_no_finding_that_it_is_absent() -> None:
    """Refined maps in [0, 1] have pools of at least 0, so a zero label costs at least log 2."""
    model, seen = _model().eval(), _seen()
    none = seen._replace(labels=torch.zeros(8, 2))
    literal = equivariant(model, none, binary_cross_entropy, pooled="literal").parts["msml"]
    assert literal.item() >= math.log(2) - 1e-6


def test_a_quarter_turn_moves_the_corner() -> None:
    image = torch.zeros(1, 1, 4, 4)
    image[0, 0, 0, 0] = 1.0
    quarter = turned(image, torch.tensor([math.pi / 2]))[0, 0]
    assert quarter.argmax().item() in (3, 12)
    assert quarter.max().item() == pytest.approx(1.0, abs=1e-5)
    torch.testing.assert_close(turned(image, torch.zeros(1)), image)
