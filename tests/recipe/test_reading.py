"""Recipes are data: every mistake is named with file, section and key before any work starts."""

from pathlib import Path

import pytest

from hilum.errors import RecipeError
from hilum.recipe import load, parse, shipped, toml_from

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


def test_a_changed_recipe_keeps_what_it_still_makes() -> None:
    whole = load("sorkhei_baseline")
    assert load("sorkhei_baseline", {"training.epochs": "1"}).published == whole.published
    less = load("sorkhei_baseline", {"localize.thresholds": "['otsu']"})
    assert 0 < len(less.published) < len(whole.published)
    assert all(not cells.box_rule for cells in less.published)
    assert len(less.claims) <= len(whole.claims)
