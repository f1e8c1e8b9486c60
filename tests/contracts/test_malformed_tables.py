"""Every reader, every way a table goes wrong: the right reading or a typed error, soon and small."""

import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from hilum.data import chestxray14, chexpert, manifest, rsna
from hilum.data.cohort import Cohort, with_films
from hilum.data.tables import MAX_LINE
from hilum.errors import DataError, TableError

SECONDS, MEGABYTES = 1.0, 300


@dataclass(frozen=True)
class Case:
    """A small folder that a reader opens.

    Attributes:
        load: The reader.
        folder: The folder.
        table: Its table of films, whose last line may not stand there twice.
        boxes: Its list of boxes, if the reader has one of its own.
        box: A line of a box from four numbers.
    """

    load: Callable[[Path], Cohort]
    folder: Path
    table: Path
    boxes: Path | None
    box: Callable[[str, str, str, str], str]


def _film(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((8, 8), 90, np.uint8))


def _chestxray14(folder: Path) -> Case:
    for name in "abc":
        _film(folder / "images" / f"{name}.png")
    table, boxes = folder / "Data_Entry_2017_v2020.csv", folder / "BBox_List_2017.csv"
    table.write_text(
        "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position\n"
        "a.png,Mass,0,1,58,F,PA\nb.png,Mass|Nodule,0,2,59,M,AP\nc.png,No Finding,1,1,60,F,AP\n"
    )
    boxes.write_text("Image Index,Finding Label,Bbox [x,y,w,h],,,\na.png,Mass,1,2,3,4\n")
    (folder / "train_val_list.txt").write_text("b.png")
    (folder / "test_list.txt").write_text("a.png\nc.png")
    return Case(chestxray14.load, folder, table, boxes, lambda *box: f"a.png,Mass,{','.join(box)}")


def _rsna(folder: Path) -> Case:
    films = folder / "stage_2_train_images"
    films.mkdir()
    for name in "abc":
        (films / f"{name}.dcm").touch()
    table = folder / "stage_2_train_labels.csv"
    table.write_text("patientId,x,y,width,height,Target\na,1,2,3,4,1\na,5,6,7,8,1\nb,,,,,0\nc,,,,,0\n")
    classes = "patientId,class\na,Lung Opacity\na,Lung Opacity\nb,Normal\nc,No Lung Opacity / Not Normal\n"
    (folder / "stage_2_detailed_class_info.csv").write_text(classes)
    return Case(rsna.load, folder, table, table, lambda *box: f"a,{','.join(box)},1")


def _manifest(folder: Path) -> Case:
    for name in "abc":
        _film(folder / f"{name}.png")
    table, boxes = folder / "films.csv", folder / "boxes.csv"
    table.write_text("path,patient,age,Mass,Nodule\na.png,1,58,1,0\nb.png,2,59,-1,\nc.png,1,60,0,1\n")
    boxes.write_text("film,finding,x,y,width,height\na.png,Mass,1,2,3,4\n")
    return Case(manifest.load, folder, table, boxes, lambda *box: f"a.png,Mass,{','.join(box)}")


