"""What all readers of tables share: lines of a CSV, columns by name, ages in years, files below a folder."""

import csv
import math
import os
import re
from collections import defaultdict
from collections.abc import Container, Iterator, Sequence
from pathlib import Path
from typing import TextIO

import numpy as np
from jaxtyping import Float64, Shaped

from hilum.errors import TableError

MAX_LINE = 1_000_000
"""Characters of one line; a longer one is no table of films, and would fill the memory."""
OLDEST = 100
"""Years; a greater age is a slip of the pen (411 and 155 occur) and becomes unknown."""

_AGE = re.compile(r"(\d+(?:\.\d*)?)([YMWD]?)", re.ASCII)
_YEARS = {"": 1.0, "Y": 1.0, "M": 1 / 12, "W": 1 / 52, "D": 1 / 365}

Lines = list[tuple[int, tuple[str, ...]]]
"""Number and fields of each line; tuples, which the garbage collector does not go through again."""


def lines_of(path: Path) -> tuple[list[str], Lines]:
    """The header's names, and the lines that are not empty with their numbers; fields without outer spaces.

    Raises:
        TableError: The file cannot be read, is no UTF-8 text, or has an endless line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(_capped(stream, path))
            header = [name.strip() for name in next(reader, [])]
            lines = [(reader.line_num, fields) for line in reader if any(fields := _stripped(line))]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TableError(f"{path}: not a UTF-8 table: {error}") from error
    return header, lines


def columns_of(path: Path, wanted: Sequence[str], optional: Sequence[str] = ()) -> dict[str, list[str]]:
    """Columns of a table by name, whatever their order; lines may end with a comma.

    Args:
        path: A CSV file whose first line names its columns.
        wanted: Columns that must be there.
        optional: Columns taken if they are there.

    Raises:
        TableError: A column is missing, a line is short, or the table holds no line.
    """
    header, lines = lines_of(path)
    columns = numbered_columns(path, header, lines, wanted, optional)
    if not lines:
        raise TableError(f"{path}: holds no film")
    return columns


def numbered_columns(
    path: Path, header: Sequence[str], lines: Lines, wanted: Sequence[str], optional: Sequence[str] = ()
) -> dict[str, list[str]]:
    """Columns by name of a table that was read; row by row beside the numbers in `lines`.

    Raises:
        TableError: A column is missing or stands there twice, or a line is short.
    """
    missing = [name for name in wanted if name not in header]
    if missing:
        raise TableError(f"{path}: column {missing[0]!r} is missing; found {list(header[:50])}")
    place_of: dict[str, int] = {}
    asked = {*wanted, *optional}
    for place, name in enumerate(header):
        if name in asked and place_of.setdefault(name, place) != place:
            raise TableError(f"{path}: column {name!r} stands in it twice")
    last = max(place_of.values())
    for number, line in lines:
        if len(line) <= last:
            raise TableError(f"{path}, line {number}: {len(line)} fields where {len(header)} are named")
    columns = list(zip(*(line for _, line in lines), strict=False)) or [()] * len(header)
    return {name: list(columns[place]) for name, place in place_of.items()}


def refuse_repeats(films: Sequence[str] | np.ndarray, table: Path) -> None:
    """Refuses a table in which a film stands twice.

    Raises:
        TableError: The first such film, and how often it stands there.
    """
    names, counts = np.unique(np.asarray(films), return_counts=True)
    if (counts > 1).any():
        first, n_times = str(names[counts > 1][0]), counts[counts > 1][0]
        raise TableError(f"{table}: film {first!r} stands in it {n_times} times")


def age_from(text: str) -> float:
    """Age in years; NaN where it cannot be read or is above 100.

    Example:
        >>> age_from("58"), age_from("006M"), age_from("411Y")
        (58.0, 0.5, nan)
    """
    match = _AGE.fullmatch(text.strip())
    years = float(match[1]) * _YEARS[match[2]] if match else math.nan
    return years if years <= OLDEST else math.nan


def ages_from(
    texts: Sequence[str], films: Sequence[str] | np.ndarray
) -> tuple[Float64[np.ndarray, " n"], list[str]]:
    """Ages in years, and a line for each that was set to unknown."""
    ages = np.array([age_from(text) for text in texts], float)
    unread = np.flatnonzero(np.isnan(ages)).tolist()
    return ages, [f"{films[row]}: age {texts[row]!r} set to unknown" for row in unread]


def known(values: Sequence[str], allowed: Sequence[str]) -> Shaped[np.ndarray, " n"]:
    """The values that are allowed; empty in place of any other."""
    return np.array([value if value in allowed else "" for value in values])


def files_below(
    folder: Path, names: Container[str], skipped: Sequence[str] = ()
) -> tuple[dict[str, str], list[str]]:
    """The file of each named film in or below a folder; of several copies the one with the widest header.

    Args:
        folder: Walked with its links; a link back up is followed once.
        names: Of the files wanted.
        skipped: Names of folders not to enter.

    Returns:
        path: Path of each name found.
        chosen: One line a pair of folders that hold the same films: which was taken, how often.
    """
    copies: dict[str, list[str]] = defaultdict(list)
    seen = set()
    for place, inner, found in os.walk(folder, followlinks=True):
        if (real := os.path.realpath(place)) in seen:  # a link back up, or two to one folder
            inner.clear()
            continue
        seen.add(real)
        inner[:] = sorted(name for name in inner if name not in skipped and not name.startswith("."))
        for name in found:
            if name in names:
                copies[name].append(os.path.join(place, name))
    taken = {
        name: paths[0] if len(paths) == 1 else max(paths, key=_width_px) for name, paths in copies.items()
    }
    choices: dict[tuple[str, str], int] = defaultdict(int)
    for name, paths in copies.items():
        for path in paths:
            if path != taken[name]:
                choices[_folder(taken[name], folder), _folder(path, folder)] += 1
    return taken, [
        f"{count} films are in {kept} and in {left}: taken from {kept}"
        for (kept, left), count in sorted(choices.items())
    ]


def _stripped(line: list[str]) -> tuple[str, ...]:
    return tuple(map(str.strip, line))


def _capped(stream: TextIO, path: Path) -> Iterator[str]:
    while line := stream.readline(MAX_LINE + 1):
        if len(line) > MAX_LINE:
            raise TableError(
                f"{path}: a line of more than {MAX_LINE:,} characters; this is no table of films"
            )
        yield line


def _folder(path: str, root: Path) -> str:
    return os.path.relpath(os.path.dirname(path), root)


def _width_px(path: str) -> int:
    """Width that a PNG names in its header; 0 of anything else, so that a PNG is taken before it."""
    try:
        with open(path, "rb") as stream:
            head = stream.read(20)
    except OSError:
        return 0
    return int.from_bytes(head[16:20], "big") if head.startswith(b"\x89PNG") else 0
