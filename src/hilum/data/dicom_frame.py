"""One compressed frame of a DICOM file -> its stored values, by the decoder of its transfer syntax.

JPEG of 8 bits and JPEG 2000 go through Pillow, RLE is read here, and lossless JPEG, JPEG-LS and
JPEG of 12 bits need python-gdcm, the `dicom` extra. Decoders in C end the whole process on some
damaged headers, so each header is compared with what the DICOM file says before one is called.
"""

import io
import struct
from dataclasses import dataclass

import numpy as np
from jaxtyping import Shaped, UInt8

from hilum.data.raster import jpeg_pixels
from hilum.errors import FilmError

JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"
GDCM = {
    JPEG_EXTENDED: (0xC1, "JPEGExtendedProcess2_4"),
    "1.2.840.10008.1.2.4.57": (0xC3, "JPEGLosslessProcess14"),
    "1.2.840.10008.1.2.4.70": (0xC3, "JPEGLosslessProcess14_1"),
    "1.2.840.10008.1.2.4.80": (0xF7, "JPEGLSLossless"),
    "1.2.840.10008.1.2.4.81": (0xF7, "JPEGLSNearLossless"),
}
"""Syntaxes that python-gdcm decodes: the marker of their frame header, and gdcm's name."""
JPEG_2000 = ("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91")
RLE = "1.2.840.10008.1.2.5"

_DAMAGED = "damaged DICOM: its compressed pixels cannot be decoded; copy it again"
_OTHER = "damaged DICOM: its compressed pixels are of another size or depth than its header says"
_SCAN = 0xDA
_BEFORE_SCAN = {0xC4, 0xDB, 0xDD, *range(0xE0, 0xF0), 0xF8, 0xFE}
"""Tables, notes and the like; at markers without a length libjpeg goes another way, and gdcm aborts."""
_MAX_SEGMENTS = 1_000


@dataclass(frozen=True)
class Layout:
    """How stored values lie in memory, as the file's header says.

    Attributes:
        hw: Height and width, in px.
        channels: 1, or 3 of colour.
        container: Bits of one value in memory, 8 or 16.
        depth: Bits that are used.
        signed: Whether they are a number in two's complement.
    """

    hw: tuple[int, int]
    channels: int
    container: int
    depth: int
    signed: bool


def decoded(frame: bytes, syntax: str, layout: Layout) -> Shaped[np.ndarray, "h w"]:
    """The stored values of a compressed frame of one channel, as unsigned numbers of the container's size.

    Three channels of a JPEG must be equal. Bits above the depth may be set.

    Raises:
        FilmError: The frame is damaged, of another size or depth than the file says, of a syntax
            that is not read, or needs a package that is not installed.
    """
    if syntax == JPEG_BASELINE or (syntax == JPEG_EXTENDED and layout.depth == 8):
        array = _jpeg(frame, layout)
    elif layout.channels != 1:
        raise FilmError("DICOM in colour is read only uncompressed or as JPEG; store it as grey")
    elif syntax in GDCM:
        array = _through_gdcm(frame, syntax, layout)
    elif syntax in JPEG_2000:
        array = _jpeg_2000(frame, layout)
    elif syntax == RLE:
        array = _run_lengths(frame, layout)
    else:
        raise FilmError("DICOM of a transfer syntax that is not read; store it uncompressed or as JPEG 2000")
    if array.shape != layout.hw:
        raise FilmError(_OTHER)
    return array


def one_channel(channels: Shaped[np.ndarray, "3 h w"]) -> Shaped[np.ndarray, "h w"]:
    """The one film that is stored three times over.

    Raises:
        FilmError: The three differ: colour, such as a report or a drawing on the film.
    """
    if not (np.array_equal(channels[0], channels[1]) and np.array_equal(channels[0], channels[2])):
        raise FilmError("DICOM in colour; a film is grey")
    return np.ascontiguousarray(channels[0])


def _jpeg(frame: bytes, layout: Layout) -> UInt8[np.ndarray, "h w"]:
    if layout.container != 8 or layout.depth != 8 or layout.signed:
        raise FilmError(_OTHER)
    array = jpeg_pixels(frame)
    return array if array.ndim == 2 else one_channel(np.moveaxis(array, 2, 0))


def _through_gdcm(frame: bytes, syntax: str, layout: Layout) -> Shaped[np.ndarray, "h w"]:
    marker, name = GDCM[syntax]
    depth = _checked_depth(frame, marker, layout)
    try:
        import gdcm
    except ImportError:
        raise FilmError(
            "lossless JPEG, JPEG-LS and 12-bit JPEG need hilum's `dicom` extra: pip install 'hilum[dicom]'"
        ) from None
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(frame)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    pixels = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    pixels.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((layout.hw[1], layout.hw[0], 1))
    image.SetDataElement(pixels)
    monochrome = gdcm.PhotometricInterpretation.MONOCHROME2
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(monochrome))
    image.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, name)))
    image.SetPixelFormat(gdcm.PixelFormat(1, layout.container, depth, depth - 1, int(layout.signed)))
    text = image.GetBuffer()  # bytes in the guise of text; None where nothing could be decoded
    values = (text or "").encode("utf-8", "surrogateescape")
    if len(values) != layout.hw[0] * layout.hw[1] * layout.container // 8:
        raise FilmError(_DAMAGED)
    return np.frombuffer(values, f"<u{layout.container // 8}").reshape(layout.hw)


