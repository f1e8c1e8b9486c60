"""A network and a cohort that are small enough to go through every table."""

import numpy as np
import pytest
import torch
from torch import nn

from hilum.boxes import BoxTable
from hilum.data import Cohort
from hilum.models.classifier import AveragePooling, Body

FINDINGS = ("Effusion", "Mass", "Hernia")


@pytest.fixture
def network() -> AveragePooling:
    """Three findings, a map of stride 8."""
    torch.manual_seed(0)
    backbone = nn.Sequential(nn.Conv2d(3, 4, 8, stride=8), nn.ReLU())
    return AveragePooling(Body(backbone, 4, FINDINGS, (64, 64))).eval()


@pytest.fixture
def images() -> torch.Tensor:
    """Two normalised films."""
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    """Twenty films of ten patients, a box of each of two findings on every other film."""
    n, rng = 20, np.random.default_rng(0)
    labels = rng.integers(0, 2, (n, len(FINDINGS))).astype(np.float32)
    boxed = np.repeat(np.arange(0, n, 2), 2)
    corner = rng.uniform(0, 40, (len(boxed), 2))
    return Cohort(
        films=np.array([f"{row:02d}.png" for row in range(n)]),
        paths=np.full(n, "there"),
        findings=FINDINGS,
        labels=labels,
        patient=np.array([f"p{row // 2}" for row in range(n)]),
        view=np.array(["PA", "AP"] * (n // 2)),
        age=np.linspace(20.0, 80.0, n),
        sex=np.array(["F", "F", "M", "M"] * (n // 4)),
        split=np.full(n, "test"),
        reference=BoxTable(
            boxed,
            np.tile([0, 1], n // 2),
            np.concatenate([corner, corner + 16], axis=1),
            np.full(len(boxed), np.nan),
        ),
        frame_hw=(64, 64),
    )
