"""Phantoms in the layout of RSNA stage 2 say what the phantoms say, in the challenge's own odd ways."""

import csv
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest

from hilum.data.chestxray14 import load
from hilum.data.phantom import layout
from hilum.data.phantom.rsna_layout import write
from hilum.errors import UsageError
from hilum.findings import CHESTXRAY14

OPACITIES = {"Infiltration", "Pneumonia", "Consolidation"}


@pytest.fixture(scope="module")
def folder(phantoms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("rsna")
    write(phantoms, out, seed=3)
    return out


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def _ids(folder: Path) -> dict[str, str]:
    """Challenge id of each phantom."""
    records = json.loads((folder / "pneumonia-challenge-dataset-mappings_2018.json").read_text())
    return {record["img_id"]: record["subset_img_id"] for record in records}


def _bytes(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_classes_follow_the_findings(phantoms: Path, folder: Path) -> None:
    cohort, ids = load(phantoms), _ids(folder)
    class_of = {row["patientId"]: row["class"] for row in _rows(folder / "stage_2_detailed_class_info.csv")}
    assert set(class_of.values()) == {"Lung Opacity", "No Lung Opacity / Not Normal", "Normal"}
    assert len(class_of) == len(ids) == len(cohort) == 80
    for film, labels in zip(cohort.films.tolist(), cohort.labels, strict=True):
        names = {CHESTXRAY14[place] for place in np.flatnonzero(labels)}
        assert class_of[ids[film]].startswith(
            "Lung" if names & OPACITIES else "No Lung" if names else "Normal"
        )


def test_boxes_are_whole_and_hold_the_masks(tmp_path: Path) -> None:
    side, unit = 100, 10.24
    layout.write(tmp_path / "drawn", films=40, size=side, seed=5)
    write(tmp_path / "drawn", tmp_path / "rsna", seed=3)
    film_of = {number: film for film, number in _ids(tmp_path / "rsna").items()}
    wanted = sum(1 << CHESTXRAY14.index(name) for name in OPACITIES)
    low, high = np.arange(side) * unit, np.arange(1, side + 1) * unit
    held: dict[str, np.ndarray] = {}
    rows = _rows(tmp_path / "rsna" / "stage_2_train_labels.csv")
    for row in rows:
        if row["Target"] == "0":
            assert not any(row[name] for name in ("x", "y", "width", "height"))
            continue
        x, y, width, height = (float(row[name]) for name in ("x", "y", "width", "height"))
        assert all(number.is_integer() for number in (x, y, width, height))
        assert min(x, y) >= 0
        assert max(x + width, y + height) <= 1024
        down, across = (low >= y) & (high <= y + height), (low >= x) & (high <= x + width)
        held.setdefault(row["patientId"], np.zeros((side, side), bool))[np.ix_(down, across)] = True
    assert len(held) > 5
    assert sum(row["Target"] == "1" for row in rows) > len(held)
    for number, inside in held.items():
        mask = cv2.imread(str(tmp_path / "drawn" / "masks" / film_of[number]), cv2.IMREAD_UNCHANGED)
        assert not (((mask & wanted) > 0) & ~inside).any()


def test_a_film_is_what_the_challenge_wrote(phantoms: Path, folder: Path) -> None:
    cohort, ids = load(phantoms), _ids(folder)
    for row in range(0, 80, 16):
        number = ids[str(cohort.films[row])]
        film = pydicom.dcmread(folder / "stage_2_train_images" / f"{number}.dcm")
        assert film.PatientAge == str(int(cohort.age[row]))
        assert film.file_meta.TransferSyntaxUID.name == "JPEG Baseline (Process 1)"
        assert film.SOPClassUID.name == "Secondary Capture Image Storage"
        assert (film.PatientID, film.ViewPosition, film.PatientSex) == (
            number,
            cohort.view[row],
            cohort.sex[row],
        )
        for uid in (film.SOPInstanceUID, film.StudyInstanceUID, film.SeriesInstanceUID):
            assert uid.is_valid
            assert uid.startswith("2.25.")
        assert film.file_meta.ImplementationClassUID.startswith("2.25.")
        (frame,) = pydicom.encaps.generate_frames(film.PixelData, number_of_frames=1)
        grey = cv2.imdecode(np.frombuffer(frame, np.uint8), cv2.IMREAD_UNCHANGED)
        original = cv2.imread(str(cohort.paths[row]), cv2.IMREAD_UNCHANGED)
        assert grey.shape == original.shape == (film.Rows, film.Columns)
        assert np.abs(grey.astype(float) - original).mean() < 4


def test_the_same_seed_gives_the_same_bytes(phantoms: Path, folder: Path, tmp_path: Path) -> None:
    write(phantoms, tmp_path / "again", seed=3)
    assert _bytes(tmp_path / "again") == _bytes(folder)
    write(phantoms, tmp_path / "again", seed=3)
    write(phantoms, tmp_path / "other", seed=4)
    assert not set(_ids(tmp_path / "other").values()) & set(_ids(folder).values())


def test_what_cannot_be_written_is_refused(phantoms: Path, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="is not empty"):
        write(phantoms, tmp_path / "mine", seed=3)
    with pytest.raises(UsageError, match="holds other phantoms"):
        write(phantoms, folder, seed=4)
    with pytest.raises(UsageError, match="holds no phantoms of version"):
        write(tmp_path / "mine", tmp_path / "out", seed=3)
    shutil.copytree(phantoms, tmp_path / "old")
    (tmp_path / "old" / "phantom.json").write_text('{"films": 80, "size": 64, "seed": 5, "version": 1}')
    with pytest.raises(UsageError, match="holds no phantoms of version"):
        write(tmp_path / "old", tmp_path / "out", seed=3)
    assert not (tmp_path / "out").exists()
