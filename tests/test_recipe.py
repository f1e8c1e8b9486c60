"""Recipes are data: every mistake is named with file, section and key before any work starts."""

from pathlib import Path

import numpy as np
import pytest

from hilum.boxes import moved
from hilum.data.geometry import input_to_frame
from hilum.errors import RecipeError
from hilum.recipe import STATES, Recipe, covered, load, parse, shipped, toml_from
from hilum.report.ledger import numbers

MISTAKES = [
    ({"training.epocs": "2"}, r"\[training\] epocs: unknown key; did you mean 'epochs'"),
    ({"trainin.epochs": "2"}, r"\[trainin\]: unknown section; did you mean 'training'"),
    ({"training.epochs": "'many'"}, r"\[training\] epochs:.*found 'many'"),
    ({"training.epochs": "0"}, r"\[training\] epochs:.*greater than 0"),
    ({"training.learning_rate": "'high'"}, r"\[training\] learning_rate"),
    ({"data.dataset": "'chestxray15'"}, "did you mean 'chestxray14'"),
    ({"data.dataset": "'rsna(maybe)'"}, "not_normal is one of drop, keep"),
    ({"data.split": "'oficial'"}, "unknown split 'oficial'; did you mean 'official'"),
    ({"data.split": "'official(1, 2)'"}, r"write official\(validation\)"),
    ({"data.input_px": "512"}, "ascending"),
    ({"localize.thresholds": "['dynamik(80)']"}, "did you mean 'dynamic'"),
    ({"localize.thresholds": "['dynamic(180)']"}, r"\[localize\]"),
    ({"localize.map_size": "'film'"}, r"\[localize\] map_size"),
    ({"epochs": "2"}, "write section.key=value"),
    ({"training.crop_aspect": "[0, 1]"}, r"crop_aspect: write \[low, high\] with 0 < low <= high"),
    ({"training.crop_area": "[0.9, 0.5]"}, r"crop_area: write \[low, high\]"),
    ({"training.crop_area": "[0.5, 2]"}, "crop_area: a crop is at most the whole film"),
    ({"training.epochs": "0"}, r"demo\.toml, with training\.epochs=0 laid over it: "),
]


@pytest.mark.parametrize(("changes", "message"), MISTAKES)
def test_mistakes_are_named(changes: dict[str, str], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load("demo", changes)


def test_a_missing_key_is_named_with_its_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(shipped()["demo"].read_text().replace("epochs = ", "# epochs = "))
    with pytest.raises(RecipeError, match=r"mine\.toml: \[training\] epochs: missing"):
        load(str(path))


@pytest.mark.parametrize("text", ["[data", "= 3", "\x00"])
def test_what_is_not_toml_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(RecipeError, match="not TOML"):
        load(str(path))


def test_unknown_recipes_say_which_exist(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="did you mean 'small'"):
        load("smal")
    with pytest.raises(RecipeError, match="no such recipe file"):
        load(str(tmp_path / "absent.toml"))


def test_flag_comes_before_environment_before_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    in_file = load("demo").training.epochs
    monkeypatch.setenv("HILUM_TRAINING_EPOCHS", "7")
    assert load("demo").training.epochs == 7 != in_file
    assert load("demo", {"training.epochs": "9"}).training.epochs == 9


def test_the_environment_is_checked_like_a_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HILUM_TRAINING_EPOCS", "7")
    with pytest.raises(RecipeError, match="did you mean 'epochs'"):
        load("demo")


@pytest.mark.parametrize("name", shipped())
def test_a_resolved_recipe_reads_back_as_itself(name: str) -> None:
    recipe = load(name)
    assert parse(toml_from(recipe), name) == recipe


CELLS = """
[[published]]
paper = "Gascoigne-Burns and Katsigiannis 2021"
table = "II"
system = "CheXNet"
setting = "official split; smoothed Eigen-CAM, dynamic(87.5)"
method = "gradcam"
box_rule = "dynamic(87.5)+largest"
"""


def _with_cells(tiny_recipe: Path, old: str = "", new: str = "") -> Recipe:
    assert old in CELLS
    return parse(tiny_recipe.read_text() + CELLS.replace(old, new), "mine")


def test_a_recipe_names_the_numbers_it_recomputes(tiny_recipe: Path) -> None:
    recipe = _with_cells(tiny_recipe)
    (cells,) = recipe.published
    assert len(cells.numbers) == 63
    assert {(number.table, number.system, number.whose) for number in cells.numbers} == {
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
def test_numbers_that_do_not_exist_are_refused(tiny_recipe: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        _with_cells(tiny_recipe, old, new)


def test_every_number_is_covered_or_it_is_said_why_not() -> None:
    found = covered(numbers())
    assert [each.number for each in found] == list(numbers())
    assert {each.state for each in found} == set(STATES)
    assert all(each.because for each in found)
    by_recipe = [each for each in found if each.state == "recipe"]
    assert {each.because.split()[0] for each in by_recipe} == set(shipped()) - {"demo", "small"}
    rows = "eigencam_centred-eigen-augmentation(six, signed) dynamic(87.5)+largest"
    smoothed = "official split; smoothed Eigen-CAM, dynamic(87.5)"
    for name in ("chexnet", "r38lm"):
        own = [each for each in by_recipe if each.because.split()[0] == name]
        assert {(each.number.table, each.number.setting, each.because) for each in own} == {
            ("I", "official split", name),
            *((table, smoothed, f"{name} {rows}") for table in ("II", "IV", "VI", "VII")),
        }
        assert len(own) == 15 + 63 + 45 + 9 + 9
    for each in found:
        if each.number.whose:
            assert (each.state, each.because) == ("quoted", each.number.whose)
        elif each.number.never:
            assert (each.state, each.because) == ("never", each.number.never)
        elif each.state != "recipe":
            assert (each.state, each.because) == ("no recipe yet", each.number.system)
    assert covered([]) == []


def test_coverage_names_the_rows_of_a_run(
    tiny_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.toml").write_text(tiny_recipe.read_text() + CELLS)
    monkeypatch.setattr("hilum.recipe.SHIPPED", tmp_path)
    by_recipe = [each for each in covered(numbers()) if each.state == "recipe"]
    assert len(by_recipe) == 63
    assert {each.because for each in by_recipe} == {"mine gradcam dynamic(87.5)+largest"}


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
