"""Every heatmap method of the table, each on a network that has what it needs, with few samples."""

import numpy as np
import pytest
import torch
from torch import nn

from hilum import models
from hilum.explain import METHODS, SMOOTHINGS, WEIGHTS, heatmaps, logits_and_heatmaps
from hilum.models import Classifier
from hilum.models.classifier import AveragePooling

from .conftest import FINDINGS

OPTIONS = {
    "attention_rollout": "attention_rollout",
    "cam": "cam",
    "eigencam": "eigencam(pre_relu)",
    "eigencam_centred": "eigencam_centred",
    "gradcam": "gradcam(pre_relu)",
    "gradcam++": "gradcam++",
    "gradient": "gradient",
    "guided_backprop": "guided_backprop",
    "guided_gradcam": "guided_gradcam",
    "hirescam": "hirescam",
    "integrated_gradients": "integrated_gradients(3)",
    "layercam": "layercam",
    "occlusion": "occlusion(16, 8)",
    "own": "own",
    "rise": "rise(20, 4)",
    "scorecam": "scorecam",
    "smooth_integrated_gradients": "smooth_integrated_gradients(2, 3)",
    "smoothgrad": "smoothgrad(3, 0.2)",
    "xgradcam": "xgradcam(pre_relu)",
}
"""Each method as it is called here."""

OF_THE_FILM = {
    "gradient",
    "guided_backprop",
    "guided_gradcam",
    "integrated_gradients",
    "occlusion",
    "rise",
    "smooth_integrated_gradients",
    "smoothgrad",
}
"""Methods whose maps have the size of the input."""

WITHOUT_LAST_MAP = OF_THE_FILM - {"guided_gradcam"}
ONE_FOR_ALL_FINDINGS = {"attention_rollout", "eigencam", "eigencam_centred"}
EVERY = [pytest.param(name, id=method) for method, name in OPTIONS.items()]


def _network(name: str, network: AveragePooling) -> Classifier:
    """The small network, or one that has what only some have."""
    torch.manual_seed(0)
    settings = {"map_stride": 32, "metadata": False, "findings": FINDINGS, "input_hw": (64, 64)}
    if name == "attention_rollout":
        return models.build(name="average_pooling", backbone="vit_tiny_patch16_224", **settings).eval()
    if name == "own":
        return models.build(name="wildcat(2)", backbone="resnet10t", **settings).eval()
    return network


def test_the_tables_are_whole() -> None:
    assert sorted(METHODS) == sorted(OPTIONS)
    assert len(METHODS) == 19
    assert sorted(WEIGHTS) == ["cam", "gradcam", "gradcam++", "hirescam", "layercam", "scorecam", "xgradcam"]
    assert sorted(SMOOTHINGS) == ["augmentation", "eigen"]


@pytest.mark.parametrize("method", EVERY)
def test_maps_are_raw_arrays(method: str, network: AveragePooling, images: torch.Tensor) -> None:
    maps = heatmaps(_network(method, network), images, method=method)
    side = (
        64 if method.partition("(")[0] in OF_THE_FILM else {"attention_rollout": 4, "own": 2}.get(method, 8)
    )
    assert maps.shape == (2, 3, side, side)
    assert maps.dtype == np.float32
    assert isinstance(maps, np.ndarray)
    assert np.isfinite(maps).all()
    assert maps.std(axis=(2, 3)).min() > 0
    same = np.array_equal(maps[:, 0], maps[:, 1])
    assert same == (method.partition("(")[0] in ONE_FOR_ALL_FINDINGS)


