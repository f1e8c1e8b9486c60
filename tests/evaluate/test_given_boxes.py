"""Boxes from elsewhere: means, floors and what is not said of them."""

import dataclasses

import numpy as np
import pytest

from hilum.boxes import BoxTable
from hilum.evaluate.floors import box_floor, class_mean_box
from hilum.evaluate.given_boxes import AS_GIVEN, given_box_scores
from hilum.evaluate.protocol import NOT_APPLICABLE, Protocol


def _once_each(cohort):
    """The cohort with at most one box of a finding on a film."""
    pairs = np.stack([cohort.reference.image, cohort.reference.finding])
    _, first = np.unique(pairs, axis=1, return_index=True)
    return dataclasses.replace(cohort, reference=cohort.reference.rows(first))


def _scores(cohort, predicted):
    rng = np.random.default_rng(0)
    return given_box_scores(cohort, predicted, Protocol(films="phantoms"), n_draws=50, rng=rng)


def _value(scores, metric, at=None):
    (score,) = [s for s in scores if (s.metric, s.at, s.finding, s.stratum) == (metric, at, None, None)]
    return score


def test_the_reference_itself_is_perfect(cohort_of) -> None:
    cohort = _once_each(cohort_of(60, 40))
    scores = _scores(cohort, cohort.reference)
    assert _value(scores, "t_iou", 0.7).value == _value(scores, "t_iobb", 0.9).value == 1.0
    assert _value(scores, "mean_iou_micro").value == pytest.approx(1.0)
    assert {(s.method, s.box_rule) for s in scores} == {(AS_GIVEN, AS_GIVEN)}


def test_every_second_box_is_missing(cohort_of) -> None:
    cohort = _once_each(cohort_of(60, 40))
    half = cohort.reference.rows(np.arange(0, len(cohort.reference), 2))
    score = _value(_scores(cohort, half), "mean_iou_micro")
    assert score.value == pytest.approx(len(half) / len(cohort.reference))
    assert score.n == len(cohort.reference)


def test_floors_know_nothing_of_the_maps(cohort_of) -> None:
    cohort = _once_each(cohort_of(60, 40))
    reference = cohort.reference
    score = _value(_scores(cohort, reference), "t_iou", 0.1)
    assert set(score.floors) == {"shuffled", "whole_image", "class_mean_box"}
    assert score.floor == score.floors["shuffled"]
    mean_box = class_mean_box(reference.xyxy, reference.finding, cohort.patient[reference.image])
    hits = box_floor(reference.xyxy, mean_box)[0][:, 0]
    expected = np.mean([hits[reference.finding == f].mean() for f in np.unique(reference.finding)])
    assert score.floors["class_mean_box"] == pytest.approx(expected, nan_ok=True)


def test_what_the_protocol_says(cohort_of) -> None:
    cohort = _once_each(cohort_of(60, 40))
    reference = cohort.reference
    (protocol,) = {s.protocol for s in _scores(cohort, reference) if s.metric == "t_iou"}
    assert (protocol.boxes, protocol.map_size, protocol.map_scale) == ("one", NOT_APPLICABLE, NOT_APPLICABLE)
    assert (protocol.threshold_chosen, protocol.weights_data) == ("unknown", "unknown")
    twice = BoxTable(
        *(
            np.concatenate([each, each])
            for each in (reference.image, reference.finding, reference.xyxy, reference.score)
        )
    )
    assert {s.protocol.boxes for s in _scores(cohort, twice)} == {"any"}


def test_without_entries_there_is_nothing_to_score(cohort_of) -> None:
    cohort = cohort_of(20, 10)
    bare = dataclasses.replace(cohort, reference=cohort.reference.rows(np.zeros(0, int)))
    assert _scores(bare, cohort.reference) == []
