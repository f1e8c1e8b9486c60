"""Networks, films and the way peers are asked, for every file that sets heatmaps beside a peer's."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
import torch
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn

from hilum import models
from hilum.findings import CHESTXRAY14
from hilum.localize.scale import enlarged, unit_map
from hilum.models.classifier import AveragePooling

WITHIN = 1e-5
"""Greatest difference of two maps in [0, 1] that counts as the same map."""

BACKBONES = {"densenet121": 32, "resnet50": 32, "efficientnet_lite0": 32, "vgg11": 16}
"""Networks and the stride of their last maps."""

SIDES = (64, 96, 160, 224)
THIN = {("densenet121", 64), ("resnet50", 96), ("efficientnet_lite0", 96), ("vgg11", 64)}
"""Cases of the ordinary suite: every network, small."""


def grid(thin: set[tuple[str, int]] = THIN) -> list[Any]:
    """Every network at every size, those beyond the thin ones marked slow."""
    cases = [(name, side) for name in BACKBONES for side in SIDES]
    assert len(cases) == 16
    assert thin <= set(cases)
    return [
        pytest.param(*case, id=f"{case[0]}-{case[1]}", marks=() if case in thin else pytest.mark.slow)
        for case in cases
    ]


@lru_cache(maxsize=1)
def network(backbone: str) -> AveragePooling:
    """In eval mode, weights drawn, statistics of its batch norms those of films such as `films` gives."""
    torch.manual_seed(0)
    settings = {"backbone": backbone, "map_stride": BACKBONES[backbone], "metadata": False}
    model = models.build(name="average_pooling", **settings, findings=CHESTXRAY14, input_hw=(64, 64))
    assert isinstance(model, AveragePooling)
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = None
    with torch.no_grad():
        model.train()(films(4, 96, seed=2))
    for block in [*model.backbone.children()][:-1]:
        block.requires_grad_(False)  # no peer looks further back, and it saves them time
    return model.eval()


def films(n: int, side: int, seed: int = 1) -> torch.Tensor:
    """Normalised, with large shapes and fine grain."""
    generator = torch.Generator().manual_seed(seed)
    shapes = torch.randn(n, 3, 4, 4, generator=generator)
    large = nn.functional.interpolate(shapes, (side, side), mode="bicubic", align_corners=False)
    return large + 0.5 * torch.randn(n, 3, side, side, generator=generator)


def each(maps: np.ndarray, change: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Every map of films and findings, changed."""
    n, f, *hw = maps.shape
    changed = np.array([change(one) for one in maps.reshape(n * f, *hw)])
    return changed.reshape(n, f, *changed.shape[1:])


def grad_cam(peer: GradCAM, images: torch.Tensor, findings: range, **smoothing: bool) -> np.ndarray:
    """Maps of findings, one call a finding, as pytorch-grad-cam wants it."""
    targets = [[ClassifierOutputTarget(finding)] * len(images) for finding in findings]
    return np.stack([peer(images, targets=target, **smoothing) for target in targets], axis=1)


def at_map_resolution(peer: type[GradCAM]) -> type[GradCAM]:
    """A method of pytorch-grad-cam with its enlargement switched off."""
    return type(peer.__name__, (peer,), {"get_target_width_height": lambda *_: None})


def scaled_as_the_peer(raw: np.ndarray) -> np.ndarray:
    """At map resolution: pytorch-grad-cam divides by the range plus 1e-7, twice."""
    return unit_map(unit_map(raw))


def enlarged_as_the_peer(raw: np.ndarray, side: int) -> np.ndarray:
    """At input size: scaled, enlarged, scaled again."""
    return unit_map(enlarged(unit_map(raw).astype(np.float32), (side, side)))


def apart(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Greatest difference of maps in [0, 1], which most must fill, lest nothing was compared."""
    assert ours.shape == theirs.shape
    assert np.isfinite(theirs).all()
    full = theirs.max(axis=(-1, -2)) > 0.99
    assert full.mean() >= 0.5, f"{full.sum()} of {full.size} maps of the peer show anything"
    return float(np.abs(ours - theirs).max())
