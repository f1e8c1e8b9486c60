"""Every heatmap method has its page, its picture and its rows, and the pages say what their script wrote."""

import importlib
import re
from pathlib import Path
from types import ModuleType

import pytest

from hilum.explain import METHODS

DOCS = Path(__file__).parents[2] / "docs"
TABLES = ("heatmap-scores", "heatmap-sanity")


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(DOCS))
    return importlib.import_module("heatmap_tables")


def _read(name: str) -> str:
    return (DOCS / f"{name}.md").read_text(encoding="utf-8")


def _rows(name: str) -> dict[str, list[str]]:
    """Cells by the method that a line links to, or names; the first line where a method has two."""
    rows: dict[str, list[str]] = {}
    for line in _read(name).splitlines():
        found = re.match(r"\| \[`[^`]+`\]\(heatmaps/(.+?)\.md\) \||\| `(gradcam-[^`]+)` \|", line)
        if found:
            rows.setdefault(found[1] or found[2], [cell.strip() for cell in line.strip("|").split("|")])
    return rows


def test_every_method_has_a_page_and_a_picture_and_none_is_left_over() -> None:
    assert len(METHODS) == 19
    assert {path.stem for path in (DOCS / "heatmaps").iterdir()} == set(METHODS)
    assert {path.stem for path in (DOCS / "images" / "heatmaps").iterdir()} == set(METHODS)


@pytest.mark.parametrize("table", ["heatmaps", *TABLES])
def test_every_method_has_a_row(table: str, script: ModuleType) -> None:
    smoothed = () if table == "heatmaps" else script.SMOOTHED
    assert set(_rows(table)) == {*METHODS, *smoothed}


@pytest.mark.parametrize("method", METHODS)
def test_a_page_shows_its_picture_and_the_cost_of_the_table(method: str) -> None:
    page = _read(f"heatmaps/{method}")
    assert f"\n`{method}`: " in page
    assert f"](../images/heatmaps/{method}.png)" in page
    assert 12 <= len(page.splitlines()) <= 25
    for point in ("Answers", "Does not", "Cost", "When", "Traps"):
        assert f"\n- **{point}** " in page
    assert f"- **Cost** {_rows('heatmap-scores')[method][-1]} forward passes" in page


@pytest.mark.parametrize("table", TABLES)
def test_the_words_of_a_table_are_those_of_its_script(table: str, script: ModuleType) -> None:
    parts = [re.escape(words) for words in re.split(r"\{\w+\}", script.PAGES[table])]
    assert re.fullmatch("(?s:.+?)".join(parts), _read(table))


def test_the_script_names_every_method(script: ModuleType) -> None:
    assert sorted(script.METHODS) == sorted([*METHODS, *script.SMOOTHED])


def test_the_pictures_are_small() -> None:
    sizes = [path.stat().st_size for path in (DOCS / "images" / "heatmaps").iterdir()]
    gallery = (DOCS / "images" / "gallery.png").stat().st_size
    assert gallery < 400_000
    assert sum(sizes) + gallery < 1_500_000
