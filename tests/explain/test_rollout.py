"""Attention rollout beside the matrices multiplied out by hand."""

import pytest
import timm
import torch

from hilum import models
from hilum.explain import heatmaps
from hilum.models import Foreign

FINDINGS = ("Effusion", "Mass")


def _joint(network, run) -> torch.Tensor:
    """The product over the layers."""
    joint = torch.tensor(1.0)
    for attention in _attention(network, run):
        each = 0.5 * attention.mean(dim=1) + 0.5 * torch.eye(attention.shape[-1])
        each = each / each.sum(dim=-1, keepdim=True)
        joint = each @ joint if joint.ndim else each
    return joint


def _attention(network, run) -> list[torch.Tensor]:
    """Softmax of queries times keys of every layer, from the qkv of each."""
    kept = []

    def keep(module, inputs, _output):
        n, t, _ = inputs[0].shape
        q, k, _ = module.qkv(inputs[0]).reshape(n, t, 3, module.num_heads, -1).permute(2, 0, 3, 1, 4)
        kept.append((q @ k.mT * module.scale).softmax(dim=-1))

    hooks = [part.register_forward_hook(keep) for part in network.modules() if hasattr(part, "qkv")]
    with torch.no_grad():
        run()
    for hook in hooks:
        hook.remove()
    return kept


@pytest.mark.parametrize(
    "name", ["vit_tiny_patch16_224", "deit_tiny_distilled_patch16_224", "vit_medium_patch16_gap_256"]
)
def test_rollout_is_the_product_over_the_layers(name) -> None:
    torch.manual_seed(0)
    network = timm.create_model(name, num_classes=2, dynamic_img_size=True).eval()
    images = torch.randn(2, 3, 64, 64)
    joint = _joint(network, lambda: network(images))
    row = joint[:, 0] if network.num_prefix_tokens else joint.mean(dim=1)
    expected = row[:, network.num_prefix_tokens :].reshape(2, 1, 4, 4).expand(-1, 2, -1, -1)
    ours = heatmaps(Foreign(network, "norm", FINDINGS, (64, 64)), images, method="attention_rollout")
    torch.testing.assert_close(torch.from_numpy(ours), expected.contiguous(), atol=1e-6, rtol=1e-4)
    assert all(block.attn.fused_attn for block in network.blocks)  # as it was


def test_a_head_that_pools_patches_takes_the_mean_of_their_rows() -> None:
    settings = {"backbone": "vit_tiny_patch16_224", "map_stride": 32, "metadata": False}
    model = models.build(name="average_pooling", **settings, findings=FINDINGS, input_hw=(64, 64)).eval()
    images = torch.randn(2, 3, 64, 64)
    whole = _joint(model, lambda: model(images))
    expected = whole[:, 1:, 1:].mean(dim=1).reshape(2, 1, 4, 4).expand(-1, 2, -1, -1)
    ours = heatmaps(model, images, method="attention_rollout")
    torch.testing.assert_close(torch.from_numpy(ours), expected.contiguous(), atol=1e-6, rtol=1e-4)


def test_a_film_need_not_be_square() -> None:
    settings = {"backbone": "vit_tiny_patch16_224", "map_stride": 32, "metadata": False}
    model = models.build(name="average_pooling", **settings, findings=FINDINGS, input_hw=(64, 96)).eval()
    images = torch.randn(1, 3, 64, 96)
    assert heatmaps(model, images, method="attention_rollout").shape == (1, 2, 4, 6)
    assert heatmaps(model, images, method="gradcam").shape == (1, 2, 4, 6)


def test_a_network_without_attention_is_refused(model, images, metadata) -> None:
    with pytest.raises(TypeError, match="has no attention layers of timm; use eigencam"):
        heatmaps(model, images, method="attention_rollout", metadata=metadata)
