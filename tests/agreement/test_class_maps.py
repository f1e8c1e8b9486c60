"""Maps from the last feature map beside those of pytorch-grad-cam, torchcam and captum.

The peers make one map a pass and hook the last block, whose output is the map after its last activation
function; ours come from one pass for all 14 findings.
"""

import copy
from functools import lru_cache

import numpy as np
import pytest
import timm
import torch
import torchcam.methods
from captum.attr import LayerGradCam
from pytorch_grad_cam import EigenCAM, GradCAM, GradCAMPlusPlus, HiResCAM, LayerCAM, ScoreCAM, XGradCAM
from pytorch_grad_cam.utils.svd_on_activations import get_2d_projection
from torch import nn

from hilum.explain import heatmaps, logits_and_heatmaps
from hilum.findings import CHESTXRAY14
from hilum.localize.scale import unit_map
from hilum.models import Foreign
from hilum.models.classifier import AveragePooling, Body

from .conftest import (
    BACKBONES,
    WITHIN,
    apart,
    at_map_resolution,
    each,
    enlarged_as_the_peer,
    films,
    grad_cam,
    grid,
    network,
    scaled_as_the_peer,
)

PEERS = {
    "gradcam": GradCAM,
    "gradcam++": GradCAMPlusPlus,
    "hirescam": HiResCAM,
    "layercam": LayerCAM,
    "xgradcam": XGradCAM,
}
SOME = range(2)
N_FILMS = 2


@lru_cache(maxsize=4)
def ours(backbone: str, side: int) -> dict[str, np.ndarray]:
    """Maps of every finding, of all methods at once."""
    names = ("cam", *PEERS, "eigencam", "eigencam_centred", "gradcam-eigen", "gradcam++-eigen")
    maps = logits_and_heatmaps(network(backbone), films(N_FILMS, side), names)[1]
    assert len(maps) == 10
    return maps


@pytest.mark.parametrize("method", PEERS)
@pytest.mark.parametrize(("backbone", "side"), grid())
def test_methods_are_pytorch_grad_cams(backbone, side, method) -> None:
    model = network(backbone)
    with at_map_resolution(PEERS[method])(model, [model.backbone]) as peer:
        theirs = grad_cam(peer, films(N_FILMS, side), SOME)
    maps = ours(backbone, side)[method][:, : len(SOME)]
    assert apart(each(maps, scaled_as_the_peer), theirs) <= WITHIN


@pytest.mark.parametrize(("backbone", "side"), grid())
def test_maps_at_input_size_are_pytorch_grad_cams(backbone, side) -> None:
    model = network(backbone)
    with GradCAM(model, [model.backbone]) as peer:
        theirs = grad_cam(peer, films(N_FILMS, side), SOME)
    maps = each(ours(backbone, side)["gradcam"][:, : len(SOME)], lambda raw: enlarged_as_the_peer(raw, side))
    assert apart(maps, theirs) <= WITHIN


@pytest.mark.parametrize("smoothing", ["eigencam_centred", "gradcam-eigen", "gradcam++-eigen"])
@pytest.mark.parametrize(("backbone", "side"), grid({("densenet121", 64), ("vgg11", 64)}))
def test_main_directions_are_pytorch_grad_cams_but_for_a_sign_left_to_chance(
    backbone, side, smoothing
) -> None:
    """The peer's singular vector has the sign that LAPACK gives it; either of ours must be its map."""
    model, findings = network(backbone), range(2)
    kind = {"eigencam_centred": EigenCAM, "gradcam-eigen": GradCAM, "gradcam++-eigen": GradCAMPlusPlus}
    with at_map_resolution(kind[smoothing])(model, [model.backbone]) as peer:
        theirs = grad_cam(peer, films(N_FILMS, side), findings, eigen_smooth=True)
    raw = ours(backbone, side)[smoothing][:, :2]
    as_ours, turned = (each(sign * raw, scaled_as_the_peer) for sign in (1, -1))
    assert (theirs.max(axis=(2, 3)) > 0.99).all()
    nearest = np.minimum(*(np.abs(maps - theirs).max(axis=(2, 3)) for maps in (as_ours, turned)))
    assert nearest.max() <= WITHIN


def test_the_sign_of_a_peers_eigencam_is_chance() -> None:
    """Of 12 films some come out upside down, dark where most activation is; none of ours does."""
    model, images = network("resnet50"), films(12, 64)
    with torch.inference_mode():
        A = model.activations(images).numpy()
    total = A.sum(axis=1).reshape(len(A), -1)

    def agreement(maps: np.ndarray) -> np.ndarray:
        return np.array([np.corrcoef(a, b.ravel())[0, 1] for a, b in zip(total, maps, strict=True)])

    theirs = get_2d_projection(A)
    mine = heatmaps(model, images, method="eigencam_centred")[:, 0]
    np.testing.assert_allclose(agreement(mine), np.abs(agreement(theirs)), atol=1e-4)
    assert (agreement(mine) > 0).all()
    assert 0 < (agreement(theirs) < 0).sum() < 12


