"""A folder with films.csv, and boxes.csv or boxes.json if there are boxes -> a Cohort."""

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float32

from hilum.boxes import BoxTable, no_boxes
from hilum.data import radiograph
from hilum.data.box_lists import boxes_from, coco_entries, csv_entries
from hilum.data.cohort import SPLITS, Cohort
from hilum.data.tables import Lines, ages_from, known, lines_of, numbered_columns, refuse_repeats
from hilum.errors import DataError, FilmError, TableError
from hilum.files import sha256
from hilum.findings import canonical
from hilum.lookup import pick

TABLE, BOX_TABLES = "films.csv", ("boxes.csv", "boxes.json")
SQUARE_HW = (1024, 1024)
"""The frame where films with boxes differ in size, and where there are no boxes."""
MAX_COLUMNS = 1_000
"""More findings than any label set has."""

Uncertain = Literal["ones", "zeros", "ignore"]
UNCERTAIN = {"ones": 1.0, "zeros": 0.0, "ignore": math.nan}
"""What an uncertain label, -1, may become."""

_ABOUT = ("film", "patient", "view", "age", "sex", "split")
_SEXES = {"F": "F", "FEMALE": "F", "M": "M", "MALE": "M"}


def load(folder: Path, uncertain: Uncertain = "ignore") -> Cohort:
    """All films of films.csv; every column that says nothing about the film is a finding.

    Cells of a finding are 1, 0, -1 (uncertain) or empty (not mentioned, NaN). Films that are not on disk
    keep their row with an empty path.

    Args:
        folder: Holds films.csv; the paths in it start here.
        uncertain: What -1 becomes: "ones", "zeros", or "ignore" for NaN.

    Raises:
        ValueError: No such reading of uncertain labels.
        TableError: A table lacks a column or has a row that makes no sense, or there are two box lists.
        DataError: No such folder.
    """
    meaning = cell_meanings(uncertain, math.nan)
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; it should hold {TABLE} and the films")
    table = folder / TABLE
    if not table.is_file():
        raise TableError(f"{folder}: {TABLE} is not there")
    header, lines = lines_of(table)
    if len(header) > MAX_COLUMNS:
        raise TableError(f"{table}: {len(header):,} columns; at most {MAX_COLUMNS:,} are read")
    header = [name.lower() if name.lower() in ("path", *_ABOUT) else name for name in header]
    columns = numbered_columns(table, header, lines, ("path",), [n for n in header if n and n != "path"])
    if not lines:
        raise TableError(f"{table}: holds no film")
    about = {name: columns.pop(name) for name in ("path", *_ABOUT) if name in columns}
    findings = _findings(tuple(columns), table)
    films, paths, chosen = _films(about, lines, folder)
    patients, alone = _patients(about.get("patient", []), films)
    stated = [row for row, text in enumerate(about.get("age", [])) if text]
    ages = np.full(len(films), math.nan)
    ages[stated], mended = ages_from([about["age"][row] for row in stated], films[stated])
    boxes, frame_hw, list_path, scaled = _boxes(folder, about["path"], films, paths, findings)
    return Cohort(
        films=films,
        paths=paths,
        findings=findings,
        labels=labels_from(columns, lines, meaning, table),
        patient=patients,
        view=known([cell.upper() for cell in about.get("view", [""] * len(films))], ("PA", "AP")),
        age=ages,
        sex=np.array([_SEXES.get(cell.upper(), "") for cell in about.get("sex", [""] * len(films))]),
        split=_split(about["split"], lines, table) if "split" in about else np.full(len(films), ""),
        reference=boxes,
        frame_hw=frame_hw,
        source=folder.resolve().name,
        box_release=list_path.name if list_path else "",
        split_name=f"as given in {TABLE}" if "split" in about else "",
        tables={path.name: sha256(path) for path in (table, list_path) if path},
        mended=tuple(mended),
        chosen=(*chosen, *alone, *scaled),
    )


def cell_meanings(uncertain: str, empty: float) -> dict[str, float]:
    """The label that each text of a cell stands for.

    Args:
        uncertain: What -1 becomes: "ones", "zeros" or "ignore".
        empty: What an empty cell becomes.

    Raises:
        ValueError: No such reading of uncertain labels.

    Example:
        >>> cell_meanings("ones", 0.0)["-1.0"]
        1.0
    """
    doubtful = pick(UNCERTAIN, uncertain, "reading of uncertain labels")
    return {"": empty, "1": 1.0, "1.0": 1.0, "0": 0.0, "0.0": 0.0, "-1": doubtful, "-1.0": doubtful}


def labels_from(
    columns: Mapping[str, Sequence[str]], lines: Lines, meaning: Mapping[str, float], table: Path
) -> Float32[np.ndarray, "n f"]:
    """Labels of each column, in its order.

    Raises:
        TableError: A cell says none of the things that have a meaning; with its line and column.
    """
    labels = np.empty((len(lines), len(columns)), np.float32)
    for place, (name, cells) in enumerate(columns.items()):
        try:
            labels[:, place] = [meaning[cell] for cell in cells]
        except KeyError:
            row = next(row for row, cell in enumerate(cells) if cell not in meaning)
            raise TableError(
                f"{table}, line {lines[row][0]}, column {name!r}: {cells[row]!r} is not 1, 0, -1 or empty"
            ) from None
    return labels


