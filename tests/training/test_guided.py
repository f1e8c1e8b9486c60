"""Losses of a global branch, a local one and their fusion stay where they belong."""

import pytest
import torch

from hilum import models
from hilum.models.attention_guided import AttentionGuided
from hilum.training.guided import attention_guided
from hilum.training.losses import binary_cross_entropy
from hilum.training.stepped import Seen


def _model() -> AttentionGuided:
    torch.manual_seed(0)
    model = models.build(
        name="attention_guided",
        backbone="resnet10t",
        map_stride=32,
        metadata=True,
        findings=("Effusion", "Mass", "Nodule"),
        input_hw=(64, 64),
    )
    assert isinstance(model, AttentionGuided)
    return model


def _seen() -> Seen:
    labels = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    return Seen(torch.randn(2, 3, 64, 64), labels, torch.full((2, 3), 0.5), torch.zeros(0, 6))


@pytest.mark.parametrize("trained", ["global", "local", "fusion"])
def test_a_loss_reaches_its_own_part_only(trained: str) -> None:
    model, seen = _model(), _seen()
    attention_guided(model, seen, binary_cross_entropy, trained).minimised.backward()
    learnt = {name: [w.grad is not None for w in part.parameters()] for name, part in model.parts.items()}
    reached = {name for name, there in learnt.items() if any(there)}
    assert reached == {trained}


def test_all_together_is_the_sum_and_the_fusion_judges() -> None:
    stepped = attention_guided(_model().eval(), _seen(), binary_cross_entropy)
    assert stepped.minimised.item() == pytest.approx(sum(loss.item() for loss in stepped.parts.values()))
    assert stepped.judged.item() == stepped.parts["fusion"].item()
