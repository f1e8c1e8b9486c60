"""Closed forms beside gradients from hooks and full backward passes, one film and one finding at a time."""

import sys
from functools import partial

import pytest
import torch

from hilum.explain import WEIGHTS
from hilum.explain.cam import channel_sum
from hilum.explain.capture import Captured, LastMap, capture, head_gradients
from hilum.models.classifier import AveragePooling

from .conftest import FINDINGS, HEADS, SIDE, by_backward

EVERY = torch.arange(3)
WITHIN = {"atol": 1e-6, "rtol": 0.0}


def maps(method: str, captured: Captured, findings: torch.Tensor = EVERY) -> torch.Tensor:
    return channel_sum(captured.at().activations, WEIGHTS[method](captured, findings))


def _gradients(captured: Captured, findings: torch.Tensor) -> torch.Tensor:
    A = captured.at().activations
    return captured.at().gradients(findings).expand(len(A), -1, -1, *A.shape[2:])


def _last(model):
    return (model.backbone if isinstance(model, AveragePooling) else model.body)[-1]


def test_grad_cam_is_the_mean_gradient_times_the_map(model, images, metadata) -> None:
    ours = maps("gradcam", capture(model, images, metadata))
    assert ours.shape == (3, 3, 6, 6)
    for finding in range(len(FINDINGS)):
        A, G = by_backward(model, _last(model), finding, images, metadata)
        a = G.sum(dim=(2, 3), keepdim=True) / 36
        expected = (a * A).sum(dim=1)
        assert expected.std() > 1e-4
        assert (expected < 0).any()  # raw: no ReLU was applied
        torch.testing.assert_close(ours[:, finding], expected, **WITHIN)


def test_gradients_of_the_head_are_those_of_the_network(model, images, metadata) -> None:
    ours = _gradients(capture(model, images, metadata), EVERY)
    assert ours.shape == (3, 3, 6, 6, 6)
    for finding in range(len(FINDINGS)):
        _, G = by_backward(model, _last(model), finding, images, metadata)
        torch.testing.assert_close(ours[:, finding], G, atol=1e-12, rtol=1e-9)


@pytest.mark.parametrize("head", ["average", "average and metadata"])
def test_cam_is_the_weighted_map(head, images, metadata) -> None:
    model = HEADS[head]().double().eval()
    captured = capture(model, images, metadata)
    ours, A, w = maps("cam", captured), captured.at().activations, model.head.weight.detach()
    for film in range(3):
        for finding in range(3):
            expected = sum(w[finding, k] * A[film, k] for k in range(A.shape[1]))
            torch.testing.assert_close(ours[film, finding], expected, **WITHIN)


def test_the_mean_of_a_cam_is_its_logit_without_the_bias(images) -> None:
    model = HEADS["average"]().double().eval()
    captured = capture(model, images)
    from_maps = maps("cam", captured).mean(dim=(2, 3)) + model.head.bias
    torch.testing.assert_close(from_maps.detach(), captured.logits.clone())


def test_cam_is_hw_times_grad_cam(images) -> None:
    model = HEADS["average"]().double().eval()
    captured = capture(model, images)
    torch.testing.assert_close(maps("cam", captured), 36 * maps("gradcam", captured))


def test_another_head_has_no_cam(images) -> None:
    model = HEADS["another"]().double().eval()
    with pytest.raises(TypeError, match=r"LogSumExp has no CAM: .*; use gradcam"):
        maps("cam", capture(model, images))


def test_only_another_head_needs_gradients(model, images, metadata, monkeypatch) -> None:
    calls = []

    def counted(*arguments):
        calls.append(arguments)
        return head_gradients(*arguments)

    monkeypatch.setattr(sys.modules[capture.__module__], "head_gradients", counted)
    maps("gradcam", capture(model, images, metadata))
    assert len(calls) == (not isinstance(model, AveragePooling))


def test_the_gradient_stops_at_the_last_map(images) -> None:
    model = HEADS["another"]().double().eval()
    captured = capture(model, images)
    model.body.register_forward_hook(lambda *_: pytest.fail("the backbone ran again"))
    with torch.inference_mode():
        maps("gradcam", captured)
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("method", [partial(maps, "gradcam"), _gradients])
def test_findings_do_not_leak_into_each_other(model, images, metadata, method) -> None:
    captured = capture(model, images, metadata)
    every = method(captured, EVERY)
    some = method(captured, torch.tensor([2, 0, 2]))
    torch.testing.assert_close(some, every[:, [2, 0, 2]], atol=1e-12, rtol=0.0)
    with torch.no_grad():
        model.head.weight[1] = 1e6
        model.head.bias[1] = float("nan")
    changed = method(captured, EVERY)
    torch.testing.assert_close(changed[:, [0, 2]], every[:, [0, 2]], atol=1e-12, rtol=0.0)
    assert not torch.allclose(changed[:, 1], every[:, 1])


