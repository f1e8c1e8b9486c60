"""Cells of a grid are ordinary runs; seeds and splits are pooled as the papers print them, and clean."""

import math
from pathlib import Path

import numpy as np
import pytest

from hilum.errors import UsageError
from hilum.recipe import parse
from hilum.study.folder import RunFolder, read_boxes, read_csv, read_json
from hilum.study.grid import grid
from hilum.study.heatmap_files import read_maps
from hilum.study.opening import open_films

SPLITS = {"data.split": ["random(0.6, 0.2)"], "data.split_seed": [3, 4], "explain.pairs": ["every_box"]}


@pytest.fixture(scope="module")
def seeds(tiny_recipe: Path, phantoms: Path, tmp_path_factory: pytest.TempPathFactory):
    out = tmp_path_factory.mktemp("grid")
    return out, grid(str(tiny_recipe), phantoms, out, {"training.seed": [0, 1]}, {"training.epochs": "1"})


@pytest.fixture(scope="module")
def splits(tiny_recipe: Path, phantoms: Path, tmp_path_factory: pytest.TempPathFactory):
    out = tmp_path_factory.mktemp("splits")
    return out, grid(str(tiny_recipe), phantoms, out, SPLITS, {"training.epochs": "1"})


def test_every_cell_is_a_whole_run(seeds) -> None:
    out, record = seeds
    assert [cell.name for cell in record.cells] == ["seed=0", "seed=1"]
    assert all((out / cell.name / "report.html").is_file() for cell in record.cells)
    assert [cell.settings["training.seed"] for cell in record.cells[1:]] == [1]
    lines = read_csv(out / "grid.csv")
    assert [line["cell"] for line in lines] == ["seed=0", "seed=1"]
    assert [line["chosen"] for line in lines].count("true") == 1
    figures = {cell.name: cell.best("val_auroc") for cell in record.cells}
    assert record.chosen == max(figures, key=lambda name: figures[name])
    for line, cell in zip(lines, record.cells, strict=True):
        own = read_json(out / cell.name / "scores.json")["scores"]
        mean = next(s["value"] for s in own if s["metric"] == "auroc" and s["finding"] is None)
        assert float(line["AUROC"]) == pytest.approx(mean, abs=1e-5)
    assert "seed=1" in (out / "grid.html").read_text()


def test_seeds_are_pooled_with_their_spread(seeds) -> None:
    out, record = seeds
    values = []
    for cell in record.cells:
        own = read_json(out / cell.name / "scores.json")["scores"]
        values.append(next(s["value"] for s in own if s["metric"] == "auroc" and s["finding"] is None))
    (row,) = [r for r in record.pooled if (r.metric, r.finding) == ("auroc", None)]
    assert (row.over, row.films, row.n_runs) == ("training.seed", "same test films", 2)
    assert row.mean == pytest.approx(np.mean(values), abs=1e-6)
    assert row.spread == pytest.approx(np.std(values, ddof=1), abs=1e-6)
    known = [r for r in record.pooled if not math.isnan(r.low)]  # not of findings with hardly a film
    assert {r.metric for r in known} >= {"t_iou", "mean_iou_macro"}
    assert all(0 <= r.low <= r.mean <= r.high <= 1 for r in known)
    assert {r.metric for r in record.pooled} == {"auroc", "t_iou", "mean_iou_macro"}
    assert len(read_csv(out / "pooled.csv")) == len(record.pooled)


def test_a_second_start_runs_nothing_again(seeds, tiny_recipe, phantoms, monkeypatch) -> None:
    out, record = seeds
    monkeypatch.setattr("hilum.study.grid.run_recipe", lambda *_: pytest.fail("it was done"))
    again = grid(str(tiny_recipe), phantoms, out, {"training.seed": [0, 1]}, {"training.epochs": "1"})
    assert repr(again) == repr(record)  # where there is NaN, which equals nothing


def test_splits_are_pooled_as_printed_and_clean(splits) -> None:
    out, record = splits
    printed = {r.finding: r for r in record.pooled if r.films == "all boxes for every model" and r.at == 0.1}
    clean = {r.finding: r for r in record.pooled if r.films == "own test films" and r.metric == "t_iou"}
    for cell in record.cells:
        folder = RunFolder(out / cell.name)
        recipe = parse(folder.recipe.read_text(), "recipe")
        cohort = open_films(Path(read_json(folder.record)["data"]), recipe.data).cohort
        stored = read_maps(folder, recipe.explain.methods[0], cohort)
        made = set(zip(stored.image.tolist(), stored.finding.tolist(), strict=True))
        reference = cohort.reference
        assert made >= set(zip(reference.image.tolist(), reference.finding.tolist(), strict=True))
        boxes = read_boxes(folder, cohort)[recipe.explain.methods[0], recipe.localize.rules[0].name]
        assert (cohort.split[boxes.image] == "train").any()  # whose boxes the printed numbers count
    assert printed
    assert clean
    (auroc,) = [r for r in record.pooled if (r.metric, r.finding) == ("auroc", None)]
    assert auroc.films == "own test films"
    assert math.isnan(auroc.low)


def test_a_cell_that_fails_leaves_the_others(tiny_recipe, phantoms, tmp_path) -> None:
    axes = {"training.learning_rate": [1e-3, 1e30]}
    record = grid(str(tiny_recipe), phantoms, tmp_path, axes, {"training.epochs": "1"})
    good, bad = record.cells
    assert not good.error
    assert "diverged" in bad.error
    assert record.chosen == good.name
    assert "1 of 2 cells failed" in (tmp_path / "grid.html").read_text()


def test_a_cell_that_is_no_recipe_stops_before_any_work(tiny_recipe, phantoms, tmp_path) -> None:
    with pytest.raises(UsageError, match="no such setting"):
        grid(str(tiny_recipe), phantoms, tmp_path / "out", {"trainin.seed": [1]})
    assert not (tmp_path / "out").exists()
