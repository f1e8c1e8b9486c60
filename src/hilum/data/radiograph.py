"""A PNG, JPEG or DICOM file -> a radiograph: grey values in [0, 1], bright = dense, and its header.

What a file is, its first bytes say and not its name. Nothing else is opened, whatever a decoder can do.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64, Shaped, UInt8

from hilum.data import dicom, raster
from hilum.data.dicom import Header
from hilum.data.dicom_stream import MARK_PLACE, is_dicom
from hilum.data.raster import MAX_PIXELS, PNG, eight_bit, is_raster
from hilum.errors import FilmError

__all__ = ["Header", "Radiograph", "eight_bit_from", "header_from", "radiograph_from"]

MAX_BYTES = 4 * MAX_PIXELS
"""The largest film uncompressed, twice over; checked before the file is read."""
MIN_SIDE_PX = 8
MAX_ASPECT = 8
"""Longer side over shorter; a strip is a piece of a film, not a film."""

_START = 2**20
"""Bytes that hold the header of nearly every DICOM film."""


@dataclass(frozen=True)
class Radiograph:
    """One film.

    Attributes:
        pixels: Grey values in [0, 1], bright = dense.
        header: What the file says of it; of PNG and JPEG only the size.
        source: PNG, JPEG or DICOM.
    """

    pixels: Float32[np.ndarray, "h w"]
    header: Header
    source: str


def header_from(path: Path) -> Header:
    """Size, view, age, sex, spacing and patient of a film, no pixel decoded.

    Raises:
        FilmError: The file is missing, no PNG, JPEG or DICOM, damaged, or no frontal chest film.
    """
    with _named(path):
        start = _content(path, _START)
        if len(start) < _START or start.startswith(PNG):
            return _header(start)
        try:
            return _header(start)
        except FilmError:  # perhaps only because the header is longer than the part that was read
            return _header(_content(path))


def radiograph_from(path: Path) -> Radiograph:
    """A film with its pixels.

    16 bits are scaled, not cut; DICOM is rescaled, windowed and inverted as it says (`dicom.grey_codes`).

    Raises:
        FilmError: The file is missing, no PNG, JPEG or DICOM, damaged, larger than 40 Mpx, smaller
            than 8 px, more than 8 times as long as wide, of one grey value only, or no frontal chest film.
    """
    with _named(path):
        content = _content(path)
        if is_dicom(content):
            header, codes, table = dicom.grey_codes(content)
            pixels, source = _checked(table.astype(np.float32)[codes]), "DICOM"
        else:
            _check_kind(content)
            grey = _checked(raster.grey(content))
            header, source = Header(_hw(grey)), "PNG" if content.startswith(PNG) else "JPEG"
            pixels = grey.astype(np.float32) / np.float32(np.iinfo(grey.dtype).max)
        return Radiograph(pixels, header, source)


def eight_bit_from(path: Path) -> UInt8[np.ndarray, "h w"]:
    """The pixels of `radiograph_from` times 255, rounded; those of an 8-bit file are not touched.

    Raises:
        FilmError: As `radiograph_from`.
    """
    with _named(path):
        content = _content(path)
        if not is_dicom(content):
            _check_kind(content)
            return eight_bit(_checked(raster.grey(content)))
        _, codes, table = dicom.grey_codes(content)
        return _checked(_eight_bit_codes(codes, table))


def _header(content: bytes) -> Header:
    if is_dicom(content):
        header = dicom.header(content)
    else:
        _check_kind(content)
        header = Header(raster.size(content))
    _check_shape(header.hw)
    return header


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Puts the file before the reason; a name that would break the line is shown with escapes."""
    try:
        yield
    except FilmError as error:
        text = str(path)
        raise FilmError(f"{text if text.isprintable() else repr(text)[1:-1]}: {error}") from error.__cause__


def _content(path: Path, n_bytes: int = -1) -> bytes:
    """The file, or its first bytes; a pipe or device is not opened, for it may never end."""
    try:
        if not path.is_file():
            raise FilmError("is no file but a folder, pipe or device" if path.exists() else "no such file")
        if (size := path.stat().st_size) > MAX_BYTES:
            raise FilmError(f"{size} bytes; at most {MAX_BYTES} are read")
        with path.open("rb") as stream:
            return stream.read(n_bytes)
    except OSError as error:
        raise FilmError(f"cannot be read: {error.strerror}") from error


def _check_kind(content: bytes) -> None:
    if is_raster(content):
        return
    if content[:2] in (b"\x02\x00", b"\x08\x00") or content[: MARK_PLACE + 4].endswith(b"DICM"):
        raise FilmError("perhaps DICOM, but without the preamble of Part 10; write it again with it")
    kind = "is empty" if not content else f"starts with {content[:4]!r}"
    raise FilmError(f"{kind}; a film is a PNG, JPEG or DICOM file")


def _check_shape(hw: tuple[int, int]) -> None:
    if min(hw) < MIN_SIDE_PX:
        raise FilmError(f"{hw[1]} x {hw[0]} pixels; a film has at least {MIN_SIDE_PX} on a side")
    if max(hw) > MAX_ASPECT * min(hw):
        raise FilmError(f"{hw[1]} x {hw[0]} pixels; a film is at most {MAX_ASPECT} times as long as wide")


def _checked(pixels: Shaped[np.ndarray, "h w"]) -> Shaped[np.ndarray, "h w"]:
    _check_shape(_hw(pixels))
    row = pixels[len(pixels) // 2]  # one row answers for nearly every film
    if row.min() == row.max() and pixels.min() == pixels.max():
        raise FilmError("every pixel has the same grey value; this is no film")
    return pixels


def _hw(pixels: Shaped[np.ndarray, "h w"]) -> tuple[int, int]:
    return pixels.shape[0], pixels.shape[1]


def _eight_bit_codes(
    codes: Shaped[np.ndarray, "h w"], table: Float64[np.ndarray, " t"]
) -> UInt8[np.ndarray, "h w"]:
    levels = np.rint(255 * table).astype(np.uint8)
    if np.array_equal(levels, np.arange(256)):
        return codes.astype(np.uint8, copy=False)
    return levels[codes]
