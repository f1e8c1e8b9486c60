"""CheXpert's train.csv and valid.csv with the films beside them -> a Cohort of the frontal films."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from hilum.boxes import no_boxes
from hilum.data.cohort import Cohort
from hilum.data.manifest import SQUARE_HW, Uncertain, cell_meanings, is_inside, labels_from
from hilum.data.tables import ages_from, known, lines_of, numbered_columns, refuse_repeats
from hilum.errors import DataError, TableError
from hilum.files import sha256

OBSERVATIONS = (
    "No Finding",
    "Enlarged Cardiomediastinum",
    "Cardiomegaly",
    "Lung Opacity",
    "Lung Lesion",
    "Edema",
    "Consolidation",
    "Pneumonia",
    "Atelectasis",
    "Pneumothorax",
    "Pleural Effusion",
    "Pleural Other",
    "Fracture",
    "Support Devices",
)
"""The 14 observations under their own names: "Pleural Effusion" is not turned into another set's word."""

SIDES = {"train.csv": "train", "valid.csv": "test"}
"""Side of each table. The public validation films were labelled by radiologists: they are the test side."""

_ABOUT = ("Sex", "Age", "AP/PA")
_VIEWS = ("Frontal", "Lateral")
_PATH = re.compile(r"(?:(.+)/)?([^/]+/(patient[^/]+)/.+)")  # folder of the release, film, patient


def load(folder: Path, uncertain: Uncertain = "ones") -> Cohort:
    """The frontal films of both tables; validation films are to be carved from the side "train".

    An empty cell is 0: in Irvin et al. 2019 the loss leaves out uncertain labels only, so that what a
    report does not mention counts as absent. An age of 0 is taken as it stands.

    Source: Irvin et al., AAAI 2019 (arXiv:1901.07031), who name the readings of -1 U-Ones, U-Zeroes
    and U-Ignore.

    Args:
        folder: Holds train.csv, valid.csv if it is to be tested, and `train/` and `valid/`; paths in the
            tables may begin with one more folder, `CheXpert-v1.0-small`.
        uncertain: What -1 becomes: "ones", "zeros", or "ignore" for NaN.

    Raises:
        ValueError: No such reading of uncertain labels.
        TableError: A table is missing, lacks a column, or has a row that makes no sense.
        DataError: No such folder.
    """
    meaning = cell_meanings(uncertain, 0.0)
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; it should hold train.csv and the films")
    if not (folder / "train.csv").is_file():
        raise TableError(f"{folder}: train.csv is not there")
    tables = [folder / name for name in SIDES if (folder / name).is_file()]
    parts = [_frontal(table, meaning) for table in tables]
    about = {name: [cell for columns, *_ in parts for cell in columns[name]] for name in parts[0][0]}
    if not about["film"]:
        raise TableError(f"{tables[0]}: holds no frontal film")
    films = np.array(about["film"])
    paths = _files(folder, about["release"], about["film"])
    ages, mended = ages_from(about["Age"], films)
    sides = [SIDES[table.name] for table in tables]
    n_lateral = sum(n for *_, n in parts)
    return Cohort(
        films=films,
        paths=paths,
        findings=OBSERVATIONS,
        labels=np.concatenate([labels for _, labels, _ in parts]),
        patient=np.array(about["patient"]),
        view=known(about["AP/PA"], ("PA", "AP")),
        age=ages,
        sex=np.array([{"Female": "F", "Male": "M"}.get(cell, "") for cell in about["Sex"]]),
        split=np.repeat(sides, [len(labels) for _, labels, _ in parts]),
        reference=no_boxes(),
        frame_hw=SQUARE_HW,
        source="CheXpert",
        split_name=f"CheXpert {' and '.join(table.name for table in tables)}",
        tables={table.name: sha256(table) for table in tables},
        mended=tuple(mended),
        chosen=(f"{n_lateral:,} lateral films are left out",) if n_lateral else (),
    )


def _frontal(
    table: Path, meaning: Mapping[str, float]
) -> tuple[dict[str, list[str]], Float32[np.ndarray, "n f"], int]:
    """What a table says of its frontal films, their labels, and how many lateral films it names."""
    header, lines = lines_of(table)
    columns = numbered_columns(table, header, lines, ("Path", "Frontal/Lateral", *_ABOUT, *OBSERVATIONS))
    labels = labels_from({name: columns[name] for name in OBSERVATIONS}, lines, meaning, table)
    rows, releases, films, patients = [], [], [], []
    for row, (path, view) in enumerate(zip(columns["Path"], columns["Frontal/Lateral"], strict=True)):
        match = _PATH.fullmatch(path)
        if match is None or not is_inside(path) or view not in _VIEWS:
            where = f"{table}, line {lines[row][0]}"
            raise TableError(f"{where}: no {' or '.join(_VIEWS)} film of a patient: {path!r}, {view!r}")
        if view == "Frontal":
            rows.append(row)
            releases.append(match[1] or "")
            films.append(match[2])
            patients.append(match[3])
    refuse_repeats(films, table)
    about = {"release": releases, "film": films, "patient": patients}
    about |= {name: [columns[name][row] for row in rows] for name in _ABOUT}
    return about, labels[rows], len(lines) - len(rows)


def _files(folder: Path, releases: Sequence[str], films: Sequence[str]) -> np.ndarray:
    """File of each film, below the folder of its release or without it; empty where it is not there."""
    inner = {name: str(folder / name if (folder / name).is_dir() else folder) for name in set(releases)}
    files = (f"{inner[release]}/{film}" for release, film in zip(releases, films, strict=True))
    return np.array([file if os.path.isfile(file) else "" for file in files])
