import dataclasses

import numpy as np
import pytest

from hilum.evaluate.metric import T_IOU
from hilum.evaluate.oracle import _TAKEN, _each_way, honest_choice, oracle_choice, oracle_scores
from hilum.evaluate.protocol import Protocol
from hilum.localize import BoxRule

THRESHOLDS = ("fraction(0.3)", "fraction(0.6)", "fraction(0.9)")


@pytest.fixture(autouse=True)
def few_noise_maps(monkeypatch):
    monkeypatch.setattr("hilum.evaluate.floors.N_NOISE", 10)


def test_the_oracle_maximises_the_mean_over_findings() -> None:
    finding = np.array([0, 0, 0, 1])
    first, second = np.array([1.0, 1.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0, 1.0])
    values = np.stack([np.stack([first, first], axis=1), np.stack([second, 0 * second], axis=1)])
    chosen = oracle_choice(values, finding)
    np.testing.assert_array_equal(chosen, np.stack([second, first], axis=1))  # 2 / 3 beats 1 / 2; each column
    undefined = values.copy()
    undefined[:, 3] = np.nan  # then the first finding alone decides
    np.testing.assert_array_equal(oracle_choice(undefined, finding)[:3, 0], first[:3])


def test_an_honest_choice_never_sees_the_patient() -> None:
    """Two patients, opposite thresholds: who chooses on one is wrong on the other."""
    values = np.array([[[1.0], [1.0], [0.0]], [[0.0], [0.0], [1.0]]])
    patient = np.array(["a", "a", "b"])
    rng = np.random.default_rng(0)
    assert honest_choice(values, np.zeros(3, int), patient, rng).tolist() == [[0.0], [0.0], [0.0]]
    assert oracle_choice(values, np.zeros(3, int)).tolist() == [[1.0], [1.0], [0.0]]


def test_where_one_threshold_is_best_everywhere_there_is_no_luck() -> None:
    rng = np.random.default_rng(0)
    good = rng.random((30, 2)) < 0.5
    values = np.stack([good * 0.0, good * 1.0, good * 0.0])
    finding, patient = np.arange(30) % 2, np.arange(30) // 2
    np.testing.assert_array_equal(honest_choice(values, finding, patient, rng), good)


def test_pure_luck_pays_the_oracle_alone() -> None:
    rng = np.random.default_rng(1)
    values = (rng.random((40, 60, 1)) < 0.5).astype(float)  # forty thresholds of equal worth
    finding, patient = np.zeros(60, int), np.arange(60)
    best = oracle_choice(values, finding).mean()
    honest = honest_choice(values, finding, patient, rng).mean()
    assert best > 0.6 > 0.56 > honest


def test_one_patient_cannot_be_halved() -> None:
    assert np.isnan(
        honest_choice(np.zeros((2, 3, 1)), np.zeros(3, int), np.zeros(3), np.random.default_rng(0))
    ).all()


def _scores(cohort, maps, thresholds=THRESHOLDS, **further):
    affine = np.tile(np.array([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]]), (len(maps), 1, 1))
    return oracle_scores(
        cohort,
        maps,
        affine,
        input_hw=(32, 32),
        method="cam",
        rule=BoxRule("level(180)", "largest", "input", **further),
        thresholds=thresholds,
        protocol=Protocol(films="phantoms"),
        n_draws=60,
        rng=np.random.default_rng(0),
    )


def test_the_gap_is_the_difference_and_says_so(cohort_of) -> None:
    cohort = cohort_of(60, 40)
    maps = np.random.default_rng(2).random((40, 8, 8), dtype=np.float32)
    maps[3] = np.nan
    scores = _scores(cohort, maps)
    by_kind = {}
    for score in scores:
        by_kind.setdefault((score.metric, score.box_rule.split()[0]), {})[score.at, score.finding] = score
    best, honest, gap = (
        by_kind["t_iou", "oracle"],
        by_kind["t_iou", "cross-fitted"],
        by_kind["oracle_gap", "oracle"],
    )
    assert {at for at, _ in gap} == set(T_IOU)
    for key, score in gap.items():
        assert score.value == pytest.approx(best[key].value - honest[key].value)
        assert score.n == best[key].n
        assert score.low <= score.value <= score.high
        assert list(score.floors) == ["random", "shuffled", "centre"]
        assert score.floor == pytest.approx(best[key].floor - honest[key].floor)
        if key[1] is None:
            assert score.value >= 0
            assert best[key].floor >= honest[key].floor
    said = {kind: next(iter(rows.values())).protocol.threshold_chosen for kind, rows in by_kind.items()}
    assert said["t_iou", "oracle"].startswith("oracle: on the scored boxes, among fraction(0.3)")
    assert said["t_iou", "cross-fitted"].startswith("on the other half of the scored patients")
    assert len(set(said.values())) == 3


def test_the_mean_overlap_has_a_choice_of_its_own(cohort_of) -> None:
    """Peaks beside a low plateau: the fraction that just cuts the plateau gives the reference box."""
    cohort = cohort_of(60, 40)
    maps = np.full((40, 8, 8), 0.1, np.float32)
    maps[:, 2:6, 2:6] = 0.5
    maps[:, 3, 3] = 1.0
    cohort = dataclasses.replace(
        cohort,
        reference=dataclasses.replace(cohort.reference, xyxy=np.tile([[16.0, 16, 48, 48]], (40, 1))),
    )
    scores = {
        (s.metric, s.box_rule.split()[0]): s for s in _scores(cohort, maps) if s.at is s.finding is None
    }
    for kind in ("macro", "micro"):
        best, honest = (scores[f"mean_iou_{kind}", by].value for by in ("oracle", "cross-fitted"))
        assert best == honest > 0.5
        assert scores[f"oracle_gap_mean_iou_{kind}", "oracle"].value == 0
        assert best > scores[f"mean_iou_{kind}", "oracle"].floor


def test_the_mean_over_entries_is_chosen_over_entries() -> None:
    """Three entries of one finding against one of another: the two means choose two thresholds."""
    values = np.array([[1.0, 1.0, 1.0, 0.0], [0.5, 0.5, 0.5, 1.0]])[..., None]
    tables = _each_way(np.repeat(values, len(_TAKEN), axis=2), np.array([0, 0, 0, 1]), oracle_choice)
    assert tables[:, _TAKEN.index(("mean_iou_macro", None))].tolist() == [0.5, 0.5, 0.5, 1.0]
    assert tables[:, _TAKEN.index(("mean_iou_micro", None))].tolist() == [1.0, 1.0, 1.0, 0.0]


def test_nothing_to_score_or_to_choose(cohort_of) -> None:
    assert _scores(cohort_of(10), np.zeros((0, 8, 8), np.float32)) == []
    cohort = cohort_of(20, 3)
    with pytest.raises(ValueError, match="1 thresholds leave nothing to choose"):
        _scores(cohort, np.zeros((3, 8, 8), np.float32), ("otsu",))
    with pytest.raises(ValueError, match="2 maps for 3 reference entries"):
        _scores(cohort, np.zeros((2, 8, 8), np.float32))
    for further in ({"gate": 0.5}, {"scale": "cohort"}):
        with pytest.raises(ValueError, match="only thresholds are chosen here"):
            _scores(cohort, np.zeros((3, 8, 8), np.float32), **further)
    alone = dataclasses.replace(cohort, patient=np.full(20, "p"))
    undefined = [s for s in _scores(alone, np.zeros((3, 8, 8), np.float32)) if s.metric == "oracle_gap"]
    assert undefined
    assert all(np.isnan(s.value) for s in undefined)
