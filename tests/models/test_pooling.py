"""Heads beside their formulas, worked out cell by cell."""

import math

import pytest
import torch
from torch import nn

from hilum.models import build
from hilum.models.classifier import Body
from hilum.models.pooling import LogSumExpPooling, LseLba, MaxPooling, Pcam, Wildcat

FINDINGS = ("Effusion", "Mass")
MAP = torch.tensor([[0.0, 1.0, 2.0], [5.0, 3.0, -4.0], [1.0, -1.0, 0.5]])


def _head(made, *options: float | str):
    torch.manual_seed(0)
    return made(Body(nn.Sequential(nn.Identity()), 3, FINDINGS, (3, 3)), *options).eval()


@pytest.fixture
def activations() -> torch.Tensor:
    """Three channels: the map, its double, nothing."""
    return torch.stack([MAP, 2 * MAP, 0 * MAP])[None]


def test_max_pooling(activations) -> None:
    model = _head(MaxPooling)
    expected = torch.tensor([[5.0, 10.0, 0.0]]) @ model.head.weight.T + model.head.bias
    torch.testing.assert_close(model.logits_from(activations), expected)


@pytest.mark.parametrize("r", [0.5, 10.0])
def test_log_sum_exp_pooling(r, activations) -> None:
    cells = MAP.double().flatten()
    expected = math.log(sum(math.exp(r * x) for x in cells.tolist()) / 9) / r
    assert _head(LogSumExpPooling, r).pooled(activations.double())[0, 0].item() == pytest.approx(expected)


def test_log_sum_exp_lies_between_average_and_maximum(activations) -> None:
    near_mean, near_max = (_head(LogSumExpPooling, r).pooled(activations)[0, 0] for r in (1e-3, 1e3))
    torch.testing.assert_close(near_mean, MAP.mean(), atol=1e-2, rtol=0.0)
    torch.testing.assert_close(near_max, MAP.max(), atol=1e-2, rtol=0.0)


@pytest.mark.parametrize("r0", [0.0, 5.0])
def test_lse_lba_has_a_sharpness_for_each_finding(r0, activations) -> None:
    model = _head(LseLba, r0)
    with torch.no_grad():
        model.head.weight[..., 0, 0] = torch.tensor([[1.0, 0.0, 9.0], [0.0, 1.5, 9.0]])
        model.head.bias.zero_()
        model.pool.beta.copy_(torch.tensor([-1.0, 0.7]))
    for finding, (beta, scale) in enumerate([(-1.0, 1.0), (0.7, 3.0)]):
        g = r0 + math.exp(beta)
        expected = math.log(sum(math.exp(g * scale * x) for x in MAP.double().flatten().tolist()) / 9) / g
        assert model.logits_from(activations)[0, finding].item() == pytest.approx(expected, rel=1e-5)
    torch.testing.assert_close(model.own_maps(activations)[0], torch.stack([MAP, 3 * MAP]))


def test_lse_lba_learns_its_sharpness_and_does_not_overflow(activations) -> None:
    model = _head(LseLba, 10.0)
    model.logits_from(activations).sum().backward()
    assert model.pool.beta.grad.abs().min() > 0
    for far in (1e4, -1e4):
        pooled = model.pool(torch.full((1, 2, 3, 3), far))
        torch.testing.assert_close(pooled, torch.full((1, 2), far))


def _wildcat(k: float, alpha: float, scale: str = "sum") -> Wildcat:
    """Two maps a finding whose mean is the map for the first, three times it for the second."""
    model = _head(Wildcat, 2.0, k, alpha, scale)
    with torch.no_grad():
        model.head.weight[..., 0, 0] = torch.tensor(
            [[2.0, 0.0, 9.0], [0.0, 0.0, 9.0], [2.0, 1.0, 9.0], [2.0, 0.0, 9.0]]
        )
        model.head.bias.zero_()
    return model


