"""Predictions with known scores, held against the tables of a phantom folder without its films."""

import csv
import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hilum.data import Cohort
from hilum.data.chestxray14 import load
from hilum.errors import DataError, UsageError
from hilum.study.adopt import Adopted, Predictions, adopt, write

Written = Callable[..., Predictions]


@pytest.fixture(scope="module")
def tables(phantoms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tables of the phantoms alone, as of a download that has not begun."""
    folder = tmp_path_factory.mktemp("tables")
    for path in phantoms.iterdir():
        if path.is_file():
            shutil.copy(path, folder / path.name)
    return folder


@pytest.fixture(scope="module")
def cohort(tables: Path) -> Cohort:
    cohort = load(tables)
    assert not cohort.on_disk.any()
    return cohort


def _probabilities(folder: Path, cohort: Cohort, numbers: np.ndarray, rows: np.ndarray | None = None) -> Path:
    path = folder / "probabilities.csv"
    rows = np.arange(len(cohort)) if rows is None else rows
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["image", *(f"prob_{finding}" for finding in cohort.findings)])
        writer.writerows([cohort.films[row], *numbers[row]] for row in rows)
    return path


def _boxes(folder: Path, cohort: Cohort, xyxy: np.ndarray, scale: float = 1.0) -> Path:
    path = folder / "boxes.csv"
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["image", "disease", "x", "y", "w", "h"])
        for image, finding, (x0, y0, x1, y1) in zip(
            cohort.reference.image, cohort.reference.finding, (xyxy * scale).tolist(), strict=True
        ):
            writer.writerow([cohort.films[image], cohort.findings[finding], x0, y0, x1 - x0, y1 - y0])
    return path


def _value(found: Adopted, metric: str, at: float | None = None, finding: str | None = None) -> float:
    (score,) = [
        s for s in found.scores if (s.metric, s.at, s.finding, s.stratum) == (metric, at, finding, None)
    ]
    return score.value


def test_perfect_predictions_score_perfectly(tables, cohort, tmp_path) -> None:
    given = Predictions(
        _probabilities(tmp_path, cohort, cohort.labels.astype(float)),
        _boxes(tmp_path, cohort, cohort.reference.xyxy, 224 / 1024),
        frame_px=224.0,
    )
    found = adopt(tables, given, dataset="chestxray14")
    assert _value(found, "auroc") == 1.0
    assert _value(found, "t_iou", 0.7) == 1.0
    assert _value(found, "mean_iou_micro") == pytest.approx(1.0)
    assert len(found.cohort) == len(cohort)
    assert found.headline == ("as given", "as given")
    boxed = [score for score in found.scores if score.metric == "t_iou"]
    assert {score.protocol.map_target for score in boxed} == {"reference finding"}
    assert {score.protocol.weights_data for score in found.scores} == {"unknown"}
    assert all(np.isnan(score.floor) or score.floor < 1 for score in boxed if score.at == 0.7)


def test_an_entry_without_a_box_counts_as_a_miss(tables, cohort, tmp_path) -> None:
    xyxy = cohort.reference.xyxy.copy()
    xyxy[1:, 2] = xyxy[1:, 0]  # no area
    found = adopt(tables, Predictions(boxes=_boxes(tmp_path, cohort, xyxy)), dataset="chestxray14")
    assert _value(found, "mean_iou_micro") == pytest.approx(1 / len(xyxy))
    assert not any(score.metric == "auroc" for score in found.scores)


def test_maps_that_peak_in_their_boxes(tables, cohort, tmp_path) -> None:
    grid = (np.arange(64) + 0.5) * 16
    for image, finding, (x0, y0, x1, y1) in zip(
        cohort.reference.image, cohort.reference.finding, cohort.reference.xyxy.tolist(), strict=True
    ):
        folder = tmp_path / cohort.findings[finding]
        folder.mkdir(exist_ok=True)
        x, y = (np.exp(-(((grid - (a + b) / 2) / (b - a)) ** 2)) for a, b in ((x0, x1), (y0, y1)))
        np.save(folder / f"{cohort.films[image]}.npy", np.outer(y, x).astype(np.float32))
    found = adopt(tables, Predictions(heatmaps=tmp_path), dataset="chestxray14")
    assert _value(found, "hit_rate") > 0.8  # a box narrower than a cell may lie between two centres
    assert _value(found, "t_iou", 0.1) > 0.7
    assert found.headline == ("as given", "dynamic(87.5)+largest")


def test_films_of_the_train_list_are_scored_and_told(tables, cohort, tmp_path) -> None:
    rng = np.random.default_rng(0)
    given = Predictions(_probabilities(tmp_path, cohort, rng.uniform(size=cohort.labels.shape)))
    every = adopt(tables, given, dataset="chestxray14")
    n_test = int((cohort.split == "test").sum())
    told = f"{len(cohort) - n_test:,} of the {len(cohort):,} scored films are on the train list"
    assert any(told in warning for warning in every.warnings)
    assert {score.protocol.split for score in every.scores} == {"films of any list"}
    tested = adopt(tables, given, dataset="chestxray14", only_test=True)
    assert len(tested.cohort) == n_test
    assert not any("train list" in warning for warning in tested.warnings)
    (auroc,) = [s for s in tested.scores if (s.metric, s.finding, s.stratum) == ("auroc", None, None)]
    assert auroc.protocol.films == "phantoms, test films"
    assert auroc.protocol.complete == f"{len(cohort):,} of {len(cohort):,} films"
    assert abs(auroc.value - 0.5) < 0.15


def test_a_part_of_the_test_list_is_not_the_list(tables, cohort, tmp_path) -> None:
    rows = cohort.side("test")[:-3]
    rng = np.random.default_rng(0)
    given = Predictions(_probabilities(tmp_path, cohort, rng.uniform(size=cohort.labels.shape), rows))
    found = adopt(tables, given, dataset="chestxray14", only_test=True)
    assert {s.protocol.complete for s in found.scores} == {f"{len(rows):,} of {len(rows) + 3:,} films"}
    assert any("3 films of the test list have no prediction" in warning for warning in found.warnings)


def test_boxes_stay_with_their_films_when_few_are_scored(tables, cohort, tmp_path) -> None:
    image = int(cohort.reference.image[-1])
    numbers = np.full(cohort.labels.shape, 0.5)
    given = Predictions(
        _probabilities(tmp_path, cohort, numbers, np.array([image])),
        _boxes(tmp_path, cohort, cohort.reference.xyxy),
    )
    found = adopt(tables, given, dataset="chestxray14")
    assert len(found.cohort) == 1
    assert _value(found, "mean_iou_micro") == pytest.approx(1.0)


def test_what_is_written(tables, cohort, tmp_path) -> None:
    given = Predictions(
        _probabilities(tmp_path, cohort, np.random.default_rng(0).uniform(size=cohort.labels.shape)),
        _boxes(tmp_path, cohort, cohort.reference.xyxy + 20),
    )
    found = adopt(tables, given, dataset="chestxray14")
    page = write(found, tmp_path / "new" / "out")
    assert sorted(path.name for path in page.parent.iterdir()) == [
        "figures",
        "report.html",
        "scores.csv",
        "scores.json",
        "tables",
    ]
    assert (page.parent / "tables" / "t_iou.tex").is_file()
    assert (page.parent / "figures" / "roc.svg").is_file()
    text = page.read_text()
    assert "Predictions made elsewhere" in text
    assert "for diagnosis" in text
    assert "http://" not in text.replace("http://www.w3.org", "")
    content = json.loads((page.parent / "scores.json").read_text())
    assert len(content["scores"]) + len(content["strata"]) == len(found.scores)
    boxes_only = adopt(tables, Predictions(boxes=given.boxes), dataset="chestxray14")
    assert write(boxes_only, tmp_path / "boxes").is_file()
    alone = dataclasses.replace(given, boxes=None)
    assert write(adopt(tables, alone, dataset="chestxray14"), tmp_path / "alone").is_file()


def test_what_is_refused(tables, tmp_path) -> None:
    with pytest.raises(UsageError, match="nothing to score; give --probabilities, --boxes or --heatmaps"):
        adopt(tables, Predictions(), dataset="chestxray14")
    with pytest.raises(UsageError, match=r"--frame 0; .* above 0"):
        adopt(tables, Predictions(boxes=tmp_path / "b.csv", frame_px=0.0), dataset="chestxray14")


def test_data_without_a_test_list(tmp_path) -> None:
    (tmp_path / "films.csv").write_text("path,Effusion\na.png,1\nb.png,0\n")
    (tmp_path / "p.csv").write_text("image,Effusion\na.png,0.9\nb.png,0.2\n")
    given = Predictions(tmp_path / "p.csv")
    found = adopt(tmp_path, given, dataset="manifest")
    assert _value(found, "auroc", None, "Effusion") == 1.0
    with pytest.raises(DataError, match="names no test films here; leave --split out"):
        adopt(tmp_path, given, dataset="manifest", only_test=True)
