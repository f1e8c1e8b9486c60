"""Training: what our loop costs, what precision and layout gain, from files to epochs, the store on a GPU.

Losses of loops that take the same steps in the same precision must be equal; where precision differs they
must be near; where films are resampled in other ways and shuffled in other orders they are only shown.
A goal that is missed is printed, losses that differ are a failure.
"""

import argparse
import math
import os
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from hilum.data.phantom import write
from hilum.recipe import load
from hilum.training.fit import computes_in_bf16
from timing import machine, rounds
from training_loops import (
    DEVICE,
    Work,
    bare,
    by_torchxrayvision,
    from_device,
    from_files,
    lightning,
    noise,
    ours,
    work_of,
)

SYSTEMS = ("r38lm", "chexnet", "multires_resnet50")
LIGHT = {"name": "average_pooling", "backbone": "efficientnet_lite0", "map_stride": 32, "metadata": False}
DENSE = LIGHT | {"backbone": "densenet121"}
FULL, N_EPOCHS = 1024, 3
EQUAL, NEAR = 1e-5, 0.05
"""Greatest relative difference of losses of one precision, and of two."""


def main() -> None:
    """All parts that this machine can run."""
    options = _options()
    torch.backends.cudnn.allow_tf32 = False
    names = "hilum", "torch", "pytorch-lightning", "timm", "torchxrayvision"
    threads = torch.get_num_threads()
    print(f"{machine(*names)}; {DEVICE}; {threads} threads; medians of {options.rounds} rounds\n")
    print(f"{'':56}{'ratio (least to greatest)':>28}{'goal':>8}  {'':8}{'s':>8}{'of s':>8}  losses apart")
    quick, n = options.quick, options.rounds
    many = 16 if quick else (4096 if DEVICE == "cuda" else 256)
    work = Work(LIGHT, 64, 4) if quick else Work(DENSE, 224, 16)
    films = noise(many, work.side, 1), noise(work.batch, work.side, 2)
    agreed = [_overhead(work, films, n), _precision(work, films, n)]
    _files(Work(LIGHT, 64 if quick else 224, 16, N_EPOCHS), 32 if quick else 512, 128 if quick else FULL, n)
    if DEVICE == "cuda":
        for name in SYSTEMS:
            _store(name, 256 if quick else 4096, n)
    else:
        print("store against films that lie on the device: needs a GPU")
    if not all(agreed):
        raise SystemExit("losses differ")


def _options() -> Any:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="rounds that count (3)")
    parser.add_argument("--quick", action="store_true", help="small networks, small films, one round")
    options = parser.parse_args()
    options.rounds = 1 if options.quick else max(options.rounds, 1)
    return options


def _overhead(work: Work, films: tuple[Any, Any], n: int) -> bool:
    apart = _apart(ours(work, *films), bare(work, *films))
    ratio = rounds(partial(ours, work, *films), partial(bare, work, *films), n, warm_up=1)
    _told("fit / the same steps without Lightning", ratio, 1.02, apart)
    return apart <= EQUAL


def _precision(work: Work, films: tuple[Any, Any], n: int) -> bool:
    if not computes_in_bf16("auto"):
        print("plain Lightning, fp32 / fit, bf16: this machine does not compute in bf16")
        return True
    fast = partial(ours, work, *films, "bf16")
    apart = _apart(fast(), lightning(work, *films))
    ratio = rounds(partial(lightning, work, *films), fast, n, warm_up=1)
    _told("plain Lightning, fp32, contiguous / fit, bf16", ratio, -2.2, apart)
    return apart <= NEAR


def _files(work: Work, n_films: int, size: int, n: int) -> None:
    """From PNG films on disk, phantoms, to the end of three epochs; the store is built anew every time."""
    with tempfile.TemporaryDirectory() as name:
        data = Path(name)
        write(data, films=n_films, size=size, seed=0, workers=os.cpu_count() or 1)
        arguments = work, data, n_films // 8
        apart = _apart(from_files(*arguments), by_torchxrayvision(*arguments))
        ratio = rounds(partial(by_torchxrayvision, *arguments), partial(from_files, *arguments), n, warm_up=0)
    _told(f"torchxrayvision, {N_EPOCHS} epochs / ours, {n_films} films of {size} px", ratio, -5.0, apart)


def _store(name: str, n_films: int, n: int) -> None:
    """Films a second with the store, as a share of those without anything to read."""
    work = replace(work_of(load(name)), epochs=1)
    films = noise(n_films, work.side, 1), noise(work.batch, work.side, 2)
    ratio = rounds(partial(from_device, work, *films), partial(ours, work, *films, "auto"), n, warm_up=1)
    _told(f"{name}: on the device / from the store", ratio, -0.95, math.nan)
    print(f"{'':4}{n_films / ratio.ours_s:,.0f} films/s, validation and checkpoint included")


def _apart(some: list[float], others: list[float]) -> float:
    return max(abs(one - other) / abs(other) for one, other in zip(some, others, strict=True))


def _told(name: str, ratio: Any, goal: float, apart: float) -> None:
    """At most the goal, or, where it is negative, at least its absolute value."""
    reached = ratio.median <= goal if goal > 0 else ratio.median >= -goal
    sign, verdict = ("<=" if goal > 0 else ">="), ("reached" if reached else "MISSED")
    shown = "none" if math.isnan(apart) else f"{apart:.1e}"
    print(
        f"{name:56}{ratio!s:>28}{f'{sign} {abs(goal):g}':>8}  {verdict:8}{ratio.baseline_s:>8.2f}"
        f"{ratio.ours_s:>8.2f}  {shown}",
        flush=True,
    )


if __name__ == "__main__":
    main()