CASES = {
    (1.0, 0.0, "sum"): 5.0,
    (1.0, 0.0, "div2"): 5.0,
    (2.0, 0.5, "sum"): (5 + 3) / 2 + 0.5 * (-4 - 1) / 2,
    (2.0, 0.5, "div2"): ((5 + 3) / 2 + 0.5 * (-4 - 1) / 2) / 2,
    (0.2, 1.0, "sum"): (5 + 3) / 2 + (-4 - 1) / 2,  # 0.2 of 9 cells is 1.8, so 2
    (0.01, 1.0, "sum"): 5 - 4.0,  # at least one cell
    (50.0, 1.0, "sum"): 2 * MAP.mean().item(),  # at most all of them
}


@pytest.mark.parametrize(("k", "alpha", "scale"), CASES)
def test_wildcat(k, alpha, scale, activations) -> None:
    model = _wildcat(k, alpha, scale)
    expected = CASES[k, alpha, scale]
    torch.testing.assert_close(model.logits_from(activations)[0], torch.tensor([expected, 3 * expected]))
    torch.testing.assert_close(model.own_maps(activations)[0], torch.stack([MAP, 3 * MAP]))


def test_gradients_of_wildcat_reach_the_chosen_cells_alone(activations) -> None:
    activations.requires_grad_()
    _wildcat(2.0, 0.5).logits_from(activations)[0, 0].backward()
    expected = torch.zeros(3, 3)
    expected[1, 0], expected[1, 1], expected[1, 2], expected[2, 1] = 0.5, 0.5, 0.25, 0.25
    torch.testing.assert_close(activations.grad[0, 0], expected)


def test_pcam_pools_inputs_of_its_own_layer(activations) -> None:
    model = _head(Pcam)
    w, b = model.head.weight[..., 0, 0], model.head.bias
    for finding in range(2):
        probabilities = torch.zeros(3, 3)
        for i in range(3):
            for j in range(3):
                probabilities[i, j] = torch.sigmoid(w[finding] @ activations[0, :, i, j] + b[finding])
        pooled = (activations[0] * probabilities / probabilities.sum()).sum(dim=(1, 2))
        expected = w[finding] @ pooled + b[finding]
        torch.testing.assert_close(model.logits_from(activations)[0, finding], expected)
        torch.testing.assert_close(model.own_maps(activations)[0, finding], probabilities)


@pytest.mark.parametrize(
    "name",
    ["max_pooling", "log_sum_exp(5)", "lse_lba(2)", "wildcat(3, 0.3, 0.6)", "wildcat(2, 4, 1, div2)", "pcam"],
)
def test_an_untrained_head_starts_at_the_prevalence(name) -> None:
    torch.manual_seed(0)
    settings = {"backbone": "resnet10t", "map_stride": 32, "metadata": False}
    model = build(name=name, **settings, findings=FINDINGS, input_hw=(64, 64)).eval()
    model.start_at(torch.tensor([0.1, 0.01]))
    with torch.no_grad():
        model.head.weight.zero_()
        probabilities = model(torch.randn(1, 3, 64, 64)).sigmoid()[0]
    torch.testing.assert_close(probabilities, torch.tensor([0.1, 0.01]))


WRONG = {
    "log_sum_exp(0)": "r must be above 0",
    "lse_lba(-1)": "r0 must be at least 0",
    "wildcat(1.5)": "n_maps is 1.5; it must be a whole number",
    "wildcat(4, 1.5)": "k is 1.5; it must be a whole number",
    "wildcat(4, 0)": "k 0 must be above 0",
    "wildcat(4, 0.2, 0.7, div3)": "scale is one of sum, div2",
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_numbers_are_told(name) -> None:
    settings = {"backbone": "resnet10t", "map_stride": 32, "metadata": False}
    with pytest.raises(ValueError, match=WRONG[name]):
        build(name=name, **settings, findings=FINDINGS, input_hw=(64, 64))
