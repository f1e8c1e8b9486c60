"""Converted weights beside torchxrayvision's own forward pass, and our table of its files beside its own."""

import math
import warnings
from functools import lru_cache
from pathlib import Path

import pytest
import torch
import torchvision
from torch import nn

from hilum import models
from hilum.data.geometry import input_to_store
from hilum.models import network_input
from hilum.models.conversion import LABELS, RELEASES, convert

with warnings.catch_warnings():  # the peer switches all warnings off for whoever imports it
    from torchxrayvision.datasets import normalize
    from torchxrayvision.models import DenseNet, model_urls

WITHIN = 1e-5


def _films(n: int, side: int) -> torch.Tensor:
    """Grey values, from black to white up to the border."""
    generator = torch.Generator().manual_seed(3)
    return torch.randint(0, 256, (n, side, side), generator=generator, dtype=torch.uint8)


def _as_theirs(films: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(normalize(films.numpy(), maxval=255)).unsqueeze(1).float()


def _settled(network: nn.Module, side: int) -> nn.Module:
    """Batch norms have the statistics of films, so that logits are of a size that networks have."""
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = None
            nn.init.uniform_(part.weight, 0.5, 1.5)
            nn.init.uniform_(part.bias, -0.5, 0.5)
    with torch.no_grad():
        network.train()(_as_theirs(_films(4, side)))
    return network.eval()


@lru_cache(maxsize=1)
def _densenet() -> nn.Module:
    torch.manual_seed(0)
    return _settled(DenseNet(num_classes=18), 96)


@lru_cache(maxsize=1)
def _resnet() -> nn.Module:
    """As torchxrayvision's ResNet builds it, which cannot be had without its weights."""
    torch.manual_seed(0)
    network = torchvision.models.resnet50(num_classes=18)
    network.conv1 = nn.Conv2d(1, 64, kernel_size=7, stride=2, padding=3, bias=False)
    return _settled(network, 96)


def _apart(network: nn.Module, file: Path, side: int, keep: list[int]) -> float:
    """Greatest difference of logits beside the greatest logit, by the way a film takes through hilum."""
    model, geometry, _ = models.load(file)
    assert geometry.input_hw == (geometry.store_px,) * 2
    films = _films(2, side)
    affine = torch.from_numpy(input_to_store(geometry, 2)).float()
    with torch.inference_mode():
        ours = model(network_input(films, affine, (side, side)))
        theirs = network(_as_theirs(films))[:, keep]
    assert theirs.std() > 0.1
    return float((ours - theirs).abs().max() / theirs.abs().max())


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_a_pickled_densenet_gives_the_same_logits(tmp_path: Path, zipped: bool) -> None:
    network, release = _densenet(), RELEASES["densenet121-res224-pc"]
    file = tmp_path / release.file
    torch.save(network, file, _use_new_zipfile_serialization=zipped)
    _, findings = convert(file, tmp_path / "out.safetensors", allow_pickle=True)
    keep = [place for place, label in enumerate(LABELS) if label in findings]
    assert len(keep) == 15
    assert _apart(network, tmp_path / "out.safetensors", 224, keep) < WITHIN


def test_the_state_of_a_resnet_needs_no_pickle(tmp_path: Path) -> None:
    network, release = _resnet(), RELEASES["resnet50-res512-all"]
    torch.save(network.state_dict(), tmp_path / release.file)
    _, findings = convert(tmp_path / release.file, tmp_path / "out.safetensors")
    keep = [place for place, label in enumerate(LABELS) if label in findings]
    assert len(keep) == 16
    assert _apart(network, tmp_path / "out.safetensors", 512, keep) < WITHIN


def test_our_table_is_the_peers() -> None:
    theirs = {name: entry for name, entry in model_urls.items() if "-" in name}
    assert set(theirs) == set(RELEASES)
    for name, entry in theirs.items():
        release = RELEASES[name]
        assert entry["weights_url"].endswith(f"/{release.file}")
        assert entry["input_resolution"] == (512 if "res512" in name else 224)
        labels = [
            "" if math.isnan(threshold) else label
            for label, threshold in zip(entry["labels"], entry["op_threshs"], strict=True)
        ]
        assert labels == [label if label in release.learned else "" for label in LABELS]
