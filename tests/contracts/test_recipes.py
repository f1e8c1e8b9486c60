"""Every shipped recipe: it loads, it comes back from its own text, its header says what one must know."""

import re

import pytest

from hilum.recipe import Recipe, load, parse, shipped, toml_from
from hilum.study.train import check

HEADER = ("Command", "Cost", "Expected", "Deviates")


def _header(name: str) -> list[str]:
    lines = shipped()[name].read_text(encoding="utf-8").splitlines()
    return lines[: next(place for place, line in enumerate(lines) if not line.startswith("#"))]


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for section in Recipe.model_fields:
        monkeypatch.delenv(f"HILUM_{section.upper()}_SEED", raising=False)


def test_the_folder_is_whole() -> None:
    assert sorted(shipped()) == [
        "chexnet",
        "demo",
        "multires_efficientnetb4",
        "multires_resnet50",
        "r38lm",
        "small",
        "sorkhei_baseline",
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
    check(load(name, {"model.weights": "none"}))


@pytest.mark.parametrize("name", shipped())
@pytest.mark.parametrize("word", HEADER)
def test_a_header_says_what_one_must_know(name: str, word: str) -> None:
    found = [line for line in _header(name) if re.match(rf"# {word} +\S", line)]
    assert len(found) == 1, _header(name)


@pytest.mark.parametrize("name", shipped())
def test_the_command_in_a_header_is_its_own(name: str) -> None:
    (command,) = [line for line in _header(name) if line.startswith("# Command")]
    assert re.search(rf"hilum study {name} --data \S+ --out \S+|scripts/{name}$", command)


@pytest.mark.parametrize("name", shipped())
def test_a_recipe_says_what_the_page_says_on_top(name: str) -> None:
    recipe = load(name)
    assert recipe.report.title
    assert recipe.report.description.endswith(".")
    assert recipe.localize.rules
