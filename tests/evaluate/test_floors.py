from pathlib import Path

import numpy as np
import pytest

from hilum.boxes import BoxTable, no_boxes
from hilum.data import chestxray14
from hilum.evaluate import floors
from hilum.evaluate.localization import COLUMNS, crossed_overlaps, hits, statistics
from hilum.localize import BoxRule, boxes_from, peaks_from

T_01 = COLUMNS.index(("t_iou", 0.1))
IOBB_09 = COLUMNS.index(("t_iobb", 0.9))
IOU = COLUMNS.index(("mean_iou_micro", None))
FRAME = (64, 64)
DOUBLE = np.array([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]])  # an input of 32 px in a frame of 64
SHIFTED = DOUBLE + np.array([[0.0, 0.0, 7.0], [0.0, 0.0, -3.0]])


def _entries(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 40, (n, 2))
    return np.concatenate([low, low + rng.uniform(4, 24, (n, 2))], axis=1)


@pytest.mark.parametrize("component", ["largest", "all"])
def test_a_map_floor_is_the_mean_over_maps_placed_by_each_affine(component) -> None:
    rule = BoxRule("dynamic(80)", component, "input")
    maps = floors.noise_maps((7, 7), np.random.default_rng(0))[:30]
    entries, affine = _entries(5), np.stack([DOUBLE, SHIFTED, DOUBLE, SHIFTED, SHIFTED])
    found = floors.map_floor(maps, entries, affine, (32, 32), rule, FRAME)
    pointed = floors.map_floor_hits(maps, entries, affine, (32, 32), FRAME)
    for entry in range(5):
        expected, expected_hits = [], []
        for one in maps[:, None]:
            row, xyxy, _ = boxes_from(one, affine[[entry]], (32, 32), rule, FRAME)
            iou, iobb = crossed_overlaps(entries[[entry]], xyxy, row, 1)
            expected.append(statistics(iou[:, 0], iobb[:, 0])[0])
            expected_hits.append(
                hits(entries[[entry]], *peaks_from(one, affine[[entry]], (32, 32), FRAME))[0]
            )
        np.testing.assert_allclose(found[entry], np.mean(expected, axis=0), atol=1e-12)
        np.testing.assert_allclose(pointed[entry], np.mean(expected_hits), atol=1e-12)


def test_random_points_hit_as_often_as_the_box_is_large() -> None:
    """Cells of 9 px: the enlarged map has a pixel on each cell's middle, so that no cell loses height."""
    entries = np.array([[0.0, 0.0, 72.0, 72.0], [0.0, 0.0, 36.0, 72.0], [18.0, 18.0, 36.0, 36.0]])
    maps = np.random.default_rng(0).random((4000, 8, 8), dtype=np.float32)
    affine = np.stack([DOUBLE * 72 / 64] * 3)
    shares = floors.map_floor_hits(maps, entries, affine, (32, 32), (72, 72))
    np.testing.assert_allclose(shares, [1, 1 / 2, 1 / 16], atol=0.02)


