import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilum.boxes import BoxTable, no_boxes
from hilum.evaluate.detection import (
    FALSE_COLUMNS,
    GATES,
    Detected,
    cells_from,
    curve_from,
    detected,
    detected_once,
    enveloped_precision,
    false_boxes,
    froc,
)

TEN = [0.0, 0.0, 10.0, 10.0]
INF = np.inf


def _table(*rows) -> BoxTable:
    """Rows of film, finding, box and, for a detection, confidence."""
    if not rows:
        return no_boxes()
    scores = [row[3] if len(row) > 3 else np.nan for row in rows]
    image, finding, xyxy = zip(*(row[:3] for row in rows), strict=True)
    return BoxTable(np.array(image), np.array(finding), np.array(xyxy, float), np.array(scores, float))


def _false(reference, predicted, criterion, t) -> list[bool]:
    return false_boxes(reference, predicted)[:, FALSE_COLUMNS.index((criterion, t))].tolist()


def test_a_false_box_passes_with_no_reference_of_its_film_and_finding() -> None:
    reference = _table((0, 0, TEN), (0, 0, [20.0, 0.0, 30.0, 10.0]), (1, 1, TEN))
    predicted = _table(
        (0, 0, [20.0, 0.0, 25.0, 10.0]),  # IoU 0.5 and IoBB 1 with the second
        (0, 1, TEN),  # another finding
        (1, 0, TEN),  # another film
        (2, 0, TEN),  # a film without reference
        (1, 1, [0.0, 0.0, 20.0, 10.0]),  # IoU and IoBB 0.5
        (0, 0, [5.0, 0.0, 5.0, 10.0]),  # no area
    )
    assert _false(reference, predicted, "iou", 0.4) == [False, True, True, True, False, True]
    assert _false(reference, predicted, "iou", 0.5) == [True, True, True, True, True, True]  # strictly more
    assert _false(reference, predicted, "iobb", 0.25) == [False, True, True, True, False, True]
    assert _false(reference, predicted, "iobb", 0.75) == [False, True, True, True, True, True]
    assert false_boxes(reference, no_boxes()).shape == (0, 12)
    assert false_boxes(no_boxes(), predicted).all()


def test_gates() -> None:
    labels = np.array([[1.0, 0.0], [np.nan, 1.0]])
    probabilities = np.array([[0.2, 0.5], [0.9, np.nan]])
    opened = {name: gate(labels, probabilities).astype(int).tolist() for name, gate in GATES.items()}
    assert opened == {"label": [[1, 0], [0, 1]], "score": [[0, 1], [1, 0]], "none": [[1, 1], [1, 1]]}


@pytest.mark.parametrize(
    ("hit", "found", "false"),
    [
        ("centre", [0.9, 0.8, -INF], [False, False, True, False]),
        ("iou(0.2)", [0.9, -INF, -INF], [True, False, True, False]),
        ("iou(0.5)", [0.6, -INF, -INF], [True, False, True, True]),  # exactly 0.5 is no hit
    ],
)
def test_one_box_found_twice_is_no_mistake(hit, found, false) -> None:
    reference = _table((0, 0, TEN), (0, 0, [20.0, 0.0, 30.0, 10.0]), (1, 0, TEN))
    predicted = _table(
        (0, 0, [24.0, 4.0, 26.0, 6.0], 0.8),
        (0, 0, [0.0, 0.0, 10.0, 9.0], 0.6),
        (2, 0, TEN, 0.95),
        (0, 0, [0.0, 0.0, 10.0, 5.0], 0.9),
    )
    outcome = detected(reference, predicted, hit)
    assert (outcome.found.tolist(), outcome.false.tolist()) == (found, false)


def test_an_unknown_hit_rule_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown hit rule 'center'; did you mean 'centre'"):
        detected(_table((0, 0, TEN)), _table((0, 0, TEN, 0.5)), "center")


def test_a_point_takes_the_nearest_free_reference() -> None:
    reference = _table((0, 0, TEN), (0, 0, [0.0, 0.0, 30.0, 10.0]))

    def at(x, score):
        return (0, 0, [x - 1, 4.0, x + 1, 6.0], score)

    sure = _table(at(9.0, 0.5), at(7.0, 0.9))  # 0.9 is nearest to the small box, 0.5 takes the other
    outcome = detected_once(reference, sure)
    assert (outcome.found.tolist(), outcome.false.tolist()) == ([0.9, 0.5], [False, False])
    thrice = _table(at(10.0, 0.5), at(7.0, 0.9), at(8.0, 0.1), at(11.0, 0.05))  # the edge is inside
    outcome = detected_once(reference, thrice)
    assert (outcome.found.tolist(), outcome.false.tolist()) == ([0.9, 0.5], [False, False, True, True])
    assert detected_once(no_boxes(), thrice).false.all()
    assert detected_once(reference, no_boxes()).found.tolist() == [-INF, -INF]


def _curve(found, false_scores):
    """One patient a row."""
    found, false_scores = np.array(found, float), np.array(false_scores, float)
    n = len(found) + len(false_scores)
    outcome = Detected(found, np.ones(len(false_scores), bool))
    return curve_from(outcome, false_scores, np.arange(len(found)), np.arange(len(found), n), n)


