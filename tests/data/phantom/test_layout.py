"""A folder of phantoms reads like ChestX-ray14, comes out the same however it is made, survives a kill."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hilum.data.chestxray14 import load
from hilum.data.phantom import write
from hilum.errors import DiskError, UsageError
from hilum.findings import CHESTXRAY14


def _bytes(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_the_reader_of_chestxray14_opens_it(cohort_folder: Path) -> None:
    cohort = load(cohort_folder)
    assert len(cohort) == 400
    assert cohort.on_disk.all()
    assert {*cohort.split.tolist()} == {"train", "test"}
    assert 0.2 < (cohort.split == "test").mean() < 0.3
    boxed = np.unique(cohort.reference.image)
    assert (cohort.split[boxed] == "test").all()
    assert set(cohort.reference.finding.tolist()) == set(range(len(CHESTXRAY14)))
    pairs = np.stack([cohort.reference.image, cohort.reference.finding], axis=1)
    assert len(np.unique(pairs, axis=0)) < len(pairs)  # one row a lesion


def test_no_patient_is_on_both_sides_and_some_have_several_films(cohort_folder: Path) -> None:
    cohort = load(cohort_folder)
    sides = [set(cohort.patient[cohort.split == side].tolist()) for side in ("train", "test")]
    assert not sides[0] & sides[1]
    _, films = np.unique(cohort.patient, return_counts=True)
    assert films.max() >= 4
    assert (films == 1).any()


def test_bits_of_the_mask_are_the_labels_and_hold_the_boxes(cohort_folder: Path) -> None:
    cohort = load(cohort_folder)
    for row in range(0, 400, 7):
        mask = cv2.imread(str(cohort_folder / "masks" / cohort.films[row]), cv2.IMREAD_UNCHANGED)
        assert mask.dtype == np.uint16
        shown = [k for k in range(14) if (mask >> k & 1).any()]
        assert shown == np.flatnonzero(cohort.labels[row] == 1).tolist()
        regions = cv2.imread(str(cohort_folder / "regions" / cohort.films[row]), cv2.IMREAD_UNCHANGED)
        assert [k for k in range(8) if (regions >> k & 1).any()] == [0, 1, 2, 3]
    reference = cohort.reference
    for image, finding, box in zip(reference.image, reference.finding, reference.xyxy, strict=True):
        mask = cv2.imread(str(cohort_folder / "masks" / cohort.films[image]), cv2.IMREAD_UNCHANGED)
        x0, y0, x1, y1 = np.round(box * 64 / 1024).astype(int)
        assert (mask[y0:y1, x0:x1] >> finding & 1).any()


def test_workers_and_length_change_no_film(tmp_path: Path) -> None:
    write(tmp_path / "one", films=40, size=64, seed=4)
    write(tmp_path / "two", films=40, size=64, seed=4, workers=2)
    assert _bytes(tmp_path / "one") == _bytes(tmp_path / "two")
    write(tmp_path / "few", films=20, size=64, seed=4)
    films = _bytes(tmp_path / "few" / "images")
    assert films.items() <= _bytes(tmp_path / "one" / "images").items()
    write(tmp_path / "other", films=20, size=64, seed=5)
    assert not films.items() & _bytes(tmp_path / "other" / "images").items()


class _Kill(BaseException):
    pass


def test_a_killed_call_goes_on_and_ends_the_same(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise _Kill

    with pytest.raises(_Kill):
        write(tmp_path / "killed", films=40, size=64, seed=4, progress=stop)
    assert not (tmp_path / "killed" / "Data_Entry_2017_v2020.csv").exists()
    told: list[int] = []
    write(tmp_path / "killed", films=40, size=64, seed=4, progress=lambda done, total: told.append(done))
    assert told == [40]
    write(tmp_path / "whole", films=40, size=64, seed=4)
    assert _bytes(tmp_path / "killed") == _bytes(tmp_path / "whole")


def test_a_finished_folder_costs_nothing_and_another_one_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "p", films=5, size=64, seed=4)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "p").rglob("*")}
    write(tmp_path / "p", films=5, size=64, seed=4)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "p").rglob("*")} == before
    with pytest.raises(UsageError, match="holds other phantoms"):
        write(tmp_path / "p", films=5, size=64, seed=5)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="is not empty"):
        write(tmp_path / "mine", films=5, size=64, seed=4)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("wrong", [{"films": 0}, {"size": 32}, {"size": 2048}, {"seed": -1}, {"workers": 0}])
def test_numbers_out_of_range_are_refused(tmp_path: Path, wrong: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="cannot draw"):
        write(tmp_path / "p", **{"films": 5, "size": 64, "seed": 0, **wrong})
    assert not (tmp_path / "p").exists()


def test_a_full_disk_is_said_before_anything_is_written(tmp_path, monkeypatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(DiskError):
        write(tmp_path / "p", films=5, size=64, seed=0)
    assert not (tmp_path / "p").exists()


def test_what_was_asked_for_is_noted(cohort_folder: Path) -> None:
    noted = json.loads((cohort_folder / "phantom.json").read_text())
    assert {name: noted[name] for name in ("films", "size", "seed")} == {"films": 400, "size": 64, "seed": 3}


def test_thumbnails_tell_little(cohort_folder: Path) -> None:
    cohort = load(cohort_folder)
    films = [cv2.imread(str(cohort_folder / "images" / name), cv2.IMREAD_GRAYSCALE) for name in cohort.films]
    thumbnails = np.array([cv2.resize(f, (16, 16), interpolation=cv2.INTER_AREA).ravel() for f in films])
    train, test = cohort.split != "test", cohort.split == "test"
    aurocs = []
    for labels in (cohort.labels == 1).T:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.003, max_iter=300))
        model.fit(thumbnails[train], labels[train])
        aurocs.append(roc_auc_score(labels[test], model.predict_proba(thumbnails[test])[:, 1]))
    assert np.mean(aurocs) < 0.78
