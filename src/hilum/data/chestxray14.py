"""ChestX-ray14 as it lies on disk -> a Cohort: both releases of the table, the official lists, the boxes.

Facts about the files: Wang et al., CVPR 2017 (arXiv:1705.02315) and the tables of 2017 and 2020 themselves.
"""

import csv
import math
import os
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64

from hilum.boxes import BoxTable, no_boxes
from hilum.data.cohort import Cohort
from hilum.errors import DataError, TableError
from hilum.files import sha256
from hilum.findings import CHESTXRAY14, NO_FINDING, canonical

FRAME_HW = (1024, 1024)
"""The frame of the box list, whatever the size of the files."""

IMAGE_TABLES = ("Data_Entry_2017_v2020.csv", "Data_Entry_2017.csv")
BOX_TABLE = "BBox_List_2017.csv"
LISTS = {"train": "train_val_list.txt", "test": "test_list.txt"}
_AGE = re.compile(r"(\d{1,3})([YMWD])")
_YEARS = {"Y": 1.0, "M": 1 / 12, "W": 1 / 52, "D": 1 / 365}


def load(folder: Path, findings: Sequence[str] = CHESTXRAY14) -> Cohort:
    """All films of the image table, with the official sides "train" (train_val) and "test".

    Films that are not on disk keep their row with an empty path: a partial download is no failure.

    Args:
        folder: Holds the tables and lists; films may lie in any folder below it.
        findings: Label columns wanted, in order; "No Finding" may be one of them.

    Raises:
        TableError: A table is missing, lacks a column, or has a row that makes no sense.
        DataError: No film of the table is on disk.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; it should hold {IMAGE_TABLES[0]} and the films")
    table = next((folder / name for name in IMAGE_TABLES if (folder / name).is_file()), None)
    if table is None:
        raise TableError(f"{folder}: neither {IMAGE_TABLES[0]} nor {IMAGE_TABLES[1]} is there")
    rows = _rows(table)
    films = np.array([row["Image Index"] for row in rows])
    _refuse_repeats(films, table)
    ages, mended = _ages([row["Patient Age"] for row in rows], films)
    row_of = {film: row for row, film in enumerate(films.tolist())}
    boxes_path = folder / BOX_TABLE
    has_boxes, phantom = boxes_path.is_file(), folder / "phantom.json"
    split = _official_split(folder, row_of)
    read = [
        table,
        *(folder / name for name in LISTS.values()),
        *(path for path in (boxes_path, phantom) if path.is_file()),
    ]
    return Cohort(
        films=films,
        paths=_paths(folder, row_of),
        findings=tuple(findings),
        labels=_labels([row["Finding Labels"] for row in rows], findings, table),
        patient=np.array([row["Patient ID"] for row in rows]),
        view=_known([row["View Position"] for row in rows], ("PA", "AP")),
        age=ages,
        sex=_known([row["Patient Gender"] for row in rows], ("F", "M")),
        split=split,
        reference=_boxes(boxes_path, row_of, findings) if has_boxes else no_boxes(),
        frame_hw=FRAME_HW,
        source="phantoms" if phantom.is_file() else "ChestX-ray14",
        box_release=(("phantom " if phantom.is_file() else "") + boxes_path.stem) if has_boxes else "",
        split_name="official lists",
        tables={path.name: sha256(path) for path in read},
        mended=tuple(mended),
    )


def _rows(path: Path) -> list[dict[str, str]]:
    """Rows of the image table by column name; the 2017 release ends its lines with a comma."""
    wanted = ("Image Index", "Finding Labels", "Patient ID", "Patient Age", "Patient Gender", "View Position")
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            lines = csv.reader(stream)
            header = [name.strip() for name in next(lines, [])]
            missing = [name for name in wanted if name not in header]
            if missing:
                raise TableError(f"{path}: column {missing[0]!r} is missing; found {header}")
            places = [header.index(name) for name in wanted]
            rows = []
            for number, line in enumerate(lines, start=2):
                if len(line) <= max(places):
                    if not any(line):
                        continue
                    raise TableError(
                        f"{path}, line {number}: {len(line)} fields where {len(header)} are named"
                    )
                rows.append({name: line[place].strip() for name, place in zip(wanted, places, strict=True)})
    except (UnicodeDecodeError, csv.Error) as error:
        raise TableError(f"{path}: not a UTF-8 table: {error}") from error
    if not rows:
        raise TableError(f"{path}: holds no film")
    return rows


def _refuse_repeats(films: np.ndarray, table: Path) -> None:
    names, counts = np.unique(films, return_counts=True)
    if (counts > 1).any():
        raise TableError(f"{table}: film {names[counts > 1][0]!r} stands in it {counts.max()} times")


def _labels(texts: Sequence[str], findings: Sequence[str], table: Path) -> Float32[np.ndarray, "n f"]:
    column = {name: place for place, name in enumerate(findings)}
    known = {*CHESTXRAY14, NO_FINDING}
    labels = np.zeros((len(texts), len(findings)), np.float32)
    for row, text in enumerate(texts):
        for name in map(canonical, text.split("|")):
            if name not in known:
                raise TableError(f"{table}, line {row + 2}: unknown finding {name!r}")
            if name in column:
                labels[row, column[name]] = 1.0
    return labels


def _ages(texts: Sequence[str], films: np.ndarray) -> tuple[Float64[np.ndarray, " n"], list[str]]:
    """Ages in years; those above 100 or unreadable become unknown and are listed."""
    ages, mended = np.full(len(texts), math.nan), []
    for row, text in enumerate(texts):
        match = _AGE.fullmatch(text)
        number = float(match[1]) * _YEARS[match[2]] if match else float(text) if text.isdigit() else math.nan
        if number <= 100:
            ages[row] = number
        else:
            mended.append(f"{films[row]}: age {text!r} set to unknown")
    return ages, mended


def _known(values: Sequence[str], allowed: tuple[str, ...]) -> np.ndarray:
    return np.array([value if value in allowed else "" for value in values])


def _official_split(folder: Path, row_of: dict[str, int]) -> np.ndarray:
    split = np.full(len(row_of), "", dtype="<U5")
    for side, name in LISTS.items():
        path = folder / name
        if not path.is_file():
            raise TableError(f"{path}: the official list is missing")
        listed = path.read_text(encoding="utf-8-sig").split()
        unknown = [film for film in listed if film not in row_of]
        if unknown:
            raise TableError(f"{path}: {len(unknown)} films are not in the image table, first {unknown[0]!r}")
        rows = [row_of[film] for film in listed]
        if (split[rows] != "").any():
            raise TableError(f"{path}: a film stands on both official lists")
        split[rows] = side
    return split


def _boxes(path: Path, row_of: dict[str, int], findings: Sequence[str]) -> BoxTable:
    """Reference boxes; columns by position, because the header of this file has nine names for six fields."""
    columns = {name: place for place, name in enumerate(findings)}
    image, finding, corners = [], [], []
    with path.open(encoding="utf-8-sig", newline="") as stream:
        for number, line in enumerate(csv.reader(stream), start=1):
            if number == 1 or not any(line):
                continue
            try:
                x, y, width, height = (float(field) for field in line[2:6])
                row = row_of[line[0].strip()]
            except (ValueError, KeyError) as error:
                raise TableError(f"{path}, line {number}: no box of a known film: {line[:6]}") from error
            if not (width > 0 and height > 0 and math.isfinite(x + y + width + height)):
                raise TableError(f"{path}, line {number}: a box of {width} x {height} px")
            if canonical(line[1]) in columns:
                image.append(row)
                finding.append(columns[canonical(line[1])])
                corners.append((x, y, x + width, y + height))
    return BoxTable(
        np.array(image, np.int64),
        np.array(finding, np.int64),
        np.array(corners, float).reshape(-1, 4),
        np.full(len(image), math.nan),
    )


def _paths(folder: Path, row_of: dict[str, int]) -> np.ndarray:
    """The file of each film that is on disk; of several copies the largest, films being lossless PNG."""
    copies = defaultdict(list)
    skipped = {"masks", "regions"}  # beside the films of a phantom cohort, under the films' own names
    for place, inner, names in os.walk(folder):
        inner[:] = sorted(name for name in inner if name not in skipped and not name.startswith("."))
        for name in names:
            if name in row_of:
                copies[name].append(os.path.join(place, name))
    if not copies:
        raise DataError(f"{folder}: none of the {len(row_of)} films of the table is in it or below it")
    paths = np.full(len(row_of), "", dtype=object)
    for name, found in copies.items():
        paths[row_of[name]] = found[0] if len(found) == 1 else max(found, key=_side_px)
    return paths.astype(str)


def _side_px(path: str) -> int:
    with open(path, "rb") as stream:
        return int.from_bytes(stream.read(20)[16:20], "big")
