import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from hilum.data.geometry import Augmentation, Geometry
from hilum.data.store import PixelStore
from hilum.models.capsule_cascade import CapsuleCascade
from hilum.models.capsules import CapsNet, CapsuleStem, grey_from
from hilum.models.classifier import AveragePooling, Body
from hilum.training import FilmSet, fit
from hilum.training.capsule_steps import capsule_pretraining, reconstruct
from hilum.training.losses import binary_cross_entropy, margin
from hilum.training.stepped import Seen
from hilum.training.steps import step_from

FINDINGS = ("Effusion", "Mass", "Hernia")
LABELS = torch.tensor([[1.0, 0.0, math.nan], [0.0, 1.0, 1.0], [0.0, 0.0, 0.0]])


def _net(width: int = 4) -> CapsNet:
    torch.manual_seed(0)
    return CapsNet(Body(nn.Sequential(CapsuleStem(float(width))), width, FINDINGS, (28, 28)))


def _cascade() -> CapsuleCascade:
    torch.manual_seed(0)
    backbone = nn.Sequential(nn.Sequential(nn.Conv2d(3, 6, 8, stride=8), nn.ReLU()))
    return CapsuleCascade(Body(backbone, 6, FINDINGS, (56, 56)), 4.0)


def _seen(side: int, labels: torch.Tensor = LABELS) -> Seen:
    images = torch.randn(len(labels), 3, side, side, generator=torch.Generator().manual_seed(1))
    return Seen(images, labels, torch.zeros(len(labels), 3), torch.zeros(0, 6))


def test_reconstruction_is_added_at_its_weight() -> None:
    model, seen = _net().train(), _seen(28)
    stepped = reconstruct(model, seen, margin)
    assert set(stepped.parts) == {"findings", "reconstruction"}
    expected = stepped.parts["findings"] + 0.0005 * stepped.parts["reconstruction"]
    torch.testing.assert_close(stepped.minimised, expected)
    assert stepped.judged is stepped.minimised
    _, capsules, logits = model.read(seen.images)
    torch.testing.assert_close(stepped.parts["findings"], margin(logits, seen.labels))
    drawn = model.reconstructed(capsules, seen.labels == 1)
    errors = ((drawn - grey_from(seen.images)) ** 2).flatten(1).sum(dim=1)
    torch.testing.assert_close(stepped.parts["reconstruction"], errors.mean())
    torch.testing.assert_close(stepped.logits, logits)


def test_true_findings_draw_in_training_and_long_capsules_elsewhere() -> None:
    model, seen = _net(), _seen(28)
    drawn_by = []
    model.reconstructed = lambda capsules, kept: drawn_by.append(kept) or model.decoder(capsules)
    for training in (True, False):
        logits = reconstruct(model.train(training), seen, margin).logits
    assert torch.equal(drawn_by[0], seen.labels == 1)  # the unknown one is none
    assert torch.equal(drawn_by[1], logits.sigmoid() > 0.5)


def test_the_loss_of_the_findings_is_the_recipes() -> None:
    model, seen = _net().train(), _seen(28)
    stepped = reconstruct(model, seen, binary_cross_entropy)
    expected = binary_cross_entropy(stepped.logits, seen.labels)
    torch.testing.assert_close(stepped.parts["findings"], expected)
    classified = step_from("classify", model)(model, seen, margin)
    torch.testing.assert_close(classified.minimised, margin(classified.logits, seen.labels))
    classified.minimised.backward()
    assert all(weight.grad is None for weight in model.decoder.parameters())
    assert all(weight.grad is not None for weight in model.capsules.parameters())


def test_a_cascade_is_pretrained_on_small_films_alone() -> None:
    model, seen = _cascade().train(), _seen(56)
    stepped = capsule_pretraining(model, seen, margin)
    small = seen.images.unflatten(3, (28, 2)).unflatten(2, (28, 2)).mean(dim=(3, 5))
    alone = reconstruct(model.capsules, seen._replace(images=small), margin)
    torch.testing.assert_close(stepped.minimised, alone.minimised)
    torch.testing.assert_close(stepped.logits, model.capsules(small))
    stepped.minimised.backward()
    assert all(weight.grad is not None for weight in model.capsules.parameters())
    others = [*model.backbone.parameters(), *model.mask.parameters()]
    assert all(weight.grad is None for weight in others)


