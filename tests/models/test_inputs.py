"""Normalised by hand; that pixels go where boxes go is shown in tests/properties/test_geometry.py."""

import numpy as np
import pytest
import torch

from hilum.data.geometry import Geometry, input_to_store
from hilum.models import network_input

MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
IDENTITY = torch.eye(2, 3).unsqueeze(0)


def _films(n: int, side: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (n, side, side), np.uint8))


def _grey(images: torch.Tensor) -> np.ndarray:
    """Grey values in [0, 1], after checking that the three channels hold the same film."""
    channels = images.numpy().astype(float) * STD[:, None, None] + MEAN[:, None, None]
    np.testing.assert_allclose(channels, channels[:, :1].repeat(3, axis=1), atol=1e-6)
    return channels[:, 0]


@pytest.mark.parametrize(
    ("grey", "expected"),
    [
        (0, [-2.117904, -2.035714, -1.804444]),
        (255, [2.248908, 2.428571, 2.64]),
        (51, [-1.244541, -1.142857, -0.915556]),
    ],
)
def test_grey_values_are_normalised_as_imagenet_is(grey, expected) -> None:
    images = network_input(torch.full((1, 4, 4), grey, dtype=torch.uint8), IDENTITY, (4, 4))
    np.testing.assert_allclose(images[0, :, 2, 1].numpy(), expected, atol=1e-6)
    assert images.shape == (1, 3, 4, 4)
    assert images.dtype == torch.float32


@pytest.mark.parametrize("hw", [(8, 8), (5, 7)])
def test_batches_lie_in_channels_last_order(hw) -> None:
    images = network_input(_films(2, 8), IDENTITY.expand(2, 2, 3), hw)
    assert images.shape == (2, 3, *hw)
    assert images.is_contiguous(memory_format=torch.channels_last)


def test_an_identity_copies_pixels_and_its_shortcut_changes_nothing() -> None:
    films = _films(2, 8)
    short = network_input(films, IDENTITY.expand(2, 2, 3), (8, 8))
    np.testing.assert_allclose(_grey(short), films.numpy() / 255.0, atol=1e-6)
    moved = IDENTITY.expand(2, 2, 3).clone()
    moved[1, 0, 2] = 3.0  # one film elsewhere, so that no film takes the shortcut
    long = network_input(films, moved, (8, 8))
    torch.testing.assert_close(long[0], short[0], atol=2e-6, rtol=0)
    np.testing.assert_allclose(_grey(long)[1, :, :5], films[1, :, 3:].numpy() / 255.0, atol=2e-6)


def test_outside_the_film_is_black() -> None:
    films = torch.full((1, 8, 8), 255, dtype=torch.uint8)
    away = torch.tensor([[[1.0, 0, 4], [0, 1, 0]]])
    grey = _grey(network_input(films, away, (8, 8)))[0]
    np.testing.assert_allclose(grey[:, :4], 1.0, atol=1e-6)
    np.testing.assert_allclose(grey[:, 4:], 0.0, atol=1e-6)


@pytest.mark.parametrize(
    ("affine", "expected"),
    [
        ([[-1, 0, 4], [0, 1, 0]], lambda film: film[:, ::-1]),
        ([[1, 0, 0], [0, -1, 4]], lambda film: film[::-1]),
        ([[0, 1, 0], [1, 0, 0]], lambda film: film.T),
        ([[1, 0, 1], [0, 1, -1]], lambda film: np.pad(film, ((1, 0), (0, 1)))[:4, 1:]),
        ([[0.5, 0, 0], [0, 1, 0]], lambda film: np.stack([_quarter(row) for row in film])),
    ],
)
def test_what_an_affine_does_to_pixels(affine, expected) -> None:
    film = _films(1, 4)
    grey = _grey(network_input(film, torch.tensor([affine], dtype=torch.float32), (4, 4)))[0]
    np.testing.assert_allclose(grey, expected(film[0].numpy() / 255.0), atol=1e-6)


def _quarter(row: np.ndarray) -> list[float]:
    """At 1/4, 3/4, 5/4 and 7/4 px of a row whose values stand at 1/2, 3/2; before them it fades to black."""
    a, b, c = row[:3]
    return [0.75 * a, 0.75 * a + 0.25 * b, 0.25 * a + 0.75 * b, 0.75 * b + 0.25 * c]


def test_resize_then_crop() -> None:
    """A store of 8 px seen as 4 px whose margin of 1 px is cut: the middle 4 x 4 pixels, averaged by twos."""
    films, geometry = _films(3, 8), Geometry(2, 4, 8)
    affine = torch.from_numpy(input_to_store(geometry, 3)).float()
    middle = films[:, 2:6, 2:6].numpy() / 255.0
    expected = middle.reshape(3, 2, 2, 2, 2).mean(axis=(2, 4))
    np.testing.assert_allclose(_grey(network_input(films, affine, (2, 2))), expected, atol=1e-6)


def test_each_film_has_its_own_affine() -> None:
    films = _films(2, 6)
    affine = torch.tensor([[[1.0, 0, 0], [0, 1, 0]], [[-1, 0, 6], [0, 1, 0]]])
    grey = _grey(network_input(films, affine, (6, 6)))
    np.testing.assert_allclose(grey[0], films[0].numpy() / 255.0, atol=2e-6)
    np.testing.assert_allclose(grey[1], films[1].numpy()[:, ::-1] / 255.0, atol=2e-6)


def test_no_film() -> None:
    assert network_input(_films(0, 8), torch.zeros(0, 2, 3), (8, 8)).shape == (0, 3, 8, 8)
    assert network_input(_films(0, 8), torch.zeros(0, 2, 3), (4, 4)).shape == (0, 3, 4, 4)
