"""Heatmaps of 14 findings beside one forward pass, pytorch-grad-cam, captum and torchcam.

The limit is one forward pass of the same network, eager, in single precision. The peers make one map a
pass, so they are called once a finding. Weights and films are random: times do not depend on them. Heavy
peers are timed in rounds of their own, because their graphs empty the caches of whatever follows.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from pytorch_grad_cam import GradCAM

from heatmap_makers import (
    DEVICE,
    EVERY,
    FIVE,
    Makers,
    as_pytorch_grad_cam,
    difference,
    difference_but_for_sign,
    synchronised,
)
from timing import Work, machine, rounds

CASES = (
    ("densenet121", 224, 1),
    ("densenet121", 224, 8),
    ("resnet50", 224, 8),
    ("resnet50", 448, 1),
    ("efficientnet_lite0", 224, 1),
)
QUICK = (("densenet121", 224, 1),)
SALIENCY_CASES = (("densenet121", 224, 1), ("resnet50", 224, 1))
N_STEPS = 8
"""Steps of integrated gradients and draws of SmoothGrad; a ratio needs no more than one full batch."""

AGREED = 1e-5
"""Greatest difference of two maps in [0, 1] that counts as the same map."""

SIX = "gradcam-augmentation"
ONE, SOME = range(1), range(2)


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        name: What is above and below the line of the ratio.
        above: Timed.
        below: Timed.
        goal: Of the ratio: at most, if negative at least its absolute value.
        apart: Measures the greatest difference of the maps; or None where nothing is compared.
    """

    name: str
    above: Work
    below: Work
    goal: float
    apart: Callable[[], float] | None


def class_map_rows(made: Makers) -> list[Row]:
    """Class activation maps of one network and batch."""

    def forward() -> None:
        made.forward()

    def ours() -> dict[str, np.ndarray]:
        return made.ours("gradcam")

    def enlarged() -> dict[str, np.ndarray]:
        return made.ours_enlarged("gradcam")

    def same() -> float:
        theirs = made.pytorch_grad_cam(findings=SOME)
        return difference(as_pytorch_grad_cam(ours()["gradcam"][:, : len(SOME)], made.side), theirs)

    def captum() -> float:
        return difference(ours()["gradcam"], made.captum())

    def torchcam() -> float:
        return difference(ours()["gradcam"], made.torchcam())

    rows = [
        ("one method, map resolution / forward", ours, forward, 1.03, same),
        ("one method, input size / forward", enlarged, forward, 1.06, same),
        (
            "five methods, input size / forward",
            lambda: made.ours_enlarged(*FIVE),
            forward,
            1.15,
            partial(five, made),
        ),
        (
            "augmentation / forward of six copies",
            lambda: made.ours(SIX),
            lambda: made.forward(6),
            1.08,
            partial(six, made),
        ),
        ("eigen smoothing / forward", lambda: made.ours("gradcam-eigen"), forward, 1.2, partial(eigen, made)),
        ("torchcam x 14 / ours, map resolution", made.torchcam, ours, -1.12, torchcam),
        (
            "torchcam ++ x 14 / ours",
            lambda: made.torchcam("GradCAMpp"),
            lambda: made.ours("gradcam++"),
            -1.3,
            None,
        ),
        ("captum x 14 / ours, map resolution", made.captum, ours, -13, captum),
        ("pytorch-grad-cam x 14 / ours, input size", made.pytorch_grad_cam, enlarged, -35, same),
    ]
    return [Row(*row) for row in rows]


def five(made: Makers) -> float:
    """Of each of the five methods from pytorch-grad-cam, for one finding."""
    raw = made.ours(*FIVE)
    theirs = {name: made.pytorch_grad_cam(kind, ONE) for name, kind in FIVE.items()}
    return float(np.max([difference_but_for_sign(raw[name], theirs[name]) for name in FIVE]))


def six(made: Makers) -> float:
    """Of the maps smoothed by augmentation from pytorch-grad-cam, as they are, for one finding."""
    theirs = made.pytorch_grad_cam(GradCAM, ONE, aug_smooth=True)
    return float(np.abs(made.ours_enlarged(SIX)[SIX][:, :1] - theirs).max())


