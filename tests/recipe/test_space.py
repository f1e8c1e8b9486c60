"""Spaces: shipped ones fit their recipes, wrong ones are refused with file and key before any work."""

from pathlib import Path

import pytest

from hilum.errors import RecipeError, UsageError
from hilum.recipe import load
from hilum.recipe.space import demand_fitting, load_space, parsed, spaces, under
from hilum.study.train import check


def test_every_space_is_shipped() -> None:
    assert list(spaces()) == ["pun", "sorkhei", "wildcat"]


@pytest.mark.parametrize("name", spaces())
def test_a_header_says_command_recipes_and_deviations(name: str) -> None:
    text = load_space(name).text
    assert all(f"\n# {word} " in text for word in ("Command", "For", "Deviates"))
    assert f"--space {name} --data DIR --out " in text


@pytest.mark.parametrize(
    ("space", "recipe"),
    [
        ("pun", "ag_cnn"),
        ("wildcat", "wildcat"),
        ("sorkhei", "sorkhei_baseline"),
        ("sorkhei", "sorkhei_frozen"),
        ("sorkhei", "sorkhei_space"),
        ("sorkhei", "sorkhei_gates"),
    ],
)
def test_a_space_fits_the_recipes_that_it_is_for(space: str, recipe: str) -> None:
    demand_fitting(load(recipe), load_space(space))


def test_the_space_of_two_branches_reaches_all_three_rates() -> None:
    """Every name that it draws exists; of the networks the smallest, which takes a second."""
    recipe, space = load("ag_cnn", {"model.weights": "none"}), load_space("pun")
    drawn = {name: each.ends[-1] for name, each in space.drawn.items()}
    drawn |= {"model.backbone": "resnet18", "model.local_backbone": "resnet18"}
    drawn["training.part_rates.local"] = 3e-6
    made = under(recipe, space.settings(drawn))
    assert made.training.part_rates == {"global": 1e-3, "local": 3e-6, "fusion": 1e-3}
    assert made.model.name == "attention_guided(max_abs, 0.8, linear)"
    assert made.training.unfreezing == "gradual(4, 0.2, fresh)"
    check(made)


def test_every_form_of_dots_is_the_same() -> None:
    inside = "{ choice = [1, 2] }"
    forms = [f"training.seed = {inside}", f'"training.seed" = {inside}', f"[training]\nseed = {inside}"]
    forms.append("[training.seed]\nchoice = [1, 2]")
    assert {str(parsed(form, "it").drawn) for form in forms} == {str(parsed(forms[0], "it").drawn)}


def test_choices_keep_their_kind() -> None:
    drawn = parsed("model.k = { choice = [1, 0.5, true, 'a'] }", "it").drawn["model.k"]
    assert [type(value) for value in drawn.ends] == [int, float, bool, str]


def test_numbers_in_a_text_are_short() -> None:
    space = parsed('model.name = { format = "pool({r})", r = { uniform = [0.1, 1.0] } }', "it")
    assert space.settings({"model.name.r": 0.123456789}) == {"model.name": "pool(0.1235)"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "s.toml: nothing to draw"),
        ("a = [", "s.toml: not TOML"),
        ("seed = { choice = [1] }", "s.toml: seed: write section.key"),
        ("training.seed = 3", "s.toml: training: write section.key"),
        ("training.seed = { chioce = [1] }", "training.seed: unknown kind 'chioce'; did you mean 'choice'?"),
        ("training.seed = { choice = [] }", "training.seed: "),
        ("training.seed = { choice = [[1]] }", "training.seed: "),
        ("training.seed = { choice = [1], uniform = [0, 1] }", "state exactly one of"),
        ("training.flip = { uniform = [1, 0] }", r"a range is \[low, high\] with low < high"),
        ("training.flip = { log_uniform = [0, 1] }", "above 0 where it is of exponents"),
        ("training.flip = { uniform = [0] }", "training.flip: "),
        ('model.name = { format = "w({k})", m = { choice = [1] } }', "wants a range for each of k, found m"),
        ('model.name = { format = "w" }', "nothing to draw"),
    ],
)
def test_a_wrong_space_is_named(text: str, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        parsed(text, "s.toml")


@pytest.mark.parametrize(
    ("name", "words"),
    [("wildcta", "did you mean 'wildcat'.*shipped: pun, sorkhei, wildcat"), ("no.toml", "no such file")],
)
def test_a_space_that_is_not_there(name: str, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        load_space(name)


def test_a_file_of_other_bytes_is_no_space(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(RecipeError, match="not TOML"):
        load_space(str(tmp_path / "s.toml"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("training.sede = { choice = [1] }", "training.sede = 1 does not fit"),
        ("trainign.seed = { choice = [1] }", "trainign.seed = 1 does not fit"),
        ("training.flip = { uniform = [0.5, 2.0] }", "training.flip = 2.0 does not fit"),
        ("training.flip.left = { uniform = [0.5, 2.0] }", "no such setting"),
        ("training.part_rates.a.b = { choice = [1] }", "no such setting"),
    ],
)
def test_a_space_that_does_not_fit_is_refused(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        demand_fitting(load("small"), parsed(text, "it"))
