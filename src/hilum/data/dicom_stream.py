"""The bytes of a DICOM file -> its elements of the outermost level, still as bytes, and where its pixels lie.

pydicom walks from element to element; it converts no value, so that names and dates are not even read.
"""

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

from hilum.data.raster import MAX_PIXELS
from hilum.errors import FilmError

MAX_STEPS = 120_000
"""Reads of an element's head or of 256 bytes; films need a few hundred, and pydicom 4 us or more for each."""
MAX_VALUE = 2**20
"""Bytes of one value that is wanted; the longest are look-up tables, of 128 kB each."""
MAX_FRAGMENTS = 100_000
"""Pieces of one compressed film; there is one, or one every few kB."""
MAX_INFLATED = 2 * MAX_PIXELS + 2**20
"""Bytes of a deflated file: the largest film of 16 bits, and its header."""

MARK = b"DICM"
MARK_PLACE = 128
DEFLATED = "1.2.840.10008.1.2.1.99"
IMPLICIT = "1.2.840.10008.1.2"
BIG_ENDIAN = "1.2.840.10008.1.2.2"

_SYNTAX, _PIXELS = 0x00020010, 0x7FE00010
_UNDEFINED = 0xFFFFFFFF
_END = b"\xfe\xff\xdd\xe0"
_CHARACTER_SET, _NO_ELEMENT = b"\x08\x00\x05\x00", b"\x08\x00\x04\x00"
_FAILURES = (EOFError, OSError, RecursionError, UserWarning, struct.error)
"""What pydicom raises where elements do not fit together; the warning where warnings are errors."""

_CUT = "truncated DICOM: an element is longer than the file; copy it again"
_DAMAGED = "damaged DICOM: its elements are nested too deeply or do not fit together; copy it again"
_NO_END = "truncated DICOM: the end of its compressed pixels was not found; copy it again"


@dataclass(frozen=True)
class Element:
    """One element of an item.

    Attributes:
        kind: The two letters of its value representation; empty where the file does not say.
        value: As bytes, with the padding that makes their number even.
    """

    kind: str
    value: bytes


@dataclass(frozen=True)
class Stream:
    """A DICOM file, its header read.

    Attributes:
        elements: Values of those asked for that are there, by tag.
        syntax: UID of its transfer syntax.
        content: The file, inflated if it was deflated.
        place: Where in `content` the value of the pixel data begins.
        length: Bytes of the pixel data; None where they are in fragments.
    """

    elements: dict[int, bytes]
    syntax: str
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
        FilmError: It is truncated, has no pixels, or is of endless length; or pydicom is not installed.
    """
    file = _File(content)
    file.seek(MARK_PLACE + 4)
    meta = file.walk(False, frozenset({_SYNTAX}), lambda tag: tag >> 16 != 2)
    if not file.ended:
        raise FilmError("truncated DICOM: it ends in its meta information; copy it again")
    syntax = meta.get(_SYNTAX, b"").rstrip(b"\0 ").decode("ascii", "replace")
    if not syntax:
        raise FilmError("damaged DICOM: it names no transfer syntax; write it again")
    if syntax == BIG_ENDIAN:
        raise FilmError("DICOM in big endian, which the standard has withdrawn; store it in little endian")
    if syntax == DEFLATED:
        file = _File(_inflated(content[file.tell() :]))  # not by pydicom, which sets no limit
    start = file.tell()
    implicit = not file.content[start + 4 : start + 6].isalpha()  # some files are not what their syntax says
    elements = file.walk(implicit, wanted, lambda tag: tag == _PIXELS)
    if not file.ended:
        raise FilmError("DICOM without pixel data, or cut before it; copy it again")
    length = None if file.length == _UNDEFINED else file.length
    return Stream(elements, syntax, file.content, file.place, length)


def frame_of(stream: Stream) -> bytes:
    """The one compressed frame of a file whose pixels are in fragments, joined."""
    from pydicom.encaps import generate_fragments

    if stream.length is not None:
        raise FilmError("damaged DICOM: compressed pixels that are not in fragments; copy it again")
    content = io.BytesIO(stream.content)
    content.seek(stream.place)
    try:
        fragments = list(islice(generate_fragments(content), MAX_FRAGMENTS))
    except ValueError:
        raise FilmError(_NO_END) from None
    end = content.tell()  # pydicom stops there in the midst of a file that is cut, too
    if stream.content[end - 4 : end] != _END or len(stream.content) < end + 4:
        raise FilmError(_NO_END)
    frame = b"".join(fragments[1:])  # the first is a table of offsets
    if not frame:
        raise FilmError("damaged DICOM: its pixel data is empty; copy it again")
    return frame


def item_of(sequence: bytes) -> dict[int, Element]:
    """The elements of the first item of a sequence, without sequences inside; empty where it has none."""
    with _failures_told():
        from pydicom.dataelem import RawDataElement
        from pydicom.filereader import read_sequence

        items = read_sequence(_File(sequence), False, True, len(sequence), "ascii")
        tags = items[0].keys() if items else ()
        elements = [items[0].get_item(tag, keep_deferred=True) for tag in tags]  # which converts none
    found = {}
    for element in elements:
        if isinstance(element, RawDataElement):
            place = element.value_tell
            found[element.tag] = Element(element.VR or "", sequence[place : place + element.length])
    return found


class _File(io.BytesIO):
    """The bytes of a file as pydicom reads them, with a limit of steps.

    Attributes:
        content: The bytes.
        place: Where the value of the element begins that a walk came to last.
        length: Of that value, as the file says.
        ended: Whether that element is where the walk had to end.
    """

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.content, self.place, self.length, self.ended = content, 0, 0, False
        self._steps = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """As of any file, but pydicom sees no character sets.

        It would look up each among the modules of Python, and hostile files can name thousands; no
        value is taken from what it sees.
        """
        seen = super().read(size)
        self._steps += 1 + len(seen) // 256 + 5 * (size == 2)  # two bytes begin an item, which is slow
        if self._steps > MAX_STEPS:
            raise FilmError(f"DICOM of more than {MAX_STEPS:,} elements; this is no film")
        return _NO_ELEMENT + seen[4:] if seen.startswith(_CHARACTER_SET) else seen

    def walk(self, implicit: bool, wanted: frozenset[int], is_end: Callable[[int], bool]) -> dict[int, bytes]:
        """Values of the elements wanted up to one that is the end, which is come to, not read."""
        self.ended = False

        def stop_when(tag: int, _kind: str | None, length: int) -> bool:
            self.place, self.length, self.ended = self.tell(), length, is_end(tag)
            if not self.ended and length != _UNDEFINED:
                if self.place + length > len(self.content):
                    raise FilmError(_CUT)
                if tag in wanted and length > MAX_VALUE:
                    raise FilmError(f"DICOM with a value of {length} bytes in its header; this is no film")
            return self.ended

        with _failures_told():
            from pydicom.filereader import data_element_generator

            walk = data_element_generator(
                self, implicit, True, stop_when, defer_size=0, specific_tags=list(wanted)
            )  # all values are deferred: they are cut out here, so that none is held twice
            return {element.tag: self.content[self.place : self.tell()] for element in walk}


@contextmanager
def _failures_told() -> Iterator[None]:
    """Turns all that pydicom raises into one error; its own messages may show what the file holds."""
    try:
        yield
    except ImportError:
        raise FilmError("DICOM needs hilum's `dicom` extra: pip install 'hilum[dicom]'") from None
    except _FAILURES:
        raise FilmError(_DAMAGED) from None


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
