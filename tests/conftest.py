"""What all tests share: checked shapes, the real samples where they are present."""

import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from jaxtyping import install_import_hook

if TYPE_CHECKING:
    from hilum.data import Cohort

SOURCE = Path(__file__).parents[1] / "src"


def _forget_stale_kernels() -> None:
    """numba notices a change of a kernel's own file, not of the kernels that it calls in others."""
    edited = max(path.stat().st_mtime for path in SOURCE.rglob("*_kernels.py"))
    for index in SOURCE.rglob("*_kernels.*.nbi"):
        if index.stat().st_mtime < edited:
            index.unlink()


_forget_stale_kernels()


def _modules() -> list[str]:
    """Every module whose shapes are checked: not the fronts, and not kernels, which numba must read bare."""
    files = [
        f for f in (SOURCE / "hilum").rglob("*.py") if f.stem != "__init__" and not f.stem.endswith("kernels")
    ]
    return sorted(".".join(f.relative_to(SOURCE).with_suffix("").parts) for f in files)


install_import_hook(_modules(), "beartype.beartype")


def _sample(name: str) -> Path:
    root = Path(os.environ.get("HILUM_SAMPLES", Path(__file__).parents[2] / "shared"))
    if not (root / name).is_dir():
        pytest.skip(f"no real films here: {name} is absent; HILUM_SAMPLES names the folder that holds it")
    return root / name


@pytest.fixture(scope="session")
def nih_sample() -> Path:
    """Folder with a partial download of ChestX-ray14."""
    return _sample("nih-sample")


@pytest.fixture(scope="session")
def real(nih_sample: Path) -> "Cohort":
    """The whole real table, "No Finding" last; read once, it takes seconds."""
    from hilum.data.chestxray14 import load

    return load(nih_sample, "no_finding")


@pytest.fixture(scope="session")
def rsna_sample() -> Path:
    """Folder with some films in the layout of RSNA Pneumonia stage 2."""
    return _sample("rsna-sample")


@pytest.fixture(scope="session")
def published_tables() -> Path:
    """Folder of tables of public data sets that torchxrayvision carries."""
    found = importlib.util.find_spec("torchxrayvision")
    if found is None or found.origin is None:
        pytest.skip("torchxrayvision, which carries the published tables, is not installed")
    return Path(found.origin).parent / "data"


TINY = """
[data]
input_px = 64
resize_px = 64
store_px = 64
split = "official(0.3)"

[model]
name = "average_pooling"
backbone = "efficientnet_lite0"
map_stride = 16

[training]
epochs = 2
batch_size = 16
optimiser = "adamw"
learning_rate = 1e-3
schedule = "one_cycle"
frozen_blocks = 3
flip = 0.5
precision = "fp32"

[explain]
methods = ["gradcam", "cam"]

[localize]
thresholds = ["dynamic(87.5)", "level(180)"]

[evaluate]
bootstrap_draws = 100

[report]
title = "Tiny"
description = "A run for tests."
figures = []
"""


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cohort of 80 phantom films of 64 px, in the NIH layout."""
    from hilum.data.phantom import write

    folder = tmp_path_factory.mktemp("phantoms")
    write(folder, films=80, size=64, seed=5)
    return folder


@pytest.fixture(scope="session")
def tiny_recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe that runs in seconds."""
    path = tmp_path_factory.mktemp("recipe") / "tiny.toml"
    path.write_text(TINY)
    return path


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test touches the user's cache, and one thread makes every run repeat to the bit."""
    os.environ["HILUM_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    os.environ["HF_HUB_OFFLINE"] = "1"


@pytest.fixture(scope="session")
def tiny_run(phantoms: Path, tiny_recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole run of the tiny recipe on the phantoms; tests that change it copy it first."""
    import torch

    from hilum.study import study

    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("run") / "tiny"
    study(str(tiny_recipe), phantoms, folder)
    return folder
