"""Predictions that were made elsewhere, as files -> arrays in the order of a cohort.

Names are read as people write them: films with or without folder and ending, columns with common prefixes.
What names no film or finding of the cohort is counted, not scored; a file of which nothing fits is refused.
"""

import math
import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from jaxtyping import Float, Float32

from hilum.boxes import BoxTable
from hilum.data.box_lists import coco_entries, json_from
from hilum.data.cohort import Cohort
from hilum.data.raster import grey
from hilum.data.tables import Lines, lines_of
from hilum.errors import FilmError, TableError
from hilum.findings import canonical

Passed = Counter[str]
"""How often each thing that is not scored was met, by what it is."""

_FILM = ("image", "film", "image index", "image_index", "image_id", "imageid", "image_path", "filename")
_FILM += ("file_name", "file", "path", "img", "study", "patientid", "id")
_FINDING = ("finding", "finding label", "finding_label", "disease", "label", "class", "class_name")
_FINDING += ("pathology", "category")
_SCORE = ("score", "confidence", "conf", "probability", "prob")
_SIZES = (("x", "y", "w", "h"), ("x", "y", "width", "height"), ("bbox [x", "y", "w", "h]"))
_CORNERS = (("x_min", "y_min", "x_max", "y_max"), ("xmin", "ymin", "xmax", "ymax"), ("x1", "y1", "x2", "y2"))
_AFFIX = re.compile(
    r"^(prob|probs|probability|pred|prediction|p|score|logit|y_pred)[_ .-]+"
    r"|[_ .-]+(prob|probs|probability|pred|prediction|score)$",
    re.IGNORECASE,
)


def read_probabilities(path: Path, cohort: Cohort) -> tuple[Float[np.ndarray, "n f"], Passed]:
    """Probabilities from a CSV with a column of films and one a finding.

    A column such as `prob_Effusion` or `Effusion_pred` counts as the finding; any other one is passed over.

    Returns:
        NaN for a film or finding without a number.

    Raises:
        TableError: No column of films or of any finding, a film twice, or a number outside [0, 1].
    """
    header, lines = lines_of(path)
    film = _column(path, header, _FILM, "of films")
    names = [_finding(name, cohort.findings) for name in header]
    columns = [(place, cohort.findings.index(name)) for place, name in enumerate(names) if name]
    if not columns:
        raise TableError(f"{path}: no column is one of {', '.join(cohort.findings)}; found {header[:50]}")
    twice = [name for name, n in Counter(filter(None, names)).items() if n > 1]
    if twice:
        raise TableError(f"{path}: two columns are {twice[0]}; found {header[:50]}")
    rows, passed = _Rows(cohort), Counter()
    made = np.full((len(cohort), len(cohort.findings)), math.nan)
    seen: set[int] = set()
    for where, fields in _whole(path, header, lines):
        row = rows.get(fields[film])
        if row is None:
            passed["films that the data does not list"] += 1
            continue
        if row in seen:
            raise TableError(f"{where}: film {fields[film]!r} stands in it twice")
        seen.add(row)
        for place, column in columns:
            made[row, column] = _probability(fields[place], where)
    if not seen:
        raise _nothing(path, cohort, [fields[film] for _, fields in lines])
    return made, passed


