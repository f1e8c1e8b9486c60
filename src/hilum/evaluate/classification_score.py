"""A cohort and its probabilities in, every classification score out."""

import dataclasses
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Shaped

from hilum.data.cohort import Cohort
from hilum.evaluate.bootstrap import ranking_draws
from hilum.evaluate.classification import auroc, average_precision, known
from hilum.evaluate.protocol import NOT_APPLICABLE, Protocol, Score
from hilum.evaluate.strata import film_strata
from hilum.evaluate.summary import mean_first, scores_from, several_patients, template


def classification_scores(
    cohort: Cohort,
    probabilities: Float[np.ndarray, "n f"],
    protocol: Protocol,
    *,
    n_draws: int,
    rng: np.random.Generator,
) -> list[Score]:
    """AUROC and average precision of each finding and their means; AUROC also by sex, view and age.

    Args:
        cohort: The films that are scored.
        probabilities: In the cohort's order of films and findings; a NaN is left out.
        protocol: What is known of films, split and weights; what concerns boxes is filled in here.
        n_draws: Bootstrap draws behind each interval.
        rng: Source of the draws.

    Returns:
        No score for no films. A finding with one label value only has the value NaN; a mean is over the
        others, and NaN where there are none.
    """
    if not len(cohort):
        return []
    labels = known(probabilities, cohort.labels)
    protocol = _without_boxes(protocol)
    scores = []
    for stratum, mask in {None: np.ones(len(cohort), bool), **film_strata(cohort)}.items():
        rows = np.flatnonzero(mask)
        if len(rows):
            draws = ranking_draws(probabilities[rows], labels[rows], cohort.patient[rows], n_draws, rng)
            scores += _scores(cohort.rows(rows), probabilities[rows], labels[rows], draws, protocol, stratum)
    return scores


def _scores(
    cohort: Cohort,
    probabilities: np.ndarray,
    labels: np.ndarray,
    draws: tuple[np.ndarray, np.ndarray],
    protocol: Protocol,
    stratum: str | None,
) -> Iterator[Score]:
    """Both metrics of the whole, AUROC alone of a stratum; the mean before the findings."""
    positive, negative = labels == 1, labels == 0
    enough = several_patients(positive, cohort.patient) & several_patients(negative, cohort.patient)
    n = positive.sum(axis=0)
    view = np.repeat(_ap_view(cohort.view)[:, None], labels.shape[1], axis=1)
    chance = {
        "auroc": ("chance", np.full(labels.shape[1], 0.5)),
        "average_precision": ("prevalence", n / np.maximum(n + negative.sum(axis=0), 1)),
    }
    functions = {"auroc": auroc, "average_precision": average_precision}
    for (metric, function), of_draws in zip(functions.items(), draws, strict=True):
        values = function(probabilities, labels)
        defined = ~np.isnan(values)
        floors = dict([chance[metric], ("view", function(view, labels))])
        yield from scores_from(
            template(metric, protocol, stratum=stratum),
            (None, *cohort.findings),
            mean_first(values, defined),
            mean_first(of_draws, defined),
            {name: mean_first(floor, defined) for name, floor in floors.items()},
            np.append(n[defined].sum(), n),
            np.append(defined.any(), enough),
        )
        if stratum is not None:
            return


def _ap_view(view: Shaped[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """1 for AP, 0 for PA, NaN where the view is unknown."""
    return np.select([view == "AP", view == "PA"], [1.0, 0.0], np.nan)


def _without_boxes(protocol: Protocol) -> Protocol:
    names = ("box_source", "map_target", "boxes", "threshold_chosen", "map_size", "map_scale")
    return dataclasses.replace(protocol, **dict.fromkeys(names, NOT_APPLICABLE))
