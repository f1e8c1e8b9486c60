import numpy as np
import pytest

from hilum.evaluate.localization import COLUMNS
from hilum.evaluate.protocol import Protocol
from hilum.evaluate.random_splits import pooled_scores

T_01 = COLUMNS.index(("t_iou", 0.1))


def _pooled(cohort, values, tested, floor=None):
    floor = np.zeros((len(cohort.reference), len(COLUMNS))) if floor is None else floor
    return pooled_scores(
        cohort,
        values,
        {"random": floor},
        tested,
        method="eigencam",
        box_rule="dynamic(87.5)+largest",
        protocol=Protocol(split="random patients", contaminated="no"),
        n_draws=60,
        rng=np.random.default_rng(0),
    )


def _one(scores, finding):
    (score,) = [s for s in scores if (s.metric, s.at, s.finding) == ("t_iou", 0.1, finding)]
    return score


def test_printed_counts_every_box_of_every_model_and_clean_the_test_films(cohort_of) -> None:
    cohort, rng = cohort_of(60, 40), np.random.default_rng(3)
    values = [(rng.random((40, len(COLUMNS))) < 0.5).astype(float) for _ in range(5)]
    tested = rng.random((5, 60)) < 0.3
    floor = rng.random((40, len(COLUMNS)))
    printed, clean = _pooled(cohort, values, tested, floor)
    entry_tested = tested[:, cohort.reference.image]
    success = np.stack(values)[..., T_01]
    means = []
    for column, name in ((0, "Mass"), (1, "Nodule")):
        mine = cohort.reference.finding == column
        score = _one(printed, name)
        assert score.value == pytest.approx(success[:, mine].sum() / (5 * mine.sum()))  # k / 5 N
        assert (score.n, score.floor) == (5 * mine.sum(), pytest.approx(floor[mine, T_01].mean()))
        inside = entry_tested[:, mine]
        score = _one(clean, name)
        assert score.value == pytest.approx(success[:, mine][inside].mean())
        assert score.n == inside.sum()
        assert score.low <= score.value <= score.high
        means.append(score.value)
    assert _one(clean, None).value == pytest.approx(np.mean(means))
    assert len(printed) == len(clean) == 3 * len(COLUMNS)


def test_the_protocol_tells_them_apart(cohort_of) -> None:
    cohort = cohort_of(60, 40)
    values, tested = [np.zeros((40, len(COLUMNS)))] * 2, np.zeros((2, 60), bool)
    tested[:, :30] = True
    n_seen = 2 * (cohort.reference.image >= 30).sum()
    printed, clean = _pooled(cohort, values, tested)
    seen = f"possibly: {n_seen} of 80 scored entries are on films outside their split's test side"
    assert {s.protocol.contaminated for s in printed} == {seen}
    assert {s.protocol.contaminated for s in clean} == {"no"}
    assert printed[0].protocol.split == "random patients; 2 splits pooled, all boxes for every model"
    whole, _ = _pooled(cohort, values, tested | True)
    assert whole[0].protocol.contaminated == "no"


def test_a_patient_goes_together_over_all_splits(cohort_of) -> None:
    """Five equal tables of two patients leave the interval as it is with one."""
    cohort = cohort_of(60, 40, films_a_patient=30)
    values = np.random.default_rng(0).random((40, len(COLUMNS)))
    once, _ = _pooled(cohort, [values], np.ones((1, 60), bool))
    often, _ = _pooled(cohort, [values] * 5, np.ones((5, 60), bool))
    for a, b in zip(once, often, strict=True):
        np.testing.assert_allclose([a.value, a.low, a.high], [b.value, b.low, b.high])


def test_nothing(cohort_of) -> None:
    cohort = cohort_of(10, 4)
    assert _pooled(cohort, [], np.zeros((0, 10), bool)) == ([], [])
    assert _pooled(cohort_of(10), [np.zeros((0, len(COLUMNS)))], np.zeros((1, 10), bool)) == ([], [])
    printed, clean = _pooled(cohort, [np.zeros((4, len(COLUMNS)))], np.zeros((1, 10), bool))
    assert printed
    assert clean == []
    with pytest.raises(ValueError, match="1 tables of statistics for 2 splits"):
        _pooled(cohort, [np.zeros((4, len(COLUMNS)))], np.zeros((2, 10), bool))