@pytest.mark.parametrize("name", ["gradcam", "gradcam++"])
@pytest.mark.parametrize(("backbone", "side"), grid({("vgg11", 64)}))
def test_augmentation_is_pytorch_grad_cams_at_input_size(backbone, side, name) -> None:
    model, images = network(backbone), films(N_FILMS, side)
    with PEERS[name](model, [model.backbone]) as peer:
        theirs = grad_cam(peer, images, range(2), aug_smooth=True)
    maps = heatmaps(model, images, model.findings[:2], name, "augmentation")
    large = nn.functional.interpolate(torch.from_numpy(maps), (side, side), mode="bilinear")
    assert theirs.max() > 0.5
    assert np.abs(large.numpy() - theirs).max() <= WITHIN


def test_three_flipped_is_not_what_pytorch_grad_cam_does() -> None:
    model, images = network("vgg11"), films(N_FILMS, 64)
    six, three = (
        heatmaps(model, images, model.findings[:2], "gradcam", f"augmentation({passes})")
        for passes in ("six", "three_flipped")
    )
    assert np.abs(six - three).max() > 0.01


def small_network() -> AveragePooling:
    """Few channels, each of which costs Score-CAM a pass."""
    torch.manual_seed(0)
    body = nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 16, 7, stride=4, padding=3), nn.ReLU(inplace=True)),
        nn.Sequential(nn.Conv2d(16, 40, 3, stride=2, padding=1), nn.ReLU(inplace=True)),
    )
    return AveragePooling(Body(body, 40, CHESTXRAY14, (64, 64))).eval()


def scored(backbone: str) -> AveragePooling:
    """With logits far apart; those of drawn weights differ too little for a softmax to tell them."""
    model = small_network() if backbone == "small" else copy.deepcopy(network(backbone))
    with torch.no_grad():
        model.map_weights.mul_(30)
    return model


SCORED = [("small", 64), *(pytest.param(name, 64, marks=pytest.mark.slow) for name in BACKBONES)]


@pytest.mark.parametrize(("backbone", "side"), SCORED)
def test_score_cam_is_pytorch_grad_cams(backbone, side, monkeypatch) -> None:
    """With masks enlarged between pixel centres, as the paper's authors do; the peer aligns their corners."""
    model, images = scored(backbone), films(1, side)
    monkeypatch.setattr(nn, "UpsamplingBilinear2d", lambda size: nn.Upsample(size, mode="bilinear"))
    with at_map_resolution(ScoreCAM)(model, [model.backbone]) as peer:
        theirs = grad_cam(peer, images, range(2))
    maps = heatmaps(model, images, model.findings[:2], "scorecam")
    unweighted = heatmaps(model, images, method="eigencam")[:, :2]
    assert apart(each(maps, scaled_as_the_peer), theirs) <= WITHIN
    assert apart(each(unweighted, scaled_as_the_peer), theirs) > 0.01


@pytest.mark.parametrize(("method", "peer", "signed"), [("cam", "CAM", True), ("gradcam", "GradCAM", False)])
@pytest.mark.parametrize(("backbone", "side"), grid())
def test_maps_are_torchcams(backbone, side, method, peer, signed) -> None:
    theirs = by_torchcam(backbone, side, peer, range(14) if method == "gradcam" else SOME)

    def scaled(raw: np.ndarray) -> np.ndarray:
        return unit_map(raw, signed)

    maps = ours(backbone, side)[method][:, : theirs.shape[1]]
    assert apart(each(maps, scaled), each(theirs, scaled)) <= WITHIN


@pytest.mark.parametrize(("backbone", "side"), grid({("densenet121", 64), ("vgg11", 64)}))
def test_grad_cam_plus_plus_of_torchcam_lacks_its_denominator(backbone, side) -> None:
    """It divides a copy that boolean indexing made: its weights are sum_ij ReLU(G) G^2, alpha being G^2."""

    def of_peak(raw: np.ndarray) -> np.ndarray:
        return raw / raw.max()  # no map is negative; cubes of 1e-3 would drown in the 1e-7 of min-max

    theirs = each(by_torchcam(backbone, side, "GradCAMpp", SOME), of_peak)
    model = network(backbone)
    with torch.inference_mode():
        A = model.activations(films(N_FILMS, side)).double()
        g = model.map_weights[: len(SOME)].double() / A[0, 0].numel()
        S = A.sum(dim=(2, 3))[:, None]

        def closed_form(denominator: torch.Tensor) -> np.ndarray:
            weights = (g.relu() * g**2 / denominator).expand(len(A), -1, -1)
            return each(torch.einsum("nduv,ncd->ncuv", A, weights).numpy(), of_peak)

    maps = each(ours(backbone, side)["gradcam++"][:, : len(SOME)], of_peak)
    assert apart(closed_form(2 * g**2 + S * g**3 + 1e-6), maps) <= WITHIN
    assert apart(closed_form(torch.ones(1, 1, 1)), theirs) <= WITHIN
    assert np.abs(maps - theirs).max() > 100 * WITHIN


