"""The two contracts on imports hold, and each would notice a violation."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ONE_WAY, NO_TORCH = "an image flows one way", "torch stops at the heatmap"


def _contracts(folder: Path) -> dict[str, bool]:
    """Whether each contract of `folder/pyproject.toml` holds for the package in `folder/src`."""
    program = Path(sys.executable).with_name("lint-imports")
    command = [program, "--config", folder / "pyproject.toml", "--no-cache", "--no-logo"]
    environment = {**os.environ, "PYTHONPATH": str(folder / "src"), "NO_COLOR": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    held = {
        name: f"{name} KEPT" in done.stdout
        for name in (ONE_WAY, NO_TORCH)
        if f"{name} KEPT" in done.stdout or f"{name} BROKEN" in done.stdout
    }
    assert done.returncode == (0 if all(held.values()) and held else 1), done.stdout + done.stderr
    return held


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the package and its contracts."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "src" / "hilum", tmp_path / "src" / "hilum")
    return tmp_path


def test_contracts_hold(house: Path) -> None:
    assert _contracts(house) == {ONE_WAY: True, NO_TORCH: True}


@pytest.mark.parametrize(
    ("module", "planted", "held"),
    [
        ("localize/scale.py", "import torch", {ONE_WAY: True, NO_TORCH: False}),
        ("study/folder.py", "import torch", {ONE_WAY: True, NO_TORCH: True}),
        ("boxes.py", "from hilum import report", {ONE_WAY: False, NO_TORCH: True}),
        ("data/census.py", "from hilum import models", {ONE_WAY: False, NO_TORCH: False}),
        ("findings.py", "from hilum import boxes", {ONE_WAY: False, NO_TORCH: True}),
    ],
)
def test_a_violation_is_noticed(house: Path, module: str, planted: str, held: dict[str, bool]) -> None:
    path = house / "src" / "hilum" / module
    path.write_text(path.read_text(encoding="utf-8") + f"\n{planted}\n", encoding="utf-8")
    assert _contracts(house) == held


def test_a_room_without_a_layer_is_noticed(house: Path) -> None:
    (house / "src" / "hilum" / "cellar.py").write_text('"""Somewhere below."""\n', encoding="utf-8")
    assert _contracts(house) == {ONE_WAY: False, NO_TORCH: True}
