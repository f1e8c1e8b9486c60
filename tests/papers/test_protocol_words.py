"""A run states its protocol in the words of the ledger, or nothing would ever be comparable."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from hilum.evaluate import classification_scores, localization_scores
from hilum.recipe import load
from hilum.report.ledger import N_ENTRIES, N_POSITIVE, neighbours
from hilum.study.opening import open_films
from hilum.study.score import protocol_of


@pytest.mark.parametrize("metric", ["auroc", "t_iou"])
def test_a_full_run_of_chexnet_stands_beside_the_printed_chexnet(metric: str, phantoms: Path) -> None:
    """Phantoms under the name of ChestX-ray14: every other word comes from the study itself."""
    recipe = load("chexnet")
    films = open_films(phantoms, recipe.data)
    cohort = dataclasses.replace(films.cohort, source="ChestX-ray14", box_release="BBox_List_2017")
    cohort = cohort.rows(cohort.side("test"))
    protocol = protocol_of(recipe, films, cohort)
    assert protocol.complete == "80 of 80 films"
    protocol = dataclasses.replace(protocol, complete="112,120 of 112,120 films")
    rng = np.random.Generator(np.random.Philox(0))
    if metric == "auroc":
        probabilities = rng.random(cohort.labels.shape)
        made = classification_scores(cohort, probabilities, protocol, n_draws=100, rng=rng)
    else:
        (rule, *_), k = recipe.localize.rules, len(cohort.reference)
        boxes = dataclasses.replace(cohort.reference, score=np.ones(k))
        made = localization_scores(
            cohort,
            rng.random((k, 7, 7), np.float32),
            np.repeat(np.eye(3)[None, :2], k, axis=0),
            {rule.name: boxes},
            input_hw=(224, 224),
            method="cam",
            rules=[rule],
            protocol=protocol,
            n_draws=100,
            rng=rng,
        )
    at = None if metric == "auroc" else 0.1
    (mean,) = [s for s in made if (s.metric, s.at, s.finding, s.stratum) == (metric, at, None, None)]
    assert {reason.partition(":")[0] for each in neighbours(mean) for reason in each.why_not[-1:]} == {"n"}
    n = sum((N_POSITIVE if metric == "auroc" else N_ENTRIES).values())
    whole = dataclasses.replace(mean, n=n, value=0.5)
    beside = {(each.number.system, each.number.value) for each in neighbours(whole) if not each.why_not}
    assert ("CheXNet", 0.775 if metric == "auroc" else 0.404) in beside
