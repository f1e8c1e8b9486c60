"""Two pieces of work timed in turns in one process, and what to print beside the figures.

Only ratios are worth printing: both sides of one are taken within a second of each other, so that a
slower machine, a neighbour or a warm processor changes both.
"""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version

Work = Callable[[], object]


@dataclass(frozen=True)
class Ratio:
    """How many times as long the first piece of work takes as the second.

    Attributes:
        median: Of the ratios of the rounds.
        low: Least ratio of a round.
        high: Greatest ratio of a round.
        baseline_s: Median time of the first, in s.
        ours_s: Median time of the second, in s.
    """

    median: float
    low: float
    high: float
    baseline_s: float
    ours_s: float

    def __str__(self) -> str:
        digits = 3 if self.median < 10 else 1
        return f"{self.median:.{digits}f} ({self.low:.{digits}f} to {self.high:.{digits}f})"


def rounds(baseline: Work, ours: Work, n: int = 7, warm_up: int = 2) -> Ratio:
    """Times both once a round, each first in every other round.

    Args:
        baseline: Above the line of the ratio: the peer, or ours where a limit is the second.
        ours: Below the line. Work of less than some milliseconds should repeat itself inside.
        n: Rounds that count.
        warm_up: Rounds before them that do not.
    """
    times = []
    for number in range(warm_up + n):
        if number % 2:
            second, first = _seconds(ours), _seconds(baseline)
        else:
            first, second = _seconds(baseline), _seconds(ours)
        times.append((first, second))
    counted = times[warm_up:]
    ratios = [first / second for first, second in counted]
    firsts, seconds = zip(*counted, strict=True)
    return Ratio(
        statistics.median(ratios),
        min(ratios),
        max(ratios),
        statistics.median(firsts),
        statistics.median(seconds),
    )


def n_rounds(description: str | None) -> int:
    """The number after `--rounds`, the only option a benchmark has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="rounds that count (7)")
    return max(parser.parse_args().rounds, 1)


def machine(*packages: str) -> str:
    """One line on the machine and the versions behind the figures.

    Args:
        packages: Names of distributions, as pip lists them.
    """
    versions = [f"{name} {version(name)}" for name in packages]
    system = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    return "; ".join([f"{_processor()} ({system})", *versions])


def _seconds(work: Work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as stream:
            names = [line.partition(":")[2].strip() for line in stream if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or "unknown processor"
