"""Binary cross-entropy, by hand and against torch."""

import math

import pytest
import torch
from torch.nn import functional

from hilum.training.losses import binary_cross_entropy


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
