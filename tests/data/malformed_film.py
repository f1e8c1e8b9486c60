"""A small film as a PNG, JPEG or DICOM file written byte by byte, so that any byte of it can be wrong."""

import struct
import zlib
from collections.abc import Mapping

import cv2
import numpy as np

GREY = (np.add.outer(np.arange(24), np.arange(20)) * 6).astype(np.uint8)
"""24 x 20 px, from 0 to 252."""
SIGNATURE = b"\x89PNG\r\n\x1a\n"

LITTLE = "1.2.840.10008.1.2.1"
IMPLICIT = "1.2.840.10008.1.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
SECONDARY_CAPTURE = b"1.2.840.10008.5.1.4.1.1.7\0"
PRIVATE = "Zz^Secret"
"""Stands in every field of every film that could name somebody; no message may show it."""

FIELDS = {
    "charset": (0x00080005, b"CS"),
    "class": (0x00080016, b"UI"),
    "instance": (0x00080018, b"UI"),
    "date": (0x00080020, b"DA"),
    "modality": (0x00080060, b"CS"),
    "name": (0x00100010, b"PN"),
    "patient": (0x00100020, b"LO"),
    "sex": (0x00100040, b"CS"),
    "age": (0x00101010, b"AS"),
    "part": (0x00180015, b"CS"),
    "view": (0x00185101, b"CS"),
    "samples": (0x00280002, b"US"),
    "photometric": (0x00280004, b"CS"),
    "planar": (0x00280006, b"US"),
    "frames": (0x00280008, b"IS"),
    "rows": (0x00280010, b"US"),
    "columns": (0x00280011, b"US"),
    "spacing": (0x00280030, b"DS"),
    "allocated": (0x00280100, b"US"),
    "stored": (0x00280101, b"US"),
    "high": (0x00280102, b"US"),
    "signed": (0x00280103, b"US"),
    "centre": (0x00281050, b"DS"),
    "width": (0x00281051, b"DS"),
    "intercept": (0x00281052, b"DS"),
    "slope": (0x00281053, b"DS"),
    "function": (0x00281056, b"CS"),
    "shape": (0x20500020, b"CS"),
}
PLAIN = {
    "class": SECONDARY_CAPTURE,
    "instance": b"1.2.3.4 ",
    "modality": b"CR",
    "name": PRIVATE.encode(),
    "patient": PRIVATE.encode(),
    "samples": 1,
    "photometric": b"MONOCHROME2",
    "rows": 24,
    "columns": 20,
    "allocated": 8,
    "stored": 8,
    "high": 7,
    "signed": 0,
}
_LONG = (b"OB", b"OW", b"SQ", b"UN", b"UT")


def png(pixels: np.ndarray = GREY, *options: int) -> bytes:
    return cv2.imencode(".png", pixels, options)[1].tobytes()


def jpeg(pixels: np.ndarray = GREY, *options: int) -> bytes:
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 100, *options])[1].tobytes()


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_header(
    width: int = 20, height: int = 24, bits: int = 8, colour: int = 0, interlaced: int = 0
) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced))


def rows_of(pixels: np.ndarray) -> bytes:
    """Rows of a PNG before they are deflated, each after the mark of no filter."""
    return b"".join(b"\0" + row.tobytes() for row in pixels)


def raw_png(header: bytes, rows: bytes, *between: bytes) -> bytes:
    """A PNG of a kind that OpenCV does not write."""
    return SIGNATURE + header + b"".join(between) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def with_alpha(grey: np.ndarray) -> np.ndarray:
    alpha = np.full_like(grey, np.iinfo(grey.dtype).max)
    alpha[:3] = 0  # transparent pixels keep their grey value
    return np.dstack([grey, grey, grey, alpha])


def palette_png() -> bytes:
    entries = b"".join(bytes([2 * entry] * 3) for entry in range(128))
    return raw_png(png_header(colour=3), rows_of(GREY // 2), chunk(b"PLTE", entries))


def grey_and_alpha_png() -> bytes:
    return raw_png(png_header(colour=4), rows_of(np.dstack([GREY, np.full_like(GREY, 7)])))


def interlaced_png() -> bytes:
    starts = (
        (0, 0, 8, 8),
        (0, 4, 8, 8),
        (4, 0, 8, 4),
        (0, 2, 4, 4),
        (2, 0, 4, 2),
        (0, 1, 2, 2),
        (1, 0, 2, 1),
    )
    passes = [rows_of(GREY[top::down, left::across]) for top, left, down, across in starts]
    return raw_png(png_header(interlaced=1), b"".join(passes))


def flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def element(tag: int, kind: bytes, value: bytes, length: int | None = None, implicit: bool = False) -> bytes:
    """One element; `length` says something else than is true."""
    if length is None:
        value += (b"\0" if kind in (b"UI", b"OB", b"UN") else b" ") * (len(value) % 2)
        length = len(value)
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    if implicit or tag >> 16 == 0xFFFE:
        return head + struct.pack("<I", length) + value
    size = struct.pack("<xxI", length) if kind in _LONG else struct.pack("<H", length)
    return head + kind + size + value


def item(content: bytes) -> bytes:
    return element(0xFFFEE000, b"", content)


def fragments(*frames: bytes) -> bytes:
    """Compressed pixels: an empty table of offsets, the frames, the end."""
    parts = [item(b""), *(item(frame + b"\0" * (len(frame) % 2)) for frame in frames)]
    return element(0x7FE00010, b"OB", b"".join(parts), 0xFFFFFFFF) + element(0xFFFEE0DD, b"", b"")


def meta(syntax: str) -> bytes:
    inner = element(0x00020010, b"UI", syntax.encode())
    return bytes(128) + b"DICM" + element(0x00020000, b"UL", struct.pack("<I", len(inner))) + inner


def fields(changes: Mapping[str, object], implicit: bool = False) -> bytes:
    """The header: PLAIN with some fields changed, None leaves one out; bytes go first by their tag."""
    parts = {}
    for name, value in {**PLAIN, **changes}.items():
        if name in FIELDS and value is not None:
            tag, kind = FIELDS[name]
            content = value if isinstance(value, bytes) else struct.pack("<H", value)
            parts[tag] = element(tag, kind, content, implicit=implicit)
    return b"".join(parts[tag] for tag in sorted(parts))


def dicom(
    pixels: np.ndarray | bytes = GREY,
    syntax: str = LITTLE,
    before: bytes = b"",
    after: bytes = b"",
    **changes,
) -> bytes:
    """A DICOM film.

    Args:
        pixels: Values, or the whole element of the pixel data.
        syntax: UID of the transfer syntax.
        before: Elements in front of all others.
        after: Elements between the header and the pixels.
        changes: Fields of the header by the names of FIELDS; None leaves one out.
    """
    implicit = syntax == IMPLICIT
    if isinstance(pixels, np.ndarray):
        kind = b"OW" if pixels.itemsize == 2 else b"OB"
        pixels = element(0x7FE00010, kind, pixels.tobytes(), implicit=implicit)
    content = before + fields(changes, implicit) + after + pixels
    if syntax == DEFLATED:
        deflater = zlib.compressobj(wbits=-15)
        content = deflater.compress(content) + deflater.flush()
    return meta(syntax) + content


def sixteen(pixels: np.ndarray, stored: int = 16, **changes) -> bytes:
    """A DICOM film of 16-bit values."""
    depth = {"allocated": 16, "stored": stored, "high": stored - 1, "signed": int(pixels.dtype.kind == "i")}
    return dicom(pixels, **{"rows": pixels.shape[0], "columns": pixels.shape[1], **depth, **changes})
