"""Every heatmap method of the table."""

import numpy as np
import pytest
import torch
from torch import nn

from hilum.explain import METHODS, heatmaps, logits_and_heatmaps
from hilum.models.classifier import AveragePooling, LastMapClassifier

LINEAR_ONLY = {"cam"}
"""Methods that exist for average pooling and one linear layer alone."""


class MaxPooling(LastMapClassifier):
    """A head that is not linear in the pooled map."""

    def __init__(self) -> None:
        super().__init__(("Effusion", "Mass"), (64, 64))
        self.body = nn.Sequential(nn.Conv2d(3, 4, 8, stride=8), nn.ReLU())
        self.head = nn.Linear(4, 2)

    @property
    def blocks(self) -> list[nn.Module]:
        return [self.head, self.body]

    def start_at(self, prevalence):
        self.head.bias.data = torch.logit(prevalence)

    def activations(self, images):
        return self.body(images)

    def logits_from(self, activations, metadata=None):
        return self.head(activations.amax(dim=(2, 3)))


def test_the_table_is_whole() -> None:
    assert sorted(METHODS) == [
        "cam",
        "eigencam",
        "eigencam_centred",
        "gradcam",
        "gradcam++",
        "hirescam",
        "layercam",
        "xgradcam",
    ]


@pytest.mark.parametrize("method", METHODS)
def test_maps_are_raw_arrays_of_map_resolution(
    method: str, network: AveragePooling, images: torch.Tensor
) -> None:
    maps = heatmaps(network, images, method=method)
    assert maps.shape == (2, 3, 8, 8)
    assert maps.dtype == np.float32
    assert isinstance(maps, np.ndarray)
    assert np.isfinite(maps).all()
    assert maps.std(axis=(2, 3)).min() > 0


@pytest.mark.parametrize("method", METHODS)
def test_same_films_same_maps(method: str, network: AveragePooling, images: torch.Tensor) -> None:
    first, second = (heatmaps(network, images, method=method) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("method", METHODS)
def test_a_film_does_not_see_its_neighbours(
    method: str, network: AveragePooling, images: torch.Tensor
) -> None:
    together, alone = heatmaps(network, images, method=method), heatmaps(network, images[1:], method=method)
    np.testing.assert_allclose(together[1:], alone, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_findings_are_found_by_name(method: str, network: AveragePooling, images: torch.Tensor) -> None:
    every = heatmaps(network, images, method=method)
    some = heatmaps(network, images, findings=("Hernia", "Effusion"), method=method)
    np.testing.assert_allclose(some, every[:, [2, 0]], atol=1e-7)


@pytest.mark.parametrize("method", METHODS)
def test_no_film_no_map(method: str, network: AveragePooling, images: torch.Tensor) -> None:
    assert heatmaps(network, images[:0], method=method).shape[:2] == (0, 3)


@pytest.mark.parametrize("method", METHODS)
def test_a_model_in_training_is_refused(method: str, network: AveragePooling, images: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="eval"):
        heatmaps(network.train(), images, method=method)


@pytest.mark.parametrize("method", METHODS)
def test_another_head_gives_maps_or_says_why_not(method: str, images: torch.Tensor) -> None:
    model = MaxPooling().eval()
    if method in LINEAR_ONLY:
        with pytest.raises(TypeError, match="MaxPooling"):
            heatmaps(model, images, method=method)
        return
    maps = heatmaps(model, images, method=method)
    assert maps.shape == (2, 2, 8, 8)
    assert np.isfinite(maps).all()


def test_all_methods_come_from_one_pass(network: AveragePooling, images: torch.Tensor) -> None:
    logits, maps = logits_and_heatmaps(network, images, tuple(METHODS))
    assert list(maps) == list(METHODS)
    with torch.inference_mode():
        np.testing.assert_allclose(logits, network(images).numpy(), atol=1e-6)


def test_an_unknown_method_is_named(network: AveragePooling, images: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="did you mean 'gradcam'"):
        heatmaps(network, images, method="gradcamm")
