"""The page of figures says what the published tables say."""

import importlib.util
from pathlib import Path

import numpy as np

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_is_what_its_script_writes(real) -> None:
    spec = importlib.util.spec_from_file_location("figures", DOCS / "chestxray14.py")
    assert spec is not None
    assert spec.loader is not None
    figures = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(figures)
    assert figures.page(real) == (DOCS / "chestxray14.md").read_text(encoding="utf-8")
    cells = [text.get_text() for text in figures.figure(real).axes[0].texts]
    assert len(cells) == 14 * 14  # 13 other findings and "alone"
    svg = (DOCS / "images" / "cooccurrence.svg").read_text(encoding="utf-8")
    assert all(f">{cell}</text>" in svg for cell in np.unique(cells))
