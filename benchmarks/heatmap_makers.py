"""The same maps by hilum and by its peers, on one network and the same films, as plain arrays."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
import torchcam.methods
from captum.attr import IntegratedGradients, LayerGradCam, NoiseTunnel, Saliency
from pytorch_grad_cam import EigenCAM, GradCAM, GradCAMPlusPlus, LayerCAM, XGradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor
from torch.nn.functional import interpolate

from hilum import models
from hilum.explain import logits_and_heatmaps
from hilum.findings import CHESTXRAY14
from hilum.localize.scale import enlarged, unit_map
from hilum.models.classifier import AveragePooling
from hilum.models.inputs import BLACK

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
FIVE = {
    "gradcam": GradCAM,
    "gradcam++": GradCAMPlusPlus,
    "xgradcam": XGradCAM,
    "layercam": LayerCAM,
    "eigencam_centred": EigenCAM,
}
"""Methods made at once, and their peers."""

EVERY = range(len(CHESTXRAY14))
AT_ONCE = 8
"""Copies of a film that captum is given at once, as many as ours takes."""


def synchronised(work: Callable[[], object]) -> Callable[[], object]:
    """The work, and the wait until the device has done it."""
    if DEVICE == "cpu":
        return work

    def whole() -> None:
        work()
        torch.cuda.synchronize()

    return whole


class Makers:
    """One network, some films, and everything that makes maps of them."""

    def __init__(self, backbone: str, side: int, n_films: int) -> None:
        torch.manual_seed(0)
        model = models.build(
            name="average_pooling",
            backbone=backbone,
            map_stride=32,
            metadata=False,
            findings=CHESTXRAY14,
            input_hw=(side, side),
        )
        assert isinstance(model, AveragePooling)
        self.model = model.eval().to(DEVICE)
        self.images = torch.randn(n_films, 3, side, side).to(DEVICE)
        self.side = side

    def forward(self, copies: int = 1) -> None:
        """One pass of the network over the films, or over some copies of them."""
        images = self.images if copies == 1 else self.images.repeat(copies, 1, 1, 1)
        with torch.inference_mode():
            self.model(images)

    def ours(self, *names: str) -> dict[str, np.ndarray]:
        """Maps of 14 findings as they are."""
        return logits_and_heatmaps(self.model, self.images, names)[1]

    def ours_enlarged(self, *names: str) -> dict[str, np.ndarray]:
        """Maps of 14 findings at input size."""
        size = (self.side, self.side)
        return {
            name: interpolate(torch.from_numpy(maps), size, mode="bilinear", align_corners=False).numpy()
            for name, maps in self.ours(*names).items()
        }

    def pytorch_grad_cam(
        self, kind: type = GradCAM, findings: range = EVERY, **smoothing: bool
    ) -> np.ndarray:
        """Maps at input size in [0, 1], a call a finding."""
        with kind(self.model, [self.model.backbone]) as peer:
            targets = [[ClassifierOutputTarget(finding)] * len(self.images) for finding in findings]
            return np.stack([peer(self.images, targets=one, **smoothing) for one in targets], axis=1)

    def torchcam(self, kind: str = "GradCAM") -> np.ndarray:
        """Maps at map resolution, one forward pass for all."""
        with getattr(torchcam.methods, kind)(self.model, self.model.backbone) as peer:
            logits = self.model(self.images)
            made = [peer(f, logits, normalized=False, retain_graph=True)[0] for f in EVERY]
        return torch.stack(made, dim=1).detach().cpu().numpy()

    def captum(self) -> np.ndarray:
        """Grad-CAM at map resolution, a call a finding."""
        peer = LayerGradCam(self.model, self.model.backbone)
        made = [peer.attribute(self.images, target=finding) for finding in EVERY]
        return torch.cat(made, dim=1).detach().cpu().numpy()

    def captum_integrated(self, n_steps: int) -> np.ndarray:
        """Integrated gradients of all findings, greatest of the channels."""
        black = torch.tensor(BLACK, device=DEVICE)[None, :, None, None].expand_as(self.images)
        peer, options = IntegratedGradients(self.model), {"method": "riemann_right", "n_steps": n_steps}
        options["internal_batch_size"] = AT_ONCE
        with _quiet():
            made = [peer.attribute(self.images, black, target=finding, **options) for finding in EVERY]
        return _saliency(made)

    def captum_smoothgrad(self, n_samples: int) -> np.ndarray:
        """SmoothGrad of all findings with the draws that ours makes of seed 0."""
        peer = _SameNoise(Saliency(self.model))
        options = {"nt_samples": n_samples, "nt_samples_batch_size": AT_ONCE, "stdevs": 0.15, "abs": False}
        with _quiet():
            made = [peer.attribute(self.images, target=finding, **options) for finding in EVERY]
        return _saliency(made)


class _SameNoise(NoiseTunnel):
    """captum's mean over noisy copies of one film, its draws repeated."""

    n_drawn = 0

    def attribute(self, *inputs: Tensor, **options: object) -> Tensor:
        """From the first draw on."""
        self.n_drawn = 0
        return super().attribute(*inputs, **options)

    def _add_noise_to_input(self, film: Tensor, stdev: float, n_copies: int) -> Tensor:
        draws = [torch.Generator().manual_seed(self.n_drawn + j) for j in range(n_copies)]
        self.n_drawn += n_copies
        noise = torch.stack([torch.randn(film.shape[1:], generator=draw) for draw in draws]).to(film)
        return film + stdev * (film.max() - film.min()) * noise


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _saliency(made: list[Tensor]) -> np.ndarray:
    return torch.stack(made, dim=1).detach().abs().amax(dim=2).cpu().numpy()


def difference(first: np.ndarray, second: np.ndarray) -> float:
    """Greatest difference of two sets of maps of one size, each map scaled to [0, 1]."""
    # the 1e-7 in the scaling means the same to both sides when both have a greatest value of 1
    one, other = (maps / max(float(np.abs(maps).max()), 1e-30) for maps in (first, second))
    flat = (maps.reshape(-1, *maps.shape[2:]) for maps in (one, other))
    return float(np.max([np.abs(unit_map(a) - unit_map(b)) for a, b in zip(*flat, strict=True)]))


def as_pytorch_grad_cam(raw: np.ndarray, side: int) -> np.ndarray:
    """Maps scaled, then enlarged, which is its order."""
    n, f, *hw = raw.shape
    each = [enlarged(unit_map(one).astype(np.float32), (side, side)) for one in raw.reshape(n * f, *hw)]
    return np.stack(each).reshape(n, f, side, side)


def difference_but_for_sign(raw: np.ndarray, theirs: np.ndarray) -> float:
    """The same where the peer's sign is left to chance: each map by the nearer of both signs."""
    side, nearer = theirs.shape[-1], []
    for film in range(len(raw)):
        for finding in range(theirs.shape[1]):
            place = np.s_[film : film + 1, finding : finding + 1]
            both = [difference(as_pytorch_grad_cam(s * raw[place], side), theirs[place]) for s in (1, -1)]
            nearer.append(np.min(both))
    return float(np.max(nearer))
