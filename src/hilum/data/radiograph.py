"""A PNG or JPEG file -> its grey values; every check on untrusted pixels lives here."""

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Shaped, UInt8

from hilum.errors import FilmError

MAX_PIXELS = 40_000_000
"""More than any film; checked in the header, before a pixel is decoded."""
MAX_BYTES = 8 * MAX_PIXELS
"""Four channels of 16 bits, not compressed; checked before the file is read."""

MAX_PARTS = 100_000
"""Chunks or segments of one file; to walk through more takes seconds, and no camera writes them."""

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_JPEG_SIZE_MARKERS = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_JPEG_SCAN = 0xDA


def grey_from(path: Path) -> Shaped[np.ndarray, "h w"]:
    """The grey values of a file as stored: uint8, or uint16 where the file has 16 bits.

    Colour and transparency are reduced to luminance; 1,024 x 1,024 films stored as RGB or RGBA
    hold three equal channels.

    Raises:
        FilmError: The file is missing, no PNG or JPEG, damaged, or larger than 40 Mpx.
    """
    try:
        if not path.is_file():
            raise FilmError(f"{path}: no such file")
        if path.stat().st_size > MAX_BYTES:
            raise FilmError(f"{path}: {path.stat().st_size} bytes; at most {MAX_BYTES} are read")
        content = path.read_bytes()
    except OSError as error:
        raise FilmError(f"{path}: cannot be read: {error.strerror}") from error
    height, width = _checked_size(content, path)
    if height * width > MAX_PIXELS:
        raise FilmError(f"{path}: {width} x {height} pixels; at most {MAX_PIXELS // 10**6} million are read")
    array = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if array is None or array.dtype not in (np.uint8, np.uint16):
        raise FilmError(f"{path}: its pixels cannot be decoded; the file is damaged or of an unusual kind")
    if array.ndim == 2:
        return array
    return cv2.cvtColor(array[..., :3], cv2.COLOR_BGR2GRAY)


def eight_bit(grey: Shaped[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w"]:
    """Grey values as uint8; 16-bit ones are scaled, not cut."""
    if grey.dtype == np.uint8:
        return grey
    return ((grey.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _checked_size(content: bytes, path: Path) -> tuple[int, int]:
    """Height and width from the header of a file that is whole, before any pixel is decoded."""
    if content.startswith(_PNG):
        return _png_size(content, path)
    if content.startswith(_JPEG):
        return _jpeg_size(content, path)
    kind = "is empty" if not content else f"starts with {content[:4]!r}"
    raise FilmError(f"{path}: {kind}; a film is a PNG or JPEG file")


def _png_size(content: bytes, path: Path) -> tuple[int, int]:
    """Walks the chunks: a cut or altered file fails a checksum here and not silently in the decoder."""
    place, size = len(_PNG), None
    for _ in range(MAX_PARTS):
        if place + 12 > len(content):
            break
        length, kind = struct.unpack_from(">I4s", content, place)
        end = place + 12 + length
        if end > len(content):
            break
        (checksum,) = struct.unpack_from(">I", content, end - 4)
        if zlib.crc32(content[place + 4 : end - 4]) != checksum:
            raise FilmError(f"{path}: damaged PNG: a checksum does not match; copy it again")
        if kind == b"IHDR" and length == 13:
            width, height = struct.unpack_from(">II", content, place + 8)
            size = (height, width)
            if height * width > MAX_PIXELS:
                return size
        if kind == b"IEND" and size is not None:
            if 0 in size:
                raise FilmError(f"{path}: a PNG of {size[1]} x {size[0]} pixels holds no film")
            return size
        place = end
    raise FilmError(f"{path}: truncated PNG: its last chunk was not found; copy it again")


def _jpeg_size(content: bytes, path: Path) -> tuple[int, int]:
    """Height and width from the frame header of a JPEG file that ends as it should."""
    place, size = 2, None
    for _ in range(MAX_PARTS):
        if place + 9 > len(content) or content[place] != 0xFF:
            break
        marker, length = content[place + 1], int.from_bytes(content[place + 2 : place + 4], "big")
        if marker == 0xFF:  # a marker may be preceded by any number of fill bytes
            place += 1
            continue
        if marker in _JPEG_SIZE_MARKERS:
            size = struct.unpack_from(">HH", content, place + 5)
        elif marker == _JPEG_SCAN:  # the end is looked for after it: a thumbnail has an end of its own
            if content.rfind(b"\xff\xd9", place) < 0:
                raise FilmError(f"{path}: truncated JPEG: its end marker is missing; copy it again")
            if size is None or 0 in size:
                raise FilmError(f"{path}: damaged JPEG: no frame header with a size; copy it again")
            return size
        place += 2 + length
    raise FilmError(f"{path}: damaged or truncated JPEG: its pixels were not found; copy it again")