def by_torchcam(backbone: str, side: int, peer: str, findings: range) -> np.ndarray:
    """Its maps, neither scaled nor enlarged."""
    model = network(backbone)
    options = {"fc_layer": model.head} if peer == "CAM" else {}
    again = {} if peer == "CAM" else {"retain_graph": True}
    with getattr(torchcam.methods, peer)(model, model.backbone, **options) as extractor:
        logits = model(films(N_FILMS, side))
        made = [extractor(f, logits, normalized=False, **again)[0] for f in findings]
    return torch.stack(made, dim=1).detach().numpy()


@pytest.mark.parametrize(("backbone", "side"), grid())
def test_grad_cam_is_captums(backbone, side) -> None:
    model = network(backbone)
    peer = LayerGradCam(model, model.backbone)
    made = [peer.attribute(films(N_FILMS, side), target=finding) for finding in SOME]
    theirs = torch.cat(made, dim=1).detach().numpy()
    maps = ours(backbone, side)["gradcam"][:, : len(SOME)]
    signed = [each(one, lambda raw: unit_map(raw, signed=True)) for one in (maps, theirs)]
    assert apart(*signed) <= WITHIN


@pytest.mark.parametrize("method", ["gradcam", "gradcam++", "xgradcam", "layercam", "hirescam"])
def test_a_network_from_elsewhere_at_a_layer_amid_it(method) -> None:
    """Where G is no constant, a map from the third of four stages; in double precision, for sums cancel."""
    torch.manual_seed(0)
    module, images = (
        timm.create_model("resnet10t", num_classes=3).eval().double(),
        films(N_FILMS, 96).double(),
    )
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d) and not part.weight.any():
            nn.init.ones_(part.weight)  # timm starts the last of a block at 0, which would hide its map
    model = Foreign(module, "layer3", ("a", "b", "c"), (96, 96)).eval()
    with at_map_resolution(PEERS[method])(module, [module.layer3]) as peer:
        theirs = grad_cam(peer, images, range(3))
    maps = heatmaps(model, images, method=method)
    assert maps.shape == (N_FILMS, 3, 6, 6)
    assert apart(each(maps, scaled_as_the_peer), theirs) <= WITHIN


class TorchvisionStyle(nn.Module):
    """DenseNet-121 as torchvision writes it: batch norm, then an in-place ReLU outside the features."""

    def __init__(self, n_findings: int) -> None:
        super().__init__()
        made = timm.create_model("densenet121", num_classes=n_findings)
        made.features.norm5 = nn.BatchNorm2d(made.features.norm5.num_features)
        self.features, self.head = made.features, made.classifier
        self.relu = nn.ReLU(inplace=True)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.relu(self.features(images)).mean(dim=(2, 3)))


def test_before_the_in_place_relu_of_a_densenet_a_peer_sees_another_map() -> None:
    """The layer that peers' examples name for DenseNet; its gradient is masked, so weights come out wrong."""
    torch.manual_seed(0)
    model, images = TorchvisionStyle(3).eval(), films(N_FILMS, 96)
    model.features.requires_grad_(False)
    model.features.norm5.requires_grad_(True)
    maps = {}
    for name, layer in (("before", model.features), ("after", model.relu)):
        with at_map_resolution(GradCAM)(model, [layer]) as peer:
            maps[name] = grad_cam(peer, images, range(3))
    with torch.no_grad():
        activations = model.relu(model.features(images))
        raw = torch.einsum("nduv,cd->ncuv", activations, model.head.weight).numpy() / 9
    assert apart(each(raw, scaled_as_the_peer), maps["after"]) <= WITHIN
    assert apart(each(raw, scaled_as_the_peer), maps["before"]) > 0.1
    foreign = heatmaps(Foreign(model, "relu", ("a", "b", "c"), (96, 96)).eval(), images)
    assert apart(each(foreign, scaled_as_the_peer), maps["after"]) <= WITHIN


def test_the_network_is_left_as_it_was() -> None:
    """Peers are asked with gradients on; nothing of that may stay on networks that tests share."""
    model = network("vgg11")
    assert isinstance(model, AveragePooling)
    assert not any(part._forward_hooks for part in model.modules())
