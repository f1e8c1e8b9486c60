"""RSNA Pneumonia stage 2 as it lies on disk -> a Cohort: DICOM films, labels, classes, boxes.

Facts about the files: Shih et al. 2019 (Radiology: Artificial Intelligence 1, e180041) and the tables
themselves. The films are a part of ChestX-ray14: train on one and test on the other only by NIH patient.
"""

import json
import math
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np

from hilum.data import radiograph
from hilum.data.box_lists import Entry, boxes_from, json_from, numbered_columns
from hilum.data.cohort import Cohort
from hilum.data.store import cache_folder
from hilum.data.tables import files_below, lines_of
from hilum.errors import DataError, FilmError, TableError
from hilum.files import digest, sha256, stamp, write_text
from hilum.lookup import pick

FRAME_HW = (1024, 1024)
"""The frame of the boxes: that of every film of the challenge."""
FINDING = "Pneumonia"

LABEL_TABLE, CLASS_TABLE = "stage_2_train_labels.csv", "stage_2_detailed_class_info.csv"
MAPPINGS = ("pneumonia-challenge-dataset-mappings_2018.json", "pneumonia-challenge-dataset-mappings_2018.csv")
"""Which NIH film each film is; published with the challenge as json."""

OPACITY, NOT_NORMAL, NORMAL = "Lung Opacity", "No Lung Opacity / Not Normal", "Normal"
NotNormal = Literal["drop", "keep"]
KEEPS_NOT_NORMAL = {"drop": False, "keep": True}

_TARGETS = {"0": 0.0, "0.0": 0.0, "1": 1.0, "1.0": 1.0}
_BOX = ("x", "y", "width", "height")
_READING = 1
"""Counts up when headers are read in another way, so that what was kept of them is read again."""

_Facts = tuple[str, float | None, str] | list | None
"""View, age and sex of a film; None where its header cannot be read."""


def load(folder: Path, not_normal: NotNormal = "drop") -> Cohort:
    """All films of the label table, one finding, without a split: none was published for them.

    View, age and sex come from the films' headers; a film whose header cannot be read keeps its row with
    all three unknown. Films that are not on disk keep their row with an empty path. The headers are kept
    in the cache folder until a film changes.

    Args:
        folder: Holds the tables; films, `<patientId>.dcm`, may lie in any folder below it.
        not_normal: "drop" leaves out the films of class "No Lung Opacity / Not Normal", "keep" counts
            them as films without pneumonia.

    Raises:
        ValueError: No such way with films that are not normal.
        TableError: A table is missing, lacks a column, contradicts itself or the other one.
        DataError: No film of the table is on disk.
    """
    keeps = pick(KEEPS_NOT_NORMAL, not_normal, "way with films that are not normal")
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; it should hold {LABEL_TABLE} and the films")
    label_path, class_path = _table(folder, LABEL_TABLE), _table(folder, CLASS_TABLE)
    if label_path is None:
        raise TableError(f"{folder}: {LABEL_TABLE} is not there")
    target_of, entries = _targets(label_path)
    left_out, chosen = set(), []
    if class_path is not None:
        class_of = _classes(class_path, target_of)
        left_out = {film for film, name in class_of.items() if name == NOT_NORMAL and not keeps}
    elif not keeps:
        raise TableError(f"{folder}: {CLASS_TABLE} is not there; without it nothing can be dropped")
    if left_out:
        chosen.append(f"{len(left_out):,} films of class {NOT_NORMAL!r} are left out")
    films = [film for film in target_of if film not in left_out]
    row_of = {film: row for row, film in enumerate(films)}
    boxes = boxes_from(entries, row_of, (FINDING,), (FINDING,), lambda _: FRAME_HW)
    mapping = next((folder / name for name in MAPPINGS if (folder / name).is_file()), None)
    patients = _nih_patients(mapping, films) if mapping else films
    if not mapping:
        chosen.append(f"patients are RSNA ids, which hide repeated NIH patients: {MAPPINGS[0]} is not there")
    path_of, copies = files_below(folder, {f"{film}.dcm" for film in films})
    paths = [path_of.get(f"{film}.dcm", "") for film in films]
    views, ages, sexes, n_unread = _headers(films, paths)
    if n_unread:
        chosen.append(f"{n_unread} headers could not be read: view, age and sex of these films are unknown")
    phantom = folder / "phantom.json"
    read = [path for path in (label_path, class_path, mapping, phantom) if path and path.is_file()]
    return Cohort(
        films=np.array(films),
        paths=np.array(paths),
        findings=(FINDING,),
        labels=np.array([[target_of[film]] for film in films], np.float32),
        patient=np.array(patients),
        view=np.array(views),
        age=np.array(ages, float),
        sex=np.array(sexes),
        split=np.full(len(films), "", dtype="<U5"),
        reference=boxes,
        frame_hw=FRAME_HW,
        source="phantoms" if phantom.is_file() else "RSNA Pneumonia stage 2",
        box_release=("phantom " if phantom.is_file() else "") + LABEL_TABLE.removesuffix(".csv"),
        tables={path.name: sha256(path) for path in read},
        chosen=(*chosen, *copies),
    )


def _table(folder: Path, name: str) -> Path | None:
    """The table itself, or in the folder that some programs unpack its archive into."""
    places = (folder / name, folder / name / name, folder / name.removesuffix(".csv") / name)
    return next((path for path in places if path.is_file()), None)


