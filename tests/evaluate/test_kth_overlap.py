from pathlib import Path

import numpy as np
import pytest

from hilum.boxes import BoxTable, no_boxes
from hilum.data import chestxray14
from hilum.evaluate.kth_overlap import legacy_kth_overlap, legacy_kth_successes

FRAME = (256, 256)


def _table(*rows) -> BoxTable:
    image, finding, xyxy = zip(*rows, strict=True)
    return BoxTable(np.array(image), np.array(finding), np.array(xyxy, float), np.zeros(len(rows)))


def _ratios(given, truth, frame=FRAME):
    _, iou, iobb = legacy_kth_overlap(_table((0, 0, truth)), _table((0, 0, given)), frame)
    return float(iou[0]), float(iobb[0])


def test_edge_pixels_count_in_the_intersection_alone() -> None:
    box = [10.0, 10.0, 30.0, 20.0]  # 20 x 10; the intersection with itself is 21 x 11
    assert _ratios(box, box) == (pytest.approx(231 / (200 + 200 - 231)), pytest.approx(231 / 200))
    beside = [30.0, 10.0, 50.0, 20.0]  # touching boxes share a column
    assert _ratios(beside, box)[1] == pytest.approx(11 / 200)
    assert _ratios([31.0, 10.0, 50.0, 20.0], box) == (0.0, 0.0)


def test_the_reference_divides_and_the_union_is_mixed() -> None:
    given, truth = [0.0, 0.0, 100.0, 100.0], [10.0, 10.0, 30.0, 50.0]  # the reference lies inside
    shared, own = 21 * 41, 20 * 40
    iou, iobb = _ratios(given, truth)
    assert iobb == pytest.approx(shared / own)  # it would be 0.08 over the predicted box
    assert iou == pytest.approx(shared / (100 * 40 + own - shared))


@pytest.mark.parametrize(
    ("given", "shaved"),
    [
        ([200.0, 200.0, 256.0, 256.0], [200.0, 200.0, 251.0, 251.0]),
        ([200.0, 0.0, 251.0, 256.0], [200.0, 0.0, 251.0, 251.0]),
        ([100.0, 100.0, 251.0, 251.0], [100.0, 100.0, 251.0, 251.0]),
    ],
)
def test_predicted_boxes_end_five_pixels_before_two_edges(given, shaved) -> None:
    truth = [150.0, 150.0, 256.0, 256.0]
    assert _ratios(given, truth) == _ratios(shaved, truth)
    assert _ratios(truth, given) == _ratios([150.0, 150.0, 251.0, 251.0], given)  # references are not shaved


def test_every_row_of_a_film_is_scored_as_its_last() -> None:
    reference = _table(
        (3, 0, [0.0, 0.0, 50.0, 50.0]), (1, 0, [0.0, 0.0, 9.0, 9.0]), (3, 2, [60.0, 60.0, 90.0, 90.0])
    )
    predicted = _table((3, 0, [0.0, 0.0, 50.0, 50.0]), (3, 2, [60.0, 60.0, 90.0, 80.0]))
    finding, iou, iobb = legacy_kth_overlap(reference, predicted, FRAME)
    assert finding.tolist() == [2, 0, 2]
    np.testing.assert_allclose(iobb, [31 * 21 / 900, 0, 31 * 21 / 900], rtol=1e-6)
    assert iou[0] == iou[2] > 0 == iou[1]


def test_the_largest_shaved_box_counts() -> None:
    truth = (0, 0, [0.0, 0.0, 40.0, 40.0])
    wide = (0, 0, [0.0, 240.0, 256.0, 256.0])  # 16 px high before shaving, 11 after: 2761 px
    small = (0, 0, [0.0, 0.0, 40.0, 75.0])  # 3000 px
    _, _, iobb = legacy_kth_overlap(_table(truth), _table(wide, small), FRAME)
    assert iobb[0] == pytest.approx(41 * 41 / 1600)


def test_the_frame_becomes_256_px() -> None:
    given, truth = np.array([40.0, 40.0, 240.0, 200.0]), np.array([80.0, 40.0, 300.0, 240.0])
    assert _ratios(given.tolist(), truth.tolist(), (1024, 1024)) == _ratios(
        (given / 4).tolist(), (truth / 4).tolist()
    )


def test_reaching_t_is_enough() -> None:
    t = np.array([0.3], np.float32)
    by_iou, by_iobb = legacy_kth_successes(t, np.array([0.75], np.float32))
    assert by_iou.tolist() == [[True, True, True, False, False, False, False]]
    assert by_iobb.tolist() == [[True, True, True, True, False]]


def test_nothing() -> None:
    assert [len(column) for column in legacy_kth_overlap(no_boxes(), no_boxes(), FRAME)] == [0, 0, 0]
    _, iou, iobb = legacy_kth_overlap(_table((0, 0, [0.0, 0.0, 4.0, 4.0])), no_boxes(), FRAME)
    assert (iou.tolist(), iobb.tolist()) == ([0.0], [0.0])


def test_counts_of_the_report(nih_sample: Path) -> None:
    """Every printed share of the report is a whole number of successes over these counts."""
    cohort = chestxray14.load(nih_sample)
    finding, _, _ = legacy_kth_overlap(cohort.reference, no_boxes(), cohort.frame_hw)
    counts = {cohort.findings[column]: int((finding == column).sum()) for column in np.unique(finding)}
    assert counts == {
        "Atelectasis": 174,
        "Cardiomegaly": 135,
        "Effusion": 128,
        "Infiltration": 124,
        "Mass": 94,
        "Nodule": 76,
        "Pneumonia": 141,
        "Pneumothorax": 112,
    }
