"""Every metric of the table reaches `scores.json`, and nothing else does."""

import dataclasses
import json
import math

import numpy as np
import pytest

from hilum.boxes import BoxTable
from hilum.data import Cohort
from hilum.evaluate import (
    METRICS,
    Protocol,
    Score,
    classification_scores,
    json_from,
    localization_scores,
    scores_from_json,
)
from hilum.evaluate.detection_score import detection_scores, false_positive_scores
from hilum.evaluate.metric import FALSE_A_FILM, T_IOBB, T_IOU
from hilum.evaluate.oracle import oracle_scores
from hilum.evaluate.pairs import PairMaps
from hilum.localize import BoxRule

IMAGE_LEVEL = ("auroc", "average_precision", "ece", "ece_scaled", "sensitivity", "specificity")
GAPS = tuple(metric for metric in METRICS if metric.startswith("oracle_gap"))
NO_FIXED_BEST = ("localization_utility", *GAPS)
"""A map of one hot cell fills no box, and a system that is right everywhere leaves nothing to choose."""

TRADED = ("sensitivity", "specificity")
"""Who is always wrong may have all of one for none of the other."""

RULE = BoxRule()
THRESHOLDS = ("fraction(0.2)", "fraction(0.9)")


def _scores(cohort: Cohort, *, perfect: bool) -> list[Score]:
    """Scores of one who knows everything, or of one who is always wrong."""
    reference, rng = cohort.reference, np.random.default_rng(0)
    n, n_findings = cohort.labels.shape
    likely = (cohort.labels == perfect).astype(float)
    away = (reference.xyxy + 32) % 64 if not perfect else reference.xyxy
    away = np.concatenate([away[:, :2], away[:, :2] + 16], axis=1)
    image, finding = np.divmod(np.arange(n * n_findings), n_findings)
    maps = np.zeros((n * n_findings, 16, 16), np.float32)
    entry = reference.image * n_findings + reference.finding
    for row, (x, y) in zip(entry, ((away[:, :2] + away[:, 2:]) / 8).astype(int).clip(0, 15), strict=True):
        maps[row, y, x] = 1.0
    affine = np.tile(np.eye(2, 3), (len(maps), 1, 1))
    boxes = {
        RULE.name: BoxTable(
            reference.image, reference.finding, away, likely[reference.image, reference.finding]
        )
    }
    pairs = PairMaps(maps, image, finding, affine, likely.ravel())
    settings = {"input_hw": (64, 64), "method": "gradcam", "protocol": Protocol(), "n_draws": 100, "rng": rng}
    ruled = {**settings, "rules": (RULE,)}
    validation = dataclasses.replace(cohort, patient=np.char.add("v", cohort.patient))
    return [
        *classification_scores(
            cohort, likely, Protocol(), n_draws=100, rng=rng, validation=(validation, likely)
        ),
        *localization_scores(cohort, maps[entry], affine[entry], boxes, **ruled, pixels=True),
        *false_positive_scores(cohort, pairs, boxes, likely, **ruled),
        *detection_scores(cohort, pairs, boxes, **ruled),
        *oracle_scores(cohort, maps[entry], affine[entry], **settings, rule=RULE, thresholds=THRESHOLDS),
    ]


@pytest.fixture(scope="module")
def scores(cohort: Cohort) -> list[Score]:
    return _scores(cohort, perfect=True)


@pytest.fixture(scope="module")
def wrong_scores(cohort: Cohort) -> list[Score]:
    return _scores(cohort, perfect=False)


def test_the_table_is_whole(scores: list[Score]) -> None:
    assert len(METRICS) >= 15
    assert {score.metric for score in scores} == set(METRICS)


@pytest.mark.parametrize("metric", METRICS)
def test_a_metric_comes_with_its_t_its_mean_and_its_findings(metric: str, scores: list[Score]) -> None:
    mine = [score for score in scores if score.metric == metric and score.stratum is None]
    mine = [score for score in mine if score.box_rule == mine[0].box_rule]  # T(IoU) stands for the oracle too
    assert sorted({score.at for score in mine if score.at is not None}) == list(METRICS[metric].at)
    for at in METRICS[metric].at or (None,):
        findings = [score.finding for score in mine if score.at == at]
        assert findings[0] is None
        assert len(findings) == len(set(findings)) > 2


@pytest.mark.parametrize("metric", METRICS)
def test_a_metric_has_floor_protocol_and_n(metric: str, scores: list[Score]) -> None:
    for score in scores:
        if score.metric == metric:
            assert score.n > 0
            assert score.floors
            if METRICS[metric].larger_is_better or not np.isnan(score.floor):
                np.testing.assert_equal(score.floor, next(iter(score.floors.values())))
            assert score.protocol.denominator == METRICS[metric].denominator
            assert (score.method is None) == (metric in IMAGE_LEVEL)


@pytest.mark.parametrize("metric", METRICS)
def test_who_knows_everything_is_better(metric: str, scores: list[Score], wrong_scores: list[Score]) -> None:
    right, wrong = (
        next(s for s in some if s.metric == metric and s.finding is None) for some in (scores, wrong_scores)
    )
    assert min(right.value, wrong.value) >= 0
    assert right.low <= right.value <= right.high
    if metric not in NO_FIXED_BEST:
        assert right.value == pytest.approx(float(METRICS[metric].larger_is_better), abs=1e-6)
    if metric not in (*GAPS, *TRADED):
        assert (right.value > wrong.value) == METRICS[metric].larger_is_better
        assert abs(right.value - wrong.value) > 0.2


def test_the_file_holds_no_nan_and_reads_back(scores: list[Score]) -> None:
    text = json.dumps(json_from(scores), allow_nan=False)
    back = scores_from_json(json.loads(text))
    assert len(back) == len(scores)
    first, second = scores[0], back[0]
    assert (first.metric, first.value, first.protocol) == (second.metric, second.value, second.protocol)


def test_an_undefined_number_is_null(cohort: Cohort) -> None:
    likely = np.full(cohort.labels.shape, math.nan)
    rng = np.random.default_rng(0)
    rows = json_from(classification_scores(cohort, likely, Protocol(), n_draws=100, rng=rng))["scores"]
    assert rows
    assert {row["value"] for row in rows} == {None}


def test_the_t_are_those_of_the_papers() -> None:
    assert T_IOU == (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
    assert T_IOBB == (0.1, 0.25, 0.5, 0.75, 0.9)
    assert FALSE_A_FILM == (1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8)
