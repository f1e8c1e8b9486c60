"""Every shipped recipe: it loads, it comes back from its own text, its header says what one must know."""

import re

import pytest

from hilum.recipe import Recipe, cells_over, load, parse, shipped, toml_from
from hilum.recipe.laying import flat
from hilum.study.train import check

HEADER = ("Command", "Cost", "Expected", "Deviates")
WITH_A_GRID = {
    "ag_cnn": 12,
    "capsule_cascade": 1,
    "chexnet": 6,
    "lse_lba": 2,
    "pcm_resnet50": 8,
    "pylon": 2,
    "r38lm": 9,
    "retinanet": 5,
    "rsna_classifier": 8,
    "sorkhei_baseline": 10,
    "sorkhei_gates": 9,
    "wildcat": 9,
}
"""Cells of each grid."""
UNTRAINED = {"model.weights": "none"}


def _header(name: str) -> list[str]:
    lines = shipped()[name].read_text(encoding="utf-8").splitlines()
    return lines[: next(place for place, line in enumerate(lines) if not line.startswith("#"))]


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for section in Recipe.model_fields:
        monkeypatch.delenv(f"HILUM_{section.upper()}_SEED", raising=False)


def test_the_folder_is_whole() -> None:
    assert sorted(shipped()) == [
        "ag_cnn",
        "ag_cnn_guan",
        "capsule_cascade",
        "capsule_margin",
        "capsules",
        "chexnet",
        "demo",
        "lse_lba",
        "modern",
        "multires_efficientnetb4",
        "multires_resnet50",
        "patch_mil",
        "pcam",
        "pcm_efficientnetb4",
        "pcm_resnet50",
        "pylon",
        "r38lm",
        "retinanet",
        "rsna_classifier",
        "small",
        "sorkhei_baseline",
        "sorkhei_frozen",
        "sorkhei_gates",
        "sorkhei_space",
        "standard_efficientnetb4",
        "standard_resnet50",
        "wang2017",
        "wildcat",
    ]


@pytest.mark.parametrize("name", shipped())
def test_a_recipe_comes_back_from_its_text(name: str) -> None:
    recipe = load(name)
    assert parse(toml_from(recipe), "text") == recipe
    assert toml_from(parse(toml_from(recipe), "text")) == toml_from(recipe)


@pytest.mark.parametrize("name", shipped())
def test_every_name_in_a_recipe_exists(name: str) -> None:
    """Untrained, so that no weights are looked for."""
    check(load(name, UNTRAINED))


def _networks(name: str) -> dict[str, Recipe]:
    """Of the cells of a grid one for each network and set of maps."""
    cells = cells_over(load(name, UNTRAINED), {})
    return {str((cell.model, cell.explain.methods)): cell for cell in cells.values()}


@pytest.mark.parametrize("name", WITH_A_GRID)
def test_every_name_in_a_cell_exists(name: str) -> None:
    """One cell a grid, with any network but VGG, which takes seconds to be drawn; the slow test has all."""
    *_, cell = [each for each in _networks(name).values() if not each.model.backbone.startswith("vgg")]
    check(cell)


@pytest.mark.slow
@pytest.mark.parametrize("name", WITH_A_GRID)
def test_every_name_in_every_cell_exists(name: str) -> None:
    for cell in _networks(name).values():
        check(cell)


def test_grids_have_the_cells_they_should() -> None:
    recipes = {name: load(name) for name in shipped()}
    cells = {name: len(cells_over(recipe, {})) for name, recipe in recipes.items() if recipe.grid}
    assert cells == WITH_A_GRID


@pytest.mark.parametrize("name", WITH_A_GRID)
def test_published_numbers_name_one_cell(name: str) -> None:
    """`where` holds in one cell, or in several that differ in the key of `over` alone."""
    recipe = load(name)
    keys = {key for grid in recipe.grid for key in flat(grid)}
    cells = [flat(cell.model_dump()) for cell in cells_over(recipe, {}).values()]
    for published in recipe.published:
        where = flat(published.where)
        assert set(where) <= keys, published
        assert published.over in keys | {""}
        if not where:
            assert not published.over
            continue
        found = [cell for cell in cells if all(cell[key] == value for key, value in where.items())]
        alike = {str({key: value for key, value in cell.items() if key != published.over}) for cell in found}
        assert len(alike) == 1, published
        assert len(found) == (len({cell[published.over] for cell in found}) if published.over else 1)


@pytest.mark.parametrize("name", sorted(set(shipped()) - set(WITH_A_GRID)))
def test_without_a_grid_numbers_are_of_the_recipe(name: str) -> None:
    assert all(not published.where and not published.over for published in load(name).published)


@pytest.mark.parametrize("name", WITH_A_GRID)
def test_a_header_tells_the_command_of_the_grid(name: str) -> None:
    found = [
        line for line in _header(name) if re.match(rf"# Grid +hilum grid {name} --data \S+ --out \S+", line)
    ]
    assert len(found) == 1, _header(name)


@pytest.mark.parametrize("name", shipped())
@pytest.mark.parametrize("word", HEADER)
def test_a_header_says_what_one_must_know(name: str, word: str) -> None:
    found = [line for line in _header(name) if re.match(rf"# {word} +\S", line)]
    assert len(found) == 1, _header(name)


@pytest.mark.parametrize("name", shipped())
def test_the_command_in_a_header_is_its_own(name: str) -> None:
    (command,) = [line for line in _header(name) if line.startswith("# Command")]
    assert re.search(rf"hilum study {name} --data \S+ --out \S+|scripts/{name}$", command)


def test_every_claim_is_on_a_shipped_recipe() -> None:
    recipes = {name: load(name) for name in shipped()}
    of_title = {recipe.report.title: recipe for recipe in recipes.values()}
    assert len(of_title) == len(recipes)
    cells = [cell for recipe in recipes.values() for cell in cells_over(recipe, {}).values()]
    of_title = {cell.report.title: cell for cell in cells} | of_title
    together = "AG-CNN ResNet-50, AG-CNN ResNeXt-50, AG-CNN ResNeXt-101"
    assert set(together.split(", ")) <= set(of_title)
    of_title[f"Ensemble of {together}"] = of_title["AG-CNN ResNet-50"]  # made by hilum ensemble
    claimed = [(recipe, claim) for recipe in recipes.values() for claim in recipe.claims]
    assert len(claimed) >= 60
    for recipe, claim in claimed:
        assert recipe.report.title not in claim.others, claim.text
        for side in (*claim.first, *claim.second):
            other = of_title[side.recipe] if side.recipe else recipe
            assert side.method in ("", "*", *other.explain.methods), claim.text
            assert side.box_rule in ("", "*", *(rule.name for rule in other.localize.rules)), claim.text
        if claim.others:
            assert all(of_title[title].data.split_seed == recipe.data.split_seed for title in claim.others)


@pytest.mark.parametrize("name", shipped())
def test_a_recipe_says_what_the_page_says_on_top(name: str) -> None:
    recipe = load(name)
    assert recipe.report.title
    assert recipe.report.description.endswith(".")
    assert recipe.localize.rules