def test_a_curve_by_hand() -> None:
    curve = _curve([0.9, 0.7, 0.7, -INF], [0.95, 0.7, 0.8, 0.1])
    hits, false = curve.counts(np.ones((1, 8)))
    np.testing.assert_array_equal(hits, [[1, 3]])
    np.testing.assert_array_equal(false, [[1, 3]])  # equal confidences go together; 0.1 changes nothing
    twice = np.ones((1, 8))
    twice[0, [1, 4]] = 2, 0  # a hit of 0.7 counts twice, the mistake of 0.95 not at all
    np.testing.assert_array_equal(curve.counts(twice), [[[1, 4]], [[0, 2]]])


def test_froc_by_hand() -> None:
    """Four references, eight films: found at 0.9 after no mistake, at 0.6 after two, at 0.3 after five."""
    curve = _curve([0.9, 0.6, 0.3, -INF], [0.8, 0.7, 0.5, 0.4, 0.35, 0.2])
    rates = (0.125, 0.25, 0.5, 0.625, 8.0)
    shares = froc(*curve.counts(np.ones((1, 10))), np.array([4.0]), np.array([8.0]), rates)
    assert shares.tolist() == [[0.25, 0.5, 0.5, 0.75, 0.75]]


def test_froc_without_detections_or_references() -> None:
    nothing = _curve([-INF], [0.5]).counts(np.ones((1, 2)))
    assert froc(*nothing, np.array([1.0]), np.array([4.0]), (1.0,)).tolist() == [[0.0]]
    assert np.isnan(froc(*nothing, np.array([0.0]), np.array([4.0]), (1.0,))).all()
    assert enveloped_precision(*nothing, np.array([1.0])).tolist() == [0.0]
    assert np.isnan(enveloped_precision(*nothing, np.array([0.0]))).all()


@pytest.mark.parametrize(
    ("found", "false", "n", "area"),
    [
        ([0.9, 0.8], [], 2, 1.0),
        ([0.9, 0.8], [], 4, 0.5),  # half of the references are never found
        ([0.5], [0.9], 1, 0.5),
        ([0.9, 0.5], [0.7, 0.6], 2, (1 + 2 / 4) / 2),
        ([0.9, 0.5, 0.4], [0.95, 0.92], 3, 3 / 5),  # precision rises to 3 / 5: the envelope lies there
        ([0.9, 0.9], [0.9, 0.9], 2, 0.5),  # all tied
        ([], [0.9], 2, 0.0),
    ],
)
def test_enveloped_precision_by_hand(found, false, n, area) -> None:
    curve = _curve(found, false)
    counts = curve.counts(np.ones((1, len(found) + len(false))))
    assert enveloped_precision(*counts, np.array([float(n)])) == pytest.approx(area)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(0, 30))
def test_a_weight_is_a_repetition(seed, n_references, n_boxes) -> None:
    rng = np.random.default_rng(seed)
    found = np.where(rng.random(n_references) < 0.7, rng.integers(0, 6, n_references) / 5, -INF)
    score, who, whose = (
        rng.integers(0, 6, n_boxes) / 5,
        rng.integers(0, 4, n_boxes),
        rng.integers(0, 4, n_references),
    )
    false = rng.random(n_boxes) < 0.6
    weights = rng.integers(0, 3, (1, 4))
    curve = curve_from(Detected(found, false), score, whose, who, 4)
    repeated = np.repeat(found, weights[0, whose]), np.repeat(false, weights[0, who])
    of_repeated = curve_from(
        Detected(*repeated),
        np.repeat(score, weights[0, who]),
        np.repeat(whose, weights[0, whose]) * 0,
        np.repeat(who, weights[0, who]) * 0,
        1,
    )
    films, n = np.array([4.0]), np.array([float(len(repeated[0]))])
    rates = (0.125, 0.5, 1.0, 4.0)
    ours, theirs = curve.counts(weights.astype(float)), of_repeated.counts(np.ones((1, 1)))
    np.testing.assert_allclose(froc(*ours, n, films, rates), froc(*theirs, n, films, rates))
    shares = froc(*ours, n, films, rates)[0]
    assert np.isnan(shares).all() or (np.diff(shares) >= 0).all()
    np.testing.assert_allclose(enveloped_precision(*ours, n), enveloped_precision(*theirs, n))


def _cells(heatmap, peaks):
    maps = np.array(heatmap, np.float32)[None]
    row, xyxy, value = cells_from(maps, np.array([[[2.0, 0.0, 1.0], [0.0, 2.0, 0.0]]]), (8, 8), peaks)
    assert (row == 0).all()
    return xyxy.tolist(), value.tolist()


def test_cells_lie_where_the_map_is_greatest() -> None:
    heatmap = [[0, 0, 0, 1], [0, 2, 0, 0], [0, 0, 0, 0], [3, 0, 0, 3]]
    # Cells of 2 px in the input are 4 px in the frame, which begins 1 px further left.
    assert _cells(heatmap, "max") == ([[1.0, 12.0, 5.0, 16.0]], [3.0])  # the first of two
    xyxy, value = _cells(heatmap, "all")
    assert value == [1.0, 2.0, 3.0, 3.0]
    assert xyxy[1] == [5.0, 4.0, 9.0, 8.0]


def test_a_plateau_is_one_peak_and_a_flat_map_none() -> None:
    assert _cells([[1, 2, 2], [0, 2, 1]], "all")[1] == [2.0]
    for peaks in ("max", "all"):
        assert _cells([[1, 1], [1, 1]], peaks) == ([], [])
        assert _cells([[1, np.nan], [1, 1]], peaks) == ([], [])
        assert len(cells_from(np.zeros((0, 3, 3), np.float32), np.zeros((0, 2, 3)), (8, 8), peaks)[0]) == 0
