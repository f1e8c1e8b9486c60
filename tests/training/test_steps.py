"""The table of steps: a name gives its function with options, for the models that it is for."""

import pytest
import torch
from torch import nn

from hilum.models.classifier import AveragePooling, Body
from hilum.training.losses import binary_cross_entropy
from hilum.training.stepped import Seen
from hilum.training.steps import classify, step_from


def _model() -> AveragePooling:
    return AveragePooling(Body(nn.Sequential(nn.Conv2d(3, 4, 4, stride=4)), 4, ("Mass",), (8, 8)))


def _seen() -> Seen:
    return Seen(torch.randn(2, 3, 8, 8), torch.ones(2, 1), torch.zeros(2, 3), torch.zeros(0, 6))


def test_labels_against_logits() -> None:
    model, seen = _model(), _seen()
    stepped = classify(model, seen, binary_cross_entropy)
    expected = nn.functional.binary_cross_entropy_with_logits(model(seen.images), seen.labels)
    torch.testing.assert_close(stepped.minimised, expected)
    assert stepped.judged is stepped.minimised
    assert stepped.parts == {}


def test_a_step_is_found_by_its_name() -> None:
    model, seen = _model(), _seen()
    found = step_from("classify", model)(model, seen, binary_cross_entropy)
    assert found.minimised.item() == classify(model, seen, binary_cross_entropy).minimised.item()


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("clasify", ValueError, "did you mean 'classify'"),
        ("classify(1)", ValueError, "has 1 numbers"),
        ("equivariant", TypeError, "is for PixelCorrelation, not for AveragePooling"),
    ],
)
def test_a_wrong_step_is_named(text: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        step_from(text, _model())
