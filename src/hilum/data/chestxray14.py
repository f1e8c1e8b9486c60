"""ChestX-ray14 as it lies on disk -> a Cohort: both releases of the table, the official lists, the boxes.

Facts about the files: Wang et al., CVPR 2017 (arXiv:1705.02315) and the tables of 2017 and 2020 themselves.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float32

from hilum.boxes import BoxTable, no_boxes
from hilum.data.box_lists import boxes_from
from hilum.data.cohort import Cohort
from hilum.data.tables import ages_from, columns_of, files_below, known, lines_of, refuse_repeats
from hilum.errors import DataError, TableError
from hilum.files import sha256
from hilum.findings import CHESTXRAY14, NO_FINDING, canonical

FRAME_HW = (1024, 1024)
"""The frame of the box list, whatever the size of the files."""

IMAGE_TABLES = ("Data_Entry_2017_v2020.csv", "Data_Entry_2017.csv")
BOX_TABLE = "BBox_List_2017.csv"
LISTS = {"train": "train_val_list.txt", "test": "test_list.txt"}
_COLUMNS = ("Image Index", "Finding Labels", "Patient ID", "Patient Age", "Patient Gender", "View Position")
_BESIDE = ("masks", "regions")  # folders of a phantom cohort whose files bear the films' names
_LABELLED = (*CHESTXRAY14, NO_FINDING)


def load(folder: Path, normal: Literal["", "no_finding"] = "") -> Cohort:
    """All films of the image table, with the official sides "train" (train_val) and "test".

    Films that are not on disk keep their row with an empty path: a partial download is no failure.

    Args:
        folder: Holds the tables and lists; films may lie in any folder below it.
        normal: "no_finding" makes "No Finding" a 15th column, after the 14 findings.

    Raises:
        TableError: A table is missing, lacks a column, or has a row that makes no sense.
        DataError: No such folder.
    """
    findings = _LABELLED if normal else CHESTXRAY14
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; it should hold {IMAGE_TABLES[0]} and the films")
    table = next((folder / name for name in IMAGE_TABLES if (folder / name).is_file()), None)
    if table is None:
        raise TableError(f"{folder}: neither {IMAGE_TABLES[0]} nor {IMAGE_TABLES[1]} is there")
    columns = columns_of(table, _COLUMNS)
    films = np.array(columns["Image Index"])
    refuse_repeats(films, table)
    ages, mended = ages_from(columns["Patient Age"], films)
    row_of = {film: row for row, film in enumerate(films.tolist())}
    boxes_path = folder / BOX_TABLE
    has_boxes, phantom = boxes_path.is_file(), folder / "phantom.json"
    split = _official_split(folder, row_of)
    path_of, chosen = files_below(folder, row_of, _BESIDE)
    read = [
        table,
        *(folder / name for name in LISTS.values()),
        *(path for path in (boxes_path, phantom) if path.is_file()),
    ]
    return Cohort(
        films=films,
        paths=np.array([path_of.get(film, "") for film in films.tolist()]),
        findings=findings,
        labels=_labels(columns["Finding Labels"], films, findings, table),
        patient=np.array(columns["Patient ID"]),
        view=known(columns["View Position"], ("PA", "AP")),
        age=ages,
        sex=known(columns["Patient Gender"], ("F", "M")),
        split=split,
        reference=_boxes(boxes_path, row_of, findings) if has_boxes else no_boxes(),
        frame_hw=FRAME_HW,
        source="phantoms" if phantom.is_file() else "ChestX-ray14",
        box_release=(("phantom " if phantom.is_file() else "") + boxes_path.stem) if has_boxes else "",
        split_name="official lists",
        tables={path.name: sha256(path) for path in read},
        mended=tuple(mended),
        chosen=tuple(chosen),
    )


def _labels(
    texts: Sequence[str], films: np.ndarray, findings: Sequence[str], table: Path
) -> Float32[np.ndarray, "n f"]:
    column = {name: place for place, name in enumerate(findings)}
    labels = np.zeros((len(texts), len(findings)), np.float32)
    for row, text in enumerate(texts):
        names = [canonical(name) for name in text.split("|")]
        for name in names:
            if name not in _LABELLED:
                raise TableError(f"{table}, film {str(films[row])!r}: unknown finding {name!r}")
            if name in column:
                labels[row, column[name]] = 1.0
        if NO_FINDING in names and len(names) > 1:
            raise TableError(f"{table}, film {str(films[row])!r}: {text!r} contradicts itself")
    return labels


def _official_split(folder: Path, row_of: dict[str, int]) -> np.ndarray:
    split = np.full(len(row_of), "", dtype="<U5")
    for side, name in LISTS.items():
        path = folder / name
        if not path.is_file():
            raise TableError(f"{path}: the official list is missing")
        try:
            listed = path.read_text(encoding="utf-8-sig").split()
        except (OSError, UnicodeDecodeError) as error:
            raise TableError(f"{path}: not a UTF-8 list: {error}") from error
        unknown = [film for film in listed if film not in row_of]
        if unknown:
            raise TableError(f"{path}: {len(unknown)} films are not in the image table, first {unknown[0]!r}")
        rows = [row_of[film] for film in listed]
        twice = [film for film, other in zip(listed, split[rows], strict=True) if other]
        if twice:
            raise TableError(f"{path}: {len(twice)} films stand on both official lists, first {twice[0]!r}")
        split[rows] = side
    return split


def _boxes(path: Path, row_of: dict[str, int], findings: Sequence[str]) -> BoxTable:
    """Reference boxes; columns by position, because the header of this file has nine names for six fields."""
    header, lines = lines_of(path)
    if header[:2] != ["Image Index", "Finding Label"]:
        raise TableError(f"{path}: columns 'Image Index', 'Finding Label' must come first; found {header}")
    entries = ((f"{path}, line {number}", line) for number, line in lines)
    return boxes_from(entries, row_of, findings, _LABELLED, lambda _: FRAME_HW)