def _checked_depth(frame: bytes, marker: int, layout: Layout) -> int:
    """Bits of a value in the stream, whose size is what the file says; some encoders round bits up."""
    stream = frame.rstrip(b"\0\xff")  # padding
    if not (stream.startswith(b"\xff\xd8") and stream.endswith(b"\xff\xd9")):
        raise FilmError(_DAMAGED)
    place, found = 2, (0, 0, 0, 0)
    for _ in range(_MAX_SEGMENTS):
        if place + 10 > len(stream) or stream[place] != 0xFF:
            break
        kind, length = stream[place + 1], int.from_bytes(stream[place + 2 : place + 4], "big")
        if kind == _SCAN:
            if found[1:] != (*layout.hw, 1) or not layout.depth <= found[0] <= layout.container:
                raise FilmError(_OTHER)
            return found[0]
        if kind == marker:
            found = struct.unpack_from(">BHHB", stream, place + 4)
        elif kind not in _BEFORE_SCAN:
            raise FilmError(_OTHER if kind in range(0xC0, 0xD0) else _DAMAGED)
        place += 2 + length
    raise FilmError(_DAMAGED)


def _jpeg_2000(frame: bytes, layout: Layout) -> Shaped[np.ndarray, "h w"]:
    """Pillow stretches every depth to 8 or 16 bits and lifts signed values above 0; both are undone."""
    from PIL import Image

    if len(frame) < 43 or not frame.startswith(b"\xff\x4f\xff\x51"):
        raise FilmError(_DAMAGED)
    width, height, left, top = struct.unpack_from(">4I", frame, 8)
    channels, depth = struct.unpack_from(">HB", frame, 40)
    signed, depth = bool(depth & 0x80), (depth & 0x7F) + 1
    if (height - top, width - left, channels) != (*layout.hw, 1) or depth > layout.container:
        raise FilmError(_OTHER)
    try:
        with Image.open(io.BytesIO(frame), formats=("JPEG2000",)) as image:
            array = np.asarray(image)
    except (OSError, SyntaxError, ValueError, struct.error) as error:
        raise FilmError(_DAMAGED) from error
    if array.dtype not in (np.uint8, np.uint16) or array.ndim != 2:
        raise FilmError(_DAMAGED)
    values = array >> (8 * array.itemsize - depth)
    if signed:
        values = values.astype(np.int32) - (1 << (depth - 1))
    return values.astype(np.uint8 if layout.container == 8 else np.uint16)


def _run_lengths(frame: bytes, layout: Layout) -> Shaped[np.ndarray, "h w"]:
    """RLE of DICOM (PS3.5 annex G): one segment a byte of the values, the highest byte first."""
    # pydicom's decoder unpacks whatever a segment holds, up to 64 times its length; gdcm's has read beyond it
    n_bytes, n_pixels = layout.container // 8, layout.hw[0] * layout.hw[1]
    if len(frame) < 64:
        raise FilmError(_DAMAGED)
    n_segments, *starts = struct.unpack_from("<16I", frame)
    if n_segments != n_bytes:
        raise FilmError(_OTHER)
    ends = [*starts[1:n_segments], len(frame)]
    values = np.zeros(n_pixels, np.uint8 if n_bytes == 1 else np.uint16)
    for start, end in zip(starts, ends, strict=False):
        if not 64 <= start <= end <= len(frame):
            raise FilmError(_DAMAGED)
        segment = _unpacked(frame[start:end], n_pixels)
        values = segment if n_bytes == 1 else (values << 8) | segment
    return values.reshape(layout.hw)


def _unpacked(packed: bytes, n_pixels: int) -> UInt8[np.ndarray, " p"]:
    """A segment of runs and of bytes as they are; never more than the film has pixels."""
    parts, n, place = [], 0, 0
    while n < n_pixels and place + 1 < len(packed):
        code = packed[place]
        if code < 128:
            part = packed[place + 1 : place + 2 + code]
            place += 2 + code
        elif code > 128:
            part = packed[place + 1 : place + 2] * (257 - code)
            place += 2
        else:
            part = b""
            place += 1
        parts.append(part)
        n += len(part)
    if n < n_pixels:
        raise FilmError(_DAMAGED)
    return np.frombuffer(b"".join(parts), np.uint8)[:n_pixels]
