"""Every metric of the table reaches `scores.json`, and nothing else does."""

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
from hilum.evaluate.metric import T_IOBB, T_IOU
from hilum.localize import BoxRule


def _scores(cohort: Cohort, *, perfect: bool) -> list[Score]:
    """Scores of one who knows everything, or of one who is always wrong."""
    reference = cohort.reference
    likely = cohort.labels.astype(float) if perfect else 1.0 - cohort.labels
    away = (reference.xyxy + 32) % 64 if not perfect else reference.xyxy
    away = np.concatenate([away[:, :2], away[:, :2] + 16], axis=1)
    maps = np.zeros((len(reference), 16, 16), np.float32)
    for row, (x, y) in enumerate(((away[:, :2] + away[:, 2:]) / 2 / 4).astype(int).clip(0, 15)):
        maps[row, y, x] = 1.0
    rule, rng = BoxRule(), np.random.default_rng(0)
    boxes = BoxTable(reference.image, reference.finding, away, np.ones(len(reference)))
    scores = classification_scores(cohort, likely, Protocol(), n_draws=100, rng=rng)
    return scores + localization_scores(
        cohort,
        maps,
        np.tile(np.eye(2, 3), (len(reference), 1, 1)),
        {rule.name: boxes},
        input_hw=(64, 64),
        method="gradcam",
        rules=(rule,),
        protocol=Protocol(),
        n_draws=100,
        rng=rng,
    )


@pytest.fixture(scope="module")
def scores(cohort: Cohort) -> list[Score]:
    return _scores(cohort, perfect=True)


@pytest.fixture(scope="module")
def wrong_scores(cohort: Cohort) -> list[Score]:
    return _scores(cohort, perfect=False)


def test_the_table_is_whole(scores: list[Score]) -> None:
    assert len(METRICS) == 7
    assert {score.metric for score in scores} == set(METRICS)


@pytest.mark.parametrize("metric", METRICS)
def test_a_metric_comes_with_its_t_its_mean_and_its_findings(metric: str, scores: list[Score]) -> None:
    mine = [score for score in scores if score.metric == metric and score.stratum is None]
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
            assert score.floor == next(iter(score.floors.values()))
            assert score.protocol.denominator == METRICS[metric].denominator
            assert (score.method is None) == (metric in ("auroc", "average_precision"))


@pytest.mark.parametrize("metric", METRICS)
def test_larger_is_better_within_zero_and_one(
    metric: str, scores: list[Score], wrong_scores: list[Score]
) -> None:
    right, wrong = (
        next(s for s in some if s.metric == metric and s.finding is None) for some in (scores, wrong_scores)
    )
    assert right.value == pytest.approx(1.0)
    assert 0 <= wrong.value < 0.6
    assert right.low <= right.value <= right.high


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
