import dataclasses

import numpy as np
import pytest

from hilum.boxes import BoxTable, no_boxes
from hilum.evaluate.localization import best_overlaps
from hilum.localize import BoxRule, boxes_from
from hilum.report.sweep import SHOWN, THRESHOLDS, Sweep, sweep_chart, swept

N = 12


@pytest.fixture(scope="module")
def maps():
    rng = np.random.default_rng(0)
    heat = rng.random((N, 7, 7)).astype(np.float32) ** 4
    affine = np.tile(np.array([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]]), (N, 1, 1))
    corner = rng.uniform(0, 60, (N, 2))
    reference = BoxTable(
        np.arange(N), np.arange(N) % 3, np.hstack([corner, corner + rng.uniform(20, 60, (N, 2))]), np.ones(N)
    )
    return heat, affine, np.arange(N), np.arange(N) % 3, reference


def sweep(maps, rule):
    return swept(*maps, (64, 64), rule, (128, 128))


@pytest.mark.parametrize("place", range(0, len(THRESHOLDS), 4))
def test_each_point_is_what_its_rule_scores(maps, place):
    heat, affine, image, finding, reference = maps
    rule = BoxRule(THRESHOLDS[place])
    row, xyxy, peak = boxes_from(heat, affine, (64, 64), rule, (128, 128))
    iou, iobb = best_overlaps(reference, BoxTable(image[row], finding[row], xyxy, peak))
    by_finding = [[(iou > 0.1), (iou > 0.3), (iou > 0.5), (iobb > 0.25)]]
    expected = [np.mean([each[finding == f].mean() for f in range(3)]) for each in by_finding[0]]
    np.testing.assert_allclose(sweep(maps, rule)[place], expected)


def test_gate_and_own_threshold_play_no_part(maps):
    plain = sweep(maps, BoxRule())
    np.testing.assert_array_equal(plain, sweep(maps, BoxRule("level(200)", gate=0.9)))
    assert not np.array_equal(plain, sweep(maps, BoxRule(component="all")))


def test_no_entry_no_number(maps):
    heat, affine, image, finding, _ = maps
    empty = swept(heat[:0], affine[:0], image[:0], finding[:0], no_boxes(), (64, 64), BoxRule(), (128, 128))
    assert np.isnan(empty).all()
    assert empty.shape == (len(THRESHOLDS), len(SHOWN))


def test_the_chart_marks_what_is_used_and_joins_no_static_range(record):
    made = record().sweep
    chart = sweep_chart(made)
    assert [panel.title for panel in chart.panels] == [
        "T(IoU) > 0.1",
        "T(IoU) > 0.3",
        "T(IoU) > 0.5",
        "T(IoBB) > 0.25",
    ]
    panel = chart.panels[0]
    assert [word for _, word in panel.ticks][:3] == ["60\N{EN DASH}180", "180\N{EN DASH}255", "60"]
    assert len(panel.ticks) == len(THRESHOLDS) == 13
    assert [(panel.ticks[8][0], "used")] == list(panel.marks)
    assert panel.ticks[8][1] == "87.5"
    line = panel.lines[0]
    assert np.isnan(line.y[[1, 3]]).all()
    assert np.isfinite(line.y).sum() == 13
    assert not sweep_chart(dataclasses.replace(made, used="level(180)")).panels[0].marks


def test_nothing_swept_nothing_drawn():
    assert sweep_chart(None) is None
    assert sweep_chart(Sweep((), THRESHOLDS, "", np.zeros((0, 13, 4)))) is None
