"""Training within a study: names are checked before work, weights are kept, the prevalence is the films'."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch

from hilum import models
from hilum.errors import RecipeError, WeightsError
from hilum.recipe import load, toml_from
from hilum.study import study
from hilum.study.train import _prevalence, check, train


@pytest.mark.parametrize(
    ("key", "name", "said"),
    [
        ("model.name", "average_poling", "did you mean 'average_pooling'"),
        ("training.optimiser", "adm", "did you mean 'adam'"),
        ("training.schedule", "plato", "unknown schedule"),
        ("training.loss", "bcee", "did you mean 'bce'"),
        ("explain.methods", '["gradcamm"]', "did you mean 'gradcam'"),
        ("model.backbone", "densenet12", "densenet121"),
    ],
)
def test_unknown_names_are_found_before_any_work(tiny_recipe, key: str, name: str, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        check(load(str(tiny_recipe), {key: name}))


def test_absent_start_weights_matter_only_before_training(tiny_run, tiny_recipe, phantoms, tmp_path) -> None:
    absent = f"weights = '{tmp_path / 'no.safetensors'}'"
    path, done = tmp_path / "absent.toml", tmp_path / "done"
    path.write_text(tiny_recipe.read_text().replace("map_stride = 16", f"map_stride = 16\n{absent}"))
    shutil.copytree(tiny_run, done)
    (done / "recipe.toml").write_text(toml_from(load(str(path))))
    study(str(path), phantoms, done)
    with pytest.raises(WeightsError, match=r"no\.safetensors"):
        study(str(path), phantoms, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_what_was_trained_is_not_trained_again(run) -> None:
    before = run.folder.weights.stat().st_mtime_ns
    train(run.folder, run.recipe, run.films, run.pixels)
    assert run.folder.weights.stat().st_mtime_ns == before


def test_history_and_weights_tell_what_was_done(run) -> None:
    history = [json.loads(line) for line in run.folder.history.read_text().splitlines()]
    assert [record["epoch"] for record in history] == [0, 1]
    assert {"train_loss", "val_loss", "val_auroc", "learning_rate", "seconds"} < set(history[0])
    header = models.weights.read_header(run.folder.weights)
    assert header["findings"] == list(run.cohort.findings)
    model, geometry, scaling = models.load(run.folder.weights)
    assert geometry == run.recipe.data.geometry
    assert not model.training
    assert scaling is not None


def test_prevalence_counts_the_known_labels_of_training_films(run) -> None:
    labels = np.zeros((len(run.cohort), 14))
    train_rows = run.cohort.side("train")
    labels[train_rows[:10], 2] = 1
    labels[:, 5] = np.nan
    cohort = dataclasses.replace(run.cohort, labels=labels)
    found = _prevalence(cohort)
    assert found[2].item() == pytest.approx(11 / (len(train_rows) + 2))
    assert found[5].item() == 0.5
    assert ((found > 0) & (found < 1)).all()
    assert torch.isfinite(torch.logit(found)).all()