def test_a_cascade_draws_the_film_at_28_px() -> None:
    model, seen = _cascade().train(), _seen(56)
    stepped = reconstruct(model, seen, margin)
    torch.testing.assert_close(stepped.logits, model(seen.images))
    _, capsules, _ = model.read(seen.images)
    small = grey_from(seen.images).unflatten(3, (28, 2)).unflatten(2, (28, 2)).mean(dim=(3, 5))
    errors = (model.reconstructed(capsules, seen.labels == 1) - small) ** 2
    torch.testing.assert_close(stepped.parts["reconstruction"], errors.sum() / 3)


@pytest.mark.parametrize("text", ["reconstruct", "capsule_pretraining", "classify"])
def test_no_film_no_loss(text: str) -> None:
    model = _cascade()
    stepped = step_from(text, model)(model, _seen(56, LABELS[:0]), binary_cross_entropy)
    assert stepped.minimised.item() == 0
    assert stepped.logits.shape == (0, 3)


def test_steps_are_for_capsules() -> None:
    plain = AveragePooling(Body(nn.Sequential(nn.Conv2d(3, 4, 8, stride=8)), 4, FINDINGS, (56, 56)))
    with pytest.raises(TypeError, match="reconstruct is for CapsuleClassifier, not for AveragePooling"):
        step_from("reconstruct", plain)
    with pytest.raises(TypeError, match="capsule_pretraining is for CapsuleCascade, not for CapsNet"):
        step_from("capsule_pretraining", _net())


SETTINGS = {
    "epochs": 1,
    "batch_size": 8,
    "optimiser": "adam",
    "learning_rate": 0.01,
    "part_rates": {},
    "weight_decay": 0.0,
    "betas": (0.9, 0.999),
    "accumulate": 1,
    "schedule": "constant",
    "warmup": 0.0,
    "clip_norm": None,
    "stop_patience": 10,
    "monitor": "val_loss",
    "loss": "bce",
    "frozen_blocks": 0,
    "augmentation": Augmentation(),
    "seed": 0,
    "precision": "fp32",
    "devices": 1,
}
STAGES = {
    "capsule_pretraining": ({"learns": ("capsules",)}, {"capsules"}),
    "classify": ({"unfreezing": "gradual(1)"}, {"mask", "capsules"}),
    "reconstruct": ({}, {"backbone", "mask", "capsules"}),
}
"""Each step with what learns in its only epoch."""


@pytest.mark.parametrize("step", STAGES)
def test_parts_learn_stage_by_stage(step: str, tmp_path: Path, films_of_noise: FilmSet) -> None:
    changed, learnt = STAGES[step]
    model = _cascade()
    before = {name: part.state_dict() for name, part in _cascade().parts.items()}
    stage = {"step": step, "learns": (), "unfreezing": "at_once", **SETTINGS, **changed}
    history = fit(model, films_of_noise, films_of_noise, tmp_path, **stage)
    moved = {
        name
        for name, part in model.parts.items()
        if any(not torch.equal(tensor, before[name][key]) for key, tensor in part.state_dict().items())
    }
    assert moved == learnt
    assert ("val_reconstruction" in history[0]) == (step in ("reconstruct", "capsule_pretraining"))


@pytest.fixture
def films_of_noise() -> FilmSet:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (16, 56, 56)).astype(np.uint8)
    labels = rng.integers(0, 2, (16, 3)).astype(np.float32)
    store = PixelStore(Path(), tuple(map(str, range(16))), pixels, np.full((16, 2), 1024), {})
    return FilmSet(store, np.arange(16), labels, np.zeros((16, 3), np.float32), Geometry(56, 56, 56))
