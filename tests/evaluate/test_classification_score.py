import dataclasses
import json

import numpy as np
import pytest

from hilum.evaluate.classification import auroc, average_precision
from hilum.evaluate.classification_score import classification_scores
from hilum.evaluate.protocol import NOT_APPLICABLE, Protocol, json_from

PROTOCOL = Protocol(films="phantoms, test list")


def _scores(cohort, probabilities, *, n_draws: int = 60):
    return classification_scores(
        cohort, probabilities, PROTOCOL, n_draws=n_draws, rng=np.random.default_rng(0)
    )


def _probabilities(cohort, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).random(cohort.labels.shape) + 0.5 * cohort.labels


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