def _chexpert(folder: Path) -> Case:
    table = folder / "train.csv"
    lines = [",".join(("Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *chexpert.OBSERVATIONS))]
    for number, cells in enumerate(("1.0,,,0.0,,,,-1.0,,,,,,", ",,,,,,,,,,,,1.0,")):
        name = f"train/patient{number}/study1/view1_frontal.jpg"
        _film(folder / name)
        lines.append(f"CheXpert-v1.0-small/{name},Male,50,Frontal,AP,{cells}")
    table.write_text("\n".join(lines) + "\n")
    return Case(chexpert.load, folder, table, None, lambda *box: "")


READERS = {"chestxray14": _chestxray14, "rsna": _rsna, "manifest": _manifest, "chexpert": _chexpert}
WITH_BOXES = ("chestxray14", "rsna", "manifest")


def test_every_reader_is_here() -> None:
    from hilum.data import DATASETS

    assert set(DATASETS) <= set(READERS)
    assert len(READERS) == 4


@pytest.fixture
def case(request, tmp_path, monkeypatch) -> Case:
    monkeypatch.setenv("HILUM_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "folder"
    folder.mkdir()
    return READERS[request.param](folder)


@contextmanager
def soon_and_small() -> Iterator[None]:
    tracemalloc.start()
    start = time.perf_counter()
    try:
        yield
        took, peak = time.perf_counter() - start, tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()
    assert took < SECONDS
    assert peak < MEGABYTES


def _turned(text: str) -> str:
    return "".join(",".join(line.split(",")[::-1]) + "\n" for line in text.splitlines())


HARMLESS = {
    "byte order mark": lambda text: "\ufeff" + text,
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "trailing commas": lambda text: text.replace("\n", ",\n"),
    "trailing commas below the header": lambda text: text.replace("\n", ",,\n").replace(",,\n", "\n", 1),
    "empty lines": lambda text: text.replace("\n", "\n\n") + "\n,,,\n\n",
    "no newline at the end": lambda text: text.removesuffix("\n"),
    "quotes": lambda text: "".join(
        ",".join(f'"{cell}"' for cell in line.split(",")) + "\n" for line in text.splitlines()
    ),
    "columns in another order": _turned,
}


@pytest.mark.parametrize("case", READERS, indirect=True)
@pytest.mark.parametrize("change", HARMLESS.values(), ids=HARMLESS)
def test_the_right_reading(case: Case, change: Callable[[str], str]) -> None:
    expected = case.load(case.folder)
    case.table.write_text(change(case.table.read_text()), newline="")
    with soon_and_small():
        cohort = case.load(case.folder)
    order = [cohort.findings.index(name) for name in expected.findings]
    np.testing.assert_array_equal(cohort.labels[:, order], expected.labels)
    for column in ("films", "paths", "patient", "view", "age", "sex", "split"):
        np.testing.assert_array_equal(getattr(cohort, column), getattr(expected, column))
    assert cohort.reference.image.tolist() == expected.reference.image.tolist()
    np.testing.assert_array_equal(cohort.reference.xyxy, expected.reference.xyxy)


HARMFUL = {
    "empty": lambda text: b"",
    "header alone": lambda text: text.splitlines()[0].encode(),
    "no header": lambda text: "\n".join(text.splitlines()[1:]).encode(),
    "a film twice": lambda text: (text + text.splitlines()[-1] + "\n").encode(),
    "a cut line": lambda text: (text + ",".join(text.splitlines()[1].split(",")[:2])).encode(),
    "bytes": lambda text: text.encode() + b"\xff\xfe\x00\n",
    "UTF-16": lambda text: text.encode("utf-16"),
    "a quote that is never closed": lambda text: text.replace("\n", '\n"', 1).encode(),
    "semicolons": lambda text: text.replace(",", ";").encode(),
    "html": lambda text: b"<html><body>Not found</body></html>",
    "an endless line": lambda text: text.encode() + b"x" * 50_000_000,
    "an endless header": lambda text: b"x," * 25_000_000,
    "a quarter of a million columns": lambda text: b"x," * 249_999 + b"\n" + b"1," * 249_999,
    "an endless cell": lambda text: text.encode() + b'"' + b"x\n" * (MAX_LINE // 2),
}


@pytest.mark.parametrize("case", READERS, indirect=True)
@pytest.mark.parametrize("change", HARMFUL.values(), ids=HARMFUL)
def test_a_typed_error(case: Case, change: Callable[[str], bytes]) -> None:
    case.table.write_bytes(change(case.table.read_text()))
    with soon_and_small(), pytest.raises(TableError, match=case.table.name):
        case.load(case.folder)


BAD_BOXES = {
    "NaN": ("nan", "2", "3", "4"),
    "infinite": ("1", "2", "inf", "4"),
    "no number": ("1", "2", "3", "wide"),
    "negative": ("1", "2", "3", "-4"),
    "empty": ("1", "2", "0", "4"),
    "left of the film": ("-5", "2", "3", "4"),
    "below the film": ("1", "1020", "3", "40"),
}


@pytest.mark.parametrize("case", WITH_BOXES, indirect=True)
@pytest.mark.parametrize("box", BAD_BOXES.values(), ids=BAD_BOXES)
def test_a_box_that_makes_no_sense(case: Case, box: tuple[str, str, str, str]) -> None:
    assert case.boxes is not None
    lines = case.boxes.read_text().splitlines()
    case.boxes.write_text("\n".join((*lines, case.box("1", "2", "3", "4"))))
    case.load(case.folder)
    case.boxes.write_text("\n".join((*lines, case.box(*box))))
    with soon_and_small(), pytest.raises(TableError, match=rf"{case.boxes.name}, line {len(lines) + 1}: "):
        case.load(case.folder)


@pytest.mark.parametrize("case", READERS, indirect=True)
def test_missing_files(case: Case) -> None:
    films = [path for path in case.folder.rglob("*") if path.suffix in (".png", ".dcm", ".jpg")]
    here = case.load(case.folder).on_disk
    assert here.all()
    films[0].unlink()
    assert len(case.load(case.folder)) == len(here)
    for film in films[1:]:
        film.unlink()
    with soon_and_small():
        without = case.load(case.folder)
    assert len(without) == len(here)
    with pytest.raises(DataError, match=f"none of the {len(here)}"):
        with_films(without, case.folder)
