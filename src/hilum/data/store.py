"""The films of a cohort, decoded once, as one memory-mapped uint8 array with checksums.

A store lies in the cache folder, never beside the data, under a digest of its films (name, size,
time of change), its side, fit and resampler: a changed film makes another store. While it is built
it lies in `<digest>.part`, locked; after a kill only the films since the last note are decoded again.
"""

import contextlib
import fcntl
import json
import math
import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int, UInt8

from hilum.data.cohort import Cohort
from hilum.data.decoding import Decoders
from hilum.data.geometry import RESAMPLER, Fit
from hilum.errors import DataError, StoreError
from hilum.files import demand_space, digest, disk_errors, stamp, write_text

NOTE = 1024
"""Films between two notes on disk, each of which waits for the disk as long as some films take."""
PIXELS = "pixels.npy"
MAPPED_BYTES = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
"""A larger store does not stay in memory, and its films are asked for before they are read."""

Progress = Callable[[int, int], None]


def silent(_done: int, _total: int) -> None:
    """Shows no progress."""


@dataclass(frozen=True)
class PixelStore:
    """Films of one side, in the order of the cohort they were built from.

    Attributes:
        folder: Where it lies.
        films: Names, row by row.
        pixels: Grey values, memory-mapped read-only.
        film_hw: Height and width of each film's file, in px.
        failures: Films that could not be read, with the reason; their rows are black.
    """

    folder: Path
    films: tuple[str, ...]
    pixels: UInt8[np.ndarray, "n s s"]
    film_hw: Int[np.ndarray, "n 2"]
    failures: dict[str, str]

    @property
    def side_px(self) -> int:
        """Side of every film in the store."""
        return self.pixels.shape[1]

    def batch(self, rows: Int[np.ndarray, " b"]) -> UInt8[np.ndarray, "b s s"]:
        """A copy of some films.

        Raises:
            StoreError: The store was cut short since it was opened.
        """
        if isinstance(self.pixels, np.memmap):
            file, n_bytes = self.folder / PIXELS, self.pixels.offset + self.pixels.nbytes
            _demand_whole(file, n_bytes)
            if n_bytes > MAPPED_BYTES:
                _ask_for(file, self.pixels, rows)
        return np.take(self.pixels, rows, axis=0)


def cache_folder() -> Path:
    """`HILUM_CACHE`, else `~/.cache/hilum`."""
    return Path(os.environ.get("HILUM_CACHE") or Path.home() / ".cache" / "hilum").absolute()


def build(cohort: Cohort, side_px: int, progress: Progress = silent, *, fit: Fit = "stretch") -> PixelStore:
    """The store of a cohort's films, made now or found; a film that cannot be read is listed in it.

    Args:
        cohort: Every film must have a path.
        side_px: Side of the films in it.
        progress: Called with films done and films in all.
        fit: How films that are not square become so.

    Raises:
        DataError: There is no film, or none could be read.
        DiskError: There is no room for it.
        StoreError: Another process is building it, or it was altered.
    """
    if not cohort.on_disk.all():
        raise ValueError("every film of a store must have a path; take cohort.rows(cohort.on_disk) first")
    if not len(cohort):
        raise DataError("a store of no films; there is nothing to decode")
    folder = cache_folder() / "stores" / _name(cohort, side_px, fit)
    if not folder.exists():
        with _lock(folder), disk_errors(folder):
            if not folder.exists():
                _fill(folder, cohort, side_px, fit, progress)
    store = _open(folder)
    if len(store.failures) == len(cohort):
        film, reason = next(iter(store.failures.items()))
        raise DataError(f"none of {len(cohort)} films could be read; the first, {film}: {reason}")
    return store


def verify(store: PixelStore) -> None:
    """Compares every film with its checksum.

    Raises:
        StoreError: A film was altered since the store was built.
    """
    checksums = _index(store.folder)["crc32"]
    for film, pixels, checksum in zip(store.films, store.pixels, checksums, strict=True):
        if zlib.crc32(pixels) != checksum:
            raise StoreError(
                f"{store.folder}: the pixels of {film} were altered; delete the folder to rebuild"
            )


def _name(cohort: Cohort, side_px: int, fit: Fit) -> str:
    stamps = map(stamp, cohort.paths)
    return digest(side_px, fit, RESAMPLER, *map(":".join, zip(cohort.films, stamps, strict=True)))


