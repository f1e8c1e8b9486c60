"""A run from phantoms to page: every file is there, a kill changes nothing, what does not fit is refused."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hilum.errors import RunError, UsageError
from hilum.study import STAGES, stage, study
from hilum.study.folder import RunFolder, read_csv

KILLED = """
import os, sys
import torch
torch.set_num_threads(1)
from pathlib import Path
from hilum.study import study
at_stage, at_step = sys.argv[4], int(sys.argv[5])
def show(stage):
    def tell(done, total):
        if stage == at_stage and done >= at_step:
            os.kill(os.getpid(), 9)
    return tell
study(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), show=show)
"""


def _tables(run: Path) -> dict[str, bytes]:
    names = ("probabilities.csv", "boxes.csv", "scores.json", "scores.csv", "report.html")
    return {name: (run / name).read_bytes() for name in names}


def _killed(recipe: Path, data: Path, out: Path, at: tuple[str, int]) -> int:
    command = [sys.executable, "-c", KILLED, str(recipe), str(data), str(out), at[0], str(at[1])]
    return subprocess.run(command, check=False, capture_output=True, env=os.environ).returncode


def test_every_file_of_the_record_is_there(tiny_run: Path) -> None:
    folder = RunFolder(tiny_run)
    files = (folder.recipe, folder.record, folder.weights, folder.history, folder.probabilities)
    assert all(
        path.is_file() for path in (*files, folder.boxes, folder.scores, folder.report, folder.failures)
    )
    for method in ("gradcam", "cam"):
        index = read_csv(folder.heatmaps / method / "index.csv")
        part = np.load(folder.heatmaps / method / "part-00000.npy")
        assert part.dtype == np.float32
        assert len(index) == len(part) > 0
        assert list(index[0]) == ["image", "part", "row", "finding", "affine"]
    assert list(read_csv(folder.boxes)[0]) == [
        "image", "finding", "x_min", "y_min", "x_max", "y_max", "score", "method", "box_rule"
    ]  # fmt: skip
    assert not list(tiny_run.rglob("*.part"))


def test_scores_carry_interval_floor_and_protocol_and_no_nan(tiny_run: Path) -> None:
    text = (tiny_run / "scores.json").read_text()
    assert "NaN" not in text
    content = json.loads(text)
    assert set(content) == {"scores", "strata"}
    score = content["scores"][0]
    names = "metric at finding method box_rule value low high n floor floors protocol draws_left_out"
    assert set(score) == set(names.split())
    assert score["protocol"]["box_source"].startswith("no") or score["protocol"]["split_hash"]
    metrics = {row["metric"] for row in content["scores"]}
    assert metrics >= {"auroc", "t_iou", "t_iobb", "mean_iou_micro", "mean_iou_macro", "hit_rate"}
    assert all("stratum" in row for row in content["strata"])


def test_only_scored_pairs_have_heatmaps_until_all_are_asked_for(tiny_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    few = len(read_csv(run / "heatmaps/cam/index.csv"))
    stage("explain", run, all_findings=True)
    n_test = sum(line["split"] == "test" for line in read_csv(run / "probabilities.csv"))
    assert few < len(read_csv(run / "heatmaps/cam/index.csv")) == 14 * n_test
    before = (run / "scores.json").read_bytes()
    for name in ("localize", "score", "report"):
        stage(name, run)
    assert (run / "scores.json").read_bytes() == before


@pytest.mark.parametrize("at", [("train", 5), pytest.param(("explain", 32), marks=pytest.mark.slow)])
def test_a_killed_run_ends_with_the_same_tables(
    tiny_run: Path, phantoms: Path, tiny_recipe: Path, tmp_path: Path, at: tuple[str, int]
) -> None:
    run = tmp_path / "run"
    assert _killed(tiny_recipe, phantoms, run, at) == -9
    assert not (run / "scores.json").exists()
    study(str(tiny_recipe), phantoms, run)
    assert (run / "weights.safetensors").read_bytes() == (tiny_run / "weights.safetensors").read_bytes()
    page = (tiny_run / "report.html").read_bytes()
    same = {**_tables(tiny_run), "report.html": b""}
    assert {**_tables(run), "report.html": b""} == same
    assert abs(len((run / "report.html").read_bytes()) - len(page)) < 200  # seconds an epoch differ


@pytest.mark.slow
@pytest.mark.parametrize("step", range(1, 51))
def test_fifty_kills_leave_no_corrupt_file(
    phantoms: Path, tiny_recipe: Path, tmp_path: Path, step: int
) -> None:
    run = tmp_path / "run"
    at = ("train", step % 8 + 1) if step % 2 else (STAGES[step % 5], step % 3)
    _killed(tiny_recipe, phantoms, run, at)
    study(str(tiny_recipe), phantoms, run)
    assert json.loads((run / "scores.json").read_text())["scores"]


def test_a_second_start_changes_nothing(
    tiny_run: Path, phantoms: Path, tiny_recipe: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    outcome = study(str(tiny_recipe), phantoms, run)
    assert _tables(run) == _tables(tiny_run)
    assert [row.metric for row in outcome.summary] == [
        "auroc",
        "t_iou",
        "t_iou",
        "t_iou",
        "t_iobb",
        "hit_rate",
    ]


def test_a_run_of_another_recipe_is_refused(tiny_run: Path, phantoms: Path, tiny_recipe: Path) -> None:
    with pytest.raises(UsageError, match="another recipe"):
        study(str(tiny_recipe), phantoms, tiny_run, {"training.epochs": "3"})


def test_changed_tables_are_refused(
    tiny_run: Path, phantoms: Path, tiny_recipe: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    shutil.copytree(phantoms, data)
    with (data / "BBox_List_2017.csv").open("a") as stream:
        stream.write("\n")
    with pytest.raises(RunError, match=r"BBox_List_2017.csv changed"):
        study(str(tiny_recipe), data, tiny_run)


def test_stages_ask_for_what_they_lack(tiny_run: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="not a run folder"):
        stage("score", tmp_path)
    for name in ("recipe.toml", "run.json"):
        shutil.copy(tiny_run / name, tmp_path / name)
    for name, before in (
        ("explain", "train"),
        ("localize", "explain"),
        ("score", "explain"),
        ("report", "score"),
    ):
        with pytest.raises(RunError, match=f"run `hilum {before}"):
            stage(name, tmp_path)


def test_films_that_cannot_be_read_are_listed_and_the_rest_goes_on(
    phantoms: Path, tiny_recipe: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    shutil.copytree(phantoms, data)
    films = sorted((data / "images").iterdir())
    films[0].write_bytes(films[0].read_bytes()[:-16])
    films[1].write_text("<html>")
    outcome = study(str(tiny_recipe), data, tmp_path / "run", {"training.epochs": "1"})
    assert set(outcome.failures) == {films[0].name, films[1].name}
    listed = read_csv(tmp_path / "run" / "failures.csv")
    assert [line["film"] for line in listed] == sorted(outcome.failures)
    assert films[0].name not in (tmp_path / "run" / "probabilities.csv").read_text()
