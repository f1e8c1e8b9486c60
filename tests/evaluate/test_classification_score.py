import dataclasses
import json

import numpy as np
import pytest

from hilum.evaluate.calibration import expected_calibration_error, temperature_scaling
from hilum.evaluate.classification import auroc, average_precision
from hilum.evaluate.classification_score import classification_scores
from hilum.evaluate.operating_point import operating_point, rate_draws, rates
from hilum.evaluate.protocol import NOT_APPLICABLE, Protocol, json_from

PROTOCOL = Protocol(films="phantoms, test list")


def _scores(cohort, probabilities, *, n_draws: int = 60, **more):
    return classification_scores(
        cohort, probabilities, PROTOCOL, n_draws=n_draws, rng=np.random.default_rng(0), **more
    )


def _probabilities(cohort, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).random(cohort.labels.shape) + 0.5 * cohort.labels


def _likely(cohort, seed: int = 1) -> np.ndarray:
    """Probabilities, too sure of themselves."""
    return 1 / (1 + np.exp(-4 * (_probabilities(cohort, seed) - 0.75)))


def _validation(cohort_of, **changes):
    """Films of other patients, and their probabilities."""
    other = cohort_of(160, seed=7)
    other = dataclasses.replace(other, patient=np.char.add("v", other.patient), **changes)
    return other, _likely(other, seed=8)


def _one(scores, metric, finding, stratum=None):
    (score,) = [s for s in scores if (s.metric, s.finding, s.stratum) == (metric, finding, stratum)]
    return score


def test_every_finding_and_the_mean(cohort_of) -> None:
    cohort = cohort_of(200)
    probabilities = _probabilities(cohort)
    scores = _scores(cohort, probabilities)
    for metric, function in (("auroc", auroc), ("average_precision", average_precision)):
        values = function(probabilities, cohort.labels)
        for finding, value, n in zip(cohort.findings, values, cohort.labels.sum(axis=0), strict=True):
            score = _one(scores, metric, finding)
            assert (score.value, score.n) == (pytest.approx(value), n)
            assert score.low < score.value < score.high
        mean = _one(scores, metric, None)
        assert (mean.value, mean.n) == (pytest.approx(values.mean()), cohort.labels.sum())
        assert mean.low < mean.value < mean.high
    assert len([s for s in scores if s.stratum is None]) == 2 * 4


def test_floors(cohort_of) -> None:
    cohort = cohort_of(200)
    cohort.view[:20] = ""
    scores = _scores(cohort, _probabilities(cohort))
    by_view = auroc(np.repeat((cohort.view[20:] == "AP")[:, None] * 1.0, 3, axis=1), cohort.labels[20:])
    prevalence = cohort.labels.mean(axis=0)
    for column, finding in enumerate(cohort.findings):
        score = _one(scores, "auroc", finding)
        assert score.floor == score.floors["chance"] == 0.5
        assert score.floors["view"] == pytest.approx(by_view[column])
        assert _one(scores, "average_precision", finding).floor == pytest.approx(prevalence[column])
    assert _one(scores, "auroc", None).floors["view"] == pytest.approx(by_view.mean())
    assert _one(scores, "average_precision", None).floor == pytest.approx(prevalence.mean())


def test_strata_are_the_scores_of_their_films(cohort_of) -> None:
    cohort = cohort_of(300)
    probabilities = _probabilities(cohort)
    scores = _scores(cohort, probabilities)
    strata = {s.stratum for s in scores if s.stratum is not None}
    assert strata == {"sex=F", "sex=M", "view=PA", "view=AP", "age<40", "age 40-60", "age>=60"}
    assert {s.metric for s in scores if s.stratum is not None} == {"auroc"}
    women = cohort.sex == "F"
    values = auroc(probabilities[women], cohort.labels[women])
    assert _one(scores, "auroc", "Nodule", "sex=F").value == pytest.approx(values[1])
    assert _one(scores, "auroc", None, "sex=F").value == pytest.approx(values.mean())
    assert len([s for s in scores if s.stratum is not None]) == 7 * 4


def test_the_mean_is_over_the_defined_findings(cohort_of) -> None:
    cohort = cohort_of(100)
    cohort.labels[:, 1] = 0
    probabilities = _probabilities(cohort)
    scores = _scores(cohort, probabilities)
    missing, mean = _one(scores, "auroc", "Nodule"), _one(scores, "auroc", None)
    assert np.isnan([missing.value, missing.low, missing.high]).all()
    assert (missing.n, missing.draws_left_out) == (0, 60)
    assert mean.value == pytest.approx(auroc(probabilities, cohort.labels)[[0, 2]].mean())
    assert (mean.n, mean.draws_left_out) == (cohort.labels.sum(), 0)
    assert np.isfinite([mean.low, mean.high, mean.floors["view"]]).all()