def eigen(made: Makers) -> float:
    """Of the maps of weighted channels' main direction from pytorch-grad-cam, for one finding."""
    theirs = made.pytorch_grad_cam(GradCAM, ONE, eigen_smooth=True)
    return difference_but_for_sign(made.ours("gradcam-eigen")["gradcam-eigen"], theirs)


def saliency_rows(made: Makers) -> list[Row]:
    """Gradients of the film, many passes each."""
    path, noise = f"integrated_gradients({N_STEPS})", f"smoothgrad({N_STEPS})"

    def row(title: str, name: str, peer: Callable[[int], np.ndarray]) -> Row:
        def apart() -> float:
            theirs = peer(N_STEPS)
            assert theirs.max() > 0  # gradients that vanish agree with anything
            return difference(made.ours(name)[name], theirs)

        return Row(title, lambda: peer(N_STEPS), lambda: made.ours(name), -1.25, apart)

    return [
        row("captum integrated gradients x 14 / ours", path, made.captum_integrated),
        row("captum SmoothGrad x 14 / ours", noise, made.captum_smoothgrad),
    ]


def measure(title: str, rows: list[Row], n: int) -> bool:
    """Prints one case; whether all maps agreed."""
    print(f"\n{title}")
    print(
        f"  {'':42}{'ratio (least to greatest)':>28}{'goal':>9}{'':10}{'ms':>9}{'of ms':>9}{'difference':>12}"
    )
    agreed = True
    for row in rows:
        ratio = rounds(synchronised(row.above), synchronised(row.below), n)
        reached = ratio.median <= row.goal if row.goal > 0 else ratio.median >= -row.goal
        goal = f"<= {row.goal:g}" if row.goal > 0 else f">= {-row.goal:g}"
        times = f"{ratio.baseline_s * 1e3:>9.1f}{ratio.ours_s * 1e3:>9.1f}"
        apart = None if row.apart is None else row.apart()
        agreed &= apart is None or apart <= AGREED  # NaN does not agree
        shown = "none" if apart is None else f"{apart:.1e}"
        verdict = "reached" if reached else "MISSED"
        print(f"  {row.name:42}{ratio!s:>28}{goal:>9}  {verdict:8}{times}{shown:>12}", flush=True)
    return agreed


def options() -> Any:
    """What the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="rounds that count (7)")
    parser.add_argument("--quick", action="store_true", help="one network and batch only, light peers only")
    return parser.parse_args()


def main() -> None:
    """All cases; fails where maps differ, not where a goal is missed."""
    chosen = options()
    n = max(chosen.rounds, 1)
    torch.backends.cudnn.allow_tf32 = False  # single precision on a GPU too
    packages = machine("hilum", "torch", "timm", "grad-cam", "captum", "torchcam", "numpy")
    print(f"{packages}; {DEVICE}; {torch.get_num_threads()} threads; medians of {n} rounds after 2")
    print("torchcam's Grad-CAM++ lacks its denominator, so those maps are timed and not compared")
    agreed = []
    for backbone, side, n_films in QUICK if chosen.quick else CASES:
        rows = class_map_rows(Makers(backbone, side, n_films))
        title = f"{backbone}, {side} px, batch {n_films}: maps of {len(EVERY)} findings"
        agreed.append(measure(title, rows[:6] if chosen.quick else rows, n))
    for backbone, side, n_films in () if chosen.quick else SALIENCY_CASES:
        title = f"{backbone}, {side} px, batch {n_films}: {N_STEPS} steps or draws, {len(EVERY)} findings"
        agreed.append(measure(title, saliency_rows(Makers(backbone, side, n_films)), n))
    assert len(agreed) == (len(QUICK) if chosen.quick else len(CASES) + len(SALIENCY_CASES))
    if not all(agreed):
        raise SystemExit(f"maps differ by more than {AGREED}")


if __name__ == "__main__":
    main()
