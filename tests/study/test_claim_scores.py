"""What claims compare is what the run itself scored."""

import numpy as np
import pytest

from hilum.evaluate import scores_from_json
from hilum.recipe.sections import ExplainSettings
from hilum.study.claim_scores import part_of, scored_run, scores_of
from hilum.study.explain import explain
from hilum.study.folder import read_json
from hilum.study.localize import localize
from hilum.study.score import score


@pytest.mark.parametrize(
    ("metric", "at"),
    [
        ("auroc", None),
        ("t_iou", 0.1),
        ("t_iobb", 0.1),
        ("mean_iou_macro", None),
        ("false_positives_iobb", 0.1),
    ],
)
def test_values_are_those_of_the_run(run, metric: str, at: float | None) -> None:
    part = part_of(scored_run(run.folder, run.recipe, run.films), run.cohort.findings)
    system = (run.recipe.explain.methods[0], run.recipe.localize.rules[0].name)
    made = scores_of(part, metric, at, [system], 100, np.random.default_rng(0))
    assert made.values.shape == (1, len(made.names))
    assert made.draws.shape == (100, 1, len(made.names))
    own = {}
    for row in scores_from_json(read_json(run.folder.scores)):
        whose = row.method in (None, system[0]) and row.box_rule in (None, system[1])
        if (row.metric, row.at, row.stratum) == (metric, at, None) and whose:
            own[row.finding or ""] = row.value
    sign = -1 if metric.startswith("false") else 1  # larger is better there
    assert set(made.names) <= set(own)
    for name, value in zip(made.names, made.values[0], strict=True):
        assert value == pytest.approx(sign * own[name], abs=1e-6)


def test_points_are_those_of_the_maps_of_all_films(run) -> None:
    with pytest.raises(LookupError, match="points need the maps of all films"):
        _points(run, run.recipe)
    recipe = run.recipe.model_copy(update={"explain": ExplainSettings(methods=("cam",), pairs="all")})
    explain(run.folder, recipe, run.films, run.pixels)
    localize(run.folder, recipe, run.films)
    scores = score(run.folder, recipe, run.films)
    made = _points(run, recipe)
    own = {s.finding or "": s for s in scores if s.metric == "pointwise_map" and s.stratum is None}
    assert set(own) == set(made.names)
    for name, value, n in zip(made.names, made.values[0], made.n, strict=True):
        assert (own[name].value, own[name].n) == (pytest.approx(value), n)
    np.testing.assert_array_equal(made.values[0], made.values[1])
    np.testing.assert_array_equal(made.draws[:, 0], made.draws[:, 1])  # the same patients twice
    assert np.nanstd(made.draws[:, 0, 0]) > 0


def _points(run, recipe):
    part = part_of(scored_run(run.folder, recipe, run.films), run.cohort.findings[::-1])
    return scores_of(part, "pointwise_map", None, [("cam", ""), ("cam", "")], 50, np.random.default_rng(0))


def test_fewer_findings_are_a_part_of_the_whole(run) -> None:
    scored = scored_run(run.folder, run.recipe, run.films)
    some = part_of(scored, run.cohort.findings[:3])
    made = scores_of(some, "auroc", None, [("", "")], 100, np.random.default_rng(0))
    whole = part_of(scored, run.cohort.findings)
    every = scores_of(whole, "auroc", None, [("", "")], 100, np.random.default_rng(0))
    for name in made.names[1:]:
        place, other = made.names.index(name), every.names.index(name)
        assert made.values[0, place] == every.values[0, other]


def test_without_boxes_nothing_of_boxes_is_said(run) -> None:
    scored = scored_run(run.folder, run.recipe, run.films)
    unboxed = [f for n, f in enumerate(run.cohort.findings) if n not in run.cohort.reference.finding]
    with pytest.raises(LookupError, match="no box entries"):
        scores_of(part_of(scored, unboxed), "t_iou", 0.1, [("cam", "")], 100, np.random.default_rng(0))
