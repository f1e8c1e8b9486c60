"""The bytes of a DICOM file -> its elements of the outermost level, still as bytes, and where its pixels lie.

Nothing is interpreted that is not asked for: names, dates and private tags are stepped over, nested
sequences are walked with a list and not by recursion, and no count in the file sets aside memory.
"""

import struct
import zlib
from dataclasses import dataclass

from hilum.data.raster import MAX_PIXELS
from hilum.errors import FilmError

MAX_ELEMENTS = 300_000
"""Steps through one file; films have a few hundred elements."""
MAX_INFLATED = 2 * MAX_PIXELS + 2**20
"""Bytes of a deflated file: the largest film of 16 bits, and its header."""

MARK = b"DICM"
MARK_PLACE = 128
DEFLATED = "1.2.840.10008.1.2.1.99"
IMPLICIT = "1.2.840.10008.1.2"
BIG_ENDIAN = "1.2.840.10008.1.2.2"

_PIXELS = 0x7FE00010
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF
_LONG = {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}

_CUT = "truncated DICOM: an element is longer than the file; copy it again"


@dataclass(frozen=True)
class Element:
    """One element's value as bytes.

    Attributes:
        kind: The two letters of its value representation; empty where the file does not say.
        value: Without the padding that makes its length even.
    """

    kind: bytes
    value: bytes


@dataclass(frozen=True)
class Stream:
    """A DICOM file, its header read.

    Attributes:
        elements: Those asked for that are there, by tag.
        syntax: UID of its transfer syntax.
        implicit: Whether elements do not name their kinds.
        content: The file, inflated if it was deflated.
        place: Where in `content` the value of the pixel data begins.
        length: Bytes of the pixel data; None where they are in fragments.
    """

    elements: dict[int, Element]
    syntax: str
    implicit: bool
    content: bytes
    place: int
    length: int | None


def is_dicom(content: bytes) -> bool:
    """Whether the mark of DICOM Part 10 stands behind the preamble."""
    return content[MARK_PLACE : MARK_PLACE + 4] == MARK


def stream_from(content: bytes, wanted: frozenset[int]) -> Stream:
    """Reads the header of a DICOM file up to its pixels.

    Args:
        content: The file, or as much of its start as holds the header.
        wanted: Tags to keep.

    Raises:
        FilmError: It is truncated, has no pixels, or is of endless length.
    """
    syntax, place = _syntax(content)
    if syntax == BIG_ENDIAN:
        raise FilmError("DICOM in big endian, which the standard has withdrawn; store it in little endian")
    if syntax == DEFLATED:
        content, place = _inflated(content[place:]), 0
    elements: dict[int, Element] = {}
    implicit = not content[place + 4 : place + 6].isalpha()  # some files are not what their syntax says
    for _ in range(MAX_ELEMENTS):
        if place >= len(content):
            break
        tag, kind, length, place = _head(content, place, implicit)
        if tag == _PIXELS:
            return Stream(
                elements, syntax, implicit, content, place, None if length == _UNDEFINED else length
            )
        end = _end(content, place, implicit or kind == b"UN") if length == _UNDEFINED else place + length
        if tag in wanted:
            if end > len(content):
                raise FilmError(_CUT)
            elements[tag] = Element(kind, content[place:end])
        place = end
    else:
        raise FilmError(f"DICOM of more than {MAX_ELEMENTS:,} elements; this is no film")
    if place > len(content):
        raise FilmError(_CUT)
    raise FilmError("DICOM without pixel data; a film has pixels")


def frame_of(stream: Stream) -> bytes:
    """The one compressed frame of a file whose pixels are in fragments, joined."""
    if stream.length is not None:
        raise FilmError("damaged DICOM: compressed pixels that are not in fragments; copy it again")
    content, place, parts = stream.content, stream.place, []
    for _ in range(MAX_ELEMENTS):
        if place + 8 > len(content):
            break
        tag, _, length, place = _head(content, place, implicit=True)
        if tag == _SEQUENCE_END:
            frame = b"".join(parts[1:])  # the first item is a table of offsets
            if not frame:
                raise FilmError("damaged DICOM: its pixel data is empty; copy it again")
            return frame
        if tag != _ITEM or length > len(content) - place:
            break
        parts.append(content[place : place + length])
        place += length
    raise FilmError("truncated DICOM: the end of its compressed pixels was not found; copy it again")