@pytest.mark.parametrize("method", EVERY)
def test_same_films_same_maps(method: str, network: AveragePooling, images: torch.Tensor) -> None:
    model = _network(method, network)
    first, second = (heatmaps(model, images, method=method) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("method", EVERY)
def test_a_film_does_not_see_its_neighbours(
    method: str, network: AveragePooling, images: torch.Tensor
) -> None:
    model = _network(method, network)
    together, alone = heatmaps(model, images, method=method), heatmaps(model, images[1:], method=method)
    np.testing.assert_allclose(together[1:], alone, atol=1e-6)


@pytest.mark.parametrize("method", EVERY)
def test_findings_are_found_by_name(method: str, network: AveragePooling, images: torch.Tensor) -> None:
    model = _network(method, network)
    every = heatmaps(model, images, method=method)
    some = heatmaps(model, images, findings=("Hernia", "Effusion"), method=method)
    np.testing.assert_allclose(some, every[:, [2, 0]], atol=1e-7)


@pytest.mark.parametrize("method", EVERY)
def test_no_film_no_map(method: str, network: AveragePooling, images: torch.Tensor) -> None:
    assert heatmaps(_network(method, network), images[:0], method=method).shape[:2] == (0, 3)


@pytest.mark.parametrize("method", EVERY)
def test_a_model_in_training_is_refused(method: str, network: AveragePooling, images: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="eval"):
        heatmaps(_network(method, network).train(), images, method=method)


@pytest.mark.parametrize("method", EVERY)
def test_a_model_without_what_a_method_needs_is_told_what_to_use(method: str, images: torch.Tensor) -> None:
    model = _BlackBox().eval()
    if method.partition("(")[0] in WITHOUT_LAST_MAP:
        assert np.isfinite(heatmaps(model, images, method=method)).all()
        return
    with pytest.raises(TypeError, match=r"_BlackBox (has|makes) no .*"):
        heatmaps(model, images, method=method)


class _BlackBox(Classifier):
    """Films to logits and nothing else."""

    def __init__(self) -> None:
        super().__init__(FINDINGS, (64, 64))
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 8, stride=8), nn.ReLU(), nn.Flatten(), nn.Linear(256, 3))

    @property
    def blocks(self) -> list[nn.Module]:
        return [self.layers]

    def start_at(self, prevalence):
        pass

    def forward(self, images, metadata=None):
        return self.layers(images)


NAMES = [
    "gradcam++-eigen",
    "eigencam-eigen",
    "gradient-eigen(map_rank1)",
    "xgradcam(pre_relu)-augmentation",
    "smoothgrad(2)-augmentation(three_flipped)",
    "layercam-eigen-augmentation(six, signed)",
]


@pytest.mark.parametrize("name", NAMES)
def test_smoothed_maps_of_every_kind(name: str, network: AveragePooling, images: torch.Tensor) -> None:
    method, _, smoothing = name.partition("-")
    maps = heatmaps(network, images, ("Hernia", "Mass"), method, smoothing)
    assert maps.shape == (2, 2, *((64, 64) if method in ("gradient", "smoothgrad(2)") else (8, 8)))
    assert maps.dtype == np.float32
    assert maps.std(axis=(2, 3)).min() > 0
    assert heatmaps(network, images[:0], None, method, smoothing).shape[:2] == (0, 3)


WRONG = {
    "gradcamm": "did you mean 'gradcam'",
    "gradcam-eigenn": "did you mean 'eigen'",
    "gradcam(before)": "layer is one of last, pre_relu",
    "gradcam-augmentation-eigen": "each once: gradcam-eigen-augmentation",
    "gradcam-eigen-eigen": "each once",
    "gradcam-augmentation(seven)": "passes is one of six, three_flipped",
    "smoothgrad(0)": "samples is 0; it must be a whole number",
    "occlusion(8, 16)": "a stride above the patch",
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_name_is_told_what_is_right(name: str, network: AveragePooling, images: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=WRONG[name]):
        heatmaps(network, images, method=name)


def test_eigen_smoothing_needs_channels(network: AveragePooling, images: torch.Tensor) -> None:
    with pytest.raises(TypeError, match=r"gradient weighs no channels .*eigen\(map_rank1\)"):
        heatmaps(network, images, method="gradient-eigen")


def test_methods_share_their_passes(network: AveragePooling, images: torch.Tensor) -> None:
    passes = []
    network.backbone.register_forward_hook(lambda *_: passes.append(1))
    names = ("cam", "gradcam", "eigencam", "gradcam-eigen")
    logits, maps = logits_and_heatmaps(network, images, names)
    assert len(passes) == 1
    assert tuple(maps) == names
    smoothed = tuple(f"{name}-augmentation" for name in names)
    _, maps = logits_and_heatmaps(network, images, (*smoothed, "gradcam"))
    assert len(passes) == 3  # the films, and six copies of each at once
    assert tuple(maps) == (*smoothed, "gradcam")
    with torch.inference_mode():
        np.testing.assert_allclose(logits, network(images).numpy(), atol=1e-6)
