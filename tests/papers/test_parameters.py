"""Parameters of every paper's network, as its page in docs/systems says them."""

from pathlib import Path

import pytest
import torch

from hilum.models import build
from hilum.recipe import Recipe, cells_over, load, shipped

PAGES = Path(__file__).parents[2] / "docs" / "systems"
SHARED = {
    "ag_cnn_guan": "ag_cnn",
    "capsule_cascade": "capsules",
    "capsule_margin": "capsules",
    "multires_efficientnetb4": "multires",
    "multires_resnet50": "multires",
    "pcm_efficientnetb4": "pcm",
    "pcm_resnet50": "pcm",
    "sorkhei_frozen": "sorkhei_baseline",
    "standard_efficientnetb4": "multires",
    "standard_resnet50": "multires",
}
"""Recipes that have no page of their own."""
SYSTEMS = sorted(set(shipped()) - {"demo", "small"})
OUTPUTS = {"chestxray14": 14, "chestxray14(no_finding)": 15, "rsna": 1}


def _n_parameters(recipe: Recipe) -> int:
    findings = tuple(f"f{number}" for number in range(OUTPUTS[recipe.data.dataset]))
    with torch.device("meta"):
        settings = recipe.model.model_dump(exclude={"weights"})
        model = build(**settings, findings=findings, input_hw=recipe.data.geometry.input_hw)
    return sum(parameter.numel() for parameter in model.parameters())


def _page(name: str) -> str:
    return (PAGES / f"{SHARED.get(name, name)}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_page_says_command_and_parameters(name: str) -> None:
    page = " ".join(_page(name).split())
    recipe = load(name)
    assert f"{_n_parameters(recipe):,}" in page
    assert f"`{name}`" in page
    if name not in SHARED or name == "sorkhei_frozen":
        assert f"hilum study {name} --data DIR --out runs/{name}" in page
    if recipe.grid:
        assert f"hilum grid {name} --data DIR --out runs/{name}-grid" in page


def test_vgg_of_the_classifier() -> None:
    cells = cells_over(load("rsna_classifier"), {})
    (vgg,) = [cell for name, cell in cells.items() if "vgg19" in name]
    assert f"{_n_parameters(vgg):,}" in _page("rsna_classifier")


def test_no_page_is_left_over() -> None:
    assert {page.stem for page in PAGES.glob("*.md")} == {SHARED.get(name, name) for name in SYSTEMS}
