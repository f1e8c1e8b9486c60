"""CheXpert's tables: uncertain and empty cells, lateral films, sides, where the films lie."""

import gzip
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from hilum.data import chestxray14
from hilum.data.chexpert import OBSERVATIONS, load
from hilum.errors import DataError, SplitError, TableError

HEADER = ",".join(("Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *OBSERVATIONS))
RELEASE = "CheXpert-v1.0-small"


def _line(path: str, about: str, **labels: str) -> str:
    cells = [labels.get(name.replace(" ", "_"), "") for name in OBSERVATIONS]
    return ",".join((f"{RELEASE}/{path}", about, *cells))


TRAIN = (
    _line(
        "train/patient00001/study1/view1_frontal.jpg", "Female,68,Frontal,AP", Edema="1.0", Fracture="-1.0"
    ),
    _line("train/patient00001/study2/view1_frontal.jpg", "Female,69,Frontal,PA", Edema="0.0"),
    _line("train/patient00001/study2/view2_lateral.jpg", "Female,69,Lateral,", Edema="0.0"),
    _line("train/patient00002/study1/view1_frontal.jpg", "Unknown,0,Frontal,LL", No_Finding="1.0"),
)
VALID = (_line("valid/patient64541/study1/view1_frontal.jpg", "Male,73,Frontal,AP", Pleural_Effusion="1.0"),)


@pytest.fixture
def folder(tmp_path: Path, phantoms: Path) -> Path:
    """The small release with films that are phantoms."""
    films = chestxray14.load(phantoms).paths
    for number, line in enumerate((*TRAIN, *VALID)):
        path = tmp_path / line.partition(",")[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), cv2.imread(str(films[number]), cv2.IMREAD_GRAYSCALE))
    _tables(tmp_path)
    return tmp_path


def _tables(folder: Path, train: tuple[str, ...] = TRAIN, valid: tuple[str, ...] = VALID) -> None:
    (folder / "train.csv").write_text("\n".join((HEADER, *train)) + "\n")
    (folder / "valid.csv").write_text("\n".join((HEADER, *valid)) + "\n")


def test_frontal_films_of_both_tables(folder: Path) -> None:
    cohort = load(folder)
    assert cohort.films.tolist() == [
        "train/patient00001/study1/view1_frontal.jpg",
        "train/patient00001/study2/view1_frontal.jpg",
        "train/patient00002/study1/view1_frontal.jpg",
        "valid/patient64541/study1/view1_frontal.jpg",
    ]
    assert cohort.on_disk.all()
    assert cohort.findings == OBSERVATIONS
    assert cohort.patient.tolist() == ["patient00001", "patient00001", "patient00002", "patient64541"]
    assert cohort.split.tolist() == ["train", "train", "train", "test"]
    assert cohort.view.tolist() == ["AP", "PA", "", "AP"]
    assert cohort.sex.tolist() == ["F", "F", "", "M"]
    assert cohort.age.tolist() == [68, 69, 0, 73]
    assert (cohort.source, cohort.split_name) == ("CheXpert", "CheXpert train.csv and valid.csv")
    assert cohort.chosen == ("1 lateral films are left out",)
    assert sorted(cohort.tables) == ["train.csv", "valid.csv"]
    assert (len(cohort.reference), cohort.frame_hw) == (0, (1024, 1024))


@pytest.mark.parametrize(("uncertain", "label"), [("ones", 1.0), ("zeros", 0.0), ("ignore", np.nan)])
def test_empty_is_absent_and_uncertain_is_what_was_asked_for(folder, uncertain, label) -> None:
    labels = load(folder, uncertain).labels
    fracture, edema = OBSERVATIONS.index("Fracture"), OBSERVATIONS.index("Edema")
    np.testing.assert_array_equal(labels[0, fracture], label)
    labels[0, fracture] = 0
    assert labels[0].nonzero()[0].tolist() == [edema]
    assert labels.sum(axis=1).tolist() == [1, 0, 1, 1]
    assert labels[3, OBSERVATIONS.index("Pleural Effusion")] == 1


def test_ones_unless_asked_otherwise(folder: Path) -> None:
    np.testing.assert_array_equal(load(folder).labels, load(folder, "ones").labels)


def test_films_without_the_folder_of_the_release(folder: Path) -> None:
    before = load(folder)
    for side in ("train", "valid"):
        shutil.move(folder / RELEASE / side, folder / side)
    (folder / RELEASE).rmdir()
    cohort = load(folder)
    assert cohort.on_disk.all()
    assert cohort.films.tolist() == before.films.tolist()
    _tables(folder, *(tuple(line.removeprefix(f"{RELEASE}/") for line in table) for table in (TRAIN, VALID)))
    assert load(folder).paths.tolist() == cohort.paths.tolist()


def test_without_the_validation_table_there_is_no_test_side(folder: Path) -> None:
    (folder / "valid.csv").unlink()
    cohort = load(folder)
    assert (set(cohort.split.tolist()), cohort.split_name) == ({"train"}, "CheXpert train.csv")


def test_a_partial_download_keeps_its_rows(folder: Path) -> None:
    shutil.rmtree(folder / RELEASE / "train" / "patient00001")
    assert load(folder).on_disk.tolist() == [False, False, True, True]
    shutil.rmtree(folder / RELEASE)
    assert not load(folder).on_disk.any()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            _line("train/patient3/s/v.jpg", "Male,7,Frontal,AP", Edema="maybe"),
            "line 6, column 'Edema': 'maybe'",
        ),
        (
            _line("train/patient3/s/v.jpg", "Male,7,Oblique,AP"),
            "line 6: no Frontal or Lateral film of a patient: .*'Oblique'",
        ),
        (
            _line("../patient3/s/v.jpg", "Male,7,Frontal,AP"),
            r"line 6: no Frontal or Lateral film of a patient: .*\.\./",
        ),
        (
            _line("train/p3/s/v.jpg", "Male,7,Frontal,AP"),
            "line 6: no Frontal or Lateral film of a patient: .*p3",
        ),
        (TRAIN[0], "film 'train/patient00001/study1/view1_frontal.jpg' stands in it 2 times"),
        ("CheXpert-v1.0-small/train/patient3/s/v.jpg,Male", "line 6: 2 fields where 19 are named"),
    ],
)
def test_a_row_that_makes_no_sense(folder: Path, line: str, message: str) -> None:
    _tables(folder, (*TRAIN, line))
    with pytest.raises(TableError, match=rf"train\.csv[:,] {message}"):
        load(folder)


