import dataclasses
import json

import numpy as np
import pytest

from hilum.boxes import BoxTable, no_boxes
from hilum.evaluate import METRICS
from hilum.evaluate.detection import FALSE_COLUMNS, detected, false_boxes
from hilum.evaluate.detection_score import detection_scores, false_positive_scores
from hilum.evaluate.pairs import PairMaps
from hilum.evaluate.protocol import NOT_APPLICABLE, Protocol, json_from
from hilum.localize import BoxRule, boxes_from

INPUT_HW = (32, 32)
RULE = BoxRule("dynamic(80)", "all", "input")
PROTOCOL = Protocol(films="phantoms, test list", threshold_chosen="fixed", weights_data="phantoms")


@pytest.fixture(autouse=True)
def few_draws(monkeypatch):
    monkeypatch.setattr("hilum.evaluate.floors.N_NOISE", 10)
    monkeypatch.setattr("hilum.evaluate.detection_floors.N_REDRAWN", 2)


def _system(cohort, keep=None):
    """A map for every film and finding, and its boxes."""
    n, n_findings = cohort.labels.shape
    rng = np.random.default_rng(5)
    probabilities = rng.random((n, n_findings)).round(2)
    image, finding = np.divmod(np.arange(n * n_findings), n_findings)
    pairs = PairMaps(
        rng.random((n * n_findings, 8, 8), dtype=np.float32),
        image,
        finding,
        np.tile(np.array([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]]), (n * n_findings, 1, 1)),
        probabilities.ravel(),
    )
    if keep is not None:
        pairs = pairs.rows(np.flatnonzero(keep[image, finding]))
    row, xyxy, peak = boxes_from(pairs.maps, pairs.affine, INPUT_HW, RULE, cohort.frame_hw)
    boxes = BoxTable(pairs.image[row], pairs.finding[row], xyxy, pairs.probability[row] * peak)
    return probabilities, pairs, boxes


def _false(cohort, system, gate="label", **changes):
    probabilities, pairs, boxes = system
    return false_positive_scores(
        cohort,
        pairs,
        {RULE.name: boxes},
        probabilities,
        **{"rules": (RULE,), **_settings(), **changes},
        gate=gate,
    )


def _detected(cohort, system, **changes):
    _, pairs, boxes = system
    return detection_scores(cohort, pairs, {RULE.name: boxes}, **{"rules": (RULE,), **_settings(), **changes})


def _settings():
    return {
        "input_hw": INPUT_HW,
        "method": "cam",
        "protocol": PROTOCOL,
        "n_draws": 40,
        "rng": np.random.default_rng(0),
    }


def _one(scores, metric, at, finding):
    (score,) = [s for s in scores if (s.metric, s.at, s.finding) == (metric, at, finding)]
    return score


@pytest.mark.parametrize("gate", ["label", "score", "none"])
def test_false_positives_by_hand(cohort_of, gate) -> None:
    cohort = cohort_of(150, 60)
    system = probabilities, _, boxes = _system(cohort)
    opened = {"label": cohort.labels == 1, "score": probabilities >= 0.5, "none": cohort.labels > -1}[gate]
    boxed = np.isin(np.arange(150), cohort.reference.image)  # the films that have any box
    counted = opened & boxed[:, None]
    scores = _false(cohort, system, gate)
    false = false_boxes(cohort.reference, boxes)
    for criterion, at in (("iou", 0.1), ("iou", 0.7), ("iobb", 0.25)):
        means = []
        for column, name in ((0, "Mass"), (1, "Nodule")):
            mine = counted[boxes.image, boxes.finding] & (boxes.finding == column)
            k = false[mine, FALSE_COLUMNS.index((criterion, at))].sum()
            score = _one(scores, f"false_positives_{criterion}", at, name)
            assert (score.value, score.n) == (pytest.approx(k / 60), 60)  # of all findings
            a_map = _one(scores, f"false_positives_a_map_{criterion}", at, name)
            assert (a_map.value, a_map.n) == (
                pytest.approx(k / counted[:, column].sum()),
                counted[:, column].sum(),
            )
            assert score.low <= score.value <= score.high
            assert a_map.low <= a_map.value <= a_map.high
            means.append(k / 60)
        mean = _one(scores, f"false_positives_{criterion}", at, None)
        assert (mean.value, mean.n) == (pytest.approx(np.mean(means)), 60)
    assert {s.protocol.gate for s in scores} == {gate}
    assert {s.protocol.denominator for s in scores} == {
        "box entries of all findings",
        "heatmaps of the finding",
    }