def is_inside(path: str) -> bool:
    """Whether a path of a table stays in the table's folder: not empty, not absolute, never up by "..".

    Example:
        >>> is_inside("train/a.png"), is_inside("train/../../a.png")
        (True, False)
    """
    return path != "" and path[0] != "/" and (".." not in path or ".." not in path.split("/"))


def _findings(names: Sequence[str], table: Path) -> tuple[str, ...]:
    findings: dict[str, str] = {}
    for name in names:
        if canonical(name) in findings:
            both = findings[canonical(name)], name
            raise TableError(f"{table}: columns {both[0]!r} and {both[1]!r} are the same finding")
        findings[canonical(name)] = name
    if not findings:
        raise TableError(f"{table}: no column names a finding")
    return tuple(findings)


def _films(
    about: Mapping[str, Sequence[str]], lines: Lines, folder: Path
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Names and files of the films."""
    table = folder / TABLE
    inner = about["path"]
    for (number, _), path in zip(lines, inner, strict=True):
        if not is_inside(path):
            raise TableError(f"{table}, line {number}: path {path!r} does not lie in the folder of the table")
    films = np.array([name or inner[row] for row, name in enumerate(about.get("film", inner))])
    refuse_repeats(inner, table)
    refuse_repeats(films, table)
    files = [os.path.join(folder, path) for path in inner]
    paths = np.array([file if os.path.isfile(file) else "" for file in files])
    other = [cell for cell in about.get("view", []) if cell.upper() not in ("", "PA", "AP")]
    chosen = [f"{len(other)} films have a view other than PA or AP ({other[0]!r}): unknown"] if other else []
    return films, paths, chosen


def _patients(names: Sequence[str], films: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """A patient for each film; one that names none counts as a patient of its own."""
    patients = list(names) or [""] * len(films)
    n_unnamed = patients.count("")
    told = [f"{n_unnamed} films name no patient: each counts as a patient of its own"] if n_unnamed else []
    return np.array([name or film for name, film in zip(patients, films.tolist(), strict=True)]), told


def _split(cells: Sequence[str], lines: Lines, table: Path) -> np.ndarray:
    for row, cell in enumerate(cells):
        if cell not in ("", *SPLITS):
            raise TableError(
                f"{table}, line {lines[row][0]}, column 'split': {cell!r} is not {', '.join(SPLITS)} or empty"
            )
    return np.array(cells)


def _boxes(
    folder: Path, inner: Sequence[str], films: np.ndarray, paths: np.ndarray, findings: Sequence[str]
) -> tuple[BoxTable, tuple[int, int], Path | None, list[str]]:
    """Reference boxes, their frame, the list they come from, and what was done to them."""
    lists = [folder / name for name in BOX_TABLES if (folder / name).is_file()]
    if len(lists) > 1:
        raise TableError(f"{folder}: {' and '.join(BOX_TABLES)} are both there; keep one")
    if not lists:
        return no_boxes(), SQUARE_HW, None, []
    row_of = _rows_by_name(films.tolist(), inner, folder / TABLE)
    entries, stated = coco_entries(lists[0]) if lists[0].suffix == ".json" else (csv_entries(lists[0]), {})
    sizes = {row_of[name]: hw for name, hw in stated.items() if name in row_of}
    unplaced = set()

    def size_of(row: int) -> tuple[int, int] | None:
        if row not in sizes and row not in unplaced:
            try:
                sizes[row] = radiograph.header_from(Path(paths[row])).hw
            except FilmError:
                unplaced.add(row)
        return sizes.get(row)

    boxes = boxes_from(entries, row_of, findings, findings, size_of)
    told = []
    if unplaced:
        told = [f"the boxes of {len(unplaced)} films are left out: not on disk or unreadable, so of no size"]
    own_hw = np.array([sizes[row] for row in boxes.image.tolist()], float).reshape(-1, 2)
    if len(np.unique(own_hw, axis=0)) == 1:
        return boxes, (int(own_hw[0, 0]), int(own_hw[0, 1])), lists[0], told
    if len(boxes):
        told.append(f"boxes lie in films of several sizes: scaled from each film's own to {SQUARE_HW} px")
    scale = np.array(SQUARE_HW) / own_hw
    scaled = boxes.xyxy * scale[:, [1, 0, 1, 0]]
    return BoxTable(boxes.image, boxes.finding, scaled, boxes.score), SQUARE_HW, lists[0], told


def _rows_by_name(films: Sequence[str], inner: Sequence[str], table: Path) -> dict[str, int]:
    """Row of each film by its name and by its path."""
    row_of = {film: row for row, film in enumerate(films)}
    for row, path in enumerate(inner):
        if row_of.setdefault(path, row) != row:
            raise TableError(f"{table}: {path!r} is the name of one film and the path of another")
    return row_of
