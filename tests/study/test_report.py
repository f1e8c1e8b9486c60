"""The page of a study says what was done, warns of what it may not be used for, and hides no box."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from hilum.errors import RunError
from hilum.evaluate import APART, AS_PRINTED
from hilum.study.report import _best_iou, report
from hilum.study.score import score


def test_the_page_stands_alone_and_says_what_it_is(run) -> None:
    run.folder.report.unlink()
    summary = report(run.folder, run.recipe, run.films, run.pixels)
    page = run.folder.report.read_text()
    for words in ("Phantoms, not people", "80 of 80 films", "not for diagnosis", "Tiny"):
        assert words in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "<script src" not in page
    assert "<link" not in page
    assert [row.metric for row in summary][:2] == ["auroc", "t_iou"]


def test_what_is_as_printed_stands_in_no_table_of_the_page(run) -> None:
    settings = run.recipe.evaluate.model_copy(update={"as_printed": tuple(AS_PRINTED)})
    recipe = run.recipe.model_copy(update={"evaluate": settings})
    (size,) = (s.value for s in score(run.folder, recipe, run.films) if s.metric == "parameters")
    report(run.folder, recipe, run.films, run.pixels)
    page = run.folder.report.read_text()
    assert f"{size:,.0f}" in page
    assert "parameters of the network" in page
    beside = page[page.index('id="published-title"') : page.index('id="classification-title"')]
    assert "Sorkhei et al. 2019" in beside
    for name in set(APART) - {"parameters"}:
        assert APART[name].title not in page.replace(beside, ""), name


def test_what_was_left_out_stands_on_the_page(run) -> None:
    cohort = dataclasses.replace(run.films.cohort, chosen=("48 films of another class are left out",))
    report(run.folder, run.recipe, dataclasses.replace(run.films, cohort=cohort), run.pixels)
    assert "48 films of another class are left out" in run.folder.report.read_text()


def test_figures_are_written_as_the_recipe_says(run) -> None:
    figures = run.folder.path / "figures"
    assert not figures.exists()  # the tiny recipe wants none
    page = run.recipe.report.model_copy(update={"figures": ("svg",)})
    report(run.folder, run.recipe.model_copy(update={"report": page}), run.films, run.pixels)
    names = {path.name for path in figures.iterdir()}
    assert names >= {"roc.svg", "training.svg"}
    assert {Path(name).suffix for name in names} == {".svg"}


def test_an_unscored_run_is_not_reported(run) -> None:
    run.folder.scores.unlink()
    with pytest.raises(RunError, match="run `hilum score"):
        report(run.folder, run.recipe, run.films, run.pixels)


@pytest.mark.parametrize(
    ("predicted", "reference", "iou"),
    [
        ([], [[0, 0, 4, 4]], 0.0),
        ([[0, 0, 4, 4]], [[0, 0, 4, 4]], 1.0),
        ([[0, 0, 4, 4], [8, 8, 9, 9]], [[0, 0, 4, 2], [20, 20, 30, 30]], 0.5),
    ],
)
def test_the_best_overlap_of_any_pair(predicted, reference, iou: float) -> None:
    boxes = (np.array(each, float).reshape(-1, 4) for each in (predicted, reference))
    assert _best_iou(*boxes) == pytest.approx(iou)
