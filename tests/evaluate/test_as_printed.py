"""Scores as one paper counts them, worked out by hand."""

import dataclasses

import numpy as np
import pytest

from hilum.boxes import BoxTable, no_boxes
from hilum.data import Cohort
from hilum.evaluate import ALL_METRICS, APART, METRICS, Protocol, Score
from hilum.evaluate.as_printed import AS_PRINTED
from hilum.evaluate.metric import T_IOBB, T_IOU
from hilum.localize import BoxRule
from hilum.report.ledger import N_BOXED, N_MISCOUNTED

RULE = BoxRule("level(180)", component="largest_box")
FINDINGS = ("Mass", "Nodule", "Hernia")


def _table(*rows) -> BoxTable:
    image, finding, xyxy = zip(*rows, strict=True)
    return BoxTable(np.array(image), np.array(finding), np.array(xyxy, float), np.full(len(rows), 0.5))


def _cohort(labels, reference: BoxTable) -> Cohort:
    n = len(labels)
    films = np.array([f"{row}.png" for row in range(n)])
    return Cohort(
        films=films,
        paths=films,
        findings=FINDINGS,
        labels=np.array(labels, float),
        patient=films,
        view=np.full(n, "PA"),
        age=np.full(n, 50.0),
        sex=np.full(n, "F"),
        split=np.full(n, "test"),
        reference=reference,
        frame_hw=(256, 256),
    )


def _scores(way, cohort: Cohort, boxes: BoxTable, seed: int = 0) -> list[Score]:
    return way(
        cohort,
        {RULE.name: boxes},
        method="cam",
        rules=(RULE,),
        protocol=Protocol(films="x"),
        n_draws=200,
        rng=np.random.default_rng(seed),
    )


def _value(scores: list[Score], metric: str, at: float, finding: str | None) -> Score:
    (found,) = [s for s in scores if (s.metric, s.at, s.finding) == (metric, at, finding)]
    return found


def test_false_boxes_are_divided_by_the_films_with_boxes() -> None:
    """Six films, five with boxes; seven entries, so that entries would divide by 7."""
    box, away, half = [0.0, 0.0, 40.0, 40.0], [100.0, 100.0, 140.0, 140.0], [20.0, 0.0, 60.0, 40.0]
    entries = [(row, 0, box) for row in range(5)] + [(0, 1, box), (0, 0, away)]
    labels = np.zeros((6, 3))
    labels[:5, 0] = labels[0, 1] = labels[1, 1] = labels[5, 0] = 1
    cohort = _cohort(labels, _table(*entries))
    predicted = _table(
        (0, 0, box),  # true
        (1, 0, away),  # false at every T
        (1, 0, half),  # IoBB one half: false from T = 0.5 on
        (1, 1, away),  # by label alone, no entry of its own: false
        (2, 1, away),  # film without the label: plays no part
        (5, 0, away),  # film without any box: plays no part
        (1, 2, away),  # finding without any box: plays no part
    )
    scores = _scores(AS_PRINTED["boxed_films"], cohort, predicted)
    assert {(s.metric, s.at) for s in scores} == {("false_positives_a_film_iobb", t) for t in T_IOBB}
    assert len(scores) == len(T_IOBB) * 3
    for t in T_IOBB:
        mass, nodule = (2 if t >= 0.5 else 1) / 5, 1 / 5
        assert _value(scores, "false_positives_a_film_iobb", t, "Mass").value == pytest.approx(mass)
        assert _value(scores, "false_positives_a_film_iobb", t, "Nodule").value == pytest.approx(nodule)
        mean = _value(scores, "false_positives_a_film_iobb", t, None)
        assert mean.value == pytest.approx((mass + nodule) / 2)
        assert (mean.n, mean.protocol.gate) == (5, "label")
        assert mean.low <= mean.value <= mean.high
        assert mean.low == 0  # some draws miss film 1


def test_rows_count_under_the_last_finding_of_their_film() -> None:
    """Film 0 has a Mass and then a Nodule: both rows are scored as its Nodule."""
    box, miss = [10.0, 10.0, 50.0, 50.0], [200.0, 200.0, 240.0, 240.0]
    cohort = _cohort(np.ones((2, 3)), _table((0, 0, box), (0, 1, box), (1, 0, box)))
    scores = _scores(AS_PRINTED["kth_overlap"], cohort, _table((0, 0, miss), (0, 1, box), (1, 0, miss)))
    assert {(s.metric, s.at) for s in scores} == {
        *(("t_iou_mixed", t) for t in T_IOU),
        *(("t_share_of_reference", t) for t in T_IOBB),
    }
    assert len(scores) == (len(T_IOU) + len(T_IOBB)) * 3
    nodule, mass, mean = (_value(scores, "t_iou_mixed", 0.3, name) for name in ("Nodule", "Mass", None))
    assert [(s.value, s.n) for s in (nodule, mass, mean)] == [(1.0, 2), (0.0, 1), (0.5, 3)]


