"""Projections beside a full SVD, and the sign that no library fixes."""

import pytest
import torch

from hilum.explain.capture import Captured, LastMap
from hilum.explain.eigen import eigen_cam, eigen_cam_centred, first_projection

from .conftest import HEADS

EVERY = torch.arange(3)


def _maps(n_channels: int, side: int, n: int = 4) -> torch.Tensor:
    generator = torch.Generator().manual_seed(n_channels + side)
    return torch.rand(n, n_channels, side, side, generator=generator).double()


def _captured(A: torch.Tensor) -> Captured:
    layers = {"last": LastMap(A, lambda _: A)}
    return Captured(HEADS["average"](), A, None, torch.zeros(len(A), 3).double(), layers)


def _by_svd(maps: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    X = maps.flatten(2).mT
    M = (X @ torch.linalg.svd(X, full_matrices=False).Vh[:, 0, :, None])[..., 0]
    total = reference.flatten(2).sum(dim=1)
    sign = torch.stack(
        [torch.corrcoef(torch.stack(pair))[0, 1].sign() for pair in zip(M, total, strict=True)]
    )
    return (M * sign[:, None]).reshape(len(maps), *maps.shape[2:])


@pytest.mark.parametrize(("n_channels", "side"), [(64, 4), (5, 7), (16, 4)], ids=["few", "many", "equal"])
@pytest.mark.parametrize("centred", [False, True])
def test_the_projection_is_that_of_a_full_svd(n_channels, side, centred) -> None:
    A = _maps(n_channels, side)
    X = A - A.mean(dim=(2, 3), keepdim=True) if centred else A
    method = eigen_cam_centred if centred else eigen_cam
    ours = method(_captured(A), EVERY)
    assert ours.shape == (4, 3, side, side)
    for finding in range(3):
        torch.testing.assert_close(ours[:, finding], _by_svd(X, A), atol=1e-8, rtol=1e-6)


def test_one_pattern_is_found_whole_with_its_sign() -> None:
    pattern = torch.tensor([[0.0, 1.0], [2.0, 5.0]]).double()
    weights = torch.tensor([3.0, 0.0, 4.0]).double()
    maps = (weights[:, None, None] * pattern)[None]
    torch.testing.assert_close(first_projection(maps)[0], 5 * pattern)
    torch.testing.assert_close(first_projection(-maps)[0], -5 * pattern)


@pytest.mark.parametrize("n_channels", [40, 6])
def test_the_order_of_channels_and_the_memory_layout_do_not_matter(n_channels) -> None:
    A = _maps(n_channels, 5)
    expected = first_projection(A)
    shuffled = A[:, torch.randperm(n_channels, generator=torch.Generator().manual_seed(0))]
    torch.testing.assert_close(first_projection(shuffled), expected)
    strided = A.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(first_projection(strided), expected)


def test_nothing_and_no_film() -> None:
    assert (first_projection(torch.zeros(2, 6, 3, 3)) == 0).all()
    assert first_projection(torch.zeros(0, 6, 3, 3)).shape == (0, 3, 3)
