"""The films of a cohort, decoded once, as one memory-mapped uint8 array with checksums.

A store lies in the cache folder, never beside the data, under a digest of its films (name, size,
time of change), its side and the resampler: a changed film makes another store. While it is built
it lies in `<digest>.part`, locked; after a kill only the films since the last note are decoded again.
"""

import contextlib
import fcntl
import json
import os
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int, UInt8

from hilum.data.cohort import Cohort
from hilum.data.geometry import RESAMPLER, stretched
from hilum.data.radiograph import eight_bit, grey_from
from hilum.errors import DataError, FilmError, StoreError
from hilum.files import demand_space, digest, disk_errors, write_text

BLOCK = 64
"""Films decoded between two calls of `progress`."""
NOTE = 16
"""Blocks between two notes on disk, each of which waits for the disk longer than a block takes."""

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
        failures: Films that could not be read, with the reason; their rows are black.
    """

    folder: Path
    films: tuple[str, ...]
    pixels: UInt8[np.ndarray, "n s s"]
    failures: dict[str, str]

    @property
    def side_px(self) -> int:
        """Side of every film in the store."""
        return self.pixels.shape[1]

    def batch(self, rows: Int[np.ndarray, " b"]) -> UInt8[np.ndarray, "b s s"]:
        """A copy of some films."""
        return np.take(self.pixels, rows, axis=0)


def cache_folder() -> Path:
    """`HILUM_CACHE`, else `~/.cache/hilum`."""
    return Path(os.environ.get("HILUM_CACHE") or Path.home() / ".cache" / "hilum").absolute()


def build(cohort: Cohort, side_px: int, progress: Progress = silent) -> PixelStore:
    """The store of a cohort's films, made now or found; a film that cannot be read is listed in it.

    Args:
        cohort: Every film must have a path.
        side_px: Side to which films are stretched.
        progress: Called with films done and films in all.

    Raises:
        DataError: There is no film, or none could be read.
        DiskError: There is no room for it.
        StoreError: Another process is building it, or it was altered.
    """
    if not cohort.on_disk.all():
        raise ValueError("every film of a store must have a path; take cohort.rows(cohort.on_disk) first")
    if not len(cohort):
        raise DataError("a store of no films; there is nothing to decode")
    folder = cache_folder() / "stores" / _name(cohort, side_px)
    if not folder.exists():
        with _lock(folder), disk_errors(folder):
            if not folder.exists():
                _fill(folder, cohort, side_px, progress)
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


def _name(cohort: Cohort, side_px: int) -> str:
    stamps = map(_stamp, cohort.paths)
    return digest(side_px, RESAMPLER, *map(":".join, zip(cohort.films, stamps, strict=True)))


def _stamp(path: str) -> str:
    """Changes with the file; a film that has vanished becomes one of the store's failures."""
    try:
        stat = os.stat(path)
    except OSError:
        return "absent"
    return f"{stat.st_size}:{stat.st_mtime_ns}"


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


def _fill(folder: Path, cohort: Cohort, side_px: int, progress: Progress) -> None:
    part, n = folder.with_suffix(".part"), len(cohort)
    array, done_path = part / "pixels.npy", part / "done.txt"
    if not array.exists():
        demand_space(part.parent, n * side_px**2)
        part.mkdir(parents=True, exist_ok=True)
        unfilled = np.lib.format.open_memmap(part / "new.npy", "w+", np.uint8, (n, side_px, side_px))
        del unfilled
        with (part / "new.npy").open("rb+") as stream:  # a disk that fills up later would kill the process
            os.posix_fallocate(stream.fileno(), 0, os.fstat(stream.fileno()).st_size)
        (part / "new.npy").replace(array)
    pixels = np.lib.format.open_memmap(array, "r+")
    failures = json.loads(done_path.read_text()) if done_path.exists() else {"done": 0, "failures": {}}
    done, failed = failures["done"], failures["failures"]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        while done < n:
            rows = range(done, min(done + BLOCK, n))
            for row, result in zip(rows, pool.map(lambda r: _decoded(cohort, r, side_px), rows), strict=True):
                if isinstance(result, str):
                    failed[str(cohort.films[row])] = result
                    pixels[row] = 0
                else:
                    pixels[row] = result
            done = rows.stop
            if done == n or done % (NOTE * BLOCK) == 0:
                pixels.flush()
                write_text(done_path, json.dumps({"done": done, "failures": failed}))
            progress(done, n)
    index = {
        "films": cohort.films.tolist(),
        "side_px": side_px,
        "resampler": RESAMPLER,
        "failures": failed,
        "crc32": [zlib.crc32(film) for film in pixels],
    }
    write_text(part / "index.json", json.dumps(index))
    part.replace(folder)


def _decoded(cohort: Cohort, row: int, side_px: int) -> UInt8[np.ndarray, "s s"] | str:
    try:
        grey = grey_from(Path(cohort.paths[row]))
    except FilmError as error:
        return str(error)
    return stretched(eight_bit(grey), side_px)


def _open(folder: Path) -> PixelStore:
    index = _index(folder)
    shape = (len(index["films"]), index["side_px"], index["side_px"])
    try:
        pixels = np.load(folder / "pixels.npy", mmap_mode="r")
    except (OSError, EOFError, ValueError) as error:  # numpy refuses a file shorter than its header says
        raise StoreError(f"{folder}: truncated or altered ({error}); delete the folder to rebuild") from error
    if pixels.shape != shape or pixels.dtype != np.uint8:
        raise StoreError(f"{folder}: {pixels.shape} where {shape} was written; delete the folder to rebuild")
    return PixelStore(folder, tuple(index["films"]), pixels, index["failures"])


def _index(folder: Path) -> dict[str, Any]:
    try:
        index = json.loads((folder / "index.json").read_text())
        if len(index["films"]) != len(index["crc32"]) or not {"side_px", "failures"} <= index.keys():
            raise ValueError("its index is incomplete")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{folder}: truncated or altered ({error}); delete the folder to rebuild") from error
    return index