def test_labelled_films_alone_are_enough_for_the_label_gate(cohort_of) -> None:
    cohort = cohort_of(50, 30)
    whole = _false(cohort, _system(cohort))
    part = _false(cohort, _system(cohort, keep=cohort.labels == 1))
    for a, b in zip(whole, part, strict=True):
        assert (a.value, a.low, a.n, a.floors["centre"]) == (b.value, b.low, b.n, b.floors["centre"])
    with pytest.raises(ValueError, match="wanted pairs have no heatmap"):
        _false(cohort, _system(cohort, keep=cohort.labels == 1), "none")


def test_froc_by_hand(cohort_of) -> None:
    cohort = cohort_of(50, 30)
    system = _, _, boxes = _system(cohort)
    for hit in ("centre", "iou(0.2)"):
        scores = _detected(cohort, system, hit=hit)
        means = []
        for column, name in ((0, "Mass"), (1, "Nodule")):
            reference = cohort.reference.rows(cohort.reference.finding == column)
            mine = boxes.rows(boxes.finding == column)
            outcome = detected(reference, mine, hit)
            best = 0.0
            for level in np.unique(mine.score):
                if (outcome.false & (mine.score >= level)).sum() / 50 <= 0.5:  # of all fifty films
                    best = max(best, (outcome.found >= level).mean())
            score = _one(scores, "froc", 0.5, name)
            assert (score.value, score.n) == (pytest.approx(best), len(reference))
            means.append(best)
        assert _one(scores, "froc", 0.5, None).value == pytest.approx(np.mean(means))
        curve = [_one(scores, "froc", at, None).value for at in METRICS["froc"].at]
        assert curve == sorted(curve)
        protocols = {s.protocol for s in scores if s.metric == "froc"}
        assert {(p.hit_rule, p.gate, p.boxes) for p in protocols} == {(hit, "none", "any")}


