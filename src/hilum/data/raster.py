"""The bytes of a PNG or JPEG file -> its grey values; every check on them stands before the decoder.

Decoders are OpenCV for PNG and Pillow for JPEG: OpenCV's JPEG decoder writes to the terminal where
the pixels are damaged, Pillow's does not, and the pixels are the same to the bit.
"""

import io
import struct
import zlib

import cv2
import numpy as np
from jaxtyping import Shaped, UInt8

from hilum.errors import FilmError

MAX_PIXELS = 40_000_000
"""More than any film; checked in the header, before a pixel is decoded."""
MAX_PARTS = 100_000
"""Chunks or segments of one file; to walk through more takes seconds, and no camera writes them."""
MAX_SCANS = 64
"""Passes of a progressive JPEG; encoders write about ten, and each costs as much as a whole film."""

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8\xff"

_PNG_KINDS = {(0, b) for b in (1, 2, 4, 8, 16)} | {(3, b) for b in (1, 2, 4, 8)}
_PNG_KINDS |= {(colour, bits) for colour in (2, 4, 6) for bits in (8, 16)}
_CRITICAL = {b"IHDR", b"PLTE", b"IDAT", b"IEND"}
_JPEG_SIZE_MARKERS = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_JPEG_SCAN = 0xDA


def is_raster(content: bytes) -> bool:
    """Whether the first bytes are those of a PNG or JPEG file."""
    return content.startswith((PNG, JPEG))


def grey(content: bytes) -> Shaped[np.ndarray, "h w"]:
    """The grey values of a PNG or JPEG file as stored: uint8, or uint16 where the file has 16 bits.

    Colour is reduced to luminance and transparency is left out; 1,024 x 1,024 films stored as RGB
    or RGBA hold three equal channels. A note on orientation in the file is not followed.

    Raises:
        FilmError: It is damaged, of several images or of inks, or larger than 40 Mpx.
    """
    if content.startswith(PNG):
        return _png_grey(content)
    array = jpeg_pixels(content)
    return array if array.ndim == 2 else cv2.cvtColor(array, cv2.COLOR_RGB2GRAY)


def jpeg_pixels(content: bytes) -> UInt8[np.ndarray, "h w *c"]:
    """The pixels of a JPEG stream, grey or RGB.

    Raises:
        FilmError: As `grey`.
    """
    from PIL import Image

    height_width = _jpeg_size(content)
    try:
        with Image.open(io.BytesIO(content), formats=("JPEG",)) as image:
            array = np.asarray(image)
    except (OSError, SyntaxError, ValueError, struct.error) as error:
        raise FilmError(_UNDECODED) from error
    if array.dtype != np.uint8 or array.shape[:2] != height_width:
        raise FilmError(_UNDECODED)
    return array


