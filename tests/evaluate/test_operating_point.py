import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilum.evaluate.operating_point import (
    OPERATING_POINTS,
    RATES,
    operating_point,
    rate_draws,
    rates,
    rates_at,
)

NAN = np.nan
NAMES = ("youden", "sensitivity(0.9)", "ppv(0.8)")

#          0.9   0.8   0.7   0.7   0.5   0.3   0.2
LIKELY = [0.9, 0.8, 0.7, 0.7, 0.5, 0.3, 0.2]
LABELS = [1, 1, 0, 1, 0, 1, 0]


def _column(numbers) -> np.ndarray:
    return np.array(numbers, float).reshape(-1, 1)


def test_the_table_is_whole() -> None:
    assert sorted(OPERATING_POINTS) == ["ppv", "sensitivity", "youden"]
    assert list(RATES) == ["sensitivity", "specificity", "ppv", "npv", "prevalence", "called"]


@pytest.mark.parametrize(
    ("name", "cut"),
    [
        ("youden", 0.8),  # 2/4 - 0/3; at 0.7, tied films and all, 3/4 - 1/3 is less
        ("sensitivity(0.5)", 0.8),  # exactly half of the positives
        ("sensitivity(0.51)", 0.7),
        ("sensitivity(0.75)", 0.7),  # reached within the tie: both films are called
        ("sensitivity(1)", 0.3),
        ("ppv(1)", 0.8),
        ("ppv(0.75)", 0.7),  # 3 of 4 called
        ("ppv(0.6)", 0.3),  # 0.5 gives 3 of 5, 0.3 gives 4 of 6: the lowest cut that reaches it
        ("ppv(0.5)", 0.2),
    ],
)
def test_hand_worked_cuts(name, cut) -> None:
    point = operating_point(name, _column(LIKELY), _column(LABELS))
    assert (point.name, point.cut.tolist(), point.missing) == (name, [cut], ("",))


def test_shares_of_whole_films_are_exact() -> None:
    likely, labels = _column(np.arange(10, 0, -1) / 10), _column([1] * 9 + [0])
    for count in range(1, 10):
        cut = operating_point(f"sensitivity({count / 9!r})", likely, labels).cut
        assert rates(cut, likely, labels)[0, 0] == count / 9


@pytest.mark.parametrize(
    ("name", "likely", "labels", "why"),
    [
        ("youden", [], [], "one label value only"),
        ("sensitivity(0.9)", [0.9, 0.1], [1, 1], "one label value only"),
        ("ppv(0.8)", [0.9, 0.1], [0, 0], "one label value only"),
        ("youden", [0.9, 0.1], [1, NAN], "one label value only"),
        ("youden", [0.9, NAN], [1, 0], "one label value only"),
        ("ppv(0.8)", [0.9, 0.8, 0.1], [0, 1, 0], "ppv(0.8) is not reached on these films; the most is 0.5"),
    ],
)
def test_no_point_is_nan_with_a_reason(name, likely, labels, why) -> None:
    point = operating_point(name, _column(likely), _column(labels))
    assert np.isnan(point.cut).all()
    assert point.missing[0].startswith(why)


def test_youden_weighs_both_labels_alike() -> None:
    """The second of two positives is worth two of eight negatives called before it."""
    labels = _column([1, 0, 0, 1, 0, 0, 0, 0, 0, 0])
    assert operating_point("youden", _column(np.arange(10, 0, -1)), labels).cut.tolist() == [7.0]


def test_findings_are_cut_one_by_one() -> None:
    likely, labels = np.column_stack([LIKELY, LIKELY]), np.column_stack([LABELS, [0] * 7])
    point = operating_point("youden", likely, labels.astype(float))
    np.testing.assert_array_equal(point.cut, [0.8, NAN])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("youdn", "did you mean 'youden'"),
        ("sensitivity", r"write sensitivity\(least\)"),
        ("sensitivity(90)", r"sensitivity\(90\): the share must be above 0 and at most 1"),
        ("ppv(0)", r"ppv\(0\): the share must be above 0"),
    ],
)
def test_wrong_names_are_refused_even_without_films(name, message) -> None:
    with pytest.raises(ValueError, match=message):
        operating_point(name, np.zeros((0, 1)), np.zeros((0, 1)))


def test_hand_worked_rates() -> None:
    found = rates(np.array([0.7]), _column(LIKELY), _column(LABELS))[:, 0]
    np.testing.assert_allclose(found, [3 / 4, 2 / 3, 3 / 4, 2 / 3, 4 / 7, 4 / 7])


