import pytest
import torch
from torch import nn

from hilum.models import Classifier, LastMapClassifier
from hilum.models.classifier import AveragePooling, Body

FINDINGS = ("Effusion", "Mass")


def _body() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 4, stride=4), nn.Sequential(nn.Conv2d(4, 5, 2, stride=2), nn.ReLU()))


def _model(n_metadata: int = 0) -> AveragePooling:
    return AveragePooling(Body(_body(), 5, FINDINGS, (32, 32), n_metadata)).eval()


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def test_logits_are_the_average_map_through_one_layer(images) -> None:
    model = _model()
    activations = model.activations(images)
    assert activations.shape == (3, 5, 4, 4)
    expected = activations.flatten(2).sum(dim=2) / 16 @ model.head.weight.T + model.head.bias
    torch.testing.assert_close(model(images), expected)
    assert (model.findings, model.input_hw) == (FINDINGS, (32, 32))


def test_metadata_join_the_average(images) -> None:
    model, metadata = _model(3), torch.tensor([[0.0, 0.5, 1.0], [1.0, 0.1, 0.0], [0.5, 0.5, 0.5]])
    assert model.head.in_features == 8
    assert model.map_weights.shape == (2, 5)
    expected = (
        model.activations(images).mean(dim=(2, 3)) @ model.map_weights.T
        + metadata @ model.head.weight[:, 5:].T
        + model.head.bias
    )
    torch.testing.assert_close(model(images, metadata), expected)
    torch.testing.assert_close(model(images, metadata.double()), expected)
    with pytest.raises(ValueError, match="made with view, age and sex; pass metadata"):
        model(images)


def test_without_metadata_they_change_nothing(images) -> None:
    model = _model()
    assert torch.equal(model(images, torch.rand(3, 3)), model(images))
    assert torch.equal(model.map_weights, model.head.weight)


def test_a_model_started_at_the_prevalence_answers_it(images) -> None:
    model, prevalence = _model(), torch.tensor([0.01, 0.3])
    torch.nn.init.zeros_(model.head.weight)
    model.start_at(prevalence)
    torch.testing.assert_close(model(images).sigmoid(), prevalence.expand(3, 2))


def test_blocks_go_from_the_head_to_the_stem() -> None:
    model = _model()
    assert [*map(id, model.blocks)] == [id(model.head), id(model.backbone[1]), id(model.backbone[0])]
    in_blocks = [id(part) for block in model.blocks for part in block.parameters()]
    assert sorted(in_blocks) == sorted(map(id, model.parameters()))


def test_a_film_of_another_size_has_another_map(images) -> None:
    model = _model()
    assert model.activations(images[..., :16, :24]).shape == (3, 5, 2, 3)
    assert model(images[:0]).shape == (0, 2)


@pytest.mark.parametrize("kind", [Classifier, LastMapClassifier])
def test_what_every_model_offers_is_abstract(kind) -> None:
    with pytest.raises(TypeError, match="abstract"):
        kind(FINDINGS, (32, 32))
