"""Systems of several networks and stages, from films to scores."""

import json
from pathlib import Path

import numpy as np
import pytest

from hilum import recipe as recipes
from hilum.errors import RecipeError
from hilum.evaluate import Score, scores_from_json
from hilum.study import study
from hilum.study.claim_scores import scored_run
from hilum.study.claims import claims_of
from hilum.study.folder import RunFolder, read_csv, read_json
from hilum.study.opening import open_films

SMALL = {
    "data.split": "official(0.25)",
    "data.input_px": "32",
    "data.resize_px": "32",
    "data.store_px": "32",
    "model.backbone": "resnet10t",
    "model.weights": "none",
    "training.epochs": "2",
    "training.batch_size": "8",
    "evaluate.bootstrap_draws": "100",
    "report.figures": "[]",
}
GUIDED = {
    **SMALL,
    "model.local_backbone": "mobilenetv3_small_050",
    "model.local_branch": "hidden_layer",
    "training.unfreezing": "gradual(1, 0.2, fresh)",
    "explain.methods": "['gradcam', 'own']",
}
REFINED = {**SMALL, "model.neck": "none", "then.1.epochs": "1", "then.1.learning_rate": "1e-2"}


@pytest.fixture(scope="module")
def guided(phantoms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("guided") / "run"
    study("ag_cnn", phantoms, folder, GUIDED)
    return folder


@pytest.fixture(scope="module")
def refined(phantoms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("refined") / "run"
    study("pcm_resnet50", phantoms, folder, REFINED)
    return folder


def _history(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]


def _scores(folder: Path) -> list[Score]:
    return scores_from_json(read_json(folder / "scores.json"))


def test_every_network_of_several_answers_and_is_scored(guided: Path) -> None:
    folder = RunFolder(guided)
    assert folder.branches == ["global", "local"]
    films = [line["image"] for line in read_csv(folder.probabilities)]
    for branch in folder.branches:
        table = read_csv(folder.branch_probabilities(branch))
        assert [line["image"] for line in table] == films
    strata = {score.stratum for score in _scores(guided) if score.metric == "auroc"}
    assert {"branch=global", "branch=local", None} <= strata
    assert "branch=global" in (guided / "report.html").read_text()


def test_each_part_has_its_own_losses(guided: Path) -> None:
    for record in _history(guided):
        parts = [record[f"val_{part}"] for part in ("global", "local", "fusion")]
        assert all(np.isfinite(parts))
        assert record["val_loss"] == record["val_fusion"]
        assert "stage" not in record


def test_a_claim_can_name_a_branch(guided: Path, phantoms: Path) -> None:
    folder = RunFolder(guided)
    recipe = recipes.parse(folder.recipe.read_text(), "run")
    run = scored_run(folder, recipe, open_films(phantoms, recipe.data))
    claims = {each.text: each.verdict for each in claims_of(run)}
    of_branches = claims["The global branch is above the local one"]  # too few films to say more
    assert of_branches.reason in ("", "undefined in half of the redrawn cohorts")
    assert not np.array_equal(run.alone("global").probabilities, run.probabilities)
    missing = claims["CapsNet does better at a crop that DenseNet-121 chose than at its own"]
    assert "needs a run of 'AG-CNN" in missing.reason
    with pytest.raises(LookupError, match="no branch 'third'"):
        run.alone("third")


def test_stages_follow_each_other_in_one_history(refined: Path) -> None:
    history = _history(refined)
    assert [record["epoch"] for record in history] == [0.0, 1.0, 2.0]
    assert [record["stage"] for record in history] == ["stage 1", "stage 1", "stage 2"]
    assert "val_theta_change" not in history[1]
    assert history[2]["val_theta_change"] > 0
    assert (refined / "checkpoints" / "stage-2" / "best.safetensors").exists()


def test_the_second_stage_leaves_the_classifier_as_it_was(refined: Path) -> None:
    from safetensors.numpy import load_file

    first = load_file(refined / "checkpoints" / "stage-1" / "best.safetensors")
    last = load_file(refined / "weights.safetensors")
    changed = {name for name in last if not np.array_equal(first[name], last[name])}
    assert changed == {"theta.weight"}


def test_refined_maps_are_boxed_and_scored_beside_class_maps(refined: Path) -> None:
    assert {"own", "cam"} <= {score.method for score in _scores(refined) if score.metric == "t_iobb"}


def test_a_further_stage_is_named_by_its_number() -> None:
    recipe = recipes.load("pcm_resnet50", {"then.1.epochs": "7"})
    assert [stage.epochs for stage in recipe.stages] == [35, 7]
    assert recipe.stages[1].learns == ("affinity",)
    with pytest.raises(RecipeError, match="cannot set"):
        recipes.load("pcm_resnet50", {"then.2.epochs": "7"})