def read_boxes(path: Path, cohort: Cohort, frame_px: float | None = None) -> tuple[BoxTable, Passed]:
    """Predicted boxes from a CSV, a list in the NIH form, or a COCO json; in the cohort's frame.

    A box of no area is none. A CSV has columns of films and findings, x, y, w, h or corners, and may have
    a score.

    Args:
        path: The file.
        cohort: Whose films and findings count.
        frame_px: Side of the square frame in which the boxes are given; the cohort's frame by default.

    Raises:
        TableError: A column is missing, or a box makes no sense.
    """
    entries = _coco(path) if path.suffix.lower() == ".json" else _csv(path)
    rows, passed = _Rows(cohort), Counter()
    image, finding, corners, scores = [], [], [], []
    n_known = 0
    for where, film, name, box, score in entries:
        row = rows.get(film)
        place = _finding(name, cohort.findings)
        if row is None:
            passed["boxes on films that the data does not list"] += 1
        elif place is None:
            passed[f"boxes of {name}"] += 1
        else:
            n_known += 1
            x0, y0, x1, y1 = box
            if not all(map(math.isfinite, box)) or x1 < x0 or y1 < y0:
                raise TableError(f"{where}: a box from {x0:g}, {y0:g} to {x1:g}, {y1:g}")
            if x1 > x0 and y1 > y0:
                image.append(row)
                finding.append(cohort.findings.index(place))
                corners.append(box)
                scores.append(score)
    if passed and not n_known:
        raise _nothing(path, cohort, [film for _, film, *_ in entries])
    scale = 1.0 if frame_px is None else np.tile(np.array(cohort.frame_hw[::-1]) / frame_px, 2)
    table = BoxTable(
        np.array(image, np.int64),
        np.array(finding, np.int64),
        np.array(corners, float).reshape(-1, 4) * scale,
        np.array(scores, float),
    )
    return table, passed


def read_maps(folder: Path, cohort: Cohort) -> tuple[Float32[np.ndarray, "k h w"], Passed]:
    """The heatmap of each reference entry over the whole film: `IMAGE.npz`, `FINDING/IMAGE.npy` or `.png`.

    Returns:
        NaN for an entry without one.

    Raises:
        TableError: No map of any entry, a file that holds no map, or maps of different sizes.
    """
    found: dict[int, np.ndarray] = {}
    whose = zip(cohort.reference.image.tolist(), cohort.reference.finding.tolist(), strict=True)
    for entry, (image, column) in enumerate(whose):
        heatmap = _map_of(folder, str(cohort.films[image]), cohort.findings[column])
        if heatmap is not None:
            found[entry] = heatmap
    sizes = Counter(heatmap.shape for heatmap in found.values())
    if not sizes:
        raise TableError(f"{folder}: no map of any of the {len(cohort.reference)} box entries, as IMAGE.npz")
    if len(sizes) > 1:
        told = " and ".join(f"{n} of {h} x {w}" for (h, w), n in sizes.most_common(2))
        raise TableError(f"{folder}: maps of different sizes, {told}; bring them to one size")
    made = np.full((len(cohort.reference), *next(iter(sizes))), math.nan, np.float32)
    for entry, heatmap in found.items():
        made[entry] = heatmap
    missing = len(made) - len(found)
    return made, Counter({"box entries without a map": missing} if missing else {})


class _Rows:
    """Rows of a cohort by the names that people give films."""

    def __init__(self, cohort: Cohort) -> None:
        self._of = {str(film): row for row, film in enumerate(cohort.films)}
        stems = Counter(map(_stem, self._of))
        self._of_stem = {_stem(film): row for film, row in self._of.items() if stems[_stem(film)] == 1}

    def get(self, film: str) -> int | None:
        """The row of a name, of its last part, or of that without its ending."""
        return self._of.get(film, self._of_stem.get(_stem(film)))


def _stem(film: str) -> str:
    name = PurePosixPath(film.replace("\\", "/")).name
    stem, dot, ending = name.rpartition(".")
    return stem if dot and ending.lower() in ("png", "jpg", "jpeg", "dcm", "dicom", "npz", "npy") else name


def _finding(name: str, findings: Sequence[str]) -> str | None:
    """The finding that a column or a cell names."""
    for each in (name, _AFFIX.sub("", name)):
        if (known := canonical(each.strip())) in findings:
            return known
    lower = {finding.lower(): finding for finding in findings}
    return lower.get(canonical(_AFFIX.sub("", name).strip()).lower())


def _column(path: Path, header: Sequence[str], names: Sequence[str], what: str) -> int:
    """Place of the first name that the header has, upper and lower case alike."""
    lower = [name.lower() for name in header]
    there = [name for name in names if name in lower]
    if not there:
        raise TableError(f"{path}: no column {what}, as {names[0]!r}; found {list(header[:50])}")
    return lower.index(there[0])


