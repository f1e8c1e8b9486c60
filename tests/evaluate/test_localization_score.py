import dataclasses
import json

import numpy as np
import pytest

from hilum.boxes import BoxTable, no_boxes
from hilum.evaluate import METRICS
from hilum.evaluate.localization import best_overlaps, hits
from hilum.evaluate.localization_score import localization_scores
from hilum.evaluate.pixelwise import map_auprc, union_masks
from hilum.evaluate.protocol import NOT_APPLICABLE, Protocol, json_from
from hilum.localize import BoxRule, boxes_from, peaks_from

INPUT_HW = (32, 32)
RULES = (BoxRule("dynamic(87.5)", "largest", "input"), BoxRule("fraction(0.5)", "all", "frame", signed=True))
PROTOCOL = Protocol(films="phantoms, test list", threshold_chosen="on the validation films")


@pytest.fixture(autouse=True)
def few_noise_maps(monkeypatch):
    monkeypatch.setattr("hilum.evaluate.floors.N_NOISE", 20)


@pytest.fixture
def system(cohort_of):
    """A cohort of 60 films with 40 entries, a map for each entry and the boxes of two rules."""
    cohort = cohort_of(60, 40)
    entry_maps, affine = _maps(cohort)
    predicted = {}
    for rule in RULES:
        row, xyxy, score = boxes_from(entry_maps, affine, INPUT_HW, rule, cohort.frame_hw)
        entries = cohort.reference
        predicted[rule.name] = BoxTable(entries.image[row], entries.finding[row], xyxy, score)
    return cohort, entry_maps, affine, predicted


def _maps(cohort) -> tuple[np.ndarray, np.ndarray]:
    n = len(cohort.reference)
    maps = np.random.default_rng(2).random((n, 8, 8), dtype=np.float32)
    return maps, np.tile(np.array([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]]), (n, 1, 1))


def _scores(cohort, entry_maps, affine, predicted, *, rules=RULES, n_draws: int = 60, pixels: bool = False):
    return localization_scores(
        cohort,
        entry_maps,
        affine,
        predicted,
        input_hw=INPUT_HW,
        method="cam",
        rules=rules,
        protocol=PROTOCOL,
        n_draws=n_draws,
        rng=np.random.default_rng(0),
        pixels=pixels,
    )


def _one(scores, metric, at, finding, rule=RULES[0], stratum=None):
    wanted = (metric, at, finding, rule and rule.name, stratum)
    (score,) = [s for s in scores if (s.metric, s.at, s.finding, s.box_rule, s.stratum) == wanted]
    return score


def test_macro_and_micro_by_hand(system) -> None:
    cohort, _, _, predicted = system
    scores = _scores(*system)
    finding = cohort.reference.finding
    for rule in RULES:
        iou, iobb = best_overlaps(cohort.reference, predicted[rule.name])
        for metric, at, values in (
            ("t_iou", 0.1, iou > 0.1),
            ("t_iou", 0.7, iou > 0.7),
            ("t_iobb", 0.25, iobb > 0.25),
        ):
            means = [values[finding == column].mean() for column in (0, 1)]
            for column, name in enumerate(("Mass", "Nodule")):
                score = _one(scores, metric, at, name, rule)
                assert (score.value, score.n) == (pytest.approx(means[column]), (finding == column).sum())
            macro = _one(scores, metric, at, None, rule)
            assert (macro.value, macro.n) == (pytest.approx(np.mean(means)), 40)
        means = [iou[finding == column].mean() for column in (0, 1)]
        assert _one(scores, "mean_iou_macro", None, None, rule).value == pytest.approx(np.mean(means))
        assert _one(scores, "mean_iou_micro", None, None, rule).value == pytest.approx(iou.mean())
        assert _one(scores, "mean_iou_micro", None, "Mass", rule).value == pytest.approx(means[0])
        assert np.mean(means) != pytest.approx(iou.mean(), abs=1e-4)


def test_hit_rate_stands_once(system) -> None:
    cohort, entry_maps, affine, _ = system
    scores = _scores(*system)
    shares = hits(cohort.reference.xyxy, *peaks_from(entry_maps, affine, INPUT_HW, cohort.frame_hw))
    mass = cohort.reference.finding == 0
    assert _one(scores, "hit_rate", None, "Mass", None).value == pytest.approx(shares[mass].mean())
    macro = (shares[mass].mean() + shares[~mass].mean()) / 2
    assert _one(scores, "hit_rate", None, None, None).value == pytest.approx(macro)


def test_every_metric_at_every_t(system) -> None:
    whole = [s for s in _scores(*system) if s.stratum is None]
    of_boxes = ("t_iou", "t_iobb", "mean_iou_micro", "mean_iou_macro")
    expected = {("hit_rate", None, None)} | {
        (name, at, rule.name) for name in of_boxes for at in METRICS[name].at or (None,) for rule in RULES
    }
    assert {(s.metric, s.at, s.box_rule) for s in whole} == expected
    assert len(whole) == 3 * len(expected) == 3 * (1 + 2 * 14)  # two findings and their mean
    assert all(s.low <= s.value <= s.high for s in whole)
    assert {s.method for s in whole} == {"cam"}


