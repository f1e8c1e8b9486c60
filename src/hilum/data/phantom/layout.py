"""Number of films, size, seed -> a folder of phantoms in the layout of ChestX-ray14."""

import json
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import TypedDict

import cv2
import numpy as np

from hilum.data.phantom.canvas import generator
from hilum.data.phantom.film import Phantom, draw
from hilum.errors import UsageError
from hilum.files import demand_space, digest, disk_errors, write_text
from hilum.findings import CHESTXRAY14, NO_FINDING

VERSION = 2
"""Of the drawing; a change of it makes other films from the same seed."""

_CHUNK = 32  # films between two marks from which a killed run goes on
_COUNT = 7  # purpose of the stream that says how many films a patient has
_TABLE_HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)
_BOX_HEADER = "Image Index,Finding Label,Bbox [x,y,w,h],,,"
_ORIGINAL = "2048,2048,0.171,0.171"  # a 35 cm square plate: 0.342 mm for a pixel of the 1024 frame


class _Row(TypedDict):
    image: str
    table: str
    boxes: list[str]


def write(
    out: Path,
    *,
    films: int,
    size: int,
    seed: int,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Writes a cohort of phantoms: tables, official lists, boxes, images, masks and regions.

    The same arguments give the same bytes whatever the number of workers; a smaller cohort is the beginning
    of a larger one. A killed call goes on where it stopped; a finished one costs nothing. Every fourth
    patient is a test patient; boxes are listed for test films only, as in ChestX-ray14.

    Args:
        out: An empty or new folder, or one that the same call began.
        films: How many films, 1 or more.
        size: Height and width of a film in pixels, 64 to 1024.
        seed: Of the population, 0 or more.
        workers: Processes that draw.
        progress: Told after every few films how many of how many are there.

    Raises:
        UsageError: The folder holds something else, or a number is out of range.
        DiskError: The disk is full or the folder cannot be written.
    """
    if films < 1 or not 64 <= size <= 1024 or seed < 0 or workers < 1:
        raise UsageError(
            f"cannot draw {films} films of {size} px with seed {seed} and {workers} workers; "
            "films and workers are 1 or more, the size is 64 to 1024, the seed 0 or more"
        )
    identity = {"films": films, "size": size, "seed": seed, "version": VERSION}
    parts = out / f".parts-{digest(*identity.values())}"
    if _finished(out, identity, parts):
        return
    demand_space(out, int(films * (1.1 * size * size + 4096)))
    with disk_errors(out):
        for folder in (parts, out / "images", out / "masks", out / "regions"):
            folder.mkdir(parents=True, exist_ok=True)
    order = list(_order(seed, films))
    chunks = [order[start : start + _CHUNK] for start in range(0, films, _CHUNK)]
    missing = [number for number in range(len(chunks)) if not (parts / f"{number:05d}.json").exists()]
    tasks = [(out, parts / f"{number:05d}.json", chunks[number], size, seed) for number in missing]
    done = films - sum(len(chunks[number]) for number in missing)
    for count in _each(tasks, workers):
        done += count
        if progress is not None:
            progress(done, films)
    _write_tables(out, parts, len(chunks))
    write_text(out / "phantom.json", json.dumps(identity, indent=1) + "\n")
    shutil.rmtree(parts)


def _finished(out: Path, identity: dict[str, int], parts: Path) -> bool:
    """Whether the folder holds exactly this cohort; refuses one that holds anything else."""
    mark = out / "phantom.json"
    if mark.exists():
        there = json.loads(mark.read_text(encoding="utf-8"))
        if there == identity:
            shutil.rmtree(parts, ignore_errors=True)
            return True
        raise UsageError(f"{out} holds other phantoms ({there}); name another folder for {identity}")
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file; name a folder")
    if out.is_dir() and any(out.iterdir()) and not parts.is_dir():
        raise UsageError(f"{out} is not empty and not a begun cohort of {identity}; name another folder")
    return False


def _order(seed: int, films: int) -> Iterator[tuple[int, int]]:
    """Patient and film number of the first so many films."""
    patient = given = 0
    while True:
        chance = generator(seed, patient, 0, _COUNT)
        for film in range(int(chance.choice([1, 2, 3, 4, 6], p=[0.25, 0.25, 0.2, 0.2, 0.1]))):
            if given == films:
                return
            yield patient, film
            given += 1
        patient += 1


def _is_test(patient: int) -> bool:
    return patient % 4 == 1


def _each(tasks: list[tuple], workers: int) -> Iterator[int]:
    """Runs the tasks, here or in other processes, and yields how many films each made."""
    if workers == 1 or len(tasks) < 2:
        with _one_thread():
            yield from map(_chunk, tasks)
        return
    # A fresh process, not a fork: the caller may already run threads.
    with ProcessPoolExecutor(min(workers, len(tasks)), mp_context=get_context("spawn")) as pool:
        yield from pool.map(_chunk_alone, tasks)


@contextmanager
def _one_thread() -> Iterator[None]:
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def _chunk_alone(task: tuple) -> int:
    with _one_thread():
        return _chunk(task)


def _chunk(task: tuple[Path, Path, list[tuple[int, int]], int, int]) -> int:
    """Draws and saves some films, then leaves their table rows as the mark that they are whole."""
    out, part, places, size, seed = task
    rows = []
    for patient, film in places:
        name = f"{patient + 1:08d}_{film:03d}.png"
        phantom = draw(seed, patient, film, size)
        _save(out / "images" / name, phantom.image)
        _save(out / "masks" / name, packed(phantom.masks, np.uint16))
        _save(out / "regions" / name, packed(phantom.regions, np.uint8))
        rows.append(_row(name, patient, film, phantom))
    write_text(part, json.dumps(rows))
    return len(places)


def packed(layers: np.ndarray, kind: type) -> np.ndarray:
    """Layers of yes and no as the bits of one picture; layer k is bit k.

    Example:
        >>> packed(np.array([[[True, False]], [[True, True]]]), np.uint8)
        array([[3, 2]], dtype=uint8)
    """
    picture = np.zeros(layers.shape[1:], kind)
    for k in np.flatnonzero(layers.any(axis=(1, 2))):
        picture |= layers[k].astype(kind) << kind(k)
    return picture


def _save(path: Path, picture: np.ndarray) -> None:
    """A whole PNG or none. Not flushed to the disk one by one: that would take longer than drawing.

    Runs alone are sought in a film, whose grain repeats nothing longer: faster, and the file is smaller.
    """
    temporary = path.with_name(f".{path.name}.part")
    how = [cv2.IMWRITE_PNG_COMPRESSION, 1]
    if picture.dtype == np.uint8:
        how += [cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
    coded = cv2.imencode(".png", picture, how)[1]
    with disk_errors(path):
        temporary.write_bytes(coded.tobytes())
        temporary.replace(path)


def _row(name: str, patient: int, film: int, phantom: Phantom) -> _Row:
    words = "|".join(CHESTXRAY14[k] for k in np.flatnonzero(phantom.labels)) or NO_FINDING
    who = f"{patient + 1},{phantom.age},{phantom.sex},{phantom.view}"
    boxes = []
    if _is_test(patient):
        for number, (x0, y0, x1, y1) in zip(phantom.findings, phantom.boxes, strict=True):
            # The NIH list itself has this spelling.
            label = CHESTXRAY14[number].replace("Infiltration", "Infiltrate")
            boxes.append(f"{name},{label},{x0:.3f},{y0:.3f},{x1 - x0:.3f},{y1 - y0:.3f}")
    return {"image": name, "table": f"{name},{words},{film},{who},{_ORIGINAL}", "boxes": boxes}


def _write_tables(out: Path, parts: Path, n_parts: int) -> None:
    rows: list[_Row] = []
    for number in range(n_parts):
        rows += json.loads((parts / f"{number:05d}.json").read_text(encoding="utf-8"))
    test = [_is_test(int(row["image"][:8]) - 1) for row in rows]
    boxes = [line for row in rows for line in row["boxes"]]
    write_text(
        out / "Data_Entry_2017_v2020.csv", "\n".join([_TABLE_HEADER, *(r["table"] for r in rows)]) + "\n"
    )
    write_text(out / "BBox_List_2017.csv", "\n".join([_BOX_HEADER, *boxes]) + "\n")
    names = [row["image"] for row in rows]
    for file, wanted in (("train_val_list.txt", False), ("test_list.txt", True)):
        write_text(out / file, "\n".join(n for n, side in zip(names, test, strict=True) if side == wanted))
