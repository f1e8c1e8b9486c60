"""Capsules: time and memory of a training step on films of 28 px, and of 56, too large for Pun et al. 2021.

Each size has a process of its own; memory is the most that torch allocated on the GPU, or that the process
held on a CPU beyond what it held before the model was built.
"""

import argparse
import resource
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import torch

from hilum.findings import CHESTXRAY14
from hilum.models import build
from hilum.training.capsule_steps import reconstruct
from hilum.training.losses import margin
from hilum.training.stepped import Seen
from timing import machine

SIDES_PX = (28, 56)
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def main() -> None:
    """A line a size, and how many times as much the larger takes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--films", type=int, default=16, metavar="N", help="films a step (16)")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="steps that count (5)")
    options = parser.parse_args()
    print(f"{machine('hilum', 'torch')}; {DEVICE}, {torch.get_num_threads()} threads")
    print(
        f"{'films of':>10}{'primary capsules':>18}{'parameters':>13}{'s a step':>10}{'films/s':>9}{'GB':>7}"
    )
    made = []
    for side in SIDES_PX:
        with ProcessPoolExecutor(1, get_context("spawn")) as alone:
            n_primary, n, seconds, gigabytes = alone.submit(
                _measured, side, options.films, options.rounds
            ).result()
        made.append((seconds, gigabytes))
        speed = options.films / seconds
        print(f"{side:>7} px{n_primary:>18,}{n:>13,}{seconds:>10.3f}{speed:>9.1f}{gigabytes:>7.2f}")
    (small_s, small_gb), (large_s, large_gb) = made
    print(f"56 px take {large_s / small_s:.1f} times as long and {large_gb / small_gb:.1f} times the memory")


def _measured(side: int, n_films: int, n_rounds: int) -> tuple[int, int, float, float]:
    """Primary capsules, parameters, median seconds and greatest memory of steps of Adam."""
    torch.manual_seed(0)
    before = _held()
    settings = {"map_stride": 32, "metadata": False, "findings": CHESTXRAY14, "input_hw": (side, side)}
    model = build(name="capsules", backbone=f"capsule_stem(256, {side})", **settings).to(DEVICE)
    model.to(memory_format=torch.channels_last).train()
    optimiser = torch.optim.Adam(model.parameters())
    images = torch.randn(n_films, 3, side, side, device=DEVICE)
    labels = (torch.rand(n_films, len(CHESTXRAY14), device=DEVICE) < 0.1).float()
    seen = Seen(images, labels, torch.zeros(n_films, 3, device=DEVICE), torch.zeros(0, 6, device=DEVICE))
    taken = []
    for _ in range(2 + n_rounds):
        start = time.perf_counter()
        optimiser.zero_grad()
        reconstruct(model, seen, margin).minimised.backward()
        optimiser.step()
        if DEVICE == "cuda":
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - start)
    n = sum(parameter.numel() for parameter in model.parameters())
    return model.capsules.n_primary, n, statistics.median(taken[2:]), (_held() - before) / 1e9


def _held() -> int:
    """The most so far, in bytes."""
    if DEVICE == "cuda":
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
