"""Claims of a recipe judged on its run: as the run's scores have it, and only with the runs they need."""

import dataclasses

import numpy as np

from hilum.recipe.compared import Claim
from hilum.recipe.sections import ReportSettings
from hilum.study.claim_scores import part_of, scored_run
from hilum.study.claims import claims_of
from hilum.study.compare import compare
from hilum.study.folder import read_boxes, write_boxes
from hilum.study.report import record_of

HEART = {"finding": "Cardiomegaly"}
"""The one finding of which the tiny run tests five patients; its mean over findings is mostly undefined."""

CAM = {"method": "cam", **HEART}
TWIN = """
[[claims]]
text = "The other is better"
metric = "auroc"
first = [{ recipe = "Tiny", finding = "Cardiomegaly" }]
second = [{ finding = "Cardiomegaly" }]
"""

FIXED = {"box_rule": "level(180)+largest"}


def _claim(**changes) -> Claim:
    values = {"text": "a claim", "metric": "t_iou", "at": 0.1, "first": [HEART], "second": [CAM]}
    return Claim.model_validate({**values, **changes})


def _scored(run, *claims, title="Tiny"):
    page = ReportSettings(title=title, description="A run for tests.")
    recipe = run.recipe.model_copy(update={"claims": claims, "report": page})
    return scored_run(run.folder, recipe, run.films)


def _verdict(run, claim, others=()):
    (judged,) = claims_of(_scored(run, claim), others)
    return judged.verdict


def test_maps_are_scored_pixel_by_pixel(run) -> None:
    verdict = _verdict(run, _claim(metric="localization_utility", at=None, kind="similar(1)"))
    assert verdict.verdict == "holds"
    assert -1 < verdict.value < 1


def test_a_system_does_not_differ_from_itself(run) -> None:
    assert _verdict(run, _claim(first=[CAM], second=[CAM])).reason == "nothing to compare"
    twin, claim = _scored(run, title="Twin"), _claim(first=[CAM], second=[{"recipe": "Twin", **CAM}])
    verdict = _verdict(run, claim, [twin])
    assert (verdict.verdict, verdict.value, verdict.low, verdict.high) == ("undecided", 0.0, 0.0, 0.0)
    alike = claim.model_copy(update={"kind": "similar(0.01)"})
    assert _verdict(run, alike, [twin]).verdict == "holds"


def test_true_boxes_beat_the_others_and_false_ones_do_not(run) -> None:
    boxes = read_boxes(run.folder, run.cohort)
    boxes["cam", "level(180)+largest"] = dataclasses.replace(
        run.cohort.reference, score=np.ones(len(run.cohort.reference))
    )
    write_boxes(run.folder.boxes, run.cohort, boxes)
    true, other = {**CAM, **FIXED}, {"method": "gradcam", **FIXED, **HEART}
    for metric, at in (("t_iou", 0.5), ("mean_iou_macro", None), ("false_positives_iobb", 0.9)):
        claim = _claim(metric=metric, at=at, first=[true], second=[other])
        verdict = _verdict(run, claim)
        assert (verdict.verdict, verdict.n_pairs) == ("holds", 1), metric
        assert 0 < verdict.low <= verdict.value <= verdict.high
        turned = claim.model_copy(update={"first": claim.second, "second": claim.first})
        assert _verdict(run, turned).verdict == "does not hold", metric


def test_an_asterisk_stands_for_each_and_same_pairs_them(run) -> None:
    every = {"method": "*", "box_rule": "*", **HEART}
    assert _verdict(run, _claim(first=[every], second=[every])).n_pairs == 16 - 4
    assert _verdict(run, _claim(first=[every], second=[every], same="method")).n_pairs == 8 - 4
    one = _claim(metric="auroc", at=None, first=[{"finding": "*"}], second=[{}], kind="at_least(1)")
    assert _verdict(run, one).n_pairs == 0  # some of the tiny run's findings have fewer than 5 films