def _whole(path: Path, header: Sequence[str], lines: Lines) -> Iterable[tuple[str, tuple[str, ...]]]:
    for number, fields in lines:
        if len(fields) < len([name for name in header if name]):
            raise TableError(f"{path}, line {number}: {len(fields)} fields where {len(header)} are named")
        yield f"{path}, line {number}", fields


def _probability(text: str, where: str) -> float:
    if not text or text.lower() == "nan":
        return math.nan
    number = _number(text, where)
    if not 0 <= number <= 1:
        raise TableError(f"{where}: probability {text} lies outside [0, 1]; of logits take the sigmoid first")
    return number


def _number(text: Any, where: str) -> float:
    try:
        return float(text)
    except (TypeError, ValueError):
        raise TableError(f"{where}: {text!r} is no number") from None


Entry = tuple[str, str, str, list[float], float]
"""Where it stands, film, finding, corners, score."""


def _csv(path: Path) -> list[Entry]:
    header, lines = lines_of(path)
    lower = [name.lower() for name in header]
    film, name = _column(path, header, _FILM, "of films"), _column(path, header, _FINDING, "of findings")
    forms = [form for form in (*_SIZES, *_CORNERS) if set(form) <= set(lower)]
    if not forms:
        raise TableError(f"{path}: no columns x, y, w, h or x_min, y_min, x_max, y_max; found {header[:50]}")
    places = [lower.index(column) for column in forms[0]]
    score = next((lower.index(column) for column in _SCORE if column in lower), None)
    entries = []
    for where, fields in _whole(path, header, lines):
        a, b, c, d = (_number(fields[place], where) for place in places)
        corners = [a, b, a + c, b + d] if forms[0] in _SIZES else [a, b, c, d]
        sure = math.nan if score is None else _number(fields[score], where)
        entries.append((where, fields[film], fields[name], corners, sure))
    return entries


def _coco(path: Path) -> list[Entry]:
    found, _ = coco_entries(path)
    scores = [note.get("score") for note in json_from(path)["annotations"]]
    entries = []
    for (where, (film, name, *box)), score in zip(found, scores, strict=True):
        x, y, width, height = (_number(value, where) for value in box)
        sure = math.nan if score is None else _number(score, where)
        entries.append((where, film, name, [x, y, x + width, y + height], sure))
    return entries


def _map_of(folder: Path, film: str, finding: str) -> np.ndarray | None:
    """The map of one entry, or None where there is no file of it."""
    names = dict.fromkeys((film, _stem(film)))
    together = next((path for name in names if (path := folder / f"{name}.npz").is_file()), None)
    if together is not None:
        return _from_npz(together, finding)
    alone = [folder / finding / f"{name}{ending}" for name in names for ending in (".npy", ".png", "")]
    path = next((path for path in alone if path.suffix in (".npy", ".png") and path.is_file()), None)
    return None if path is None else _checked(_loaded(path), path)


def _from_npz(path: Path, finding: str) -> np.ndarray | None:
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            key = next((key for key in file.files if _finding(key, (finding,))), None)
            return None if key is None else _checked(file[key], path)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise TableError(f"{path}: no .npz of arrays: {error}") from error


def _loaded(path: Path) -> np.ndarray:
    try:
        return np.load(path, allow_pickle=False) if path.suffix == ".npy" else grey(path.read_bytes())
    except (OSError, ValueError, EOFError, FilmError) as error:
        raise TableError(f"{path}: no map: {error}") from error


def _checked(heatmap: np.ndarray, path: Path) -> np.ndarray:
    if heatmap.ndim != 2 or not heatmap.size or not np.issubdtype(heatmap.dtype, np.number):
        raise TableError(f"{path}: an array of {heatmap.shape} {heatmap.dtype}; a map is two axes of numbers")
    if not np.isfinite(heatmap).all():
        raise TableError(f"{path}: the map holds NaN or infinite values")
    return heatmap.astype(np.float32)


def _nothing(path: Path, cohort: Cohort, films: Sequence[str]) -> TableError:
    first = films[0] if films else "nothing"
    return TableError(
        f"{path}: names no film and finding of the {len(cohort):,} films of {cohort.source}: "
        f"it has {first}, the data {cohort.films[0]}"
    )
