"""Write whole files or nothing, hash them, and ask first whether they fit."""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hilum.errors import DiskError


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turns what a full or read-only disk raises into one typed error naming the path."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise DiskError(f"{path}: the disk is full; free some space and run again") from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST):
            raise DiskError(f"{path}: cannot be written: {error.strerror}") from error
        raise


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` that takes its place once the block has ended well.

    A kill at any moment leaves the old file, or none, but never half of one.

    Raises:
        DiskError: The disk is full or the folder cannot be written; `path` is as it was.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            with temporary.open("rb+") as stream:
                os.fsync(stream.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Writes a whole UTF-8 file or nothing."""
    with whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def header_in(path: Path) -> dict[str, Any]:
    """What hilum wrote into the head of a safetensors file; empty where another tool wrote the file.

    Read here, because the library for these files comes with torch's stages and scoring has neither.

    Source: the format's own description: the length of a JSON table in 8 bytes, little end first, the table,
    the tensors at the offsets that it names.

    Raises:
        ValueError: It is no whole safetensors file, or the head is no table.
        OSError: It cannot be read.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if size < 8 + length:
            raise ValueError("it ends within its head")
        table = json.loads(stream.read(length))
    try:
        said = table.pop("__metadata__", {}).get("hilum", "{}")
        end = max((entry["data_offsets"][1] for entry in table.values()), default=0)
    except (AttributeError, KeyError, IndexError, TypeError) as error:
        raise ValueError("its head names no tensors") from error
    if size != 8 + length + end:
        raise ValueError(f"{size:,} bytes where its head tells of {8 + length + end:,}")
    header = json.loads(said)
    if not isinstance(header, dict):
        raise ValueError("its header is no table")
    return header


def sha256(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest(*parts: object) -> str:
    """First 16 hex digits of the SHA-256 of the parts, each as text.

    Example:
        >>> digest("a", 1) == digest("a", 1) != digest("a1")
        True
    """
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()[:16]


def stamp(path: str) -> str:
    """What changes with a file, told without reading it: its size and the time of its change."""
    try:
        stat = os.stat(path)
    except OSError:
        return "absent"
    return f"{stat.st_size}:{stat.st_mtime_ns}"


def demand_space(folder: Path, n_bytes: int) -> None:
    """Refuses a piece of work that would not fit.

    Raises:
        DiskError: Less is free than the work needs, with a tenth to spare.
    """
    existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    free = shutil.disk_usage(existing).free
    if free < 1.1 * n_bytes:
        raise DiskError(
            f"{folder}: needs {n_bytes / 1e9:.2f} GB, {free / 1e9:.2f} GB are free; free some space"
        )