def item_of(sequence: Element, implicit: bool) -> dict[int, Element]:
    """The elements of the first item of a sequence; empty where it has none."""
    content, found = sequence.value, {}
    if len(content) < 8:
        return found
    tag, _, length, place = _head(content, 0, implicit=True)
    end = len(content) if length == _UNDEFINED else min(place + length, len(content))
    if tag != _ITEM:
        raise FilmError("damaged DICOM: a sequence without an item; copy it again")
    for _ in range(MAX_ELEMENTS):
        if place + 8 > end:
            break
        tag, kind, length, place = _head(content, place, implicit)
        if tag == _ITEM_END:
            break
        stop = _end(content, place, implicit or kind == b"UN") if length == _UNDEFINED else place + length
        if stop > end:
            raise FilmError(_CUT)
        found[tag] = Element(kind, content[place:stop])
        place = stop
    return found


def _syntax(content: bytes) -> tuple[str, int]:
    """Transfer syntax, and where the data set begins; the group of meta information comes before it."""
    place, syntax = MARK_PLACE + 4, ""
    for _ in range(MAX_ELEMENTS):
        if place + 8 > len(content):
            raise FilmError("truncated DICOM: it ends in its meta information; copy it again")
        if content[place : place + 2] != b"\x02\x00":
            break
        tag, _, length, place = _head(content, place, implicit=False)
        if length > len(content) - place:
            raise FilmError(_CUT)
        if tag == 0x00020010:
            syntax = content[place : place + length].rstrip(b"\0 ").decode("ascii", "replace")
        place += length
    if not syntax:
        raise FilmError("damaged DICOM: it names no transfer syntax; write it again")
    return syntax, place


def _head(content: bytes, place: int, implicit: bool) -> tuple[int, bytes, int, int]:
    """Tag, kind and length of the element at a place, and the place of its value."""
    try:
        group, element, length = struct.unpack_from("<HHI", content, place)
        tag = group << 16 | element
        if implicit or group == 0xFFFE:  # items have no kind in any syntax
            return tag, b"", length, place + 8
        kind = content[place + 4 : place + 6]
        if kind in _LONG:
            if len(content) < place + 12:
                raise FilmError(_CUT)
            return tag, kind, int.from_bytes(content[place + 8 : place + 12], "little"), place + 12
        if not kind.isalpha():
            raise FilmError("damaged DICOM: an element of an unknown kind; copy it again")
    except struct.error:
        raise FilmError(_CUT) from None
    return tag, kind, length >> 16, place + 8


def _end(content: bytes, place: int, implicit: bool) -> int:
    """Where a sequence of undefined length ends; however deep it is nested."""
    open_parts = [(_SEQUENCE_END, implicit)]
    for _ in range(MAX_ELEMENTS):
        closing, implicit = open_parts[-1]
        tag, kind, length, place = _head(content, place, implicit)
        if tag == closing:
            open_parts.pop()
            if not open_parts:
                return place
        elif length != _UNDEFINED:
            place += length
        elif tag == _ITEM:
            open_parts.append((_ITEM_END, implicit))
        else:
            open_parts.append((_SEQUENCE_END, implicit or kind == b"UN"))
    raise FilmError(f"DICOM of more than {MAX_ELEMENTS:,} nested elements; this is no film")


def _inflated(packed: bytes) -> bytes:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        content = inflater.decompress(packed, MAX_INFLATED)
    except zlib.error:
        raise FilmError("damaged DICOM: it cannot be inflated; copy it again") from None
    if inflater.unconsumed_tail:
        raise FilmError(f"DICOM that inflates to more than {MAX_INFLATED // 10**6} MB; this is no film")
    if not inflater.eof:
        raise FilmError("truncated DICOM: its deflated part ends too soon; copy it again")
    return content
