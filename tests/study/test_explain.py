"""Heatmaps of a study: whose they are, which are made, and that parts of another network are not taken up."""

import numpy as np
import pytest
import torch

from hilum import models, pipeline
from hilum.data.metadata import metadata_from
from hilum.errors import DiskError
from hilum.models import weights
from hilum.study.explain import explain
from hilum.study.folder import read_csv, read_probabilities
from hilum.study.heatmap_files import read_maps


def test_every_scored_pair_has_its_own_map(run) -> None:
    stored = read_maps(run.folder, "gradcam", run.cohort)
    reference, labels = run.cohort.reference, run.cohort.labels
    wanted = set(zip(reference.image.tolist(), reference.finding.tolist(), strict=True))
    boxed = np.unique(reference.finding).tolist()
    wanted |= {(i, f) for i in set(reference.image.tolist()) for f in boxed if labels[i, f] == 1}
    wanted = sorted(wanted)
    assert list(zip(stored.image.tolist(), stored.finding.tolist(), strict=True)) == wanted
    model, geometry, scaling = models.load(run.folder.weights)
    row = len(wanted) // 2
    film = run.pixels.store.batch(run.pixels.rows[[stored.image[row]]])
    metadata = metadata_from(run.cohort, scaling)[[stored.image[row]]]
    likely, maps = pipeline.explain(model, film, geometry, ("gradcam",), metadata)
    assert np.allclose(maps["gradcam"][0, stored.finding[row]], stored.maps[row], atol=1e-5)
    assert np.allclose(likely[0], read_probabilities(run.folder, run.cohort)[stored.image[row]], atol=1e-5)


def test_affines_take_the_input_to_the_frame(run) -> None:
    affine = read_maps(run.folder, "cam", run.cohort).affine
    assert np.allclose(affine, [[[16.0, 0.0, 0.0], [0.0, 16.0, 0.0]]])  # 64 px to 1024 px


def test_parts_are_taken_up_again(run) -> None:
    part = run.folder.heatmaps / "cam" / "part-00000.npy"
    before = part.stat().st_mtime_ns
    explain(run.folder, run.recipe, run.films, run.pixels)
    assert part.stat().st_mtime_ns == before


def test_parts_of_other_weights_are_made_again(run) -> None:
    before = np.load(run.folder.heatmaps / "cam" / "part-00000.npy")
    likely = read_csv(run.folder.probabilities)
    model, geometry, scaling = models.load(run.folder.weights)
    torch.nn.init.normal_(model.head.weight, generator=torch.Generator().manual_seed(1))
    settings = run.recipe.model.model_dump(exclude={"weights"})
    models.save(run.folder.weights, model, settings, geometry, scaling)
    explain(run.folder, run.recipe, run.films, run.pixels)
    after = np.load(run.folder.heatmaps / "cam" / "part-00000.npy")
    assert before.shape == after.shape
    assert not np.allclose(before, after)
    assert read_csv(run.folder.probabilities) != likely
    assert weights.read_header(run.folder.weights)["findings"] == list(run.cohort.findings)


def test_maps_that_would_not_fit_are_refused_before_any_is_made(run, monkeypatch) -> None:
    import shutil

    shutil.rmtree(run.folder.heatmaps)
    usage = shutil.disk_usage(run.folder.path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=100))
    with pytest.raises(DiskError, match="are free"):
        explain(run.folder, run.recipe, run.films, run.pixels, all_findings=True)
    assert not list(run.folder.heatmaps.rglob("*.npy"))
