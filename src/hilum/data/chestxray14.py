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
from hilum.findings import CHESTXRAY14, NO_FINDING, canonical, positions

FRAME_HW = (1024, 1024)
"""The frame of the box list, whatever the size of the files."""

IMAGE_TABLES = ("Data_Entry_2017_v2020.csv", "Data_Entry_2017.csv")
BOX_TABLE = "BBox_List_2017.csv"
LISTS = {"train": "train_val_list.txt", "test": "test_list.txt"}
_LABELLED = (*CHESTXRAY14, NO_FINDING)
_AGE = re.compile(r"(\d+(?:\.\d*)?)([YMWD]?)", re.ASCII)
_YEARS = {"": 1.0, "Y": 1.0, "M": 1 / 12, "W": 1 / 52, "D": 1 / 365}


def load(folder: Path, findings: Sequence[str] = CHESTXRAY14) -> Cohort:
    """All films of the image table, with the official sides "train" (train_val) and "test".

    Films that are not on disk keep their row with an empty path: a partial download is no failure.

    Args:
        folder: Holds the tables and lists; films may lie in any folder below it.
        findings: Label columns wanted, in order; "No Finding" may be one of them.

    Raises:
        ValueError: A finding that ChestX-ray14 does not label, or one asked for twice.
        TableError: A table is missing, lacks a column, or has a row that makes no sense.
        DataError: No film of the table is on disk.
    """
    findings = tuple(map(canonical, findings))
    positions(findings, _LABELLED)
    if len(set(findings)) != len(findings):
        raise ValueError(f"a finding stands twice in {list(findings)}")
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; it should hold {IMAGE_TABLES[0]} and the films")
    table = next((folder / name for name in IMAGE_TABLES if (folder / name).is_file()), None)
    if table is None:
        raise TableError(f"{folder}: neither {IMAGE_TABLES[0]} nor {IMAGE_TABLES[1]} is there")
    columns = _columns(table)
    films = np.array(columns["Image Index"])
    _refuse_repeats(films, table)
    ages, mended = _ages(columns["Patient Age"], films)
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
        findings=findings,
        labels=_labels(columns["Finding Labels"], films, findings, table),
        patient=np.array(columns["Patient ID"]),
        view=_known(columns["View Position"], ("PA", "AP")),
        age=ages,
        sex=_known(columns["Patient Gender"], ("F", "M")),
        split=split,
        reference=_boxes(boxes_path, row_of, findings) if has_boxes else no_boxes(),
        frame_hw=FRAME_HW,
        source="phantoms" if phantom.is_file() else "ChestX-ray14",
        box_release=(("phantom " if phantom.is_file() else "") + boxes_path.stem) if has_boxes else "",
        split_name="official lists",
        tables={path.name: sha256(path) for path in read},
        mended=tuple(mended),
    )


def _columns(path: Path) -> dict[str, list[str]]:
    """Columns of the image table by name; the 2017 release ends its lines with a comma."""
    wanted = ("Image Index", "Finding Labels", "Patient ID", "Patient Age", "Patient Gender", "View Position")
    header, lines = _lines(path)
    missing = [name for name in wanted if name not in header]
    if missing:
        raise TableError(f"{path}: column {missing[0]!r} is missing; found {header}")
    places = [header.index(name) for name in wanted]
    for number, line in lines:
        if len(line) <= max(places):
            raise TableError(f"{path}, line {number}: {len(line)} fields where {len(header)} are named")
    if not lines:
        raise TableError(f"{path}: holds no film")
    return {name: [line[place] for _, line in lines] for name, place in zip(wanted, places, strict=True)}


def _lines(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header's names, and the lines that are not empty with their numbers."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream)
            lines = [(reader.line_num, [field.strip() for field in line]) for line in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TableError(f"{path}: not a UTF-8 table: {error}") from error
    return lines[0][1] if lines else [], [(number, line) for number, line in lines[1:] if any(line)]


def _refuse_repeats(films: np.ndarray, table: Path) -> None:
    names, counts = np.unique(films, return_counts=True)
    if (counts > 1).any():
        first, n_times = str(names[counts > 1][0]), counts[counts > 1][0]
        raise TableError(f"{table}: film {first!r} stands in it {n_times} times")


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


def _ages(texts: Sequence[str], films: np.ndarray) -> tuple[Float64[np.ndarray, " n"], list[str]]:
    """Ages in years; those above 100 or unreadable become unknown and are listed."""
    ages, mended = np.full(len(texts), math.nan), []
    for row, text in enumerate(texts):
        match = _AGE.fullmatch(text)
        number = float(match[1]) * _YEARS[match[2]] if match else math.nan
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
    columns = {name: place for place, name in enumerate(findings)}
    image, finding, corners = [], [], []
    header, lines = _lines(path)
    if header[:2] != ["Image Index", "Finding Label"]:
        raise TableError(f"{path}: columns 'Image Index', 'Finding Label' must come first; found {header}")
    for number, line in lines:
        try:
            x, y, width, height = (float(field) for field in line[2:6])
            row, name = row_of[line[0]], canonical(line[1])
        except (ValueError, KeyError) as error:
            raise TableError(f"{path}, line {number}: no box of a known film: {line[:6]}") from error
        if name not in _LABELLED:
            raise TableError(f"{path}, line {number}: unknown finding {name!r}")
        if not (width > 0 and height > 0 and math.isfinite(x + y + width + height)):
            raise TableError(f"{path}, line {number}: a box of {width} x {height} px at {x}, {y}")
        if min(x, y) <= -1 or max(x + width - FRAME_HW[1], y + height - FRAME_HW[0]) >= 1:
            raise TableError(f"{path}, line {number}: a box {line[2:6]} leaves the frame of {FRAME_HW} px")
        if name in columns:
            image.append(row)
            finding.append(columns[name])
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
    seen = set()
    for place, inner, names in os.walk(folder, followlinks=True):
        if (real := os.path.realpath(place)) in seen:  # a link back up, or two to one folder
            inner.clear()
            continue
        seen.add(real)
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
    """Width that a PNG names in its header; 0 of anything else, so that a PNG is taken before it."""
    try:
        with open(path, "rb") as stream:
            head = stream.read(20)
    except OSError:
        return 0
    return int.from_bytes(head[16:20], "big") if head.startswith(b"\x89PNG") else 0