@pytest.mark.parametrize("method", [partial(maps, "gradcam"), _gradients])
def test_films_do_not_leak_into_each_other(model, images, metadata, method) -> None:
    together = method(capture(model, images, metadata), EVERY)
    others = images.clone()
    others[1:] = 100.0
    beside_others = method(capture(model, others, metadata), EVERY)
    torch.testing.assert_close(beside_others[0], together[0], atol=1e-12, rtol=0.0)
    alone = method(capture(model, images[:1], metadata[:1]), EVERY)
    torch.testing.assert_close(alone[0], together[0], atol=1e-12, rtol=0.0)


def test_metadata_bend_the_map_only_through_another_head(images, metadata) -> None:
    for head, moves in (("average and metadata", False), ("another", True)):
        model = HEADS[head]().double().eval()
        first, second = (maps("gradcam", capture(model, images, m)) for m in (metadata, 5 * metadata))
        assert torch.allclose(first, second, atol=1e-9) != moves


def test_no_film_and_no_finding(model, images, metadata) -> None:
    nobody = capture(model, images[:0], metadata[:0])
    assert maps("gradcam", nobody).shape == (0, 3, 6, 6)
    nothing = torch.zeros(0, dtype=torch.long)
    assert maps("gradcam", capture(model, images, metadata), nothing).shape == (3, 0, 6, 6)


def test_a_map_need_not_be_square(model, images, metadata) -> None:
    wide = torch.cat([images, images.flip(2)], dim=3)
    ours = maps("gradcam", capture(model, wide, metadata))
    assert ours.shape == (3, 3, SIDE // 4, SIDE // 2)
    A, G = by_backward(model, _last(model), 1, wide, metadata)
    expected = (G.mean(dim=(2, 3), keepdim=True) * A).sum(dim=1)
    torch.testing.assert_close(ours[:, 1], expected, **WITHIN)


def _plus_plus(A, G):
    alpha = torch.where(G != 0, G**2 / (2 * G**2 + A.sum(dim=(2, 3), keepdim=True) * G**3 + 1e-6), 0)
    return ((alpha * G.clamp(min=0)).sum(dim=(2, 3), keepdim=True) * A).sum(dim=1)


def _xgrad(A, G):
    a = (G * A).sum(dim=(2, 3), keepdim=True) / (A.sum(dim=(2, 3), keepdim=True) + 1e-7)
    return (a * A).sum(dim=1)


FORMULAS = {
    "gradcam++": _plus_plus,
    "xgradcam": _xgrad,
    "layercam": lambda A, G: (G.clamp(min=0) * A).sum(dim=1),
    "hirescam": lambda A, G: (G * A).sum(dim=1),
}


@pytest.mark.parametrize("method", FORMULAS)
def test_formulas_hold_of_gradients_through_the_whole_network(method, model, images, metadata) -> None:
    ours = maps(method, capture(model, images, metadata))
    assert ours.shape == (3, 3, 6, 6)
    for finding in range(len(FINDINGS)):
        expected = FORMULAS[method](*by_backward(model, _last(model), finding, images, metadata))
        assert expected.std() > 1e-5
        torch.testing.assert_close(ours[:, finding], expected, **WITHIN)


@pytest.mark.parametrize("method", ["xgradcam", "hirescam"])
def test_what_is_grad_cam_for_average_pooling(method, images) -> None:
    model = HEADS["average"]().double().eval()
    captured = capture(model, images)
    torch.testing.assert_close(maps(method, captured), maps("gradcam", captured), atol=1e-7, rtol=1e-5)


def test_grad_cam_plus_plus_by_hand() -> None:
    """One channel of 2 x 2 with A = 1, 2, 3, 6 and w = 0.8: g = 0.2, S = 12, a = 4 g^3 / (2 g^2 + S g^3)."""
    model = HEADS["average"]().double().eval()
    A = torch.zeros(1, 6, 2, 2).double()
    A[0, 0] = torch.tensor([[1.0, 2.0], [3.0, 6.0]])
    with torch.no_grad():
        model.head.weight.zero_()
        model.head.weight[0, 0], model.head.weight[0, 1] = 0.8, -0.8
    G = model.head.weight.detach()[None, :, :, None, None] / 4
    captured = Captured(model, A, None, torch.zeros(1, 3).double(), {"last": LastMap(A, lambda _: G)})
    a = 4 * 0.2**3 / (2 * 0.2**2 + 12 * 0.2**3 + 1e-6)
    torch.testing.assert_close(maps("gradcam++", captured)[0, 0], a * A[0, 0])
    assert (maps("gradcam++", captured)[0, 1:] == 0).all()
