"""Maps of the film itself beside captum's: gradients, paths, guided backpropagation, occlusion."""

import copy
import warnings

import numpy as np
import pytest
import timm
import torch
from captum.attr import (
    GuidedBackprop,
    GuidedGradCam,
    IntegratedGradients,
    NoiseTunnel,
    Occlusion,
    Saliency,
)
from pytorch_grad_cam import GuidedBackpropReLUModel
from torch import Tensor, nn
from torch.nn import functional

from hilum.explain import heatmaps
from hilum.localize.scale import unit_map
from hilum.models import Foreign
from hilum.models.classifier import AveragePooling, Body
from hilum.models.inputs import BLACK

from .conftest import WITHIN, apart, each, films, grid, network

THIN = {("resnet50", 64), ("vgg11", 64)}
WITH_RELU = [case for case in grid(THIN) if case.values[0] != "efficientnet_lite0"]
"""captum guides no ReLU6; tests/explain/test_guided.py has that one by hand."""
SOME = range(2)
STEPS, SAMPLES = 3, 3


def set_beside(ours: np.ndarray, theirs: Tensor) -> float:
    """How far maps in [0, 1] are apart; of the peer's channels the greatest absolute value is taken."""
    saliency = theirs.detach().abs().amax(dim=2).numpy()
    return apart(each(as_of_one(ours), unit_map), each(as_of_one(saliency), unit_map))


def as_of_one(maps: np.ndarray) -> np.ndarray:
    """Divided by the greatest value, so that the 1e-7 of the scaling means the same on both sides."""
    return maps / maps.max()


def asked(attribute, **options) -> Tensor:
    """One call a finding, as captum wants it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Setting backward hooks|Required_grads|Input Tensor")
        return torch.stack([attribute(target=finding, **options) for finding in SOME], dim=1)


def ours(model, images: Tensor, method: str, seed: int = 0) -> np.ndarray:
    return heatmaps(model, images, model.findings[: len(SOME)], method, seed=seed)


@pytest.mark.parametrize(("backbone", "side"), grid(THIN | {("densenet121", 64), ("efficientnet_lite0", 64)}))
def test_gradients_are_captums(backbone, side) -> None:
    model, images = network(backbone), films(2, side)
    theirs = asked(Saliency(model).attribute, inputs=images.clone())
    assert set_beside(ours(model, images, "gradient"), theirs) <= WITHIN


def black(images: Tensor) -> Tensor:
    return torch.tensor(BLACK)[None, :, None, None].expand_as(images)


@pytest.mark.parametrize(("backbone", "side"), grid(THIN))
def test_integrated_gradients_are_captums(backbone, side) -> None:
    model, images = network(backbone), films(2, side)
    options = {"n_steps": STEPS, "method": "riemann_right", "internal_batch_size": 6}
    theirs = asked(IntegratedGradients(model).attribute, inputs=images, baselines=black(images), **options)
    assert set_beside(ours(model, images, f"integrated_gradients({STEPS})"), theirs) <= WITHIN


class SameNoise(NoiseTunnel):
    """captum's mean over noisy copies, with the draws that ours makes of a seed: the same for every film."""

    @staticmethod
    def _add_noise_to_input(input: Tensor, stdev: float, nt_samples_partition: int) -> Tensor:  # noqa: A002
        draws = [
            torch.randn(input.shape[1:], generator=torch.Generator().manual_seed(5 * 1_000_003 + j))
            for j in range(nt_samples_partition)
        ]
        deviation = [stdev * (film.max() - film.min()) for film in input]
        return torch.stack(
            [film + one * draw for film, one in zip(input, deviation, strict=True) for draw in draws]
        )


@pytest.mark.parametrize(("backbone", "side"), grid(THIN))
def test_smoothgrad_is_captums_noise_tunnel(backbone, side) -> None:
    model, images = network(backbone), films(2, side)
    tunnel = SameNoise(Saliency(model))
    theirs = asked(tunnel.attribute, inputs=images, nt_samples=SAMPLES, stdevs=0.15, abs=False)
    assert set_beside(ours(model, images, f"smoothgrad({SAMPLES}, 0.15)", seed=5), theirs) <= WITHIN


@pytest.mark.parametrize(("backbone", "side"), grid({("vgg11", 64)}))
def test_smooth_integrated_gradients_are_captums(backbone, side) -> None:
    model, images = network(backbone), films(1, side)
    options = {"baselines": black(images), "n_steps": STEPS, "method": "riemann_right"}
    tunnel = SameNoise(IntegratedGradients(model))
    theirs = asked(tunnel.attribute, inputs=images, nt_samples=2, stdevs=0.1, **options)
    name = f"smooth_integrated_gradients(2, {STEPS}, 0.1)"
    assert set_beside(ours(model, images, name, seed=5), theirs) <= WITHIN


@pytest.mark.parametrize(("backbone", "side"), WITH_RELU)
def test_guided_backprop_is_captums(backbone, side) -> None:
    model, images = network(backbone), films(2, side)
    theirs = asked(GuidedBackprop(model).attribute, inputs=images.clone())
    assert set_beside(ours(model, images, "guided_backprop"), theirs) <= WITHIN
    plain = ours(model, images, "gradient")
    assert set_beside(plain, theirs) > 0.01