@pytest.mark.parametrize(
    ("cut", "likely", "labels", "expected"),
    [
        (0.5, [], [], [NAN] * 6),
        (NAN, LIKELY, LABELS, [NAN] * 6),
        (0.95, [0.9, 0.1], [1, 0], [0, 1, NAN, 0.5, 0.5, 0]),  # nothing called: no PPV
        (0.1, [0.9, 0.1], [1, 0], [1, 0, 0.5, NAN, 0.5, 1]),  # everything called: no NPV
        (0.5, [0.9, 0.1], [1, 1], [0.5, NAN, 1, 0, 1, 0.5]),
        (0.5, [0.9, NAN, 0.1], [1, 1, NAN], [1, NAN, 1, NAN, 1, 1]),  # what is unknown is left out
    ],
)
def test_rates_at_the_edges(cut, likely, labels, expected) -> None:
    np.testing.assert_allclose(rates(np.array([cut]), _column(likely), _column(labels))[:, 0], expected)


def _films(n: int = 200):
    rng = np.random.default_rng(0)
    labels = (rng.random((n, 2)) < 0.4).astype(float)
    labels[rng.random((n, 2)) < 0.1] = NAN
    likely = (rng.random((n, 2)) + 0.3 * np.nan_to_num(labels)).round(2)
    return likely, labels, rng.integers(0, 50, n)


def test_a_draw_is_the_rates_of_the_repeated_films() -> None:
    likely, labels, patient = _films()
    cut = np.array([0.6, 0.8])
    draws = rate_draws(cut, likely, labels, patient, 20, np.random.default_rng(3))
    names = np.unique(patient)
    picks = np.random.default_rng(3).integers(0, len(names), (20, len(names)), dtype=np.int32)
    for draw in range(20):
        films = np.concatenate([np.flatnonzero(patient == names[pick]) for pick in picks[draw]])
        np.testing.assert_allclose(draws[draw], rates(cut, likely[films], labels[films]), atol=1e-12)


def test_rates_with_intervals() -> None:
    likely, labels, patient = _films()
    cut = np.array([0.6, NAN])
    found = rates_at(cut, likely, labels, patient, 200, np.random.default_rng(1))
    np.testing.assert_array_equal(found.value, rates(cut, likely, labels))
    assert (found.low[:, 0] < found.value[:, 0]).all()
    assert (found.value[:, 0] < found.high[:, 0]).all()
    assert np.isnan(found.value[:, 1]).all()
    assert np.isnan(found.low[:, 1]).all()
    positive, negative = (labels[:, 0] == 1).sum(), (labels[:, 0] == 0).sum()
    called = ((likely[:, 0] >= 0.6) & ~np.isnan(labels[:, 0])).sum()
    all_films = positive + negative
    assert found.n[:, 0].tolist() == [positive, negative, called, all_films - called, all_films, all_films]
    assert found.draws_left_out[:, 1].tolist() == [200] * 6


def test_fewer_than_five_below_the_line_have_no_interval() -> None:
    likely, labels = _column(np.linspace(0, 1, 40)), _column([0] * 36 + [1] * 4)
    found = rates_at(np.array([0.5]), likely, labels, np.arange(40), 100, np.random.default_rng(0))
    assert np.isfinite(found.value).all()
    assert np.isfinite(found.low[:, 0]).tolist() == [False, True, True, True, True, True]
    assert found.draws_left_out[0, 0] > 0  # no positive drawn


@settings(deadline=None, max_examples=60)
@given(st.data(), st.sampled_from(NAMES))
def test_order_of_films_and_a_rising_transform_change_nothing(data, name) -> None:
    n = data.draw(st.integers(2, 30))
    whole = data.draw(st.lists(st.integers(0, 8), min_size=n, max_size=n))
    labels = _column(data.draw(st.lists(st.sampled_from([0, 1]), min_size=n, max_size=n)))
    order = data.draw(st.permutations(range(n)))
    likely = _column(whole) / 8
    point = operating_point(name, likely, labels)
    np.testing.assert_array_equal(operating_point(name, likely[order], labels[order]).cut, point.cut)
    warped = operating_point(name, likely**3 - 1, labels).cut
    np.testing.assert_array_equal(warped, point.cut**3 - 1)
    found = dict(zip(RATES, rates(point.cut, likely, labels)[:, 0], strict=True))
    if not np.isnan(point.cut[0]):
        cuts = np.unique(likely).reshape(-1, 1)
        best = max(rates(cut, likely, labels)[:2, 0].sum() for cut in cuts)
        assert {
            "youden": found["sensitivity"] + found["specificity"] >= best - 1e-12,
            "sensitivity(0.9)": found["sensitivity"] >= 0.9,
            "ppv(0.8)": found["ppv"] >= 0.8,
        }[name]
