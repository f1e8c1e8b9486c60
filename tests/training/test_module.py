"""The module alone: frozen blocks stay, the history is the record, a diverging loss is an error."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from hilum.errors import TrainingError
from hilum.models.classifier import AveragePooling, Body
from hilum.training import schedule
from hilum.training.batches import Batch
from hilum.training.losses import LOSSES
from hilum.training.module import Training
from hilum.training.steps import Seen, classify


def _module(monitor: str = "val_auroc", frozen: int = 1) -> Training:
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(4)
    body = nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 2, stride=2), norm), nn.Sequential(nn.ReLU()))
    return Training(
        AveragePooling(Body(body, 4, ("Effusion", "Mass"), (8, 8))),
        step=classify,
        loss=LOSSES["bce"],
        optimiser=torch.optim.SGD,
        learning_rate=0.1,
        part_rates={},
        scale=schedule.constant,
        monitor=monitor,
        frozen_blocks=frozen,
        learns=(),
        unfreezing=schedule.at_once,
        seed=0,
        n_steps=4,
    )


def _batch(n: int, level: float = 1.0) -> Batch:
    films = torch.full((n, 8, 8), 128, dtype=torch.uint8)
    affine = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]).expand(n, 2, 3)
    labels = torch.tensor([[level, 0.0], [0.0, level]]).repeat(n // 2, 1)
    return Batch(films, affine, labels, torch.zeros(n, 3), torch.zeros(0, 6))


def _epoch(module: Training, train_loss: float) -> None:
    module._rate_now = 0.05
    module._train_losses["loss"] = [torch.tensor(train_loss)]
    with torch.no_grad():
        module.validation_step(_batch(4))
    module.on_validation_epoch_end()


def test_frozen_blocks_neither_learn_nor_count() -> None:
    module = _module()
    optimiser = module.configure_optimizers()
    learning = {id(p) for group in optimiser.param_groups for p in group["params"]}
    stem = module.model.backbone[0]
    assert not learning & {id(p) for p in stem.parameters()}
    module.model.train()
    module.on_train_epoch_start()
    before = stem[1].running_mean.clone()
    module.stepped(_batch(4)).minimised.backward()
    assert torch.equal(stem[1].running_mean, before)
    assert all(p.grad is None for p in stem.parameters())
    assert module.model.head.weight.grad is not None


def test_the_step_is_the_loss_of_the_logits() -> None:
    module = _module()
    images, labels = torch.randn(4, 3, 8, 8), torch.ones(4, 2)
    seen = Seen(images, labels, torch.zeros(4, 3), torch.zeros(0, 6))
    loss = classify(module.model, seen, LOSSES["bce"]).minimised
    expected = nn.functional.binary_cross_entropy_with_logits(module.model(images), labels)
    torch.testing.assert_close(loss, expected)


def test_an_epoch_leaves_its_record() -> None:
    module = _module()
    _epoch(module, 0.7)
    (record,) = module.history
    assert record["train_loss"] == pytest.approx(0.7)
    assert record["learning_rate"] == pytest.approx(0.05)
    assert 0 <= record["val_auroc"] <= 1
    assert record["val_loss"] > 0
    assert module.monitored == [record["val_auroc"]]


def test_a_loss_to_watch_counts_downwards() -> None:
    module = _module("val_loss")
    _epoch(module, 0.7)
    assert module.monitored == [-module.history[0]["val_loss"]]


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_no_number_stops_with_a_hint(loss: float) -> None:
    module = _module()
    with pytest.raises(TrainingError, match=r"lower training\.learning_rate"):
        _epoch(module, loss)
    assert module.history == []


def test_the_history_travels_with_the_checkpoint() -> None:
    module, other, checkpoint = _module(), _module(), {}
    _epoch(module, 0.7)
    module.on_save_checkpoint(checkpoint)
    other.on_load_checkpoint(checkpoint)
    assert other.monitored == module.monitored
    assert np.isfinite(other.monitored).all()