def test_pixels_stand_once_where_they_are_wanted(system) -> None:
    cohort, entry_maps, affine, _ = system
    before, scores = _scores(*system), _scores(*system, pixels=True)
    assert [s.value for s in scores[: len(before)]] == [s.value for s in before]
    mine = [s for s in scores if s.metric == "localization_utility"]
    assert len(mine) == len(scores) - len(before) == 3
    reference = cohort.reference
    of_pair = {}
    for entry, pair in enumerate(zip(reference.image.tolist(), reference.finding.tolist(), strict=True)):
        of_pair.setdefault(pair, []).append(entry)
    assert len(of_pair) < 40  # some film has two boxes of a finding
    values = {0: [], 1: []}
    for (_, finding), entries in of_pair.items():
        boxes = reference.xyxy[entries]
        masks = union_masks(boxes, np.zeros(len(entries), int), affine[entries[:1]], INPUT_HW, INPUT_HW)
        values[finding].append(map_auprc(entry_maps[entries[:1]], masks)[0])
    for finding, name in enumerate(("Mass", "Nodule")):
        score = _one(mine, "localization_utility", None, name, None)
        expected = np.nan_to_num(values[finding])  # a box that fills half of no pixel counts as 0
        assert (score.value, score.n) == (pytest.approx(expected.mean()), len(expected))
    mean = _one(mine, "localization_utility", None, None, None)
    assert mean.value == pytest.approx(np.mean([np.nan_to_num(v).mean() for v in values.values()]))
    assert mean.low < mean.value < mean.high
    assert np.isfinite(list(mean.floors.values())).all()
    assert (mean.protocol.boxes, mean.protocol.map_size) == ("union as a mask", "input")
    assert mean.protocol.threshold_chosen == NOT_APPLICABLE


def test_floors_stand_beside(system) -> None:
    cohort = system[0]
    for score in _scores(*system):
        assert list(score.floors) == ["random", "shuffled", "centre", "whole_image", "class_mean_box"]
        assert score.floor == score.floors["random"]
        without_film = [value for name, value in score.floors.items() if name != "whole_image"]
        assert np.isfinite(without_film).all()
        assert np.isnan(score.floors["whole_image"]) == (score.metric == "hit_rate")
    share = (cohort.reference.xyxy[:, 2:] - cohort.reference.xyxy[:, :2]).prod(axis=1) / 64**2
    micro = _one(_scores(*system), "mean_iou_micro", None, None)
    assert micro.floors["whole_image"] == pytest.approx(share.mean())


def test_strata_are_means_of_their_entries(system) -> None:
    cohort, _, _, predicted = system
    strata = [s for s in _scores(*system) if s.stratum is not None]
    assert {(s.metric, s.at, s.finding) for s in strata} == {("t_iou", 0.1, None), ("hit_rate", None, None)}
    success = best_overlaps(cohort.reference, predicted[RULES[0].name])[0] > 0.1
    women = (cohort.sex == "F")[cohort.reference.image]
    mass = cohort.reference.finding == 0
    macro = (success[women & mass].mean() + success[women & ~mass].mean()) / 2
    score = _one(strata, "t_iou", 0.1, None, stratum="sex=F")
    assert (score.value, score.n) == (pytest.approx(macro), women.sum())
    assert {s.stratum for s in strata} >= {"age<40", "age 40-60", "age>=60", "view=AP", "size<1%"}
    sizes = [s.n for s in strata if s.metric == "hit_rate" and s.stratum.startswith("size")]
    assert sum(sizes) == 40


@pytest.mark.parametrize(
    ("rule", "boxes", "scale"),
    [(RULES[0], "largest", "relu, min-max"), (RULES[1], "any", "signed, min-max")],
)
def test_protocol_says_how(system, rule, boxes, scale) -> None:
    scores = _scores(*system)
    protocol = _one(scores, "t_iou", 0.1, None, rule).protocol
    expected = dataclasses.replace(
        PROTOCOL,
        boxes=boxes,
        map_size=rule.map_size,
        map_scale=scale,
        denominator="box entries of the finding",
    )
    assert protocol == expected
    pointed = _one(scores, "hit_rate", None, None, None).protocol
    assert (pointed.boxes, pointed.map_size, pointed.map_scale) == (NOT_APPLICABLE, "frame", "raw")


def test_two_levels_are_several_boxes(system) -> None:
    cohort, entry_maps, affine, _ = system
    rule = BoxRule("two_level(60,180)", "largest", "input")
    scores = _scores(cohort, entry_maps, affine, {rule.name: no_boxes()}, rules=(rule,))
    assert _one(scores, "t_iou", 0.1, None, rule).protocol.boxes == "any"