@pytest.mark.parametrize(("backbone", "side"), WITH_RELU)
def test_guided_grad_cam_is_captums(backbone, side) -> None:
    model, images = network(backbone), films(2, side)
    peer = GuidedGradCam(model, model.backbone)
    theirs = asked(peer.attribute, inputs=images.clone(), interpolate_mode="bilinear")
    assert set_beside(ours(model, images, "guided_gradcam"), theirs) <= WITHIN


WINDOWS = [(16, 16), (20, 12), (64, 64), (30, 30)]
"""Patch and stride in px; of the second and the last, windows reach over the edge of 64 px."""


@pytest.mark.parametrize(("patch", "stride"), WINDOWS)
def test_occlusion_is_captums(patch, stride) -> None:
    _occlusion("vgg11", 64, patch, stride)


@pytest.mark.slow
@pytest.mark.parametrize(("backbone", "side"), grid(set()))
def test_occlusion_is_captums_on_every_network(backbone, side) -> None:
    _occlusion(backbone, side, 40, 24)


def _occlusion(backbone: str, side: int, patch: int, stride: int) -> None:
    model, images = network(backbone), films(1, side)
    with torch.no_grad():
        theirs = asked(
            Occlusion(model).attribute,
            inputs=images,
            sliding_window_shapes=(3, patch, patch),
            strides=(3, stride, stride),
        )
    maps = ours(model, images, f"occlusion({patch}, {stride})")
    assert float(theirs.abs().max()) > 1e-4  # of logits of drawn weights
    scale = float(theirs.abs().max())
    assert np.abs(maps - theirs[:, :, 0].numpy()).max() / scale <= 10 * WITHIN  # logits cancel to a few %


class Relus(nn.Module):
    """Three convolutions, whose ReLUs are called in one of several ways."""

    def __init__(self, called: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        sizes = ((3, 6), (6, 8), (8, 8))
        self.layers = nn.ModuleList(nn.Conv2d(*size, 3, stride=2, padding=1) for size in sizes)
        self.head = nn.Linear(8, 3)
        self.called = called
        modules = [nn.ReLU("in place" in called) for _ in range(1 if "shared" in called else 3)]
        self.relus = nn.ModuleList(modules * (3 // len(modules)))

    def forward(self, images: Tensor) -> Tensor:
        for layer, relu in zip(self.layers, self.relus, strict=True):
            images = functional.relu(layer(images)) if self.called == "function" else relu(layer(images))
        return self.head(images.mean(dim=(2, 3)))


CALLS = ["modules", "in place", "shared", "shared, in place", "function"]


@pytest.mark.parametrize("called", CALLS)
def test_captum_guides_modules_and_ours_every_relu(called) -> None:
    """Of a functional ReLU captum gives the plain gradient, and says nothing; pytorch-grad-cam does too."""
    images, reference = films(2, 24), Relus("modules").eval()
    guided = asked(GuidedBackprop(reference).attribute, inputs=images.clone())
    module = Relus(called).eval()
    model = Foreign(module, "layers.2", ("a", "b", "c"), (24, 24)).eval()
    assert set_beside(ours(model, images, "guided_backprop"), guided) <= WITHIN
    by_captum = asked(GuidedBackprop(module).attribute, inputs=images.clone())
    plain = asked(Saliency(module).attribute, inputs=images.clone(), abs=False)
    assert not torch.allclose(guided, plain, atol=1e-6)
    torch.testing.assert_close(by_captum, plain if called == "function" else guided)
    by_other = GuidedBackpropReLUModel(copy.deepcopy(module))(images[:1].clone(), 0).transpose(2, 0, 1)
    expected = (plain if called == "function" else guided)[0, 0]
    torch.testing.assert_close(torch.from_numpy(by_other), expected, atol=1e-6, rtol=1e-4)


def test_clipped_relus_are_guided_too() -> None:
    """EfficientNet-Lite has ReLU6 only: captum leaves it plain."""
    model, images = network("efficientnet_lite0"), films(1, 64)
    by_captum = asked(GuidedBackprop(model).attribute, inputs=images.clone())
    assert set_beside(ours(model, images, "gradient"), by_captum) <= WITHIN
    assert set_beside(ours(model, images, "guided_backprop"), by_captum) > 0.01


@pytest.mark.parametrize("backbone", ["efficientnet_b0", "convnext_atto"])
@pytest.mark.parametrize("method", ["guided_backprop", "guided_gradcam"])
def test_silu_and_gelu_have_no_guided_backpropagation(backbone, method) -> None:
    module = timm.create_model(backbone, num_classes=0, global_pool="")
    model = AveragePooling(Body(nn.Sequential(module), module.num_features, ("a", "b"), (64, 64))).eval()
    with pytest.raises(TypeError, match=r"ran through no ReLU.*use smoothgrad"):
        heatmaps(model, films(1, 64), method=method)
