"""Benchmarks are no tests, but they must run: what they call changes, and nobody calls them daily."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
QUICK = {
    "capsules.py": ("--films", "2", "--rounds", "1"),
    "heatmaps.py": ("--quick",),
    "inference.py": ("--quick",),
    "training.py": ("--quick",),
}
"""How those are run in little time that have a way."""


def _run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=BENCHMARKS, timeout=1200)


def test_every_benchmark_can_be_imported() -> None:
    names = sorted(path.stem for path in BENCHMARKS.glob("*.py"))
    assert len(names) >= 8
    assert set(QUICK) <= {f"{name}.py" for name in names}
    done = _run("-c", f"import {', '.join(names)}")
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", QUICK)
def test_a_quick_run_ends_with_figures(name: str) -> None:
    done = _run(name, *QUICK[name])
    assert done.returncode == 0, done.stderr
    assert "parameters" in done.stdout or "ratio" in done.stdout