@pytest.mark.parametrize(("n_positives", "has_interval"), [(4, False), (5, True)])
def test_few_positives_have_no_interval(cohort_of, n_positives, has_interval) -> None:
    cohort = cohort_of(100)
    cohort.labels[:, 0] = np.arange(100) % 20 < n_positives / 5  # one in each of so many patients
    cohort.labels[:, 0] = 0
    cohort.labels[: 2 * n_positives : 2, 0] = 1
    score = _one(_scores(cohort, _probabilities(cohort)), "auroc", "Mass")
    assert (score.n, np.isfinite(score.value)) == (n_positives, True)
    assert np.isfinite([score.low, score.high]).tolist() == [has_interval] * 2


def test_unknown_labels_are_left_out_and_counted(cohort_of) -> None:
    cohort = cohort_of(100)
    cohort.labels[:50, 0] = np.nan
    score = _one(_scores(cohort, _probabilities(cohort)), "auroc", "Mass")
    assert score.n == np.nansum(cohort.labels[:, 0])
    assert score.value == pytest.approx(auroc(_probabilities(cohort)[50:], cohort.labels[50:])[0])


def test_no_films_no_scores(cohort_of) -> None:
    assert _scores(cohort_of(0), np.zeros((0, 3))) == []


def test_nothing_known_is_nan_everywhere_and_null_in_json(cohort_of) -> None:
    cohort = dataclasses.replace(cohort_of(4), labels=np.full((4, 3), np.nan), view=np.full(4, ""))
    scores = _scores(cohort, np.zeros((4, 3)))
    assert all(np.isnan(s.value) and s.n == 0 for s in scores)
    json.dumps(json_from(scores), allow_nan=False)


def test_box_fields_of_the_protocol_do_not_apply(cohort_of) -> None:
    (protocol, _) = {s.protocol: 0 for s in _scores(cohort_of(50), _probabilities(cohort_of(50)))}
    for name in ("box_source", "map_target", "boxes", "threshold_chosen", "map_size", "map_scale"):
        assert getattr(protocol, name) == NOT_APPLICABLE
    assert (protocol.films, protocol.denominator) == (
        "phantoms, test list",
        "pairs of a positive and a negative film",
    )


def test_calibration_error_stands_beside_that_of_a_calibrated_system(cohort_of) -> None:
    cohort = cohort_of(400)
    likely = _likely(cohort)
    scores = _scores(cohort, likely)
    values = expected_calibration_error(likely, cohort.labels)
    for finding, value, n in zip(cohort.findings, values, cohort.labels.sum(axis=0), strict=True):
        score = _one(scores, "ece", finding)
        assert (score.value, score.n) == (pytest.approx(value), n)
        assert 0 <= score.low < score.high
        assert 0 < score.floors["calibrated"] < score.value
        assert np.isnan(score.floor)
    assert _one(scores, "ece", None).value == pytest.approx(values.mean())
    assert {s.metric for s in scores} == {"auroc", "average_precision", "ece"}


def test_the_interval_of_the_error_makes_up_for_what_redrawing_adds(cohort_of) -> None:
    """Percentiles of redrawn errors lie above the truth; turned round the error, they do not."""
    rng, n = np.random.default_rng(0), 600
    nobody = {"view": np.full(n, ""), "sex": np.full(n, ""), "age": np.full(n, np.nan)}  # no strata: quick
    cohort = dataclasses.replace(cohort_of(n, films_a_patient=1), **nobody)
    truth, turned, plain = 0.05, 0, 0  # of uniform numbers around the half, where a coin decides
    for _ in range(60):
        likely = np.repeat(rng.uniform(0.4, 0.6, n)[:, None], 3, axis=1)
        cohort.labels[:] = rng.random((n, 3)) < 0.5
        score = _one(_scores(cohort, likely), "ece", "Mass")
        turned += score.low <= truth <= score.high
        ends = 2 * score.value - score.high, 2 * score.value - score.low
        plain += ends[0] <= truth <= ends[1]
    assert turned >= 45
    assert plain <= 20