def test_a_claim_on_another_recipe_waits_for_its_run(run) -> None:
    claim = _claim(second=[{"recipe": "Other", **CAM}])
    alone = _verdict(run, claim)
    assert (alone.verdict, alone.n_pairs) == ("undecided", 0)
    assert alone.reason == "needs a run of 'Other' beside it: hilum compare"
    other = _scored(run, title="Other")
    assert _verdict(run, claim, [_scored(run), other]) == _verdict(run, _claim())
    assert "2 runs of 'Other'" in _verdict(run, claim, [other, other]).reason
    none = _claim(second=[{"recipe": "Other", **HEART, "method": "rise"}])
    assert "no score of rise" in _verdict(run, none, [other]).reason


def test_findings_that_one_run_lacks_are_left_out(run) -> None:
    """As of R38LM, whose network also tells "No Finding"."""
    other = _scored(run, title="Other")
    findings = other.cohort.findings[:0:-1]  # all but the first, backwards
    assert "Cardiomegaly" in findings
    columns = [other.cohort.findings.index(finding) for finding in findings]
    renumbered = {key: part_of(other, findings).boxes(key) for key in other.boxes}
    fewer = dataclasses.replace(
        other,
        cohort=other.cohort.of_findings(findings),
        probabilities=other.probabilities[:, columns],
        boxes=renumbered,
    )
    for metric, at in (("t_iou", 0.1), ("auroc", None), ("false_positives_iobb", 0.1)):
        claim = _claim(metric=metric, at=at, second=[{"recipe": "Other", **HEART}], kind="similar(0.001)")
        verdict = _verdict(run, claim, [fewer])
        assert (verdict.verdict, verdict.value) == ("holds", 0.0), verdict


def test_runs_on_other_films_are_not_compared(run) -> None:
    other = _scored(run, title="Other")
    cohort = other.cohort.rows(np.arange(1, len(other.cohort)))
    fewer = dataclasses.replace(other, cohort=cohort, probabilities=other.probabilities[1:])
    verdict = _verdict(run, _claim(second=[{"recipe": "Other"}]), [fewer])
    assert verdict.verdict == "undecided"
    assert "they must be the same" in verdict.reason


def test_a_mean_of_rare_findings_is_not_judged(run) -> None:
    verdict = _verdict(run, _claim(first=[{}], second=[{"method": "cam"}]))
    assert verdict.reason == "undefined in half of the redrawn cohorts"


def test_without_boxes_nothing_is_said(run) -> None:
    scored = _scored(run, _claim())
    bare = dataclasses.replace(scored.cohort, reference=scored.cohort.reference.rows(np.zeros(0, np.int64)))
    (judged,) = claims_of(dataclasses.replace(scored, cohort=bare))
    assert judged.verdict.reason == "no box entries"
    assert claims_of(_scored(run)) == []


def test_runs_side_by_side_judge_what_one_alone_cannot(run, tiny_run, tmp_path) -> None:
    recipe = run.folder.recipe.read_text(encoding="utf-8").replace('"Tiny"', '"Twin"')
    run.folder.recipe.write_text(recipe + TWIN, encoding="utf-8")
    made = compare([tiny_run, run.folder.path], tmp_path / "out")
    (judged,) = made.claims["run"]
    assert made.claims["tiny"] == ()
    assert (judged.verdict.verdict, judged.verdict.n_pairs, judged.verdict.value) == ("undecided", 1, 0.0)
    page = (tmp_path / "out" / "compared.html").read_text(encoding="utf-8")
    assert "Claims of the paper behind run" in page
    assert "behind tiny" not in page


def test_the_record_of_a_run_has_its_claims(run) -> None:
    claim = _claim(text="Grad-CAM beats CAM", expected="0.1 < 0.2")
    recipe = run.recipe.model_copy(update={"claims": (claim,)})
    (judged,) = record_of(run.folder, recipe, run.films, run.pixels).claims
    assert (judged.text, judged.expected) == ("Grad-CAM beats CAM", "0.1 < 0.2")
    assert judged.verdict == _verdict(run, claim)
