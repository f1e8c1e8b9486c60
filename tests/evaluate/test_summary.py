import numpy as np
import pytest

from hilum.evaluate.protocol import Protocol
from hilum.evaluate.summary import mean_first, scores_from, several_patients, template

NAN = np.nan


@pytest.mark.parametrize(
    ("values", "chosen", "expected"),
    [
        ([], [], [NAN]),
        ([0.2, 0.4], [True, True], [0.3, 0.2, 0.4]),
        ([0.2, NAN], [True, False], [0.2, 0.2, NAN]),
        ([0.2, NAN], [True, True], [NAN, 0.2, NAN]),
        ([NAN], [False], [NAN, NAN]),
        ([[1.0, 2.0], [NAN, 3.0]], [True, True], [[1.5, 1.0, 2.0], [NAN, NAN, 3.0]]),  # draw by draw
    ],
)
def test_mean_first(values, chosen, expected) -> None:
    np.testing.assert_allclose(mean_first(np.array(values, float), np.array(chosen, bool)), expected)


def test_an_interval_needs_five_of_two_patients() -> None:
    patient = np.array(["a"] * 5 + ["b"])
    rows = np.array([[1] * 6, [1] * 5 + [0], [0, 0, 1, 1, 1, 1]], bool).T
    assert several_patients(rows, patient).tolist() == [True, False, False]
    assert several_patients(np.zeros((0, 2), bool), np.zeros(0, "<U1")).tolist() == [False, False]


def test_a_row_for_each_name() -> None:
    draws = np.stack([np.linspace(0, 1, 101), np.linspace(0, 1, 101), np.full(101, NAN)], axis=1)
    draws[0, 1] = NAN
    rows = list(
        scores_from(
            template("t_iou", Protocol(denominator="to be replaced"), at=0.1, method="cam"),
            (None, "Mass", "Hernia"),
            np.array([0.5, 0.6, NAN]),
            draws,
            {"random": np.array([0.1, 0.2, 0.3]), "centre": np.array([0.4, NAN, 0.5])},
            np.array([11, 4, 7]),
            np.array([True, False, True]),
        )
    )
    assert [(row.finding, row.n, row.draws_left_out) for row in rows] == [
        (None, 11, 0),
        ("Mass", 4, 1),
        ("Hernia", 7, 101),
    ]
    assert (rows[0].low, rows[0].high) == (pytest.approx(0.025), pytest.approx(0.975))
    assert np.isnan([rows[1].low, rows[1].high, rows[2].low]).all()
    assert [row.floor for row in rows] == [0.1, 0.2, 0.3]
    assert rows[0].floors == {"random": 0.1, "centre": 0.4}
    assert {row.protocol.denominator for row in rows} == {"box entries of the finding"}
    assert all(type(row.value) is float and type(row.n) is int for row in rows)
