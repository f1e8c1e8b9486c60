"""Every loss, optimiser, schedule and step that a recipe can name."""

import itertools
import math

import pytest
import torch

from hilum.models import build
from hilum.models.classifier import AveragePooling
from hilum.training.fit import OPTIMISERS
from hilum.training.losses import LOSSES
from hilum.training.schedule import SCHEDULES, UNFREEZING, schedule_from, unfreezing_from
from hilum.training.steps import STEPS, Seen, step_from

FINDINGS = ("Effusion", "Mass", "Pneumonia")
MODEL_OF = {
    "attention_guided": {"name": "attention_guided", "backbone": "resnet10t", "input_hw": (64, 64)},
    "equivariant": {"name": "pixel_correlation", "backbone": "resnet10t", "input_hw": (64, 64)},
    "capsule_pretraining": {"name": "capsule_cascade(4)", "backbone": "resnet10t", "input_hw": (64, 64)},
    "reconstruct": {"name": "capsules", "backbone": "capsule_stem(4)", "input_hw": (28, 28)},
    "classify": {"name": "average_pooling", "backbone": "resnet10t", "input_hw": (64, 64)},
    "detect": {"name": "retinanet(16)", "backbone": "resnet10t", "input_hw": (64, 64)},
    "patches": {"name": "patches(4)", "backbone": "resnet10t", "input_hw": (64, 64)},
}
"""A small model for each step."""

HISTORIES = ([], [0.5], [0.5, 0.6, 0.6, 0.6, 0.6], [0.5, math.nan, 0.4, 0.3, 0.2])


def test_the_tables_are_whole() -> None:
    assert sorted(LOSSES) == ["bce", "finding_weighted", "focal", "margin", "weighted"]
    assert sorted(OPTIMISERS) == ["adam", "adamw", "sgd"]
    assert sorted(SCHEDULES) == ["constant", "one_cycle", "plateau", "step"]
    assert sorted(UNFREEZING) == ["at_once", "gradual"]
    assert sorted(STEPS) == [
        "attention_guided",
        "capsule_pretraining",
        "classify",
        "detect",
        "equivariant",
        "patches",
        "reconstruct",
    ]


@pytest.mark.parametrize("loss", LOSSES)
def test_a_loss_falls_towards_the_labels(loss: str) -> None:
    labels = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    right, wrong = (LOSSES[loss](sign * (2 * labels - 1), labels) for sign in (3.0, -3.0))
    assert right.ndim == 0
    assert 0 <= right.item() < wrong.item() < math.inf


@pytest.mark.parametrize("loss", LOSSES)
def test_an_unknown_label_counts_for_nothing(loss: str) -> None:
    logits = torch.tensor([[0.3, -0.2], [1.0, 5.0]], requires_grad=True)
    LOSSES[loss](logits, torch.tensor([[1.0, math.nan], [0.0, math.nan]])).backward()
    assert logits.grad is not None
    assert logits.grad[:, 1].tolist() == [0.0, 0.0]
    assert (logits.grad[:, 0] != 0).all()


@pytest.mark.parametrize("loss", LOSSES)
def test_a_batch_without_labels_is_no_division_by_nothing(loss: str) -> None:
    assert LOSSES[loss](torch.ones(2, 2), torch.full((2, 2), math.nan)).item() == 0.0


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_an_optimiser_goes_downhill(optimiser: str) -> None:
    place = torch.nn.Parameter(torch.tensor([3.0, -2.0]))
    steps = OPTIMISERS[optimiser]([place], lr=0.05, weight_decay=1e-3)
    heights = []
    for _ in range(20):
        steps.zero_grad()
        height = (place**2).sum()
        height.backward()
        steps.step()
        heights.append(height.item())
    assert heights[-1] < heights[0] / 2


@pytest.mark.parametrize(("name", "history"), list(itertools.product(SCHEDULES, HISTORIES)))
def test_a_schedule_scales_and_forgets(name: str, history: list[float]) -> None:
    """The same place and history give the same rate, whatever was asked before."""
    scale, places = schedule_from(name), [step / 50 for step in range(51)]
    scales = [scale(place, len(history), history) for place in places]
    assert all(0 <= scale <= 1 for scale in scales)
    assert [scale(place, len(history), history) for place in reversed(places)] == scales[::-1]


@pytest.mark.parametrize("name", UNFREEZING)
def test_unfreezing_opens_from_the_head_and_never_closes(name: str) -> None:
    opened, factors, since = zip(*(unfreezing_from(name)(5, epoch) for epoch in range(12)), strict=True)
    assert opened[0] >= 1
    assert list(opened) == sorted(opened)
    assert opened[-1] >= 5
    assert all(0 < factor <= 1 for factor in factors)
    assert all(0 <= first <= epoch for epoch, first in enumerate(since))


@pytest.mark.parametrize("name", STEPS)
def test_a_step_has_a_loss_to_minimise_one_to_judge_by_and_logits(name: str) -> None:
    """Of the models that it is for, as far as one is listed here."""
    torch.manual_seed(0)
    model = build(**MODEL_OF[name], map_stride=32, findings=FINDINGS, metadata=False).train()
    labels = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    boxes = torch.tensor([[0.0, 0.0, 8.0, 8.0, 40.0, 40.0]])
    seen = Seen(torch.randn(2, 3, *model.input_hw), labels, torch.full((2, 3), 0.5), boxes)
    stepped = step_from(name, model)(model, seen, LOSSES["bce"])
    assert all(loss.ndim == 0 and loss.isfinite() for loss in (stepped.minimised, stepped.judged))
    assert all(loss.ndim == 0 and loss.isfinite() for loss in stepped.parts.values())
    assert stepped.logits.shape == (2, 3)
    stepped.minimised.backward()
    assert any(weight.grad is not None and weight.grad.any() for weight in model.parameters())


@pytest.mark.parametrize("name", sorted(set(STEPS) - {"classify"}))
def test_a_step_refuses_models_of_another_kind(name: str, network: AveragePooling) -> None:
    with pytest.raises(TypeError, match=f"training step {name} is for"):
        step_from(name, network)
