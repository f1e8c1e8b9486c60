"""Binary cross-entropy, by hand and against torch."""

import math

import pytest
import torch
from torch.nn import functional

from hilum.training.losses import (
    binary_cross_entropy,
    finding_weighted_cross_entropy,
    focal,
    loss_from,
    margin,
    weighted_cross_entropy,
)


def test_by_hand() -> None:
    logits = torch.tensor([[0.0, math.log(3.0)]])  # p = 1/2, 3/4
    loss = binary_cross_entropy(logits, torch.tensor([[1.0, 0.0]]))
    assert loss.item() == pytest.approx((math.log(2) + math.log(4)) / 2, abs=1e-6)


def test_agrees_with_torch_and_its_gradient_by_hand() -> None:
    logits = torch.randn(5, 3, generator=torch.Generator().manual_seed(0), requires_grad=True)
    labels = torch.tensor([[1.0, 0.0, 1.0]] * 5)
    loss = binary_cross_entropy(logits, labels)
    assert torch.allclose(loss, functional.binary_cross_entropy_with_logits(logits, labels))
    loss.backward()
    assert torch.allclose(logits.grad, (logits.sigmoid() - labels).detach() / 15)


def test_unknown_labels_count_for_nothing() -> None:
    logits = torch.tensor([[2.0, -1.0]])
    known = binary_cross_entropy(logits[:, :1], torch.ones(1, 1))
    assert torch.equal(binary_cross_entropy(logits, torch.tensor([[1.0, math.nan]])), known)
    assert binary_cross_entropy(logits, torch.full((1, 2), math.nan)).item() == 0.0


def test_weighted_by_hand_over_the_whole_batch() -> None:
    """Of six labels two are ones: b_P = 3, b_N = 1.5; p = 1/2 everywhere but one, where it is 3/4."""
    logits = torch.zeros(2, 3, dtype=torch.float64)
    logits[0, 1] = math.log(3.0)
    labels = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]).double()
    expected = (2 * 3 * math.log(2) + 1.5 * (3 * math.log(2) + math.log(4))) / 2
    assert weighted_cross_entropy(logits, labels).item() == pytest.approx(expected)


def test_a_step_of_the_weighted_loss_by_hand() -> None:
    """dL/dz = b (p - y) / n: of three labels one is 1, so b_P = 3 and b_N = 1.5."""
    logits = torch.tensor([[0.0, math.log(3.0), 0.0]], requires_grad=True)
    weighted_cross_entropy(logits, torch.tensor([[1.0, 0.0, 0.0]])).backward()
    assert torch.allclose(logits.grad, torch.tensor([[-1.5, 1.125, 0.75]]))


def test_weights_of_a_finding_are_its_own() -> None:
    """First finding: 1 of 4 (b_P = 4, b_N = 4/3); second: 0 of 4 (b_N = 1)."""
    logits = torch.zeros(4, 2, dtype=torch.float64, requires_grad=True)
    labels = torch.zeros(4, 2).double()
    labels[0, 0] = 1
    loss = finding_weighted_cross_entropy(logits, labels)
    assert loss.item() == pytest.approx(math.log(2) * (4 + 3 * 4 / 3 + 4) / 4)
    loss.backward()
    expected = torch.tensor([[-2.0, 0.5], [2 / 3, 0.5], [2 / 3, 0.5], [2 / 3, 0.5]]).double() / 4
    assert torch.allclose(logits.grad, expected)
    alone = torch.ones(4, 1).double()
    assert torch.isfinite(finding_weighted_cross_entropy(torch.zeros(4, 1).double(), alone))


def test_focal_is_torchvisions() -> None:
    from torchvision.ops import sigmoid_focal_loss

    logits = torch.randn(6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    labels = (torch.rand(6, 4, generator=torch.Generator().manual_seed(1)) > 0.5).double()
    for gamma, alpha in ((2.0, 0.25), (0.5, 0.7)):
        theirs = sigmoid_focal_loss(logits, labels, alpha=alpha, gamma=gamma, reduction="mean")
        assert torch.allclose(focal(logits, labels, gamma, alpha), theirs)


def test_a_loss_by_its_name() -> None:
    logits, labels = torch.randn(3, 2), torch.tensor([[1.0, 0.0]] * 3)
    assert torch.equal(loss_from("focal(1, 0.5)", labels)(logits, labels), focal(logits, labels, 1.0, 0.5))
    with pytest.raises(ValueError, match="unknown loss 'bcee'; did you mean 'bce'"):
        loss_from("bcee", labels)
    with pytest.raises(ValueError, match=r"write weighted"):
        loss_from("weighted(2)", labels)


def test_inverse_prevalence_weighs_by_the_training_films_alone() -> None:
    """One positive of four: w = 3. One positive and one negative at even odds: (3 log 2 + log 2) / 2."""
    training = torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, math.nan]])
    loss = loss_from("inverse_prevalence", training)
    labels = torch.tensor([[1.0, math.nan], [0.0, math.nan]])
    assert loss(torch.zeros(2, 2), labels).item() == pytest.approx(2 * math.log(2))
    never = torch.tensor([[math.nan, 1.0]])
    assert loss(torch.zeros(1, 2), never).item() == pytest.approx(math.log(2))


def test_margin_loss_by_hand() -> None:
    """Lengths 0.6, 0.4 and 0.05: (0.9 - 0.6)^2 + 0.5 (0.4 - 0.1)^2 + 0 = 0.09 + 0.045."""
    logits = torch.logit(torch.tensor([[0.6, 0.4, 0.05]]))
    assert margin(logits, torch.tensor([[1.0, 0.0, 0.0]])).item() == pytest.approx(0.135, rel=1e-5)
    assert margin(logits, torch.tensor([[0.0, 1.0, 1.0]])).item() == pytest.approx(
        0.5 * 0.5**2 + 0.5**2 + 0.85**2, rel=1e-5
    )
    twice = margin(logits.expand(2, 3), torch.tensor([[1.0, 0.0, 0.0]]).expand(2, 3))
    assert twice.item() == pytest.approx(0.135, rel=1e-5)  # the mean over films, the sum over findings


def test_what_is_unknown_counts_for_nothing() -> None:
    logits = torch.zeros(2, 2, requires_grad=True)
    margin(logits, torch.tensor([[1.0, math.nan], [0.0, math.nan]])).backward()
    assert logits.grad is not None
    assert logits.grad[:, 1].eq(0).all()
    assert logits.grad[:, 0].ne(0).all()
    assert margin(torch.zeros(0, 2), torch.zeros(0, 2)).item() == 0


def test_beyond_the_margins_nothing_is_learnt() -> None:
    logits = torch.tensor([[4.0, -4.0]], requires_grad=True)
    loss = margin(logits, torch.tensor([[1.0, 0.0]]))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert logits.grad.eq(0).all()
