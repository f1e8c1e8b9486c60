"""What all tests share: checked shapes, the real samples where they are present."""

import os
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

SOURCE = Path(__file__).parents[1] / "src"


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
