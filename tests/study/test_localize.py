"""Boxes of a study are those that `hilum.localize` makes of the stored maps."""

import json

import numpy as np
import pytest

from hilum.errors import RunError
from hilum.localize import boxes_from
from hilum.recipe import Recipe
from hilum.study.explain import explain
from hilum.study.folder import read_boxes, read_probabilities
from hilum.study.heatmap_files import read_maps
from hilum.study.localize import localize
from hilum.study.score import score


def test_boxes_of_every_method_and_rule(run) -> None:
    run.folder.boxes.unlink()
    localize(run.folder, run.recipe, run.films)
    boxes = read_boxes(run.folder, run.cohort)
    rule = run.recipe.localize.rules[0]
    assert set(boxes) == {(m, r.name) for m in ("gradcam", "cam") for r in run.recipe.localize.rules}
    stored, table = read_maps(run.folder, "gradcam", run.cohort), boxes["gradcam", rule.name]
    rows, xyxy, peak = boxes_from(stored.maps, stored.affine, (64, 64), rule, run.cohort.frame_hw)
    likely = read_probabilities(run.folder, run.cohort)[stored.image, stored.finding]
    assert np.array_equal(table.image, stored.image[rows])
    assert np.allclose(table.xyxy, xyxy)
    assert np.allclose(table.score, likely[rows] * peak, atol=1e-6)


def test_without_maps_it_says_what_to_run(run) -> None:
    (run.folder.heatmaps / "cam" / "index.csv").unlink()
    with pytest.raises(RunError, match="run `hilum explain"):
        localize(run.folder, run.recipe, run.films)


def test_a_cohorts_scale_and_a_gate_leave_normal_films_dark(run) -> None:
    recipe = _with(run.recipe, scale="cohort", thresholds=("level(180)",), gate=0.3)
    explain(run.folder, recipe, run.films, run.pixels, all_findings=True)
    localize(run.folder, recipe, run.films)
    (rule,) = recipe.localize.rules
    assert rule.name == "level(180)+largest+gate(0.3)+scale(cohort)"
    table = read_boxes(run.folder, run.cohort)["cam", rule.name]
    likely = read_probabilities(run.folder, run.cohort)
    assert (run.cohort.split[table.image] == "test").all()
    assert (likely[table.image, table.finding] >= 0.3).all()
    written = json.loads(run.folder.ranges.read_text())
    ranges = np.array(written["low_high"]["cam"])
    assert (tuple(written["findings"]), ranges.shape) == (run.cohort.findings, (14, 2))
    stored = read_maps(run.folder, "cam", run.cohort)
    val = run.cohort.split[stored.image] == "val"
    for finding in range(14):
        tops = np.maximum(stored.maps, 0)[val & (stored.finding == finding)].max(axis=(1, 2))
        assert ranges[finding] == pytest.approx([0.0, np.percentile(tops, 99)], rel=1e-5)
    of_film = _with(run.recipe, thresholds=("level(180)",))
    localize(run.folder, of_film, run.films)
    every = read_boxes(run.folder, run.cohort)["cam", "level(180)+largest"]
    assert 0 < len(table) < len(every)
    score(run.folder, recipe, run.films)  # val maps are there and do not disturb


def _with(recipe: Recipe, **changes) -> Recipe:
    return recipe.model_copy(update={"localize": recipe.localize.model_copy(update=changes)})
