"""A cohort and its probabilities in, every classification score out."""

import copy
import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Float, Shaped

from hilum.data.cohort import Cohort
from hilum.evaluate.bootstrap import ranking_draws
from hilum.evaluate.calibration import (
    error_if_calibrated,
    expected_calibration_error,
    expected_calibration_error_draws,
    temperature_scaling,
)
from hilum.evaluate.classification import auroc, average_precision, known
from hilum.evaluate.operating_point import RATES, OperatingPoint, operating_point, rate_draws, rates
from hilum.evaluate.protocol import BRANCH, NOT_APPLICABLE, Protocol, Score
from hilum.evaluate.strata import film_strata
from hilum.evaluate.summary import mean_first, scores_from, several_patients, template
from hilum.findings import in_mean


def classification_scores(
    cohort: Cohort,
    probabilities: Float[np.ndarray, "n f"],
    protocol: Protocol,
    *,
    n_draws: int,
    rng: np.random.Generator,
    validation: tuple[Cohort, Float[np.ndarray, "v f"]] | None = None,
    operating_points: Sequence[str] = ("youden",),
) -> list[Score]:
    """Ranking, calibration and operating points of each finding and their means; AUROC also by stratum.

    Args:
        cohort: The films that are scored.
        probabilities: In the cohort's order of films and findings; a NaN is left out. Numbers outside 0
            to 1, as logits are, can be ranked and cut, but have no calibration.
        protocol: What is known of films, split and weights; what concerns boxes is filled in here.
        n_draws: Bootstrap draws behind each interval.
        rng: Source of the draws; all scores of the whole see the same patients.
        validation: Films of other patients and their probabilities, on which temperatures and cuts are
            chosen; without them there are no scores that need either.
        operating_points: Calls of `OPERATING_POINTS`.

    Returns:
        No score for no films. A finding with one label value only has the value NaN; a mean is over the
        others, and NaN where there are none; "No Finding" is in no mean.

    Raises:
        ValueError: Validation films are of other findings, or of a patient who is scored.
    """
    if validation is not None:
        _refuse_unfit(cohort, validation[0])
    if not len(cohort):
        return []
    labels = known(probabilities, cohort.labels)
    protocol = _without_boxes(protocol)
    same_rng = copy.deepcopy(rng)
    scores = []
    for stratum, mask in {None: np.ones(len(cohort), bool), **film_strata(cohort)}.items():
        rows = np.flatnonzero(mask)
        if len(rows):
            draws = ranking_draws(probabilities[rows], labels[rows], cohort.patient[rows], n_draws, rng)
            scores += _scores(cohort.rows(rows), probabilities[rows], labels[rows], draws, protocol, stratum)
    scores += _calibration_scores("ece", cohort, probabilities, protocol, n_draws, same_rng)
    if validation is not None:
        chosen_on = validation[1], validation[0].labels
        if _are_probabilities(probabilities) and _are_probabilities(validation[1]):
            scaled = temperature_scaling(*chosen_on)(probabilities)
            scores += _calibration_scores("ece_scaled", cohort, scaled, protocol, n_draws, same_rng)
        for name in operating_points:
            point = operating_point(name, *chosen_on)
            scores += _operating_scores(point, cohort, probabilities, protocol, n_draws, same_rng)
    return scores


def branch_scores(
    cohort: Cohort,
    probabilities: Float[np.ndarray, "n f"],
    protocol: Protocol,
    branch: str,
    *,
    n_draws: int,
    rng: np.random.Generator,
) -> list[Score]:
    """AUROC of what one network of a composite model says alone; its stratum is "branch=NAME".

    Args:
        cohort: The scored films.
        probabilities: The branch's, in the cohort's order of films and findings.
        protocol: As `classification_scores` takes it.
        branch: Its name.
        n_draws: Bootstrap draws behind each interval.
        rng: Source of the draws.
    """
    if not len(cohort):
        return []
    labels = known(probabilities, cohort.labels)
    draws = ranking_draws(probabilities, labels, cohort.patient, n_draws, rng)
    name = f"{BRANCH}{branch}"
    return list(_scores(cohort, probabilities, labels, draws, _without_boxes(protocol), name))


def _scores(
    cohort: Cohort,
    probabilities: np.ndarray,
    labels: np.ndarray,
    draws: tuple[np.ndarray, np.ndarray],
    protocol: Protocol,
    stratum: str | None,
) -> Iterator[Score]:
    """Both metrics of the whole, AUROC alone of a stratum; the mean before the findings."""
    n_positive, n_known = (labels == 1).sum(axis=0), (~np.isnan(labels)).sum(axis=0)
    view = np.repeat(_ap_view(cohort.view)[:, None], labels.shape[1], axis=1)
    chance = {
        "auroc": ("chance", np.full(labels.shape[1], 0.5)),
        "average_precision": ("prevalence", n_positive / np.maximum(n_known, 1)),
    }
    functions = {"auroc": auroc, "average_precision": average_precision}
    for (metric, function), of_draws in zip(functions.items(), draws, strict=True):
        values = function(probabilities, labels)
        defined = _averaged(cohort, values)
        floors = dict([chance[metric], ("view", function(view, labels))])
        yield from scores_from(
            template(metric, protocol, stratum=stratum),
            (None, *cohort.findings),
            mean_first(values, defined),
            mean_first(of_draws, defined),
            {name: mean_first(floor, defined) for name, floor in floors.items()},
            *_behind(cohort, labels, defined),
        )
        if stratum is not None:
            return


