import numpy as np
import pytest

from hilum.boxes import BoxTable, no_boxes
from hilum.evaluate.localization import (
    COLUMNS,
    best_overlaps,
    crossed_hits,
    crossed_overlaps,
    hits,
    inside,
    matches,
    statistics,
)
from hilum.evaluate.metric import METRICS

TEN = [0.0, 0.0, 10.0, 10.0]


def _table(*rows: tuple[int, int, list[float]]) -> BoxTable:
    image, finding, xyxy = zip(*rows, strict=True)
    return BoxTable(np.array(image), np.array(finding), np.array(xyxy, float), np.full(len(rows), np.nan))


@pytest.mark.parametrize(
    ("box", "iou", "iobb"),
    [
        (TEN, 1.0, 1.0),
        ([0.0, 0.0, 5.0, 10.0], 0.5, 1.0),  # a part of the reference is pure
        ([0.0, 0.0, 20.0, 10.0], 0.5, 0.5),
        ([5.0, 5.0, 15.0, 15.0], 25 / 175, 0.25),
        ([10.0, 0.0, 20.0, 10.0], 0.0, 0.0),  # touching is not overlapping
        ([3.0, 3.0, 3.0, 9.0], 0.0, 0.0),  # no area
    ],
)
def test_one_box(box, iou, iobb) -> None:
    best = best_overlaps(_table((0, 0, TEN)), _table((0, 0, box)))
    np.testing.assert_allclose(best, [[iou], [iobb]], atol=1e-15)


def test_the_best_of_the_film_and_finding() -> None:
    reference = _table((3, 1, TEN), (3, 1, [0.0, 0.0, 4.0, 4.0]), (3, 0, TEN), (7, 1, TEN))
    predicted = _table(
        (7, 0, TEN),  # another finding
        (3, 1, [0.0, 0.0, 5.0, 10.0]),
        (3, 1, [0.0, 0.0, 2.0, 2.0]),
        (4, 1, TEN),  # another film
        (3, 5, TEN),
    )
    iou, iobb = best_overlaps(reference, predicted)
    np.testing.assert_allclose(iou, [0.5, 16 / 50, 0.0, 0.0])
    np.testing.assert_allclose(iobb, [1.0, 1.0, 0.0, 0.0])


def test_without_boxes_all_is_zero() -> None:
    reference = _table((3, 1, TEN))
    np.testing.assert_array_equal(best_overlaps(reference, no_boxes()), [[0.0], [0.0]])
    assert [len(rows) for rows in matches(no_boxes(), reference)] == [0, 0]
    assert [len(best) for best in best_overlaps(no_boxes(), no_boxes())] == [0, 0]
    assert statistics(np.zeros(0), np.zeros(0)).shape == (0, len(COLUMNS))


def test_matches_as_by_hand() -> None:
    rng = np.random.default_rng(0)
    tables = [
        BoxTable(rng.integers(0, 5, n), rng.integers(0, 3, n), np.zeros((n, 4)), np.zeros(n))
        for n in (30, 40)
    ]
    reference, predicted = tables
    expected = [
        (entry, box)
        for entry in range(30)
        for box in range(40)
        if (reference.image[entry], reference.finding[entry])
        == (predicted.image[box], predicted.finding[box])
    ]
    assert sorted(zip(*matches(reference, predicted), strict=True)) == expected


def test_columns_are_metrics_at_their_t() -> None:
    by_metric = {name: tuple(at for metric, at in COLUMNS if metric == name) for name, _ in COLUMNS}
    assert by_metric == {
        "t_iou": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7),
        "t_iobb": (0.1, 0.25, 0.5, 0.75, 0.9),
        "mean_iou_micro": (None,),
        "mean_iou_macro": (None,),
    }
    assert all(METRICS[name].at == (at if at != (None,) else ()) for name, at in by_metric.items())


@pytest.mark.parametrize(("metric", "at"), [(m, at) for m, at in COLUMNS if at is not None])
def test_a_success_needs_more_than_t(metric, at) -> None:
    column = COLUMNS.index((metric, at))
    just, nothing = np.array([at, np.nextafter(at, 1.0)]), np.zeros(2)
    table = statistics(*((just, nothing) if metric == "t_iou" else (nothing, just)))
    assert table[:, column].tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("box", "at"), [([0.0, 0.0, 1.0, 10.0], 0.1), ([0.0, 0.0, 5.0, 10.0], 0.5), ([0.0, 0.0, 7.0, 10.0], 0.7)]
)
def test_boxes_exactly_at_t_fail(box, at) -> None:
    overlaps = best_overlaps(_table((0, 0, TEN)), _table((0, 0, box)))
    assert statistics(*overlaps)[0, COLUMNS.index(("t_iou", at))] == 0.0


def test_crossed_overlaps_are_the_best_of_each_map(monkeypatch) -> None:
    rng = np.random.default_rng(1)
    entries, boxes = (np.sort(rng.uniform(0, 9, (n, 2, 2)), axis=1).reshape(n, 4) for n in (7, 9))
    row = np.array([5, 0, 0, 2, 5, 3, 2, 5, 0])  # maps 1 and 4 have none
    monkeypatch.setattr("hilum.evaluate.localization._CHUNK", 20)
    iou, iobb = crossed_overlaps(entries, boxes, row, 6)
    for entry in range(7):
        for one in range(6):
            chosen = boxes[row == one]
            reference = _table((0, 0, entries[entry].tolist()))
            predicted = _table(*((0, 0, box.tolist()) for box in chosen)) if len(chosen) else no_boxes()
            expected = np.ravel(best_overlaps(reference, predicted))
            np.testing.assert_allclose([iou[entry, one], iobb[entry, one]], expected)
    assert not crossed_overlaps(entries, np.zeros((0, 4)), np.zeros(0, int), 3)[0].any()


@pytest.mark.parametrize(
    ("point", "within"),
    [((5, 5), True), ((0, 0), True), ((10, 10), True), ((10.01, 5), False), ((5, -0.01), False)],
)
def test_edges_are_inside(point, within) -> None:
    assert inside(np.array([point], float), np.array([TEN])).tolist() == [within]


def test_a_plateau_counts_by_its_share_and_a_missing_map_nothing() -> None:
    entries = np.array([TEN, TEN, TEN])
    row, xy = np.array([0, 0, 0, 0, 2]), np.array([[1, 1], [2, 2], [3, 3], [99, 1], [50, 50]], float)
    assert hits(entries, row, xy).tolist() == [0.75, 0.0, 0.0]
    assert hits(np.zeros((0, 4)), np.zeros(0, int), np.zeros((0, 2))).tolist() == []
    crossed = crossed_hits(entries[:1], row, xy, 3)
    np.testing.assert_array_equal(crossed, [[0.75, 0.0, 0.0]])
