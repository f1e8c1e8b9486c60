"""A list of boxes, as CSV or as COCO json -> a BoxTable; every check on a reference box lives here."""

import json
import math
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hilum.boxes import BoxTable
from hilum.data.tables import lines_of, numbered_columns
from hilum.errors import TableError
from hilum.findings import canonical

MAX_JSON = 50_000_000
"""Bytes of one json file: half a million boxes; a larger one would fill the memory while it is parsed."""
TOLERANCE_PX = 1.0
"""A box may leave the film by less than this: lists are rounded."""

_FIELDS = ("finding", "x", "y", "width", "height")

Entry = tuple[str, Sequence[Any]]
"""Where it stands ("boxes.csv, line 7"), then film, finding, x, y, width, height."""
Sizes = dict[str, tuple[int, int]]
"""Height and width by name of the film, in px."""


def boxes_from(
    entries: Iterable[Entry],
    row_of: Mapping[str, int],
    findings: Sequence[str],
    labelled: Container[str],
    size_of: Callable[[int], tuple[int, int] | None],
) -> BoxTable:
    """Boxes as corners, each in the pixels in which its list gives it.

    Args:
        entries: What the list says, entry by entry; what follows the height is not looked at.
        row_of: Row of each film by the name that the list uses.
        findings: Names of the label columns; boxes of other findings are checked and left out.
        labelled: All findings that a list may name.
        size_of: Height and width in px of the film in a row; None leaves its boxes out.

    Raises:
        TableError: A film or finding is unknown, or a box has no extent or leaves its film; the message
            says where it stands.
    """
    columns = {name: place for place, name in enumerate(findings)}
    image, finding, corners = [], [], []
    for where, fields in entries:
        try:
            x, y, width, height = (float(field) for field in fields[2:6])
            row, name = row_of[fields[0]], canonical(fields[1])
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            raise TableError(f"{where}: no box of a known film: {fields[:6]}") from error
        if name not in labelled:
            raise TableError(f"{where}: unknown finding {name!r}")
        if not (width > 0 and height > 0 and math.isfinite(x + y + width + height)):
            raise TableError(f"{where}: a box of {width} x {height} px at {x}, {y}")
        frame = size_of(row)
        if frame is None:
            continue
        over = max(-x, -y, x + width - frame[1], y + height - frame[0])
        if over >= TOLERANCE_PX:
            raise TableError(f"{where}: a box {fields[2:6]} leaves the frame of {frame} px")
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


def csv_entries(path: Path) -> list[Entry]:
    """Entries of a CSV with columns film (or path), finding, x, y, width, height, in any order.

    Raises:
        TableError: The file is no table, a column is missing, or a line is short.
    """
    header, lines = lines_of(path)
    film = "film" if "film" in header else "path"
    columns = numbered_columns(path, header, lines, (film, *_FIELDS))
    cells = zip(*(columns[name] for name in (film, *_FIELDS)), strict=True)
    return [(f"{path}, line {number}", fields) for (number, _), fields in zip(lines, cells, strict=True)]


def coco_entries(path: Path) -> tuple[list[Entry], Sizes]:
    """Entries of a json file in the COCO detection format, and the sizes of the films that it states.

    A film goes by its `file_name`, a finding by its category's `name`; outlines are not looked at.

    Raises:
        TableError: The file is no json, or lacks what the format demands.
    """
    document = json_from(path)
    images = _by_id(document, "images", "file_name", path)
    names = {number: image["file_name"] for number, image in images.items()}
    categories = _by_id(document, "categories", "name", path)
    sizes = {}
    for image in images.values():
        if image.get("width") is not None or image.get("height") is not None:
            hw = image.get("height"), image.get("width")
            if not all(type(length) is int and length > 0 for length in hw):
                raise TableError(f"{path}, image {image['id']!r}: a height and width of {hw} px")
            sizes[image["file_name"]] = hw
    entries = []
    for annotation in _records(document, "annotations", path):
        where = f"{path}, annotation {annotation.get('id')!r}"
        try:
            film, category = names[annotation["image_id"]], categories[annotation["category_id"]]
        except (KeyError, TypeError) as error:
            raise TableError(f"{where}: of an image or a category that the file does not name") from error
        box = annotation.get("bbox")
        if not isinstance(box, list) or len(box) != 4:
            raise TableError(f"{where}: its bbox {box!r} is not x, y, width, height")
        entries.append((where, [film, category["name"], *box]))
    return entries, sizes


def json_from(path: Path) -> Any:
    """What a json file holds.

    Raises:
        TableError: It is none, or larger than 50 MB.
    """
    try:
        if path.stat().st_size > MAX_JSON:
            raise TableError(f"{path}: {path.stat().st_size:,} bytes; at most {MAX_JSON:,} are read")
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise TableError(f"{path}: not a UTF-8 json file: {error}") from error


def _records(document: Any, name: str, path: Path) -> list[dict[str, Any]]:
    records = document.get(name) if isinstance(document, dict) else None
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise TableError(f"{path}: no list {name!r} as the COCO format has it")
    return records


def _by_id(document: Any, name: str, naming: str, path: Path) -> dict[Any, dict[str, Any]]:
    """Records by their id; each must have a name, and no id or name may stand there twice."""
    records, named = {}, set()
    for record in _records(document, name, path):
        number, word = record.get("id"), record.get(naming)
        if not isinstance(number, int | str) or not isinstance(word, str):
            raise TableError(f"{path}: one of {name!r} has the id {number!r} and the {naming} {word!r}")
        if number in records or word in named:
            raise TableError(f"{path}: {name!r} name {number!r} or {word!r} twice")
        records[number] = record
        named.add(word)
    return records
