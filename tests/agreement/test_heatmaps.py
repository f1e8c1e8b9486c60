"""Maps of all 14 findings beside those of pytorch-grad-cam and torchcam, one finding after the other.

Both peers hook the last block, whose output is the map after its last activation function.
"""

import numpy as np
import pytest
import timm
import torch
import torchcam.methods
from pytorch_grad_cam import EigenCAM, GradCAM, GradCAMPlusPlus, HiResCAM, LayerCAM, XGradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn

from hilum import models
from hilum.explain import METHODS, logits_and_heatmaps
from hilum.findings import CHESTXRAY14
from hilum.localize.scale import enlarged, unit_map
from hilum.models.classifier import AveragePooling

N_FINDINGS, N_FILMS, SIDE = 14, 2, 224
WITHIN = 1e-5


@pytest.fixture(scope="module", params=["densenet121", "efficientnet_lite0"])
def network(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(0)
    settings = {"backbone": request.param, "map_stride": 32, "metadata": False}
    model = models.build(name="average_pooling", **settings, findings=CHESTXRAY14, input_hw=(SIDE, SIDE))
    assert isinstance(model, AveragePooling)
    return _trained_at_its_end(model, model.backbone)


def _trained_at_its_end(model: nn.Module, blocks: nn.Module) -> nn.Module:
    """In eval mode, gradients in its last block alone: peers go back no further, and it saves them time."""
    for block in [*blocks.children()][:-1]:
        block.requires_grad_(False)
    return model.eval()


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.randn(N_FILMS, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def ours(network: AveragePooling, images: torch.Tensor) -> dict[str, np.ndarray]:
    return logits_and_heatmaps(network, images, tuple(METHODS))[1]


def _each(maps: np.ndarray, change) -> np.ndarray:
    n, f, *hw = maps.shape
    return np.array([change(one) for one in maps.reshape(n * f, *hw)]).reshape(
        n, f, *change(maps[0, 0]).shape
    )


def _grad_cam(peer: GradCAM, images: torch.Tensor, n_findings: int = N_FINDINGS) -> np.ndarray:
    targets = [[ClassifierOutputTarget(finding)] * len(images) for finding in range(n_findings)]
    return np.stack([peer(images, targets=target) for target in targets], axis=1)


def _at_map_resolution(peer: type[GradCAM]) -> type[GradCAM]:
    """A method of pytorch-grad-cam with its enlargement switched off."""
    return type(peer.__name__, (peer,), {"get_target_width_height": lambda *_: None})


def test_gradcam_is_pytorch_grad_cams_at_map_resolution(network, images, ours) -> None:
    with _at_map_resolution(GradCAM)(network, [network.backbone]) as peer:
        theirs = _grad_cam(peer, images)
    maps = _each(_each(ours["gradcam"], unit_map), unit_map)  # the peer divides by its range plus 1e-7 twice
    assert theirs.shape == maps.shape == (N_FILMS, N_FINDINGS, 7, 7)
    assert theirs.max() > 0.99
    assert np.abs(maps - theirs).max() <= WITHIN


PEERS = {"gradcam++": GradCAMPlusPlus, "hirescam": HiResCAM, "layercam": LayerCAM, "xgradcam": XGradCAM}


@pytest.mark.parametrize("method", PEERS)
def test_other_methods_are_pytorch_grad_cams(method, network, images, ours) -> None:
    with _at_map_resolution(PEERS[method])(network, [network.backbone]) as peer:
        theirs = _grad_cam(peer, images, 4)
    maps = _each(_each(ours[method][:, :4], unit_map), unit_map)
    assert theirs.max() > 0.99
    assert np.abs(maps - theirs).max() <= WITHIN


def test_eigencam_is_pytorch_grad_cams_but_for_the_sign_left_to_chance(network, images, ours) -> None:
    with _at_map_resolution(EigenCAM)(network, [network.backbone]) as peer:
        theirs = peer(images, None)
    raw = ours["eigencam_centred"][:, 0]
    as_ours, turned = (np.array([unit_map(unit_map(sign * one)) for one in raw]) for sign in (1, -1))
    apart = [np.abs(maps - theirs).max(axis=(1, 2)) for maps in (as_ours, turned)]
    assert (np.minimum(*apart) <= WITHIN).all()


def test_gradcam_is_pytorch_grad_cams_at_input_size(network, images, ours) -> None:
    with GradCAM(network, [network.backbone]) as peer:
        theirs = _grad_cam(peer, images, 4)

    def as_the_peer(raw: np.ndarray) -> np.ndarray:
        return unit_map(enlarged(unit_map(raw).astype(np.float32), (SIDE, SIDE)))

    maps = _each(ours["gradcam"][:, :4], as_the_peer)
    assert theirs.shape == maps.shape == (N_FILMS, 4, SIDE, SIDE)
    assert np.abs(maps - theirs).max() <= WITHIN


@pytest.mark.parametrize(("method", "peer", "signed"), [("cam", "CAM", True), ("gradcam", "GradCAM", False)])
def test_maps_are_torchcams(network, images, ours, method, peer, signed) -> None:
    options = {"fc_layer": network.head} if peer == "CAM" else {}
    again = {} if peer == "CAM" else {"retain_graph": True}
    with getattr(torchcam.methods, peer)(network, network.backbone, **options) as extractor:
        logits = network(images)
        theirs = [extractor(f, logits, normalized=False, **again)[0] for f in range(N_FINDINGS)]
    theirs = torch.stack(theirs, dim=1).detach().numpy()

    def scaled(raw: np.ndarray) -> np.ndarray:
        return unit_map(raw, signed)

    assert theirs.shape == ours[method].shape
    assert np.abs(_each(ours[method], scaled) - _each(theirs, scaled)).max() <= WITHIN


class TorchvisionStyle(nn.Module):
    """DenseNet-121 as torchvision writes it: batch norm, then an in-place ReLU outside the features."""

    def __init__(self, n_findings: int) -> None:
        super().__init__()
        network = timm.create_model("densenet121", num_classes=n_findings)
        network.features.norm5 = nn.BatchNorm2d(network.features.norm5.num_features)
        self.features, self.head = network.features, network.classifier
        self.relu = nn.ReLU(inplace=True)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.relu(self.features(images)).mean(dim=(2, 3)))


def test_before_the_in_place_relu_of_a_densenet_a_peer_sees_another_map(images) -> None:
    """The layer that peers' examples name for DenseNet; its gradient is masked, so weights come out wrong."""
    torch.manual_seed(0)
    network, small = TorchvisionStyle(3), images[..., :128, :128]
    _trained_at_its_end(network, network.features)
    maps = {}
    for name, layer in (("before", network.features), ("after", network.relu)):
        with _at_map_resolution(GradCAM)(network, [layer]) as peer:
            maps[name] = _grad_cam(peer, small, 3)
    with torch.inference_mode():
        activations = network.relu(network.features(small))
        raw = torch.einsum("nduv,cd->ncuv", activations, network.head.weight).numpy() / 16
    closed_form = _each(_each(raw, unit_map), unit_map)
    assert np.abs(maps["after"] - closed_form).max() <= WITHIN
    assert np.abs(maps["before"] - closed_form).max() > 0.1