def test_a_patient_in_both_tables(folder: Path) -> None:
    _tables(folder, valid=(TRAIN[0],))
    with pytest.raises(SplitError, match="'patient00001'"):
        load(folder)


def test_no_folder_no_table_no_frontal_film(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        load(tmp_path / "nowhere")
    _tables(folder, TRAIN[2:3], ())
    with pytest.raises(TableError, match=r"train\.csv: holds no frontal film"):
        load(folder)
    (folder / "train.csv").write_text(HEADER.replace("Edema", "Oedema"))
    with pytest.raises(TableError, match="column 'Edema' is missing"):
        load(folder)
    (folder / "train.csv").unlink()
    with pytest.raises(TableError, match=r"train\.csv is not there"):
        load(folder)


@pytest.mark.slow
def test_the_whole_table(published_tables: Path, tmp_path: Path) -> None:
    """Counts of the authors' table: 223,414 films of 64,540 patients, 191,027 of them frontal."""
    (tmp_path / "train.csv").write_bytes(
        gzip.decompress((published_tables / "chexpert_train.csv.gz").read_bytes())
    )
    first = tmp_path / "train" / "patient00001" / "study1" / "view1_frontal.jpg"
    first.parent.mkdir(parents=True)
    first.write_bytes(b"")
    cohort = load(tmp_path)
    assert len(cohort) == 191_027
    assert cohort.on_disk.sum() == 1
    assert "32,387 lateral films are left out" in " ".join(cohort.chosen)
    assert {view: int((cohort.view == view).sum()) for view in ("AP", "PA")} == {"AP": 161_590, "PA": 29_420}
    assert set(cohort.split) == {"train"}
    uncertain = np.isnan(load(tmp_path, "ignore").labels)
    assert uncertain.any(axis=0).sum() == 13  # all but "No Finding"
    assert (cohort.labels[uncertain] == 1).all()
