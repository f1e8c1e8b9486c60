"""Every published number has a recipe, or a reason why none recomputes it."""

from pathlib import Path

import pytest

from hilum.recipe import STATES, covered, load, shipped
from hilum.report.ledger import numbers

WITHOUT_NUMBERS = {
    "ag_cnn_guan",
    "capsule_margin",
    "demo",
    "lse_lba",
    "modern",
    "patch_mil",
    "pcam",
    "pylon",
    "small",
    "sorkhei_frozen",
}
"""Recipes of which no paper in the ledger prints a number."""


def test_every_number_is_covered_or_it_is_said_why_not() -> None:
    found = covered(numbers())
    assert [each.number for each in found] == list(numbers())
    assert {each.state for each in found} == set(STATES) - {"no recipe yet"}
    assert all(each.because for each in found)
    by_recipe = [each for each in found if each.state == "recipe"]
    assert {each.because.split()[0] for each in by_recipe} == set(shipped()) - WITHOUT_NUMBERS
    rows = "eigencam_centred-eigen-augmentation(six, signed) dynamic(87.5)+largest"
    smoothed = "official split; smoothed Eigen-CAM, dynamic(87.5)"
    drawn = "split=random(0.7,0.1) over data.split_seed"
    for name in ("chexnet", "r38lm"):
        own = [each for each in by_recipe if each.because.split()[0] == name]
        assert {(each.number.table, each.number.setting, each.because) for each in own} == {
            ("I", "official split", name),
            *((table, smoothed, f"{name} {rows}") for table in ("II", "IV", "VI", "VII")),
            ("I", "random splits, mean of 5", f"{name} {drawn}"),
            *(
                (
                    table,
                    smoothed.replace("official split", "random splits, mean of 5"),
                    f"{name} {drawn} {rows}",
                )
                for table in ("III", "V")
            ),
        }
        assert len(own) == 2 * (15 + 63 + 45) + 9 + 9
    for each in found:
        if each.number.whose:
            assert (each.state, each.because) == ("quoted", each.number.whose)
        elif each.number.never:
            assert (each.state, each.because) == ("never", each.number.never)
        elif each.state != "recipe":
            assert (each.state, each.because) == ("no recipe yet", each.number.system)
    assert covered([]) == []


def test_all_numbers_of_rsna_have_a_cell() -> None:
    found = [each for each in covered(numbers()) if each.number.paper == "WILDCAT on RSNA"]
    assert len(found) == 103
    assert {each.state for each in found} == {"recipe"}
    names = {"WILDCAT": "wildcat", "classifier": "rsna_classifier", "RetinaNet": "retinanet"}
    assert all(each.because.split()[0] == names[each.number.system] for each in found)
    guided = [each.because for each in found if each.number.setting == "VGG-19; guided Grad-CAM"]
    assert guided == ["rsna_classifier backbone=vgg19.tv_in1k,name=fully_connected(4096) guided_gradcam"]


MADE_BY = {
    "false_positives_a_film_iobb": "boxed_films",
    "t_iou_mixed": "kth_overlap",
    "t_share_of_reference": "kth_overlap",
}


@pytest.mark.parametrize(
    ("paper", "n_recomputed"),
    [
        ("Gascoigne-Burns and Katsigiannis 2021", 528),
        ("Pun et al. 2021", 625),
        ("WILDCAT on RSNA", 103),
        ("D'Souza et al. 2022", 160),
        ("Sorkhei et al. 2019", 186),
    ],
)
def test_all_five_papers_are_covered_whole(paper: str, n_recomputed: int) -> None:
    """What no recipe makes was quoted from others, or has its reason."""
    states = [each for each in covered(numbers()) if each.number.paper == paper]
    assert not [each.number.system for each in states if each.state == "no recipe yet"]
    assert sum(each.state == "recipe" for each in states) == n_recomputed
    assert all(each.because for each in states)


def test_a_recipe_counts_as_the_numbers_were_printed() -> None:
    recipes = {name: load(name) for name in shipped()}
    apart = [each for each in covered(numbers()) if each.number.metric in MADE_BY]
    apart = [each for each in apart if each.state == "recipe"]
    assert len(apart) == 3 * 6 * 8 + 6 * 8
    for each in apart:
        recipe = recipes[each.because.split()[0]]
        assert MADE_BY[each.number.metric] in recipe.evaluate.as_printed, each.because
        assert recipe.localize.rules[0].name in each.because


def test_coverage_names_the_rows_of_a_run(
    tiny_recipe: Path, cells: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.toml").write_text(tiny_recipe.read_text() + cells)
    monkeypatch.setattr("hilum.recipe.reading.SHIPPED", tmp_path)
    by_recipe = [each for each in covered(numbers()) if each.state == "recipe"]
    assert len(by_recipe) == 63
    assert {each.because for each in by_recipe} == {"mine gradcam dynamic(87.5)+largest"}