def test_without_boxes_all_successes_are_zero(system) -> None:
    cohort, entry_maps, affine, _ = system
    scores = _scores(cohort, entry_maps, affine, dict.fromkeys((rule.name for rule in RULES), no_boxes()))
    of_boxes = [s for s in scores if s.metric != "hit_rate" and s.stratum is None]
    assert of_boxes
    assert all((s.value, s.low, s.high, s.floors["shuffled"]) == (0.0, 0.0, 0.0, 0.0) for s in of_boxes)
    assert all(s.floor > 0 for s in of_boxes if s.metric.startswith("mean_iou"))


def test_a_gate_holds_for_the_floors_too(system) -> None:
    cohort, entry_maps, affine, _ = system
    rule = dataclasses.replace(RULES[0], gate=0.5)
    probability = np.where(cohort.reference.finding == 0, 0.9, 0.1)
    settings = {"input_hw": INPUT_HW, "method": "cam", "rules": (rule,), "protocol": PROTOCOL, "n_draws": 20}
    predicted = {rule.name: cohort.reference}
    scores = localization_scores(
        *(cohort, entry_maps, affine, predicted),
        **settings,
        rng=np.random.default_rng(0),
        entry_probability=probability,
    )
    through = _one(scores, "mean_iou_macro", None, "Mass", rule).floors
    shut = _one(scores, "mean_iou_macro", None, "Nodule", rule).floors
    assert min(through.values()) > 0.0 == max(shut.values())
    with pytest.raises(ValueError, match="has a gate; give the probability of each entry's film"):
        localization_scores(
            *(cohort, entry_maps, affine, predicted), **settings, rng=np.random.default_rng(0)
        )


def test_an_entry_without_a_map_counts_as_missed(system) -> None:
    cohort, entry_maps, affine, predicted = system
    shares = hits(cohort.reference.xyxy, *peaks_from(entry_maps, affine, INPUT_HW, cohort.frame_hw))
    missing = np.arange(40) < 15
    entry_maps[missing] = np.nan
    shares[missing] = 0.0
    mass = cohort.reference.finding == 0
    scores = _scores(cohort, entry_maps, affine, predicted)
    assert _one(scores, "hit_rate", None, "Mass", None).value == pytest.approx(shares[mass].mean())
    entry_maps[:] = np.nan
    none = _one(_scores(cohort, entry_maps, affine, predicted), "hit_rate", None, None, None)
    assert (none.value, none.floors["shuffled"]) == (0.0, 0.0)
    assert none.floor > 0


def test_patients_are_drawn_not_entries(cohort_of) -> None:
    """Two patients: a draw holds one of them twice, the other twice, or both."""
    cohort = cohort_of(60, 40, films_a_patient=30)
    predicted = {rule.name: _shrunk(cohort.reference) for rule in RULES}
    score = _one(_scores(cohort, *_maps(cohort), predicted), "mean_iou_micro", None, None)
    iou = best_overlaps(cohort.reference, predicted[RULES[0].name])[0]
    first = cohort.reference.image < 30
    ends = sorted([iou[first].mean(), iou[~first].mean()])
    assert [score.low, score.high] == pytest.approx(ends)


def test_one_patient_gives_no_interval(cohort_of) -> None:
    cohort = cohort_of(60, 40, films_a_patient=60)
    scores = _scores(cohort, *_maps(cohort), {rule.name: cohort.reference for rule in RULES})
    assert all(
        np.isnan([s.low, s.high, s.floors["shuffled"], s.floors["class_mean_box"]]).all() for s in scores
    )


def _shrunk(reference: BoxTable) -> BoxTable:
    """Boxes narrower by a different share on each film."""
    xyxy = reference.xyxy.copy()
    xyxy[:, 2] -= (xyxy[:, 2] - xyxy[:, 0]) * reference.image / 60
    return dataclasses.replace(reference, xyxy=xyxy)


def test_no_entries_no_scores(cohort_of) -> None:
    for cohort in (cohort_of(0), cohort_of(20)):
        assert _scores(cohort, *_maps(cohort), {}) == []


@pytest.mark.parametrize("n_entries", [1, 2, 4])
def test_few_entries_have_values_without_intervals(cohort_of, n_entries) -> None:
    cohort = cohort_of(60, n_entries)
    scores = _scores(cohort, *_maps(cohort), {rule.name: no_boxes() for rule in RULES})
    assert scores
    assert all(np.isfinite(s.value) and np.isnan([s.low, s.high]).all() for s in scores)
    json.dumps(json_from(scores), allow_nan=False)


def test_a_system_that_draws_the_reference_is_perfect(system) -> None:
    cohort, entry_maps, affine, _ = system
    scores = _scores(cohort, entry_maps, affine, {rule.name: cohort.reference for rule in RULES})
    assert all(s.value == 1.0 for s in scores if s.metric != "hit_rate")


def test_what_does_not_fit_is_refused(system) -> None:
    cohort, entry_maps, affine, predicted = system
    with pytest.raises(ValueError, match="39 maps for 40 reference entries"):
        _scores(cohort, entry_maps[1:], affine[1:], predicted)
    with pytest.raises(ValueError, match="unknown table of boxes"):
        _scores(cohort, entry_maps, affine, {})
