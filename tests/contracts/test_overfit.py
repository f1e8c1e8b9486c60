"""Every head learns 32 small films by heart; every backbone of the recipes takes steps down."""

from collections import OrderedDict

import pytest
import torch
from torch import Tensor, nn

from hilum.lookup import call
from hilum.models import MODELS, Classifier, build
from hilum.models.capsules import CapsuleStem
from hilum.models.classifier import Body
from hilum.training.losses import binary_cross_entropy

FINDINGS = ("Nodule", "Effusion")
N_FILMS = 32
NARROW = {"capsule_cascade": "capsule_cascade(8)", "fully_connected": "fully_connected(64)"}
RATES = {"capsule_cascade": 3e-3, "capsules": 3e-3, "patches": 3e-3}
BACKBONES = [
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "resnet38",
    "densenet121",
    "densenet169",
    "vgg19",
    "efficientnet_b4",
    "convnext_tiny",
]


def _films(side: int) -> tuple[Tensor, Tensor]:
    """Noise with a bright square anywhere, or a bright lower edge, or both, or neither."""
    draw = torch.Generator().manual_seed(0)
    images = 0.3 * torch.randn(N_FILMS, 1, side, side, generator=draw)
    labels = torch.tensor([[film % 2, film // 2 % 2] for film in range(N_FILMS)]).float()
    width = side // 5
    for film, (nodule, effusion) in enumerate(labels):
        top, left = torch.randint(0, side - 2 * width, (2,), generator=draw).tolist()
        images[film, 0, top : top + width, left : left + width] += 3 * nodule
        images[film, 0, side - width :] += 2 * effusion
    return images.expand(-1, 3, -1, -1).contiguous(), labels


def _tiny() -> nn.Sequential:
    """A stem and four groups, from 32 px to 4 x 4 cells."""
    widths = [3, 8, 16, 16, 16, 32]
    strides = [1, 2, 2, 2, 1]
    parts = OrderedDict()
    for number, (n_in, n_out, stride) in enumerate(zip(widths, widths[1:], strides, strict=False)):
        parts[f"layer{number}"] = nn.Sequential(
            nn.Conv2d(n_in, n_out, 3, stride=stride, padding=1), nn.BatchNorm2d(n_out), nn.ReLU()
        )
    return nn.Sequential(parts)


def _losses(model: Classifier, films: tuple[Tensor, Tensor], n_steps: int, rate: float) -> list[float]:
    optimiser, losses = torch.optim.Adam(model.parameters(), lr=rate), []
    model.train()
    for _ in range(n_steps):
        loss = binary_cross_entropy(model(films[0]), films[1])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    model.eval()
    return losses


@pytest.mark.parametrize("name", sorted(set(MODELS) - {"retinanet"}))  # that is taught by boxes
def test_a_head_learns_32_films_by_heart(name: str) -> None:
    torch.manual_seed(0)
    films = _films(32)
    head = call(MODELS, NARROW.get(name, name), "model", n_given=1)
    body = (nn.Sequential(CapsuleStem(8.0)), 8) if name == "capsules" else (_tiny(), 32)
    model = head(Body(*body, FINDINGS, (32, 32)))
    losses = _losses(model, films, n_steps=45, rate=RATES.get(name, 1e-2))
    with torch.inference_mode():
        logits = model(films[0])
    assert losses[0] > 0.5
    assert binary_cross_entropy(logits, films[1]).item() < 0.1
    for finding in range(2):
        present = films[1][:, finding] == 1
        assert logits[present, finding].min() > logits[~present, finding].max()  # AUROC 1


@pytest.mark.slow
@pytest.mark.parametrize("name", BACKBONES)
def test_a_backbone_takes_steps_down(name: str) -> None:
    torch.manual_seed(0)
    settings = {"map_stride": 32, "metadata": False, "findings": FINDINGS, "input_hw": (64, 64)}
    head = "fully_connected(256)" if name == "vgg19" else "average_pooling"
    model = build(name=head, backbone=name, **settings)
    losses = _losses(model, _films(64), n_steps=8, rate=1e-4)
    assert min(losses[-3:]) < losses[0] - 0.01, losses