@contextlib.contextmanager
def _lock(folder: Path) -> Iterator[None]:
    path = folder.with_suffix(".lock")
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StoreError(f"{folder}: another process is building this store; wait for it") from None
            yield


def _fill(folder: Path, cohort: Cohort, side_px: int, fit: Fit, progress: Progress) -> None:
    part, n = folder.with_suffix(".part"), len(cohort)
    array, notes = part / PIXELS, part / "notes.json"
    if not array.exists():
        _make_room(array, (n, side_px, side_px))
    pixels = np.lib.format.open_memmap(array, "r")
    noted = json.loads(notes.read_text()) if notes.exists() else {"film_hw": [], "crc32": [], "failures": {}}
    n_processes = min(os.cpu_count() or 1, max(1, n // 4))  # to start one costs as much as a few films
    with Decoders(array, pixels.offset, side_px, fit, n_processes) as decoders:
        for start in range(len(noted["crc32"]), n, NOTE):
            rows = range(start, min(start + NOTE, n))
            decoded = []
            for each in decoders.decode(rows, cohort.paths[rows.start : rows.stop].tolist()):
                decoded.append(each)
                progress(start + len(decoded), n)
            for each in sorted(decoded, key=lambda each: each.row):
                noted["film_hw"].append(each.film_hw)
                noted["crc32"].append(each.crc32)
                if each.failure:
                    noted["failures"][str(cohort.films[each.row])] = each.failure
            with array.open("rb+") as stream:
                os.fsync(stream.fileno())
            write_text(notes, json.dumps(noted))
    about = {"films": cohort.films.tolist(), "side_px": side_px, "fit": fit, "resampler": RESAMPLER}
    write_text(part / "index.json", json.dumps(about | noted))
    notes.unlink()
    part.replace(folder)


def _make_room(array: Path, shape: tuple[int, int, int]) -> None:
    """An array of that shape whose bytes the disk has already granted."""
    new = array.with_name("new.npy")
    demand_space(array.parent, math.prod(shape))
    array.parent.mkdir(parents=True, exist_ok=True)
    unfilled = np.lib.format.open_memmap(new, "w+", np.uint8, shape)
    del unfilled
    with new.open("rb+") as stream:  # a disk that fills up later would stop the work half-way
        os.posix_fallocate(stream.fileno(), 0, os.fstat(stream.fileno()).st_size)
    new.replace(array)


def _demand_whole(file: Path, n_bytes: int) -> None:
    """Refuses a file shorter than its map: to read on would end the process (SIGBUS)."""
    if file.stat().st_size < n_bytes:
        raise StoreError(f"{file.parent}: cut short while in use; delete the folder to rebuild")


def _ask_for(file: Path, mapped: np.memmap, rows: Int[np.ndarray, " b"]) -> None:
    """Asks the disk for all films at once, so that it need not answer page by page."""
    with file.open("rb") as stream:
        for row in rows.tolist():
            place, length = mapped.offset + row * mapped.strides[0], mapped.strides[0]
            os.posix_fadvise(stream.fileno(), place, length, os.POSIX_FADV_WILLNEED)


def _open(folder: Path) -> PixelStore:
    index = _index(folder)
    shape = (len(index["films"]), index["side_px"], index["side_px"])
    try:
        pixels = np.load(folder / PIXELS, mmap_mode="r")
    except (OSError, EOFError, ValueError) as error:  # numpy refuses a file shorter than its header says
        raise StoreError(f"{folder}: truncated or altered ({error}); delete the folder to rebuild") from error
    if pixels.shape != shape or pixels.dtype != np.uint8:
        raise StoreError(f"{folder}: {pixels.shape} where {shape} was written; delete the folder to rebuild")
    film_hw = np.array(index["film_hw"], np.int64).reshape(-1, 2)
    return PixelStore(folder, tuple(index["films"]), pixels, film_hw, index["failures"])


def _index(folder: Path) -> dict[str, Any]:
    try:
        index = json.loads((folder / "index.json").read_text())
        lengths = {len(index[name]) for name in ("films", "crc32", "film_hw")}
        if len(lengths) > 1 or not {"side_px", "failures"} <= index.keys():
            raise ValueError("its index is incomplete")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{folder}: truncated or altered ({error}); delete the folder to rebuild") from error
    return index