def eight_bit(grey: Shaped[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w"]:
    """Grey values as uint8; 16-bit ones are scaled, not cut."""
    if grey.dtype == np.uint8:
        return grey
    return ((grey.astype(np.uint32) + 128) // 257).astype(np.uint8)


def size(content: bytes) -> tuple[int, int]:
    """Height and width that a PNG or JPEG file names, no pixel decoded; of a PNG 33 bytes are enough."""
    if content.startswith(JPEG):
        return _jpeg_size(content)
    length, kind = struct.unpack_from(">I4s", content, len(PNG)) if len(content) >= 33 else (0, b"")
    if (length, kind) != (13, b"IHDR"):
        raise FilmError(_CUT_PNG)
    if zlib.crc32(content[12:29]) != int.from_bytes(content[29:33], "big"):
        raise FilmError(_BAD_PNG)
    return _png_header(content[16:29])


_UNDECODED = "its pixels cannot be decoded; the file is damaged or of an unusual kind"
_CUT_PNG = "truncated PNG: its last chunk was not found; copy it again"
_BAD_PNG = "damaged PNG: a checksum does not match; copy it again"
_CUT_JPEG = "damaged or truncated JPEG: its pixels were not found; copy it again"


def _png_grey(content: bytes) -> Shaped[np.ndarray, "h w"]:
    array = cv2.imdecode(np.frombuffer(_checked_png(content), np.uint8), cv2.IMREAD_UNCHANGED)
    if array is None or array.dtype not in (np.uint8, np.uint16):
        raise FilmError(_UNDECODED)
    if array.ndim == 2:
        return array
    return cv2.cvtColor(array, cv2.COLOR_BGR2GRAY if array.shape[2] == 3 else cv2.COLOR_BGRA2GRAY)


def _checked_png(content: bytes) -> bytes:
    """The file without its notes, which may be large or wrong; a cut or altered file fails here."""
    size(content)
    view, place = memoryview(content), len(PNG)
    kinds, kept = set(), [view[:place]]
    for _ in range(MAX_PARTS):
        if place + 12 > len(content):
            break
        length, kind = struct.unpack_from(">I4s", content, place)
        end = place + 12 + length
        if end > len(content):
            break
        if zlib.crc32(view[place + 4 : end - 4]) != int.from_bytes(view[end - 4 : end], "big"):
            raise FilmError(_BAD_PNG)
        if kind == b"acTL":
            raise FilmError("an animated PNG holds several images; save the film as one")
        if kind in _CRITICAL:
            kinds.add(kind)
            kept.append(view[place:end])
        elif not kind[0] & 0x20:  # a capital letter: a reader that does not know the chunk must not go on
            raise FilmError("a PNG with a chunk of an unknown kind; save it again as a plain PNG")
        if kind == b"IEND":
            if b"IDAT" not in kinds or (content[25] == 3 and b"PLTE" not in kinds):
                raise FilmError(_UNDECODED)
            return content if sum(map(len, kept)) == len(content) else b"".join(kept)
        place = end
    raise FilmError(_CUT_PNG)


def _png_header(header: bytes) -> tuple[int, int]:
    width, height, bits, colour, compression, filters, interlaced = struct.unpack(">IIBBBBB", header)
    if 0 in (width, height):
        raise FilmError(f"a PNG of {width} x {height} pixels holds no film")
    refuse_too_large(height, width)
    if (colour, bits) not in _PNG_KINDS or compression or filters or interlaced > 1:
        raise FilmError("damaged PNG: its header names a kind that does not exist; copy it again")
    return height, width


def _jpeg_size(content: bytes) -> tuple[int, int]:
    """Height and width from the frame header of a JPEG file that ends as it should."""
    place, hw = 2, None
    for _ in range(MAX_PARTS):
        if place + 10 > len(content) or content[place] != 0xFF:
            break
        marker, length = content[place + 1], int.from_bytes(content[place + 2 : place + 4], "big")
        if marker == 0xFF:  # a marker may be preceded by any number of fill bytes
            place += 1
            continue
        if marker in _JPEG_SIZE_MARKERS:
            if hw is not None:
                raise FilmError("damaged JPEG: two frame headers; copy it again")
            hw, channels = struct.unpack_from(">HH", content, place + 5), content[place + 9]
            if channels not in (1, 3):
                raise FilmError(f"a JPEG of {channels} channels (inks?); save it as grey or RGB")
        elif marker == _JPEG_SCAN:  # the end is looked for after it: a thumbnail has an end of its own
            return _checked_scans(content, place, hw)
        place += 2 + length
    raise FilmError(_CUT_JPEG)


def _checked_scans(content: bytes, place: int, hw: tuple[int, int] | None) -> tuple[int, int]:
    if content.rfind(b"\xff\xd9", place) < 0:
        raise FilmError("truncated JPEG: its end marker is missing; copy it again")
    if hw is None or 0 in hw:
        raise FilmError("damaged JPEG: no frame header with a size; copy it again")
    if content.count(b"\xff\xda", place) > MAX_SCANS:
        raise FilmError(f"a JPEG of more than {MAX_SCANS} scans; save it again")
    refuse_too_large(*hw)
    return hw


def refuse_too_large(height: int, width: int) -> None:
    """Refuses more than 40 Mpx, before any is decoded."""
    if height * width > MAX_PIXELS:
        raise FilmError(f"{width} x {height} pixels; at most {MAX_PIXELS // 10**6} million are read")
