"""Every reader of films, on phantoms that lie in its layout."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

from hilum.boxes import area
from hilum.data import DATASETS, MARKS, Cohort, dataset_from, dataset_in
from hilum.data.chestxray14 import load
from hilum.data.phantom import rsna_layout, write
from hilum.errors import DataError

FILMS, SIDE = 24, 64


def _chestxray14(out: Path, _phantoms: Path) -> None:
    write(out, films=FILMS, size=SIDE, seed=5)


def _rsna(out: Path, phantoms: Path) -> None:
    rsna_layout.write(phantoms, out, seed=5)


def _table(path: Path, rows: list[dict[str, object]]) -> None:
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _manifest(out: Path, phantoms: Path) -> None:
    cohort = load(phantoms)
    shutil.copytree(phantoms / "images", out / "images")
    about = zip(cohort.films, cohort.patient, cohort.split, cohort.labels.astype(int).tolist(), strict=True)
    _table(
        out / "films.csv",
        [
            {"path": f"images/{film}", "patient": patient, "split": split}
            | dict(zip(cohort.findings, labels, strict=True))
            for film, patient, split, labels in about
        ],
    )
    corners = cohort.reference.xyxy * SIDE / 1024
    named = zip(cohort.films[cohort.reference.image], cohort.reference.finding, corners, strict=True)
    _table(
        out / "boxes.csv",
        [
            {"path": f"images/{film}", "finding": cohort.findings[finding]}
            | {"x": x_min, "y": y_min, "width": x_max - x_min, "height": y_max - y_min}
            for film, finding, (x_min, y_min, x_max, y_max) in named
        ],
    )


def _chexpert(out: Path, phantoms: Path) -> None:
    cohort = load(phantoms)
    for side, name in (("train", "train"), ("test", "valid")):
        rows = []
        for row in cohort.side(side):
            place = Path(name, f"patient{int(cohort.patient[row]):05d}", "study1", cohort.films[row])
            (out / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(cohort.paths[row], out / place)
            labels = dict.fromkeys(CHEXPERT, "") | {"Edema": "-1.0", "Cardiomegaly": "1.0"}
            about = {"Sex": "Female", "Age": 40, "Frontal/Lateral": "Frontal", "AP/PA": "AP"}
            rows.append({"Path": f"CheXpert-v1.0-small/{place}"} | about | labels)
        _table(out / f"{name}.csv", rows)


CHEXPERT = (
    *("No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion", "Edema"),
    *("Consolidation", "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion", "Pleural Other"),
    *("Fracture", "Support Devices"),
)
LAYOUTS = {"chestxray14": _chestxray14, "chexpert": _chexpert, "manifest": _manifest, "rsna": _rsna}
"""What writes phantoms in each reader's layout."""
OPTIONS = ("chestxray14(no_finding)", "chexpert(zeros)", "manifest(ones)", "rsna(keep)")
N_FINDINGS = {"chestxray14": 14, "chexpert": 14, "manifest": 14, "rsna": 1}
WITHOUT_SIDES, WITHOUT_BOXES = ("rsna",), ("chexpert",)


def test_the_table_is_whole() -> None:
    assert sorted(DATASETS) == sorted(LAYOUTS) == sorted(N_FINDINGS)
    assert len(DATASETS) == 4


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Phantoms as their own layout has them."""
    folder = tmp_path_factory.mktemp("phantoms")
    write(folder, films=FILMS, size=SIDE, seed=5)
    return folder


@pytest.fixture(scope="module", params=DATASETS)
def layout(
    request: pytest.FixtureRequest, phantoms: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    """Name of a reader, and a folder in its layout."""
    folder = tmp_path_factory.mktemp(request.param)
    LAYOUTS[request.param](folder, phantoms)
    return request.param, folder


@pytest.fixture(scope="module")
def opened(layout: tuple[str, Path]) -> tuple[str, Cohort]:
    """Name of a reader, and what it read."""
    name, folder = layout
    return name, DATASETS[name](folder)


def test_every_film_is_there_and_has_a_name_of_its_own(opened) -> None:
    name, cohort = opened
    assert 0 < len(cohort) <= FILMS
    assert len(cohort) == FILMS or name == "rsna"  # which drops what is neither normal nor an opacity
    assert len(set(cohort.films.tolist())) == len(cohort)
    assert cohort.on_disk.all()
    assert all(Path(path).is_file() for path in cohort.paths)


def test_labels_are_known(opened) -> None:
    name, cohort = opened
    assert len(cohort.findings) == N_FINDINGS[name]
    assert set(np.unique(cohort.labels)) <= {0.0, 1.0}
    assert (cohort.labels == 1).any()


def test_sides_have_their_own_patients(opened) -> None:
    name, cohort = opened
    train, test = (set(cohort.patient[cohort.side(side)]) for side in ("train", "test"))
    assert not train & test
    if name in WITHOUT_SIDES:
        assert set(cohort.split) == {""}
        assert not cohort.split_name
    else:
        assert train
        assert test
        assert cohort.split_name


def test_boxes_lie_in_the_named_frame_on_films_that_show_the_finding(opened) -> None:
    name, cohort = opened
    boxes = cohort.reference
    assert bool(len(boxes)) == bool(cohort.box_release) == (name not in WITHOUT_BOXES)
    assert (area(boxes.xyxy) > 0).all()
    assert (boxes.xyxy >= 0).all()
    assert (boxes.xyxy <= np.array([*cohort.frame_hw[::-1]] * 2) + 1e-9).all()
    assert (cohort.labels[boxes.image, boxes.finding] == 1).all()


def test_what_was_read_is_on_record(opened) -> None:
    _, cohort = opened
    assert cohort.source
    assert cohort.tables
    assert all(len(checksum) == 64 for checksum in cohort.tables.values())


@pytest.mark.parametrize("dataset", DATASETS)
def test_an_empty_folder_is_a_data_error(dataset: str, tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(DataError, match=str(folder)):
            DATASETS[dataset](folder)


def test_findings_are_chosen_by_name(opened) -> None:
    _, cohort = opened
    wanted = cohort.findings[::-1][:3]
    places = [cohort.findings.index(finding) for finding in wanted]
    np.testing.assert_array_equal(cohort.of_findings(wanted).labels, cohort.labels[:, places])


@pytest.mark.parametrize("text", OPTIONS)
def test_options_are_part_of_the_name(text: str, phantoms: Path, tmp_path: Path) -> None:
    name = text.partition("(")[0]
    LAYOUTS[name](tmp_path, phantoms)
    plain, other = DATASETS[name](tmp_path), dataset_from(text)(tmp_path)
    assert len(other) >= len(plain)
    assert other.on_disk.all()


def test_an_option_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match=r"dataset 'rsna\(maybe\)': not_normal is one of drop, keep"):
        dataset_from("rsna(maybe)")
    with pytest.raises(ValueError, match="unknown dataset 'rsnaa'; did you mean 'rsna'"):
        dataset_from("rsnaa")


def test_a_layout_is_known_by_its_tables(layout, tmp_path: Path) -> None:
    name, folder = layout
    assert sorted(MARKS) == sorted(DATASETS)
    assert dataset_in(folder) == name
    with pytest.raises(DataError, match="nowhere: no such folder"):
        dataset_in(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"no table that is known \(known: Data_Entry_2017_v2020\.csv"):
        dataset_in(tmp_path)
    for other in ("chexpert", "manifest"):
        (tmp_path / MARKS[other][0]).touch()
    with pytest.raises(DataError, match="tables of chexpert and of manifest are in it; name one"):
        dataset_in(tmp_path)