def _calibration_scores(
    metric: str,
    cohort: Cohort,
    probabilities: np.ndarray,
    protocol: Protocol,
    n_draws: int,
    rng: np.random.Generator,
) -> Iterator[Score]:
    """The expected calibration error, with the basic bootstrap interval: a redrawn cohort adds to it."""
    if not _are_probabilities(probabilities):
        return
    films = probabilities, cohort.labels
    values = expected_calibration_error(*films)
    same_rng = copy.deepcopy(rng)
    draws = expected_calibration_error_draws(*films, cohort.patient, n_draws, same_rng)
    defined = _averaged(cohort, values)
    values, draws = mean_first(values, defined), mean_first(draws, defined)
    n, enough = _behind(cohort, known(*films), defined)
    # Davison and Hinkley 1997, section 5.2: redrawn errors lie as far above the error as it above the truth
    turned = np.maximum(2 * values - draws, 0.0)
    floors = {"calibrated": mean_first(error_if_calibrated(*films, same_rng), defined)}
    form = template(metric, protocol)
    for score in scores_from(form, (None, *cohort.findings), values, turned, floors, n, enough):
        yield dataclasses.replace(score, floor=np.nan)  # smaller is better: there is nothing to rise above


def _operating_scores(
    point: OperatingPoint,
    cohort: Cohort,
    probabilities: np.ndarray,
    protocol: Protocol,
    n_draws: int,
    rng: np.random.Generator,
) -> Iterator[Score]:
    """Sensitivity and specificity; a blind guess that calls as many films is their floor."""
    films = probabilities, cohort.labels
    labels = known(*films)
    values = dict(zip(RATES, rates(point.cut, *films), strict=True))
    draws = rate_draws(point.cut, *films, cohort.patient, n_draws, copy.deepcopy(rng))
    chance = {"sensitivity": values["called"], "specificity": 1 - values["called"]}
    protocol = dataclasses.replace(protocol, threshold_chosen=f"{point.name}, validation films")
    for metric, label in (("sensitivity", 1), ("specificity", 0)):
        defined = _averaged(cohort, values[metric])
        rows = labels == label
        n = rows.sum(axis=0)
        yield from scores_from(
            template(metric, protocol),
            (None, *cohort.findings),
            mean_first(values[metric], defined),
            mean_first(draws[:, list(RATES).index(metric)], defined),
            {"chance": mean_first(chance[metric], defined)},
            np.append(n[defined].sum(), n),
            np.append(defined.any(), several_patients(rows, cohort.patient)),
        )


def _averaged(cohort: Cohort, values: Float[np.ndarray, " f"]) -> Bool[np.ndarray, " f"]:
    """The findings that a mean is over: those with a value, "No Finding" never."""
    return ~np.isnan(values) & np.array(in_mean(cohort.findings))


def _behind(cohort: Cohort, labels: np.ndarray, defined: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positive films of the mean and of each finding, and whether both labels have enough for an interval."""
    positive, negative = labels == 1, labels == 0
    enough = several_patients(positive, cohort.patient) & several_patients(negative, cohort.patient)
    n = positive.sum(axis=0)
    return np.append(n[defined].sum(), n), np.append(defined.any(), enough)


def _are_probabilities(numbers: np.ndarray) -> bool:
    return not ((numbers < 0) | (numbers > 1)).any()


def _refuse_unfit(cohort: Cohort, validation: Cohort) -> None:
    if validation.findings != cohort.findings:
        raise ValueError(f"validation films have findings {validation.findings}, not {cohort.findings}")
    shared = np.intersect1d(cohort.patient.astype(str), validation.patient.astype(str))
    if len(shared):
        raise ValueError(
            f"patient {shared[0]} is scored and among the validation films; they must be other patients"
        )


def _ap_view(view: Shaped[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """1 for AP, 0 for PA, NaN where the view is unknown."""
    return np.select([view == "AP", view == "PA"], [1.0, 0.0], np.nan)


def _without_boxes(protocol: Protocol) -> Protocol:
    names = ("box_source", "map_target", "boxes", "threshold_chosen", "map_size", "map_scale")
    return dataclasses.replace(protocol, **dict.fromkeys(names, NOT_APPLICABLE))
