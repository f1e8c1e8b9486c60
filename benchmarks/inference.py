"""One pass of the networks of D'Souza et al. 2022, table 4: ms a film and parameters, beside the paper's.

256 x 256 x 3, batch 1, single precision, eager, as there; but there on a Tesla P100. So times stand beside
each other for the eye only; what can be compared is how many times as long one system takes as another.
Weights are random: times do not depend on them.
"""

import argparse
import statistics
import time
from dataclasses import dataclass

import torch
from torch import nn

from heatmap_makers import DEVICE, synchronised
from hilum import models
from hilum.findings import CHESTXRAY14
from hilum.recipe import load
from timing import machine

SIDE, N_PASSES, N_QUICK = 256, 50, 5


@dataclass(frozen=True)
class Printed:
    """What table 4 says of a system.

    Attributes:
        ms: A film.
        parameters: Of the network.
    """

    ms: float
    parameters: int


PAPER = {
    "standard_resnet50": Printed(15.51, 23_536_718),
    "multires_resnet50": Printed(16.93, 26_273_615),
    "standard_efficientnetb4": Printed(20.29, 17_573_718),
    "multires_efficientnetb4": Printed(23.46, 18_913_543),
}
"""By recipe. Source: D'Souza et al. 2022, table 4."""


def main() -> None:
    """Prints both tables, then the ratios of systems here and there."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=4, metavar="N", help=f"of {N_PASSES} passes (4)")
    parser.add_argument("--quick", action="store_true", help=f"{N_QUICK} passes only")
    options = parser.parse_args()
    n = N_QUICK if options.quick else N_PASSES * max(options.rounds, 1)
    torch.backends.cudnn.allow_tf32 = False
    threads = torch.get_num_threads()
    print(f"{machine('hilum', 'torch', 'timm')}; {DEVICE}; {threads} threads; medians of {n} passes\n")
    networks = {name: network(name) for name in PAPER}
    took = milliseconds(networks, n)
    print(f"{'':26}{'ms a film (quartiles)':>28}{'paper':>8}{'parameters':>13}{'paper':>13}{'more':>9}")
    for name, printed in PAPER.items():
        low, middle, high = statistics.quantiles(took[name], n=4)
        parameters = sum(each.numel() for each in networks[name].parameters())
        times = f"{middle:.2f} ({low:.2f} to {high:.2f})"
        print(
            f"{name:26}{times:>28}{printed.ms:>8.2f}{parameters:>13,}{printed.parameters:>13,}"
            f"{parameters - printed.parameters:>9,}"
        )
    print(f"\n{'times as long':56}{'here':>7}{'paper':>8}")
    for above, below in (
        ("multires_resnet50", "standard_resnet50"),
        ("multires_efficientnetb4", "standard_efficientnetb4"),
        ("standard_efficientnetb4", "standard_resnet50"),
        ("multires_efficientnetb4", "multires_resnet50"),
    ):
        here = statistics.median(a / b for a, b in zip(took[above], took[below], strict=True))
        print(f"{f'{above} / {below}':56}{here:>7.3f}{PAPER[above].ms / PAPER[below].ms:>8.3f}")


def network(name: str) -> nn.Module:
    """The network of a recipe, untrained, with the 14 findings."""
    settings = load(name).model.model_dump(exclude={"weights"})
    torch.manual_seed(0)
    return models.build(**settings, findings=CHESTXRAY14, input_hw=(SIDE, SIDE)).eval().to(DEVICE)


def milliseconds(networks: dict[str, nn.Module], n: int) -> dict[str, list[float]]:
    """Times of n passes of each after a tenth as many to warm up, in turns."""
    image = torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)).to(DEVICE)
    took: dict[str, list[float]] = {name: [] for name in networks}
    warm_up = max(n // 10, 2)
    with torch.inference_mode():
        for number in range(warm_up + n):
            for name, one in networks.items():
                passed = synchronised(lambda one=one: one(image))
                start = time.perf_counter()
                passed()
                if number >= warm_up:
                    took[name].append(1000 * (time.perf_counter() - start))
    return took


if __name__ == "__main__":
    main()
