"""Heatmaps of 14 findings beside one forward pass, pytorch-grad-cam and torchcam.

The limit is one forward pass of the same network, eager, in single precision. Both peers make one map a
pass, so they are called once a finding. Weights and films are random: times do not depend on them.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from pytorch_grad_cam import GradCAM as TheirGradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch.nn.functional import interpolate
from torchcam.methods import GradCAM as TorchcamGradCAM

from hilum import models
from hilum.explain import logits_and_heatmaps
from hilum.findings import CHESTXRAY14
from hilum.localize.scale import enlarged, unit_map
from hilum.models.classifier import AveragePooling
from timing import machine, n_rounds, rounds

SIDE = 224
CASES = (("densenet121", 1), ("densenet121", 8), ("efficientnet_lite0", 1))
AGREED = 1e-5
"""Greatest difference of two maps in [0, 1] that counts as the same map."""

Maps = Callable[[], np.ndarray]


class Makers(NamedTuple):
    """One forward pass, and 14 maps of every film by each maker."""

    forward: Callable[[], object]
    ours: Maps
    ours_enlarged: Maps
    pytorch_grad_cam: Maps
    torchcam: Maps


def makers(backbone: str, n_films: int) -> Makers:
    """All of them on the same network and the same films."""
    torch.manual_seed(0)
    model = models.build(
        name="average_pooling",
        backbone=backbone,
        map_stride=32,
        metadata=False,
        findings=CHESTXRAY14,
        input_hw=(SIDE, SIDE),
    ).eval()
    assert isinstance(model, AveragePooling)
    images = torch.randn(n_films, 3, SIDE, SIDE)
    findings = range(len(CHESTXRAY14))

    def forward() -> None:
        with torch.inference_mode():
            model(images)

    def ours() -> np.ndarray:
        return logits_and_heatmaps(model, images, ("gradcam",))[1]["gradcam"]

    def ours_enlarged() -> np.ndarray:
        maps = torch.from_numpy(ours())
        return interpolate(maps, (SIDE, SIDE), mode="bilinear", align_corners=False).numpy()

    def pytorch_grad_cam() -> np.ndarray:
        with TheirGradCAM(model, [model.backbone]) as peer:
            targets = [[ClassifierOutputTarget(finding)] * n_films for finding in findings]
            return np.stack([peer(images, targets=one) for one in targets], axis=1)

    def torchcam() -> np.ndarray:
        with TorchcamGradCAM(model, model.backbone) as peer:
            logits = model(images)
            made = [peer(f, logits, normalized=False, retain_graph=True)[0] for f in findings]
        return torch.stack(made, dim=1).detach().numpy()

    return Makers(forward, ours, ours_enlarged, pytorch_grad_cam, torchcam)


def difference(first: np.ndarray, second: np.ndarray) -> float:
    """Greatest difference of two sets of maps of one size, each map scaled to [0, 1]."""
    flat = (maps.reshape(-1, *maps.shape[2:]) for maps in (first, second))
    return max(float(np.abs(unit_map(a) - unit_map(b)).max()) for a, b in zip(*flat, strict=True))


def differences(made: Makers) -> tuple[float, float, float]:
    """Of our enlarged maps from OpenCV's, and of both peers from ours; each step on both sides alike."""
    raw, (n, f) = made.ours(), made.ours().shape[:2]
    each = raw.reshape(n * f, *raw.shape[2:])
    by_opencv = np.stack([enlarged(one, (SIDE, SIDE)) for one in each]).reshape(n, f, SIDE, SIDE)
    # pytorch-grad-cam scales the map before it enlarges it, and then again
    as_the_peer = [enlarged(unit_map(one).astype(np.float32), (SIDE, SIDE)) for one in each]
    as_the_peer = np.stack(as_the_peer).reshape(n, f, SIDE, SIDE)
    return (
        difference(made.ours_enlarged(), by_opencv),
        difference(as_the_peer, made.pytorch_grad_cam()),
        difference(raw, made.torchcam()),
    )


def measure(backbone: str, n_films: int, n: int) -> bool:
    """Prints one case; whether all maps agreed."""
    made = makers(backbone, n_films)
    enlarging, gradcam, torchcam = differences(made)
    rows = [
        ("ours, map resolution / one forward", rounds(made.ours, made.forward, n), "<= 1.03", None),
        ("ours, input size / one forward", rounds(made.ours_enlarged, made.forward, n), "<= 1.06", enlarging),
        # heavy peers in rounds of their own: their graphs empty the caches of whatever follows
        ("torchcam x 14 / ours, map resolution", rounds(made.torchcam, made.ours, n), ">= 1.12", torchcam),
        (
            "pytorch-grad-cam x 14 / ours, input size",
            rounds(made.pytorch_grad_cam, made.ours_enlarged, n),
            ">= 35",
            gradcam,
        ),
    ]
    print(f"\n{backbone}, {SIDE} px, batch {n_films}: Grad-CAM of {len(CHESTXRAY14)} findings")
    print(f"  {'':40}{'ratio (least to greatest)':>28}{'goal':>10}{'ms':>10}{'of ms':>10}{'difference':>13}")
    for name, ratio, goal, apart in rows:
        times = f"{ratio.baseline_s * 1e3:>10.1f}{ratio.ours_s * 1e3:>10.1f}"
        print(f"  {name:40}{ratio!s:>28}{goal:>10}{times}{'' if apart is None else f'{apart:.1e}':>13}")
    return max(enlarging, gradcam, torchcam) <= AGREED


def main() -> None:
    """All cases; fails where maps differ."""
    n = n_rounds(__doc__)
    packages = machine("hilum", "torch", "timm", "grad-cam", "torchcam", "numpy")
    print(f"{packages}; {torch.get_num_threads()} threads; medians of {n} rounds after 2")
    agreed = [measure(backbone, n_films, n) for backbone, n_films in CASES]
    assert len(agreed) == len(CASES) == 3
    if not all(agreed):
        raise SystemExit(f"maps differ by more than {AGREED}")


if __name__ == "__main__":
    main()
