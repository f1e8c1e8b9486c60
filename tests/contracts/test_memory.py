"""What a call leaves behind: no hook, no tensor, no memory, and no switch of torch in another place."""

import gc
import os
import weakref
from pathlib import Path

import pytest
import torch
from tests.explain.conftest import FINDINGS, SIDE, body
from torch import nn

from hilum import models
from hilum.explain import METHODS, heatmaps
from hilum.models import Classifier, Foreign
from hilum.models.classifier import AveragePooling, Body

STATM = Path("/proc/self/statm")
NAMES = {
    **{name: name for name in METHODS},
    "integrated_gradients": "integrated_gradients(2)",
    "occlusion": "occlusion(12, 12)",
    "rise": "rise(4, 3)",
    "smooth_integrated_gradients": "smooth_integrated_gradients(2, 2)",
    "smoothgrad": "smoothgrad(2)",
    "before the ReLU": "gradcam(pre_relu)",
    "eigen": "gradcam++-eigen",
    "augmentation": "gradcam-augmentation",
}
"""Every method with few samples, and every kind of smoothing."""


class BrokenError(Exception):
    """On purpose."""


class Fragile(nn.Module):
    """Passes values on, until told to break."""

    breaks = False

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        if self.breaks:
            raise BrokenError
        return values


def average_pooling() -> AveragePooling:
    return AveragePooling(Body(nn.Sequential(*body(), Fragile()), 6, FINDINGS, (SIDE, SIDE))).eval()


def foreign() -> Foreign:
    module = nn.Sequential(body(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), Fragile(), nn.Linear(6, 3))
    return Foreign(module, "0", FINDINGS, (SIDE, SIDE)).eval()


def transformer() -> Classifier:
    options = {"map_stride": 32, "metadata": False, "findings": FINDINGS, "input_hw": (32, 32)}
    model = models.build(name="average_pooling", backbone="vit_tiny_patch16_224", **options).eval()
    model.network = model.get_submodule("backbone.transformer.network")
    model.network.blocks = model.network.blocks[:2]
    model.network.norm = nn.Sequential(model.network.norm, Fragile())
    return model


def wildcat() -> Classifier:
    return models.pooling.Wildcat(Body(nn.Sequential(*body(), Fragile()), 6, FINDINGS, (SIDE, SIDE))).eval()


def case(name: str) -> tuple[Classifier, torch.Tensor]:
    """A small network on which the method is defined, and two films."""
    make, side = average_pooling, SIDE
    if name == "attention_rollout":
        make, side = transformer, 32
    if name == "own":
        make = wildcat
    torch.manual_seed(0)
    return make(), torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(1))


def marks(model: nn.Module) -> list[object]:
    """Everything that a call could leave on a model or on torch."""
    hooks = [
        len(getattr(part, name))
        for part in model.modules()
        for name in ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    ]
    fused = [part.fused_attn for part in model.modules() if hasattr(part, "fused_attn")]
    gradients = [parameter.grad is None for parameter in model.parameters()]
    asked = [parameter.requires_grad for parameter in model.parameters()]
    switches = [torch.is_grad_enabled(), torch.is_inference_mode_enabled(), len(_function_modes())]
    return [hooks, fused, gradients, asked, switches, model.training]


def _function_modes() -> list[object]:
    return torch.overrides._get_current_function_mode_stack()


EVERY = [(name, "own") for name in NAMES] + [(name, "elsewhere") for name in ("gradcam", "scorecam", "eigen")]


def built(name: str, kind: str) -> tuple[Classifier, torch.Tensor]:
    model, images = case(name)
    return (foreign(), images) if kind == "elsewhere" else (model, images)


@pytest.mark.parametrize(("name", "kind"), EVERY)
def test_nothing_is_left_on_the_network(name, kind) -> None:
    model, images = built(name, kind)
    before, method = marks(model), NAMES[name]
    heatmaps(model, images, method=method)
    assert marks(model) == before
    assert images.grad is None


@pytest.mark.parametrize("after", [0, 1])
@pytest.mark.parametrize(("name", "kind"), EVERY)
def test_nothing_is_left_on_the_network_by_a_method_that_breaks(name, kind, after) -> None:
    """At the first pass, or at a later one if the method has any."""
    model, images = built(name, kind)
    before = marks(model)
    (fragile,) = [part for part in model.modules() if isinstance(part, Fragile)]
    calls = []

    def break_later(*_: object) -> None:
        calls.append(1)
        fragile.breaks = len(calls) > after

    hook = fragile.register_forward_pre_hook(break_later)
    broke = False
    try:
        heatmaps(model, images, method=NAMES[name])
    except BrokenError:
        broke = True
    finally:
        hook.remove()
    assert broke == (len(calls) > after)
    assert broke or after
    assert marks(model) == before
    fragile.breaks = False
    heatmaps(model, images, method=NAMES[name])


@pytest.mark.parametrize(("name", "kind"), EVERY)
def test_no_tensor_survives_but_the_maps(name, kind) -> None:
    """Without the help of the garbage collector: a cycle would hold activations of a whole batch for long."""
    model, images = built(name, kind)
    heatmaps(model, images, method=NAMES[name])
    seen: list[weakref.ref] = []
    hooks = [
        part.register_forward_hook(lambda _part, _inputs, made: seen.append(weakref.ref(made)))
        for part in model.modules()
        if not [*part.children()] or isinstance(part, Fragile)
    ]
    gc.collect()
    gc.disable()
    try:
        before = _tensors()
        maps = heatmaps(model, images, method=NAMES[name])
        assert seen
        assert not [one for one in seen if one() is not None]
        assert isinstance(maps.base, torch.Tensor)
        assert maps.base.untyped_storage().nbytes() == maps.nbytes  # and no part of something larger
        assert _tensors() == before + 1
        del maps
        assert _tensors() == before
    finally:
        gc.enable()
        for hook in hooks:
            hook.remove()


def _tensors() -> int:
    return sum(issubclass(type(each), torch.Tensor) for each in gc.get_objects())


def _resident_bytes() -> int:
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


THIN = ("cam", "gradcam++", "eigencam", "before the ReLU")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in THIN else pytest.mark.slow) for name in NAMES]
)
def test_a_thousand_calls_do_not_grow_the_process(name) -> None:
    model, images = case(name)
    sizes = []
    for call in range(1000):
        heatmaps(model, images, method=NAMES[name])
        if call in (99, 999):
            gc.collect()
            sizes.append(_resident_bytes())
    assert sizes[1] - sizes[0] < 4e6
