"""Scores of a study: of test films only, each with the protocol of the run; no torch is loaded for them."""

import json
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from sklearn.metrics import roc_auc_score

from hilum.errors import WeightsError
from hilum.evaluate import APART, scores_from_json
from hilum.models.weights import read_header
from hilum.report import csv_from
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


def test_scores_as_printed_stand_beside_the_others(run) -> None:
    plain = scores_from_json(read_json(run.folder.scores))
    settings = run.recipe.evaluate.model_copy(update={"as_printed": ("kth_overlap", "boxed_films")})
    scores = score(run.folder, run.recipe.model_copy(update={"evaluate": settings}), run.films)
    added = [each for each in scores if each.metric in APART and each.metric != "parameters"]
    assert {each.metric for each in added} == set(APART) - {"parameters"}
    systems = {
        (method, rule.name) for method in run.recipe.explain.methods for rule in run.recipe.localize.rules
    }
    assert {(each.method, each.box_rule) for each in added} == systems
    others, before = (
        {(s.metric, s.at, s.finding, s.stratum, s.box_rule): repr(s.value) for s in some if s.method != "cam"}
        for some in ([s for s in scores if s not in added], plain)
    )
    assert others == before  # of the first method, which is scored before any draw of theirs
    boxed = len(np.unique(scored_films(run.folder, run.films)[0].reference.image))
    films = {each.n for each in added if each.metric == "false_positives_a_film_iobb"}
    assert films == {boxed}


def test_the_size_of_the_network_is_a_score_without_torch(run) -> None:
    found = scores_from_json(read_json(run.folder.scores))
    (size,) = (each for each in found if each.metric == "parameters")
    tensors, header = load_file(run.folder.weights), read_header(run.folder.weights)
    buffers = ("running_mean", "running_var", "num_batches_tracked")
    assert size.value == sum(array.size for name, array in tensors.items() if not name.endswith(buffers))
    assert np.isnan([size.low, size.high, size.floor]).all()
    assert csv_from([size]).splitlines()[1].startswith(",parameters,,,,")
    del header["parameters"]  # as files written before
    save_file(tensors, run.folder.weights, {"hilum": json.dumps(header)})
    assert "parameters" not in {each.metric for each in score(run.folder, run.recipe, run.films)}
    run.folder.weights.write_bytes(b"broken")
    with pytest.raises(WeightsError, match="not a whole safetensors file"):
        score(run.folder, run.recipe, run.films)


def test_scoring_loads_no_torch(run) -> None:
    code = (
        "import sys; from pathlib import Path; from hilum.study import stage; "
        f"stage('score', Path({str(run.folder.path)!r})); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
