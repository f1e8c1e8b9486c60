"""Scores of a study: of test films only, each with the protocol of the run; no torch is loaded for them."""

import subprocess
import sys

import numpy as np
from sklearn.metrics import roc_auc_score

from hilum.evaluate import scores_from_json
from hilum.study.folder import read_json
from hilum.study.heatmap_files import read_maps
from hilum.study.score import entry_rows, protocol_of, score, scored_films


def test_auroc_is_that_of_sklearn_on_the_test_films(run) -> None:
    scores = score(run.folder, run.recipe, run.films)
    cohort, probabilities = scored_films(run.folder, run.films)
    assert set(cohort.split.tolist()) == {"test"}
    checked = 0
    for each in scores:
        if each.metric == "auroc" and each.finding in cohort.findings and each.value is not None:
            column = cohort.findings.index(each.finding)
            if np.isfinite(each.value) and not each.stratum:
                expected = roc_auc_score(cohort.labels[:, column], probabilities[:, column])
                assert abs(each.value - expected) < 1e-9
                checked += 1
    assert checked >= 5


def test_every_reference_entry_has_its_map(run) -> None:
    cohort, _ = scored_films(run.folder, run.films)
    stored = read_maps(run.folder, "cam", cohort)
    rows = entry_rows(cohort, stored)
    assert np.array_equal(stored.image[rows], cohort.reference.image)
    assert np.array_equal(stored.finding[rows], cohort.reference.finding)


def test_scoring_again_gives_the_same_file(run) -> None:
    before = run.folder.scores.read_bytes()
    score(run.folder, run.recipe, run.films)
    assert run.folder.scores.read_bytes() == before
    assert scores_from_json(read_json(run.folder.scores))


def test_the_protocol_says_where_everything_comes_from(run) -> None:
    protocol = protocol_of(run.recipe, run.films, run.cohort)
    assert protocol.films == "phantoms, test films"
    assert protocol.complete == "80 of 80 films"
    assert protocol.split_hash == run.cohort.split_hash
    assert protocol.weights_data.startswith("ImageNet, then phantoms")


def test_scoring_loads_no_torch(run) -> None:
    code = (
        "import sys; from pathlib import Path; from hilum.study import stage; "
        f"stage('score', Path({str(run.folder.path)!r})); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