def test_what_validation_films_add(cohort_of) -> None:
    cohort, validation = cohort_of(400), _validation(cohort_of)
    likely = _likely(cohort)
    points = ("youden", "sensitivity(0.9)")
    scores = _scores(cohort, likely, validation=validation, operating_points=points)
    chosen_on = validation[1], validation[0].labels
    scaled = temperature_scaling(*chosen_on)(likely)
    errors = expected_calibration_error(scaled, cohort.labels)
    assert _one(scores, "ece_scaled", "Nodule").value == pytest.approx(errors[1])
    assert _one(scores, "ece_scaled", None).value == pytest.approx(errors.mean())
    for name in points:
        mine = [s for s in scores if s.protocol.threshold_chosen == f"{name}, validation films"]
        cut = operating_point(name, *chosen_on).cut
        values = rates(cut, likely, cohort.labels)
        draws = rate_draws(cut, likely, cohort.labels, cohort.patient, 60, np.random.default_rng(0))
        for row, metric, label in ((0, "sensitivity", 1), (1, "specificity", 0)):
            for column, finding in enumerate(cohort.findings):
                score = _one(mine, metric, finding)
                assert score.value == pytest.approx(values[row, column])
                assert score.n == (cohort.labels[:, column] == label).sum()
                assert score.low < score.value < score.high
                ends = np.percentile(draws[:, row, column], (2.5, 97.5))  # the patients of the AUROC too
                assert (score.low, score.high) == (pytest.approx(ends[0]), pytest.approx(ends[1]))
                called = values[5, column]
                assert score.floor == pytest.approx(called if label else 1 - called)
            assert _one(mine, metric, None).value == pytest.approx(values[row].mean())
        assert len(mine) == 2 * 4
    json.dumps(json_from(scores), allow_nan=False)


def test_rows_without_validation_films_are_as_before(cohort_of) -> None:
    cohort = cohort_of(200)
    likely = _likely(cohort)
    rows = json_from(_scores(cohort, likely))
    more = json_from(_scores(cohort, likely, validation=_validation(cohort_of)))
    assert more["strata"] == rows["strata"]
    assert more["scores"][: len(rows["scores"])] == rows["scores"]


def test_calibration_leaves_the_generator_alone(cohort_of) -> None:
    """A generator that ranks next draws on as if nothing had been calibrated or cut."""
    cohort, states = cohort_of(100), []
    for likely in (_likely(cohort), 2 * _likely(cohort)):  # the second has no calibration
        rng = np.random.default_rng(5)
        classification_scores(cohort, likely, PROTOCOL, n_draws=20, rng=rng)
        states.append(rng.bit_generator.state)
    assert states[0] == states[1]


def test_a_cut_that_validation_films_do_not_give_is_nan(cohort_of) -> None:
    cohort, (other, likely) = cohort_of(200), _validation(cohort_of)
    other.labels[:, 1] = 0
    scores = _scores(cohort, _likely(cohort), validation=(other, likely))
    for metric in ("sensitivity", "specificity", "ece_scaled"):
        missing, mean = _one(scores, metric, "Nodule"), _one(scores, metric, None)
        assert np.isnan([missing.value, missing.low, missing.high]).all()
        assert missing.draws_left_out == 60
        both = [_one(scores, metric, finding).value for finding in ("Mass", "Effusion")]
        assert mean.value == pytest.approx(np.mean(both))


def test_numbers_that_are_no_probabilities_are_cut_but_not_calibrated(cohort_of) -> None:
    cohort, (other, likely) = cohort_of(200), _validation(cohort_of)
    logits = _probabilities(cohort) * 4 - 3
    metrics = {s.metric for s in _scores(cohort, logits, validation=(other, likely * 4 - 3))}
    assert metrics == {"auroc", "average_precision", "sensitivity", "specificity"}


def test_validation_films_of_a_scored_patient_are_refused(cohort_of) -> None:
    cohort = cohort_of(100)
    with pytest.raises(ValueError, match="patient p0 is scored and among the validation films"):
        _scores(cohort, _likely(cohort), validation=(cohort, _likely(cohort)))
    other, likely = _validation(cohort_of, findings=("Mass", "Edema", "Effusion"))
    with pytest.raises(ValueError, match="validation films have findings"):
        _scores(cohort, _likely(cohort), validation=(other, likely))


def test_no_finding_stands_in_no_mean(cohort_of) -> None:
    cohort = cohort_of(200)
    named = dataclasses.replace(cohort, findings=(*cohort.findings[:-1], "No Finding"))
    probabilities = _likely(cohort)
    scores = _scores(named, probabilities, validation=_validation(cohort_of, findings=named.findings))
    for metric in ("auroc", "average_precision", "ece", "sensitivity", "specificity"):
        each = [_one(scores, metric, finding) for finding in named.findings]
        mean = _one(scores, metric, None)
        assert mean.value == pytest.approx(np.mean([score.value for score in each[:-1]]))
        assert mean.n == sum(score.n for score in each[:-1])
        assert each[-1].n > 0
