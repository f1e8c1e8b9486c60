"""Sections that say more than values: published cells, and the geometry of every paper."""

from pathlib import Path

import numpy as np
import pytest

from hilum.boxes import moved
from hilum.data.geometry import input_to_frame
from hilum.errors import RecipeError
from hilum.recipe import Recipe, load, parse, toml_from


def _with_cells(tiny_recipe: Path, cells: str, old: str = "", new: str = "") -> Recipe:
    assert old in cells
    return parse(tiny_recipe.read_text() + cells.replace(old, new), "mine")


def test_a_recipe_names_the_numbers_it_recomputes(tiny_recipe: Path, cells: str) -> None:
    recipe = _with_cells(tiny_recipe, cells)
    (table,) = recipe.published
    assert len(table.numbers) == 63
    assert {(number.table, number.system, number.whose) for number in table.numbers} == {
        ("II", "CheXNet", "")
    }
    assert parse(toml_from(recipe), "again") == recipe
    assert load(str(tiny_recipe)).published == ()
    assert "published" not in toml_from(load(str(tiny_recipe)))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("table =", "tabel =", r"\[published\] 0\.(tabel: unknown key; did you mean 'table'|table: missing)"),
        ('table = "II"', "", r"\[published\] 0\.table: missing"),
        ('"II"', "2", r"\[published\] 0\.table: .*found 2"),
        ('"II"', '"III"', "the ledger holds no number of 'CheXNet'"),
        ("Burns", "Bruns", "'Gascoigne-Bruns and Katsigiannis 2021'; `hilum ledger` shows"),
        ('"gradcam"', '"eigencam"', "names 'eigencam'; this recipe makes gradcam, cam"),
        ("+largest", "+hull", r"names 'dynamic\(87\.5\)\+hull'; this recipe makes dynamic\(87\.5\)\+largest"),
    ],
)
def test_numbers_that_do_not_exist_are_refused(
    tiny_recipe: Path, cells: str, old: str, new: str, said: str
) -> None:
    with pytest.raises(RecipeError, match=said):
        _with_cells(tiny_recipe, cells, old, new)


PAPERS = {  # resize_px, input_px, training geometry, and the corners of the scored view in a frame of 1024
    "Rajpurkar et al. 2017": (224, 224, {"flip": 0.5}, (0, 1024)),
    "Gascoigne-Burns and Katsigiannis 2021": (
        480,
        448,
        {"crop_area": [0.08, 1.0], "crop_aspect": [0.75, 4 / 3], "rotate_degrees": 7.0, "flip": 0.5},
        (1024 * 16 / 480, 1024 * 464 / 480),
    ),
    "Pun et al. 2021": (224, 224, {"rotate_degrees": 15.0, "flip": 0.5}, (0, 1024)),
    "WILDCAT on RSNA": (224, 224, {}, (0, 1024)),
    "D'Souza et al. 2022": (
        256,
        256,
        {"crop_area": [0.8, 1.0], "crop_aspect": [0.75, 1.733], "rotate_degrees": 15.0, "flip": 0.5},
        (0, 1024),
    ),
    "Sorkhei et al. 2019": (256, 256, {}, (0, 1024)),
}


@pytest.mark.parametrize("paper", PAPERS)
def test_the_geometry_of_every_paper_can_be_written(paper, tiny_recipe) -> None:
    resize_px, input_px, training, (first, last) = PAPERS[paper]
    sides = {"data.resize_px": resize_px, "data.store_px": resize_px, "data.input_px": input_px}
    changes = {key: str(value) for key, value in sides.items()} | {"training.flip": "0.0"}
    changes |= {f"training.{key}": str(value) for key, value in training.items()}
    recipe = load(str(tiny_recipe), changes)
    affine = input_to_frame(recipe.data.geometry, np.array([[1024, 1024]]), (1024, 1024))
    seen = moved(np.array([[0.0, 0.0, input_px, input_px]]), affine)
    np.testing.assert_allclose(seen, [[first, first, last, last]], rtol=1e-12, atol=1e-9)
    assert parse(toml_from(recipe), "again") == recipe
    wanted = training.get("crop_area")
    assert recipe.training.augmentation.area == (tuple(wanted) if wanted else None)
    assert recipe.training.augmentation.flip == training.get("flip", 0.0)