def test_the_share_is_of_the_reference_and_reaching_t_is_enough() -> None:
    """A prediction of 40 x 40 around a reference of 20 x 20: IoBB is 0.25, the share above 1."""
    cohort = _cohort(np.ones((1, 3)), _table((0, 0, [20.0, 20.0, 40.0, 40.0])))
    scores = _scores(AS_PRINTED["kth_overlap"], cohort, _table((0, 0, [10.0, 10.0, 50.0, 50.0])))
    assert all(_value(scores, "t_share_of_reference", t, "Mass").value == 1 for t in T_IOBB)
    iou = 21 * 21 / (40 * 20 + 20 * 20 - 21 * 21)  # 0.581
    assert [_value(scores, "t_iou_mixed", t, "Mass").value for t in T_IOU] == [float(iou >= t) for t in T_IOU]
    # of an intersection of 20 x 20 px, counted with both edges, over 40 x 20: exactly 0.5 of the reference
    cohort = _cohort(np.ones((1, 3)), _table((0, 0, [0.0, 0.0, 20.0, 42.0])))
    scores = _scores(AS_PRINTED["kth_overlap"], cohort, _table((0, 0, [0.0, 0.0, 19.0, 20.0])))
    assert _value(scores, "t_share_of_reference", 0.5, "Mass").value == 1


@pytest.mark.parametrize("way", AS_PRINTED.values(), ids=AS_PRINTED)
def test_what_is_as_printed_has_no_floor_and_repeats(way) -> None:
    box = [0.0, 0.0, 40.0, 40.0]
    reference = _table(*((row, 0, box) for row in range(8)))
    cohort = _cohort(np.ones((8, 3)), reference)
    boxes = _table(*((row, 0, box if row % 2 else [200.0, 200.0, 220.0, 220.0]) for row in range(8)))
    scores = _scores(way, cohort, boxes)
    assert scores
    for score in scores:
        assert score.metric in APART
        assert np.isnan(score.floor)
        assert score.floors == {}
        assert score.low <= score.value <= score.high
        assert (score.method, score.box_rule) == ("cam", RULE.name)
        assert score.protocol.denominator == APART[score.metric].denominator
    assert [dataclasses.replace(s, floor=0.0) for s in scores] == [
        dataclasses.replace(s, floor=0.0) for s in _scores(way, cohort, boxes)
    ]


@pytest.mark.parametrize("way", AS_PRINTED.values(), ids=AS_PRINTED)
def test_nothing(way) -> None:
    assert _scores(way, _cohort(np.ones((2, 3)), no_boxes()), no_boxes()) == []
    cohort = _cohort(np.ones((1, 3)), _table((0, 0, [0.0, 0.0, 40.0, 40.0])))
    assert {s.value for s in _scores(way, cohort, no_boxes())} == {0.0}  # no box, no hit and nothing false
    with pytest.raises(ValueError, match="unknown table of boxes"):
        way(
            cohort,
            {},
            method="cam",
            rules=(RULE,),
            protocol=Protocol(),
            n_draws=100,
            rng=np.random.default_rng(0),
        )


def test_counts_of_the_real_list_are_those_behind_the_printed_numbers(real: Cohort) -> None:
    """Boxes are the entries themselves: n is what the papers divide by, and only a label may be false."""
    boxes = dataclasses.replace(real.reference, score=np.ones(len(real.reference)))
    by_last = {
        s.finding: s.n for s in _scores(AS_PRINTED["kth_overlap"], real, boxes) if s.finding is not None
    }
    assert by_last == N_MISCOUNTED
    films = _scores(AS_PRINTED["boxed_films"], real, boxes)
    assert {s.n for s in films} == {N_BOXED}
    assert {s.value for s in films} == {0.0}


def test_no_name_stands_for_two_metrics() -> None:
    assert set(METRICS) & set(APART) == set()
    assert len(ALL_METRICS) == len(METRICS) + len(APART)
