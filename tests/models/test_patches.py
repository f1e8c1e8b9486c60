"""The grid of patches against the products written out."""

import pytest
import torch

from hilum.models.backbones import backbone_from
from hilum.models.classifier import Body
from hilum.models.patches import Patches, any_of


def _model(n_patches: float = 4.0, least: float = 0.0) -> Patches:
    torch.manual_seed(0)
    blocks, n_channels = backbone_from("resnet10t")
    return Patches(Body(blocks, n_channels, ("Effusion", "Mass"), (64, 64)), n_patches, least).eval()


@pytest.mark.parametrize("least", [0.0, 0.98])
def test_a_film_has_what_any_of_its_patches_has(least: float) -> None:
    model, patches = _model(3.0, least), torch.randn(2, 2, 3, 3, dtype=torch.float64)
    factors = model.log_factors(patches)
    p = patches.sigmoid()
    torch.testing.assert_close(factors.with_finding.exp(), least + (1 - least) * p)
    torch.testing.assert_close(factors.without.exp(), least + (1 - least) * (1 - p))
    product = (least + (1 - least) * (1 - p)).prod(dim=3).prod(dim=2)
    torch.testing.assert_close(any_of(factors.without).sigmoid(), 1 - product)


@pytest.mark.parametrize(("logit", "sign"), [(60.0, 1), (-60.0, -1), (-200.0, -1)])
def test_hundreds_of_sure_patches_do_not_underflow(logit: float, sign: int) -> None:
    patches = torch.full((1, 1, 20, 20), logit, requires_grad=True)
    answer = any_of(torch.nn.functional.logsigmoid(-patches))
    answer.backward(torch.ones(1, 1))
    assert answer.isfinite().all()
    assert sign * answer.item() > 40
    assert patches.grad is not None
    assert patches.grad.isfinite().all()


@pytest.mark.parametrize(("n_patches", "kept"), [(1.0, "shrinks"), (2.0, "stays"), (5.0, "grows")])
def test_the_grid_is_as_fine_as_asked_for(n_patches: float, kept: str) -> None:
    model = _model(n_patches)
    seen: list[torch.Tensor] = []
    model.head[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    activations = torch.rand(1, 512, 2, 2)
    with torch.inference_mode():
        assert model.patches(activations).shape == (1, 2, int(n_patches), int(n_patches))
    if kept == "shrinks":
        assert torch.equal(seen[0], activations.amax(dim=(2, 3), keepdim=True))
    if kept == "stays":
        torch.testing.assert_close(seen[0], activations)


@pytest.mark.parametrize("least", [0.0, 0.98])
def test_an_untrained_model_answers_the_prevalence(least: float) -> None:
    model, prevalence = _model(8.0, least), torch.tensor([0.3, 0.01])
    model.start_at(prevalence)
    last = model.head[-1]
    assert isinstance(last, torch.nn.Conv2d)
    torch.nn.init.zeros_(last.weight)
    with torch.inference_mode():
        torch.testing.assert_close(model(torch.randn(1, 3, 64, 64)).sigmoid()[0], prevalence)


def test_own_maps_are_the_patches() -> None:
    model, images = _model(), torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        maps, likely = model.own_maps(images), model(images).sigmoid()
    assert maps.shape == (2, 2, 4, 4)
    torch.testing.assert_close(1 - (1 - maps).prod(dim=3).prod(dim=2), likely)
    with torch.inference_mode():
        assert model(images[:0]).shape == (0, 2)
        assert model.own_maps(images[:0]).shape == (0, 2, 4, 4)


def test_it_refuses_numbers_that_make_no_sense() -> None:
    with pytest.raises(ValueError, match="least"):
        _model(4.0, 1.0)
    with pytest.raises(ValueError, match="n_patches"):
        _model(0.0)