@pytest.mark.parametrize("map_hw", [(7, 7), (8, 8), (14, 14), (6, 9)])
def test_the_centre_map_peaks_in_the_middle(map_hw) -> None:
    centre = floors.centre_map(map_hw)
    np.testing.assert_array_equal(centre, centre[:, ::-1, ::-1])
    across = centre[0, map_hw[0] // 2]
    x = (np.arange(map_hw[1]) + 0.5) / map_hw[1] - 0.5
    np.testing.assert_allclose(
        across / across.max(), np.exp(-(x**2 - x[len(x) // 2] ** 2) / 2 / 0.25**2), rtol=1e-5
    )
    middle = np.array([[31.0, 31.0, 33.0, 33.0], [0.0, 0.0, 16.0, 16.0]])
    pointed = floors.map_floor_hits(centre, middle, np.stack([DOUBLE] * 2), (32, 32), FRAME)
    assert pointed[1] == 0.0
    assert pointed[0] == 1.0 or map_hw[0] % 2 == 0  # an even map has a small plateau in the middle


def test_whole_image() -> None:
    table = floors.whole_image(np.array([[0.0, 0.0, 64.0, 64.0], [0.0, 0.0, 32.0, 16.0]]), FRAME)
    assert table[:, IOU].tolist() == [1.0, 1 / 8]
    assert table[:, [T_01, IOBB_09]].tolist() == [[1.0, 1.0], [1.0, 0.0]]


def test_class_mean_box_leaves_the_patient_out() -> None:
    entries, finding = _entries(20), np.arange(20) % 3
    patient = np.array(["a", "b", "c", "d"])[np.arange(20) % 4]
    finding[-1], patient[0] = 3, "only"  # one finding of one patient
    boxes = floors.class_mean_box(entries, finding, patient)
    for entry in range(19):
        others = (finding == finding[entry]) & (patient != patient[entry])
        np.testing.assert_allclose(boxes[entry], entries[others].mean(axis=0))
    assert np.isnan(boxes[-1]).all()
    table, hit = floors.box_floor(entries, boxes)
    assert np.isnan(table[-1]).all()
    assert np.isnan(hit).tolist() == [False] * 19 + [True]
    middle = (boxes[:19, :2] + boxes[:19, 2:]) / 2
    np.testing.assert_array_equal(hit[:19], hits(entries[:19], np.arange(19), middle))


def test_the_mean_box_of_others_for_films_without_entries() -> None:
    entries = np.array([[0.0, 0.0, 2.0, 2.0], [4.0, 4.0, 8.0, 8.0]])
    boxes = floors.mean_box_of_others(
        entries, np.array([0, 0]), np.array(["a", "b"]), np.array([0, 0, 1]), np.array(["c", "a", "c"])
    )
    np.testing.assert_array_equal(boxes, [[2, 2, 5, 5], [4, 4, 8, 8], [np.nan] * 4])


def test_others_are_of_the_finding_of_another_patient_and_equally_likely() -> None:
    finding, patient = np.array([0, 1, 0, 0, 1, 0]), np.array(["a", "a", "b", "a", "a", "c"])
    rng = np.random.default_rng(0)
    drawn = np.stack([floors.of_others(finding, patient, rng) for _ in range(3000)])
    assert set(drawn[:, 1]) == set(drawn[:, 4]) == {-1}
    for row, allowed in ((0, [2, 5]), (2, [0, 3, 5]), (3, [2, 5]), (5, [0, 2, 3])):
        share = np.bincount(drawn[:, row], minlength=6) / 3000
        np.testing.assert_allclose(share[allowed], 1 / len(allowed), atol=0.03)
        assert share[allowed].sum() == pytest.approx(1.0)
    assert len(floors.of_others(finding[:0], patient[:0], rng)) == 0


def test_shuffled_uses_the_other_patients_maps_once_each() -> None:
    one, other, third = [0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 5.0, 10.0], [50.0, 50.0, 60.0, 60.0]
    image, finding = np.array([0, 0, 1, 2, 3]), np.array([0, 0, 0, 0, 1])
    xyxy = np.array([one, third, other, third, one])
    reference = BoxTable(image, finding, xyxy, np.full(5, np.nan))
    patient = np.array(["a", "a", "b", "a", "c"])
    # Film 0 has two boxes, film 1 has two, film 2 none; film 9 has no entry and plays no part.
    predicted = BoxTable(
        np.array([1, 0, 1, 0, 9]), np.zeros(5, int), np.array([other, one, third, third, one]), np.ones(5)
    )
    table = floors.shuffled(reference, predicted, patient)[:, IOU]
    # Entries of a see film 1: the better of its two boxes. The entry of b sees films 0 and 2.
    np.testing.assert_allclose(table, [0.5, 1.0, (0.5 + 0.0) / 2, 1.0, np.nan])
    row, xy = np.array([0, 2, 2, 3]), np.array([[3.0, 3.0], [3.0, 3.0], [55.0, 55.0], [9.0, 9.0]])
    pointed = floors.shuffled_hits(reference, row, xy, patient)
    np.testing.assert_allclose(pointed, [0.5, 0.5, (1.0 + 0.0) / 2, 0.5, np.nan])


def test_a_cohort_s_scale_is_that_of_the_noise() -> None:
    rule = BoxRule("fraction(0.7)", "all", "input", scale="cohort")
    maps = np.stack([floors.centre_map((7, 7))[0], 0.5 * floors.centre_map((7, 7))[0]])
    row, _, peak = floors.blind_boxes(maps, DOUBLE[None], (32, 32), rule, FRAME)
    assert row.tolist() == [0]  # half as high on the scale of both
    assert 0.9 < peak[0] <= 1.0  # no pixel lies on the node in the middle
    assert len(floors.blind_boxes(0 * maps, DOUBLE[None], (32, 32), rule, FRAME)[0]) == 0


def test_a_gate_shuts_out_the_floors_of_its_films() -> None:
    table, gated = np.ones((3, 2)), BoxRule(gate=0.5)
    assert floors.behind_gate(table, BoxRule(), None) is table
    shut = floors.behind_gate(table, gated, np.array([0.4, 0.5, 0.6]))
    assert shut.tolist() == [[0, 0], [1, 1], [1, 1]]
    with pytest.raises(ValueError, match=r"rule 'dynamic\(87.5\)\+largest\+gate\(0.5\)' has a gate"):
        floors.behind_gate(table, gated, None)


def test_nothing_has_no_floor() -> None:
    nothing, rule = np.zeros((0, 4)), BoxRule(map_size="input")
    maps = floors.centre_map((7, 7))
    assert floors.map_floor(maps, nothing, np.zeros((0, 2, 3)), (32, 32), rule, FRAME).shape == (
        0,
        len(COLUMNS),
    )
    assert len(floors.map_floor_hits(maps, nothing, np.zeros((0, 2, 3)), (32, 32), FRAME)) == 0
    assert len(floors.whole_image(nothing, FRAME)) == 0
    assert len(floors.class_mean_box(nothing, np.zeros(0, int), np.zeros(0, int))) == 0
    assert len(floors.shuffled(no_boxes(), no_boxes(), np.zeros(0, int))) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("map_px", "expected", "sd", "one_map_an_entry"),
    [
        (7, 0.148, 0.125, 0.152),
        (14, 0.130, 0.118, 0.125),
        (32, 0.075, 0.084, 0.057),
        (64, 0.026, 0.036, 0.032),
    ],
)
def test_random_floor_of_the_real_box_list(nih_sample: Path, map_px, expected, sd, one_map_an_entry) -> None:
    """Macro T(IoU) 0.1 of uniform noise, percentile 87.5, largest component, 224 px.

    `expected` is the mean of 4,000 maps made with cv2 alone, `sd` the spread of one map shared by all
    entries. `one_map_an_entry` was measured elsewhere: its error is that of 984 coins, about 0.01.
    """
    reference = chestxray14.load(nih_sample).reference
    assert len(reference) == 984
    maps = floors.noise_maps((map_px, map_px), np.random.default_rng(11))
    affine = np.tile(np.array([[1024 / 224, 0.0, 0.0], [0.0, 1024 / 224, 0.0]]), (984, 1, 1))
    rule = BoxRule("dynamic(87.5)", "largest", "input")
    success = floors.map_floor(maps, reference.xyxy, affine, (224, 224), rule, (1024, 1024))[:, T_01]
    weight = 1 / 8 / np.bincount(reference.finding)[reference.finding]
    shared_error = sd / np.sqrt(len(maps))
    assert weight @ success == pytest.approx(expected, abs=3 * shared_error)
    coins = np.sqrt(weight**2 @ (success * (1 - success)))
    assert weight @ success == pytest.approx(one_map_an_entry, abs=3 * np.hypot(coins, shared_error))
