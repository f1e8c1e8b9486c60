"""What an import loads, each in a fresh interpreter; counted in modules, because seconds are noisy."""

import importlib.util
import subprocess
import sys
import time
from pathlib import Path

import pytest

TORCH = {"pytorch_lightning", "safetensors", "timm", "torch", "torchvision"}
SLOW = {"matplotlib", "numba", "pandas", "scipy", "skimage", "sklearn"}
NUMPY = {"cv2", "numpy"}

STAGES = {
    "hilum.errors": TORCH | SLOW | NUMPY,
    "hilum.lookup": TORCH | SLOW | NUMPY,
    "hilum.files": TORCH | SLOW | NUMPY,
    "hilum.findings": TORCH | SLOW | NUMPY,
    "hilum.jit": TORCH | SLOW | NUMPY,
    "hilum": TORCH | SLOW | NUMPY,
    "hilum.boxes": TORCH | SLOW,
    "hilum.data": TORCH | SLOW,
    "hilum.data.phantom": TORCH | SLOW,
    "hilum.localize": TORCH | SLOW,
    "hilum.evaluate": TORCH | SLOW,
    "hilum.report": TORCH | SLOW,
    "hilum.recipe": TORCH | SLOW,
    "hilum.study": TORCH | SLOW,
    "hilum.study.score": TORCH | SLOW,
    "hilum.study.report": TORCH | SLOW,
}
"""What each module must not load; the numpy stages and the scoring of a run know no torch."""


def _loaded(statement: str) -> set[str]:
    """Names of the packages in a fresh interpreter after a statement."""
    told = "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    code = f"import sys\n{statement}\n{told}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


@pytest.mark.parametrize("module", STAGES)
def test_a_stage_loads_nothing_heavy(module: str) -> None:
    assert _loaded(f"import {module}") & STAGES[module] == set()


def test_heavy_packages_are_named_as_they_are() -> None:
    """A misspelt name would never be found among the loaded ones."""
    installed = {name for name in TORCH | NUMPY | {"matplotlib", "numba"} if importlib.util.find_spec(name)}
    assert installed == TORCH | NUMPY | {"matplotlib", "numba"}


@pytest.mark.parametrize("arguments", [["--help"], ["study", "--help"], ["--version"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    call = f"from hilum.apps.cli import main\ntry:\n main({arguments})\nexcept SystemExit: pass"
    assert _loaded(call) & (TORCH | SLOW | NUMPY | {"pydantic"}) == set()


def test_help_comes_soon() -> None:
    """The aim is 0.3 s on a quiet machine; the limit here only catches a heavy import."""
    program = Path(sys.executable).with_name("hilum")
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run([program, "--help"], capture_output=True, check=True)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 1.5
