"""Gates beside their formula, the widths of the spec, and every option."""

import pytest
import torch
from torch import nn

from hilum.models import build
from hilum.models.attention_gates import AttentionGates, Gate
from hilum.models.backbones import backbone_from
from hilum.models.classifier import Body

FINDINGS = tuple(f"f{n}" for n in range(14))


def _model(options: str = "", backbone: str = "resnet10t") -> AttentionGates:
    torch.manual_seed(0)
    settings = {"backbone": backbone, "map_stride": 32, "metadata": False}
    model = build(name=f"attention_gates{options}", **settings, findings=FINDINGS, input_hw=(64, 64))
    assert isinstance(model, AttentionGates)
    return model.eval()


def test_widths_of_resnet34() -> None:
    model = _model(backbone="resnet34")
    assert [head.in_features for head in model.heads] == [896]
    assert [gate.of_layer.in_channels for gate in model.gates] == [128, 256]
    assert [gate.of_layer.out_channels for gate in model.gates] == [64, 128]
    flow = _model("(concat, mean_flow)", backbone="resnet34")
    assert [gate.of_layer.out_channels for gate in flow.gates] == [512, 512]


@pytest.mark.parametrize("norm", ["mean", "kth", "mean_flow"])
def test_a_gate_by_hand(norm) -> None:
    torch.manual_seed(0)
    gate = Gate(4, 6, norm).eval()
    layer, gating = (
        torch.randn(2, 4, 5, 5),
        torch.randn(2, 6, 1, 1),
    )  # one cell: enlarged, the same everywhere
    g = gating[..., 0, 0] @ gate.of_gating.weight[..., 0, 0].T
    g = g if gate.of_gating.bias is None else g + gate.of_gating.bias
    score = torch.zeros(2, 5, 5)
    for i in range(5):
        for j in range(5):
            q = (layer[:, :, i, j] @ gate.of_layer.weight[..., 0, 0].T + g).relu()
            score[:, i, j] = q @ gate.score.weight[0, :, 0, 0] + gate.score.bias
    if norm == "mean_flow":
        above = score - score.amin(dim=(1, 2), keepdim=True)
        attention = above / above.sum(dim=(1, 2), keepdim=True)
        torch.testing.assert_close(attention.sum(dim=(1, 2)), torch.ones(2))
    else:
        attention = score.sigmoid()
    torch.testing.assert_close(gate.attention(layer, gating)[:, 0], attention)
    weighed = gate.out(attention[:, None] * layer)
    expected = weighed.mean(dim=(2, 3)) if norm == "mean" else weighed.sum(dim=(2, 3))
    torch.testing.assert_close(gate(layer, gating), expected)
    assert isinstance(gate.out, nn.Identity) == (norm == "mean_flow")


@pytest.mark.parametrize("aggregation", ["concat", "mean", "ft"])
def test_how_the_vectors_are_joined(aggregation) -> None:
    model, images = _model(f"({aggregation})"), torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        layers, gating = model._layers(images)
        vectors = [gate(layer, gating) for gate, layer in zip(model.gates, layers, strict=True)]
        vectors.append(gating.mean(dim=(2, 3)))
        logits = model(images)
    if aggregation == "concat":
        expected = model.heads[0](torch.cat(vectors, dim=1))
    else:
        each = [head(vector).sigmoid() for head, vector in zip(model.heads, vectors, strict=True)]
        mean = torch.stack(each).mean(dim=0)
        expected = torch.log(mean / (1 - mean)) if model.last is None else model.last(torch.cat(each, dim=1))
    torch.testing.assert_close(logits, expected.detach(), atol=1e-5, rtol=1e-5)
    assert [layer.shape[2] for layer in layers] == [8, 4]


def test_its_maps_are_the_mean_of_three() -> None:
    model, images = _model(), torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        maps = model.own_maps(images)
    assert maps.shape == (2, 14, 8, 8)
    assert maps.min() >= 0
    assert maps.max() <= 1 + 1e-6
    assert not torch.allclose(maps[:, 0], maps[:, 1])


@pytest.mark.parametrize("aggregation", ["concat", "mean", "ft"])
def test_it_starts_near_the_prevalence(aggregation) -> None:
    model = _model(f"({aggregation})")
    model.start_at(torch.full((14,), 0.02))
    with torch.no_grad():
        for head in [*model.heads, *([model.last] if model.last is not None else [])]:
            head.weight.zero_()
        torch.testing.assert_close(model(torch.randn(1, 3, 64, 64)).sigmoid(), torch.full((1, 14), 0.02))


def test_what_it_needs() -> None:
    body, n_channels = backbone_from("densenet121")
    model = AttentionGates(Body(body, n_channels, FINDINGS, (64, 64)))
    assert len(model.blocks) == 6  # a densenet has a stem and four groups too
    body, n_channels = backbone_from("efficientnet_lite0")
    with pytest.raises(ValueError, match="need a stem and four groups, as a ResNet; found 9 blocks"):
        AttentionGates(Body(body, n_channels, FINDINGS, (64, 64)))
    with pytest.raises(ValueError, match="metadata = false"):
        AttentionGates(Body(body, n_channels, FINDINGS, (64, 64), 3))
