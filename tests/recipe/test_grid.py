"""A grid is every combination of its values; each cell is a recipe of its own."""

from pathlib import Path

import pytest

from hilum.errors import RecipeError, UsageError
from hilum.recipe import Recipe, axes_from, cells_over, load, parse, toml_from

GRID = """
[[grid]]
model.name = ["average_pooling", "wildcat(4, 0.1)"]
training.seed = [0, 1]

[[grid]]
data.split = ["random(0.6, 0.2)"]
data.split_seed = [3, 4]
"""


def _with(tiny_recipe: Path, grid: str = GRID) -> Recipe:
    return parse(tiny_recipe.read_text() + grid, "mine")


def test_every_combination_is_a_run_of_its_own(tiny_recipe: Path) -> None:
    recipe = _with(tiny_recipe)
    made = cells_over(recipe, {})
    assert list(made) == [
        "name=average_pooling,seed=0",
        "name=average_pooling,seed=1",
        "name=wildcat(4,0.1),seed=0",
        "name=wildcat(4,0.1),seed=1",
        "split=random(0.6,0.2),split_seed=3",
        "split=random(0.6,0.2),split_seed=4",
    ]
    cell = made["name=wildcat(4,0.1),seed=1"]
    assert (cell.model.name, cell.training.seed, cell.grid) == ("wildcat(4, 0.1)", 1, ())
    assert cell.data == recipe.data
    assert made["split=random(0.6,0.2),split_seed=4"].data.split_seed == 4
    assert parse(toml_from(recipe), "again") == recipe
    assert parse(toml_from(cell), "again") == cell


def test_further_values_cross_every_table_and_replace_its_own(tiny_recipe: Path) -> None:
    made = cells_over(_with(tiny_recipe), {"training.seed": [7]})
    assert list(made)[:2] == ["name=average_pooling,seed=7", "name=wildcat(4,0.1),seed=7"]
    assert list(made)[-1] == "split=random(0.6,0.2),split_seed=4,seed=7"
    plain = load(str(tiny_recipe))
    assert list(cells_over(plain, {"training.learning_rate": [1e-3, 1e-4]})) == [
        "learning_rate=0.001",
        "learning_rate=0.0001",
    ]
    assert cells_over(plain, {}) == {"run": plain}


@pytest.mark.parametrize(
    ("axes", "said"),
    [
        ({"trainin.seed": [0]}, "'trainin.seed': no such setting"),
        ({"seed": [0]}, "'seed': no such setting"),
        ({"training.sed": [0]}, "sed=0: Extra inputs"),
        ({"training.seed": [-1]}, "seed=-1: Input should be greater"),
        ({"report.title": ["x"], "data.split": ["nonsense"]}, "unknown split"),
    ],
)
def test_a_cell_that_is_no_recipe_is_refused(tiny_recipe: Path, axes: dict, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        cells_over(load(str(tiny_recipe)), axes)


def test_a_grid_is_made_of_lists(tiny_recipe: Path) -> None:
    with pytest.raises(RecipeError, match=r"training\.seed of a grid is a list of values"):
        _with(tiny_recipe, "[[grid]]\ntraining.seed = 1\n")


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("training.seed=0,1", [0, 1]),
        ("training.learning_rate=1e-3,1e-4", [1e-3, 1e-4]),
        ("model.backbone=resnet18,resnet34", ["resnet18", "resnet34"]),
        ("model.name=['wildcat(4, 0.1)', 'pcam']", ["wildcat(4, 0.1)", "pcam"]),
        ("model.metadata=true,false", [True, False]),
    ],
)
def test_axes_are_read(text: str, values: list) -> None:
    assert axes_from([text]) == {text.partition("=")[0]: values}


@pytest.mark.parametrize("text", ["training.seed", "seed=1", "training.seed="])
def test_what_is_no_axis_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"write section\.key=VALUE"):
        axes_from([text])