def _targets(path: Path) -> tuple[dict[str, float], list[Entry]]:
    """Label of each film in the order of the table, and its boxes."""
    header, lines = lines_of(path)
    columns = numbered_columns(path, header, lines, ("patientId", *_BOX, "Target"))
    if not lines:
        raise TableError(f"{path}: holds no film")
    target_of: dict[str, float] = {}
    entries = []
    for row, (number, _) in enumerate(lines):
        where, film, text = f"{path}, line {number}", columns["patientId"][row], columns["Target"][row]
        box = [columns[name][row] for name in _BOX]
        if not film or text not in _TARGETS:
            raise TableError(f"{where}: film {film!r} with Target {text!r}; Target is 0 or 1")
        target = _TARGETS[text]
        if target == 1 and not any(box):
            raise TableError(f"{where}: Target 1 without a box")
        if target == 0 and any(box):
            raise TableError(f"{where}: a box {box} with Target 0")
        if film in target_of and not target_of[film] == target == 1:
            raise TableError(
                f"{where}: film {film!r} stands above already, and Target is not 1 in both lines"
            )
        target_of[film] = target
        if target == 1:
            entries.append((where, [film, FINDING, *box]))
    return target_of, entries


def _classes(path: Path, target_of: dict[str, float]) -> dict[str, str]:
    """Class of each film; the table repeats a film for each of its boxes."""
    header, lines = lines_of(path)
    columns = numbered_columns(path, header, lines, ("patientId", "class"))
    class_of: dict[str, str] = {}
    for (number, _), film, name in zip(lines, columns["patientId"], columns["class"], strict=True):
        where = f"{path}, line {number}"
        if name not in (OPACITY, NOT_NORMAL, NORMAL):
            raise TableError(f"{where}: unknown class {name!r}")
        if film not in target_of:
            raise TableError(f"{where}: film {film!r} is not in {LABEL_TABLE}")
        if class_of.setdefault(film, name) != name:
            raise TableError(f"{where}: film {film!r} is {name!r} here and {class_of[film]!r} above")
        if (name == OPACITY) != (target_of[film] == 1):
            raise TableError(f"{where}: class {name!r} where {LABEL_TABLE} has Target {target_of[film]:g}")
    missing = [film for film in target_of if film not in class_of]
    if missing:
        raise TableError(f"{path}: {len(missing)} films of {LABEL_TABLE} are missing, first {missing[0]!r}")
    return class_of


def _nih_patients(path: Path, films: Sequence[str]) -> list[str]:
    """Patient of each film: what stands before the underscore in the name of its NIH film."""
    nih_of: dict[str, str] = {}
    for where, film, nih in _pairs(path):
        if nih_of.setdefault(film, nih) != nih:
            raise TableError(f"{where}: film {film!r} is {nih!r} here and {nih_of[film]!r} above")
        if "_" not in nih:
            raise TableError(f"{where}: {nih!r} is no name of an NIH film, such as 00000013_005.png")
    missing = [film for film in films if film not in nih_of]
    if missing:
        raise TableError(f"{path}: {len(missing)} films are not in it, first {missing[0]!r}")
    return [nih_of[film].partition("_")[0] for film in films]


def _pairs(path: Path) -> Iterable[tuple[str, str, str]]:
    """Where it stands, film and NIH film, entry by entry."""
    if path.suffix == ".csv":
        header, lines = lines_of(path)
        nih = "nih_image" if "nih_image" in header else "Image Index"
        columns = numbered_columns(path, header, lines, ("patientId", nih))
        for (number, _), film, name in zip(lines, columns["patientId"], columns[nih], strict=True):
            yield f"{path}, line {number}", film, name
        return
    records = json_from(path)
    if not isinstance(records, list):
        raise TableError(f"{path}: no list of records with img_id and subset_img_id")
    for place, record in enumerate(records):
        film, nih = (record.get(k) if isinstance(record, dict) else None for k in ("subset_img_id", "img_id"))
        if not isinstance(film, str) or not isinstance(nih, str):
            raise TableError(f"{path}, record {place}: no img_id and subset_img_id")
        yield f"{path}, record {place}", film, nih


def _headers(films: Sequence[str], paths: Sequence[str]) -> tuple[list[str], list[float], list[str], int]:
    """View, age and sex of each film, and how many films on disk could not be asked for them."""
    stamps = [f"{film}:{stamp(path)}" for film, path in zip(films, paths, strict=True)]
    kept = cache_folder() / "headers" / f"{digest(_READING, *stamps)}.json"
    facts = _kept(kept)
    if facts is None:
        with ThreadPoolExecutor() as pool:  # a cold disk is waited for by several at once
            facts = list(pool.map(_facts, paths))
        if any(facts):  # where none could be read, the next try may go better
            text = json.dumps(facts)
            write_text(kept, json.dumps({"facts": text, "digest": digest(text)}))
    n_unread = sum(fact is None and path != "" for fact, path in zip(facts, paths, strict=True))
    known = [fact or ("", None, "") for fact in facts]
    ages = [math.nan if age is None else float(age) for _, age, _ in known]
    return [view for view, _, _ in known], ages, [sex for _, _, sex in known], n_unread


def _kept(path: Path) -> list[_Facts] | None:
    """What was kept of the headers; None where nothing was, or where it was damaged since."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return json.loads(content["facts"]) if content["digest"] == digest(content["facts"]) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _facts(path: str) -> _Facts:
    if not path:
        return None
    try:
        header = radiograph.header_from(Path(path))
    except FilmError:
        return None
    return header.view, None if math.isnan(header.age) else header.age, header.sex
