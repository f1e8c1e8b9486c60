"""Networks from elsewhere, at named layers, beside the same network taken apart."""

import pytest
import torch
import torchvision
from torch import nn

from hilum.explain import heatmaps
from hilum.explain.capture import capture
from hilum.models import Foreign
from hilum.models.classifier import AveragePooling, Body

FINDINGS = ("Effusion", "Mass", "Hernia")
EVERY = torch.arange(3)


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def _resnet() -> nn.Module:
    torch.manual_seed(0)
    return torchvision.models.resnet18(num_classes=3).eval()


def _in_parts(network: nn.Module) -> AveragePooling:
    """torchvision's ResNet as a model of the house."""
    body = nn.Sequential(*list(network.children())[:-2])
    model = AveragePooling(Body(body, 512, FINDINGS, (64, 64)))
    model.head = network.fc
    return model.eval()


@pytest.mark.parametrize(
    "method", ["gradcam", "gradcam++", "xgradcam", "layercam", "eigencam", "gradcam-eigen"]
)
def test_maps_are_those_of_the_network_taken_apart(method, images) -> None:
    network = _resnet()
    maps = heatmaps(Foreign(network, "layer4", FINDINGS, (64, 64)), images, method=method)
    expected = heatmaps(_in_parts(network), images, method=method)
    torch.testing.assert_close(torch.from_numpy(maps), torch.from_numpy(expected), atol=1e-5, rtol=1e-4)


def test_a_layer_before_an_in_place_relu_keeps_its_signs(images) -> None:
    """torchvision's DenseNet: its own ReLU works in place on what the layer gave."""
    torch.manual_seed(0)
    network = torchvision.models.densenet121(num_classes=3).eval()
    captured = capture(Foreign(network, "features", FINDINGS, (64, 64)), images)
    last = captured.at()
    with torch.inference_mode():
        torch.testing.assert_close(last.activations, network.features(images))
        torch.testing.assert_close(captured.logits, network(images))
    assert (last.activations < 0).any()
    G = network.classifier.weight[:, :, None, None] / 4 * (last.activations > 0)[:, None]
    torch.testing.assert_close(last.gradients(EVERY), G.detach())


def test_tokens_become_a_map(images) -> None:
    torch.manual_seed(0)
    network = torchvision.models.VisionTransformer(64, 16, 2, 2, 32, 64, num_classes=3).eval()
    torch.nn.init.normal_(network.heads.head.weight)  # torchvision starts it at 0
    captured = capture(Foreign(network, "encoder.ln", FINDINGS, (64, 64)), images)
    with torch.inference_mode():
        tokens = network.encoder(
            torch.cat([network.class_token.expand(2, -1, -1), network._process_input(images)], dim=1)
        )
    A = captured.at().activations
    assert A.shape == (2, 32, 4, 4)
    torch.testing.assert_close(A[0, :, 1, 2], tokens[0, 1 + 4 + 2])
    # the class token alone is read, so the last layer's patches have no gradient; those before it have
    assert (captured.at().gradients(EVERY) == 0).all()
    before = capture(Foreign(network, "encoder.layers.encoder_layer_0", FINDINGS, (64, 64)), images)
    assert before.at().gradients(EVERY).abs().sum() > 0


def test_one_grey_channel_with_its_own_black(images) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 4, 4, stride=4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    model = Foreign(nn.Sequential(network, nn.Linear(4, 3)).eval(), "0.1", FINDINGS, (64, 64), (-1024.0,))
    for method in ("gradcam", "integrated_gradients(4)", "occlusion(16, 16)"):
        maps = heatmaps(model, 1000 * images[:, :1], method=method)
        assert maps.std(axis=(2, 3)).min() > 0


def test_the_network_is_left_as_it_was(images) -> None:
    network = _resnet()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    model = Foreign(network, "layer4", FINDINGS, (64, 64))
    for method in ("gradcam", "guided_backprop", "smoothgrad(2)"):
        heatmaps(model, images, method=method)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in network.modules())
    assert torch.is_grad_enabled()


def test_what_is_refused(images) -> None:
    network = _resnet()
    with pytest.raises(ValueError, match=r"ResNet has no layer 'layer5'; it has conv1, .*layer4"):
        Foreign(network, "layer5", FINDINGS, (64, 64))
    with pytest.raises(ValueError, match=r"ResNet gave \(2, 3\) for 2 images; wanted \(2, 2\)"):
        heatmaps(Foreign(network, "layer4", FINDINGS[:2], (64, 64)), images)
    with pytest.raises(TypeError, match="the layer gave Tensor of 2 axes"):
        heatmaps(Foreign(network, "fc", FINDINGS, (64, 64)), images)
    with pytest.raises(ValueError, match="training mode"):
        heatmaps(Foreign(network.train(), "layer4", FINDINGS, (64, 64)), images)
    with pytest.raises(TypeError, match="does not train it"):
        Foreign(network, "layer4", FINDINGS, (64, 64)).start_at(torch.full((3,), 0.1))
    with pytest.raises(ValueError, match="leave metadata out"):
        heatmaps(Foreign(_resnet(), "layer4", FINDINGS, (64, 64)), images, metadata=torch.zeros(2, 3))