def test_point_map_counts_films_without_boxes(cohort_of) -> None:
    """Maps that point into the box of every entry and are sure of these films alone are perfect."""
    cohort = cohort_of(40)
    side = np.arange(0, 40, 2)
    low = np.stack([side % 48, side], axis=1).astype(float)
    reference = BoxTable(side, np.zeros(20, int), np.concatenate([low, low + 8], axis=1), np.full(20, np.nan))
    cohort = dataclasses.replace(cohort, reference=reference)
    _, pairs, boxes = _system(cohort)
    maps = pairs.maps.copy()
    probability = np.where(np.isin(pairs.image, side), 0.9, 0.1)
    for film, (x, y) in zip(side, ((low + 4) // 8).astype(int), strict=True):
        maps[(pairs.image == film) & (pairs.finding == 0), y, x] = 9.0
    sure = dataclasses.replace(pairs, maps=maps, probability=probability)
    score = _one(_detected(cohort, (None, sure, boxes)), "pointwise_map", None, "Mass")
    assert (score.value, score.low, score.high, score.n) == (1.0, 1.0, 1.0, 20)
    assert score.floor < 0.5
    assert list(score.floors) == ["random", "shuffled", "centre", "whole_image", "class_mean_box"]
    protocol = score.protocol
    assert (protocol.boxes, protocol.map_size, protocol.threshold_chosen) == (
        "points, max",
        "map",
        NOT_APPLICABLE,
    )
    doubtful = dataclasses.replace(sure, probability=np.full(len(sure), 0.5))
    score = _one(_detected(cohort, (None, doubtful, boxes)), "pointwise_map", None, "Mass")
    assert score.value == pytest.approx(0.5)  # twenty of forty equally sure points are right
    score = _one(_detected(cohort, (None, sure, boxes), peaks="all"), "pointwise_map", None, "Mass")
    assert score.value > 0.9  # each box's own cell is the surest of all peaks


def test_boxes_of_a_detector_are_points_with_their_own_scores(cohort_of) -> None:
    """One finding: two boxes that hit, one that does not and is surer than the second of them."""
    cohort = cohort_of(30, 10)
    reference = cohort.reference.rows(cohort.reference.finding == 0)
    hit = reference.rows(np.array([0, 1]))
    away = hit.xyxy[:1] + 5000.0  # its centre lies in no box
    detections = BoxTable(
        np.array([*hit.image, hit.image[0]]),
        np.zeros(3, np.int64),
        np.concatenate([hit.xyxy, away]),
        np.array([0.9, 0.2, 0.5]),
    )
    rule = BoxRule("detector")
    scores = detection_scores(
        cohort, _system(cohort)[1], {"detector": detections}, rules=(rule,), **_settings()
    )
    point = _one(scores, "pointwise_map", None, "Mass")
    assert point.value == pytest.approx((1 + 2 / 3) / len(reference))
    assert point.protocol.boxes == "points, centres of all boxes"
    assert point.protocol.map_size == point.protocol.map_scale == NOT_APPLICABLE
    assert list(point.floors) == ["shuffled", "whole_image", "class_mean_box"]
    froc = _one(scores, "froc", 8.0, "Mass")
    assert (froc.value, froc.box_rule) == (pytest.approx(2 / len(reference)), "detector")


def test_every_metric_at_every_t(cohort_of) -> None:
    cohort = cohort_of(50, 30)
    scores = _detected(cohort, _system(cohort)) + _false(cohort, _system(cohort))
    mine = [
        name for name in METRICS if name in ("froc", "pointwise_map") or name.startswith("false_positives")
    ]
    expected = {(name, at) for name in mine for at in METRICS[name].at or (None,)}
    assert {(s.metric, s.at) for s in scores} == expected
    assert len(scores) == 3 * len(expected) == 3 * (7 + 1 + 2 * 12)
    assert all(next(iter(s.floors)) == "random" and np.isfinite(s.floor) for s in scores)
    json.dumps(json_from(scores), allow_nan=False)


def test_patients_are_drawn_not_films(cohort_of) -> None:
    """Two patients: a draw holds one of them twice, the other twice, or both."""
    cohort = cohort_of(60, 40, films_a_patient=30)
    system = _, _, boxes = _system(cohort)
    score = _one(_false(cohort, system, "none"), "false_positives_a_map_iou", 0.1, "Mass")
    false = false_boxes(cohort.reference, boxes)[:, 0] & (boxes.finding == 0)
    boxed = np.isin(np.arange(60), cohort.reference.image)
    ends = []
    for mine in (np.arange(60) < 30, np.arange(60) >= 30):
        ends.append((false & (mine & boxed)[boxes.image]).sum() / (mine & boxed).sum())
    assert [score.low, score.high] == pytest.approx(sorted(ends))


def test_without_boxes_nothing_is_false_and_nothing_found(cohort_of) -> None:
    cohort = cohort_of(50, 30)
    probabilities, pairs, _ = _system(cohort)
    system = probabilities, pairs, no_boxes()
    assert {s.value for s in _false(cohort, system)} == {0.0}
    assert {s.value for s in _detected(cohort, system) if s.metric == "froc"} == {0.0}


def test_no_entries_no_scores(cohort_of) -> None:
    for cohort in (cohort_of(0), cohort_of(10)):
        system = _system(cohort)
        assert _false(cohort, system) == _detected(cohort, system) == []


def test_few_entries_have_values_without_intervals(cohort_of) -> None:
    cohort = cohort_of(30, 3)
    for score in _detected(cohort, _system(cohort)):
        assert np.isfinite(score.value)
        assert np.isnan([score.low, score.high]).all()


def test_what_does_not_fit_is_refused(cohort_of) -> None:
    cohort = cohort_of(20, 6)
    system = _system(cohort)
    with pytest.raises(ValueError, match="unknown gate 'labels'; did you mean 'label'"):
        _false(cohort, system, "labels")
    with pytest.raises(ValueError, match="unknown hit rule"):
        _detected(cohort, system, hit="touch")
    with pytest.raises(ValueError, match="unknown table of boxes"):
        _detected(cohort, system, rules=(BoxRule("otsu"),))
    with pytest.raises(ValueError, match="wanted pairs have no heatmap"):
        _detected(cohort, _system(cohort, keep=cohort.labels == 1))
