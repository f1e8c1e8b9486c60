import dataclasses

import numpy as np
import pytest

from hilum.boxes import BoxTable
from hilum.evaluate import detection_floors
from hilum.evaluate.detection_floors import box_floors, point_floors, points_from
from hilum.evaluate.floors import centre_map, noise_maps
from hilum.evaluate.pairs import PairMaps
from hilum.localize import BoxRule, boxes_from

FRAME, INPUT = (64, 64), (32, 32)
RULE = BoxRule("dynamic(80)", "all", "input")
NAMES = ["random", "shuffled", "centre", "whole_image", "class_mean_box"]
DOUBLE = np.array([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
SHIFTED = DOUBLE + np.array([[0.0, 0.0, 5.0], [0.0, 0.0, -3.0]])


@pytest.fixture(autouse=True)
def few_draws(monkeypatch):
    monkeypatch.setattr(detection_floors, "N_REDRAWN", 3)


def _system():
    """Six films of four patients, two findings; the fifth and sixth film have one of them."""
    image, finding = np.array([0, 1, 2, 3, 4, 0, 1, 2, 3, 5]), np.repeat([0, 1], 5)
    rng = np.random.default_rng(0)
    pairs = PairMaps(
        rng.random((10, 7, 7), dtype=np.float32),
        image,
        finding,
        np.stack([DOUBLE, SHIFTED] * 5),
        np.append(rng.uniform(0.1, 0.9, 9), 0.0),
    )
    row, xyxy, peak = boxes_from(pairs.maps, pairs.affine, INPUT, RULE, FRAME)
    predicted = BoxTable(image[row], finding[row], xyxy, pairs.probability[row] * peak)
    patient = np.array(["a", "a", "b", "c", "d", "d"])[image]
    reference = BoxTable(
        np.array([0, 2, 3]),
        np.array([0, 0, 1]),
        np.array([[0, 0, 10, 10], [20, 20, 40, 40], [5, 5, 9, 9]], float),
        np.full(3, np.nan),
    )
    return pairs, predicted, patient, reference, np.array(["a", "b", "c"])


def _noise():
    return noise_maps((7, 7), np.random.default_rng(1))[:30]


def _boxes():
    pairs, predicted, patient, reference, whose = _system()
    floors = box_floors(
        pairs, predicted, patient, reference, whose, _noise(), INPUT, RULE, FRAME, np.random.default_rng(2)
    )
    return pairs, predicted, patient, reference, floors


def _of(table, image, finding):
    mine = (table.image == image) & (table.finding == finding)
    return table.xyxy[mine], table.score[mine]


def test_every_pair_gets_boxes_of_one_map_through_its_own_affine() -> None:
    pairs, _, _, _, floors = _boxes()
    assert list(floors) == NAMES
    assert [len(tables) for tables in floors.values()] == [3, 3, 1, 1, 1]
    for name, maps in (("random", _noise()), ("centre", centre_map((7, 7)))):
        for table in floors[name]:
            for row in range(len(pairs)):
                xyxy, score = _of(table, pairs.image[row], pairs.finding[row])
                possible = []
                for one in maps:
                    _, boxes, peak = boxes_from(one[None], pairs.affine[[row]], INPUT, RULE, FRAME)
                    possible.append(np.column_stack([boxes, peak * pairs.probability[row]]))
                mine = np.column_stack([xyxy, score])
                assert any(mine.shape == p.shape and np.allclose(mine, p) for p in possible)


def test_shuffled_boxes_come_from_other_patients_with_the_pair_s_own_probability() -> None:
    pairs, predicted, patient, _, floors = _boxes()
    seen = set()
    for table in floors["shuffled"]:
        for row in range(len(pairs)):
            xyxy, score = _of(table, pairs.image[row], pairs.finding[row])
            for other in np.flatnonzero(pairs.finding == pairs.finding[row]):
                theirs, confidence = _of(predicted, pairs.image[other], pairs.finding[other])
                if theirs.shape == xyxy.shape and np.allclose(theirs, xyxy):
                    assert patient[other] != patient[row]
                    seen.add((row, other))
                    if pairs.probability[other]:
                        expected = confidence / pairs.probability[other] * pairs.probability[row]
                        np.testing.assert_allclose(score, expected)
    assert len(seen) > 15


def test_a_gate_shuts_out_every_floor() -> None:
    pairs, predicted, patient, reference, whose = _system()
    gated = dataclasses.replace(RULE, gate=0.5)
    floors = box_floors(
        pairs, predicted, patient, reference, whose, _noise(), INPUT, gated, FRAME, np.random.default_rng(2)
    )
    likely = np.zeros((6, 2))
    likely[pairs.image, pairs.finding] = pairs.probability
    for tables in floors.values():
        for table in tables:
            assert len(table)
            assert (likely[table.image, table.finding] >= 0.5).all()


def test_fixed_boxes_leave_the_patient_out() -> None:
    pairs, _, _, reference, floors = _boxes()
    (whole,), (mean,) = floors["whole_image"], floors["class_mean_box"]
    np.testing.assert_array_equal(whole.xyxy, np.tile([0.0, 0.0, 64.0, 64.0], (10, 1)))
    np.testing.assert_array_equal(whole.score, pairs.probability)
    np.testing.assert_array_equal(_of(mean, 0, 0)[0], reference.xyxy[[1]])  # of a: b's box alone
    np.testing.assert_array_equal(_of(mean, 4, 0)[0], [reference.xyxy[:2].mean(axis=0)])
    assert len(_of(mean, 3, 1)[0]) == 0  # nobody but c has one


def test_points_are_cells_with_the_probability_or_the_value() -> None:
    pairs, *_ = _system()
    greatest = points_from(pairs, pairs.maps, INPUT, "max")
    np.testing.assert_array_equal(greatest.score, pairs.probability)
    np.testing.assert_array_equal(greatest.image, pairs.image)
    every = points_from(pairs, pairs.maps, INPUT, "all")
    assert len(every) > len(greatest)
    top = [
        every.score[(every.image == i) & (every.finding == f)].max()
        for i, f in zip(pairs.image, pairs.finding, strict=True)
    ]
    np.testing.assert_allclose(top, 1 / (1 + np.exp(-pairs.maps.max(axis=(1, 2)).astype(float))), rtol=1e-6)


def test_point_floors() -> None:
    pairs, _, patient, reference, whose = _system()
    floors = point_floors(
        pairs, patient, reference, whose, _noise(), INPUT, "max", FRAME, np.random.default_rng(2)
    )
    assert list(floors) == NAMES
    assert all(len(table) == 10 for table in floors["random"])
    (centre,) = floors["centre"]
    middle = (centre.xyxy[:, :2] + centre.xyxy[:, 2:]) / 2
    np.testing.assert_allclose(middle[0::2], 32.0)
    np.testing.assert_allclose(middle[1::2], [[37.0, 29.0]] * 5)
    own = points_from(pairs, pairs.maps, INPUT, "max")
    assert all((table.xyxy != own.xyxy).any(axis=1).sum() > 5 for table in floors["shuffled"])


def test_nothing() -> None:
    pairs, predicted, patient, reference, whose = _system()
    none = pairs.rows(np.zeros(0, int))
    empty = predicted.rows(np.zeros(0, int))
    rng = np.random.default_rng(0)
    floors = box_floors(none, empty, patient[:0], reference, whose, _noise(), INPUT, RULE, FRAME, rng)
    floors |= point_floors(none, patient[:0], reference, whose, _noise(), INPUT, "max", FRAME, rng)
    assert all(len(table) == 0 for tables in floors.values() for table in tables)
