"""The walk through a DICOM file: what is kept, what is stepped over, and where it ends."""

import sys
from pathlib import Path

import numpy as np
import pytest
from tests.data.malformed_film import (
    DEFLATED,
    GREY,
    IMPLICIT,
    LITTLE,
    dicom,
    element,
    fields,
    fragments,
    item,
    meta,
)

from hilum.data import dicom_stream
from hilum.data.dicom_stream import MAX_STEPS, MAX_VALUE, Element, frame_of, is_dicom, item_of, stream_from
from hilum.errors import FilmError

ROWS, NAME, SEQUENCE = 0x00280010, 0x00100010, 0x00281199
ENDLESS = 0xFFFFFFFF
WANTED = frozenset({ROWS, SEQUENCE})
NESTED = "its elements are nested too deeply or do not fit together"
END, ITEM_END = element(0xFFFEE0DD, b"", b""), element(0xFFFEE00D, b"", b"")


def _open(tag: int, kind: bytes = b"SQ", implicit: bool = False) -> bytes:
    return element(tag, kind, b"", ENDLESS, implicit)


@pytest.mark.parametrize("syntax", [LITTLE, IMPLICIT, DEFLATED])
def test_where_the_pixels_lie(syntax) -> None:
    stream = stream_from(dicom(syntax=syntax), WANTED)
    assert stream.syntax == syntax
    assert set(stream.elements) == {ROWS}
    assert stream.elements[ROWS] == b"\x18\0"
    assert stream.length == GREY.size
    assert stream.content[stream.place :][: GREY.size] == GREY.tobytes()


def test_a_file_that_is_not_what_its_syntax_says() -> None:
    """Some writers name explicit elements and write implicit ones."""
    stream = stream_from(meta(LITTLE) + dicom(syntax=IMPLICIT)[len(meta(IMPLICIT)) :], WANTED)
    assert stream.elements == {ROWS: b"\x18\0"}
    assert stream.length == GREY.size


INNER = element(0x00080016, b"UI", b"1.2\0")
SKIPPED = {
    "sequence with a length": element(0x00081140, b"SQ", item(INNER)),
    "sequence with an end": _open(0x00081140) + item(INNER) + END,
    "item with an end": _open(0x00081140) + _open(0xFFFEE000) + INNER + ITEM_END + END,
    "rows inside a sequence": _open(0x00081140) + item(element(ROWS, b"US", b"\1\0")) + END,
    "no item": _open(0x00081140) + END,
    "unknown kind, implicit inside": _open(0x00091010, b"UN")
    + item(element(0x00080016, b"UI", b"1.2\0", implicit=True))
    + END,
    "unknown kind inside a sequence": _open(0x00081140)
    + _open(0xFFFEE000)
    + _open(0x00091010, b"UN")
    + item(element(0x00080016, b"UI", b"1.2\0", implicit=True))
    + END
    + ITEM_END
    + END,
    "unknown kind inside it, ends inside": _open(0x00081140)
    + _open(0xFFFEE000)
    + _open(0x00091010, b"UN")
    + _open(0xFFFEE000)
    + element(0x00080016, b"UI", b"1.2\0", implicit=True)
    + ITEM_END
    + END
    + ITEM_END
    + END,
    "nested": _open(0x00081140) + _open(0xFFFEE000) + _open(0x00081140) + END + ITEM_END + END,
    "long text": element(0x00091010, b"UT", b"x" * 70_000),
}


@pytest.mark.parametrize("what", SKIPPED)
def test_what_is_stepped_over(what) -> None:
    stream = stream_from(dicom(before=SKIPPED[what]), WANTED)
    assert stream.length == GREY.size
    assert stream.elements == {ROWS: b"\x18\0"}
    assert stream.content[stream.place :] == GREY.tobytes()


@pytest.mark.parametrize(
    ("before", "value"),
    [
        (_open(SEQUENCE) + item(INNER) + END, item(INNER) + END),
        (element(SEQUENCE, b"SQ", item(INNER)), item(INNER)),
        (_open(SEQUENCE) + END, END),
        (element(SEQUENCE, b"SQ", b""), b""),
    ],
)
def test_a_sequence_that_is_wanted(before, value) -> None:
    assert stream_from(dicom(before=before), WANTED).elements == {ROWS: b"\x18\0", SEQUENCE: value}


def test_every_cut_of_a_header_is_noticed() -> None:
    whole = dicom(before=SKIPPED["nested"] + SKIPPED["item with an end"])
    for length in range(132, whole.index(GREY.tobytes())):
        with pytest.raises(FilmError, match=f"truncated|or cut before it|no transfer syntax|{NESTED}"):
            stream_from(whole[:length], WANTED)


def test_no_byte_makes_it_fail_in_another_way() -> None:
    whole, rng = (
        dicom(before=SKIPPED["nested"], after=SKIPPED["sequence with an end"]),
        np.random.default_rng(0),
    )
    outcomes = set()
    for _ in range(500):
        content = bytearray(whole)
        for place in rng.integers(132, len(whole) - GREY.size, 3):
            content[place] = rng.integers(256)
        try:
            stream_from(bytes(content), WANTED)
            outcomes.add("read")
        except FilmError as error:
            outcomes.add(str(error)[:20])
    assert len(outcomes) > 3


def test_a_private_part_that_never_ends() -> None:
    """pydicom warns of it; here a warning is an error, and it is told as one."""
    inner = _open(0xFFFEE000) + _open(0x00091010, b"OB")
    with pytest.raises(FilmError, match=NESTED):
        stream_from(dicom(before=_open(0x00081140) + inner), WANTED)


def test_character_sets_are_not_looked_up() -> None:
    """pydicom would, at the outermost level and inside sequences, and warn of one that does not exist."""
    charset = element(0x00080005, b"CS", b"ISO_IR 999")
    content = dicom(before=charset + _open(0x00081140) + item(charset) + END)
    assert stream_from(content, WANTED).elements == {ROWS: b"\x18\0"}
    numbers = element(SEQUENCE, b"OW", b"\x08\0\x05\0\1\0\2\0")  # a value that looks like one stays as it is
    assert stream_from(dicom(after=numbers), WANTED).elements[SEQUENCE] == numbers[12:]
    assert item_of(item(numbers))[SEQUENCE].value == numbers[12:]


@pytest.mark.parametrize(
    ("before", "told"),
    [
        (element(0x00091010, b"LO", b"ab") * (MAX_STEPS + 1), "DICOM of more than 120,000 elements"),
        (
            _open(0x00081140) + item(b"") * (MAX_STEPS // 6) + END,
            f"DICOM of more than 120,000 elements|{NESTED}",
        ),
        (element(SEQUENCE, b"SQ", bytes(MAX_VALUE + 2)), "DICOM with a value of 1048578 bytes in its header"),
    ],
)
def test_endless_headers(before, told) -> None:
    with pytest.raises(FilmError, match=told):
        stream_from(dicom(before=before), WANTED)


def test_values_at_the_limit() -> None:
    longest, skipped = element(SEQUENCE, b"SQ", bytes(MAX_VALUE)), element(0x00091010, b"UT", bytes(2**22))
    assert len(stream_from(dicom(before=longest + skipped), WANTED).elements[SEQUENCE]) == MAX_VALUE


def test_without_pydicom(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pydicom.filereader", None)
    with pytest.raises(FilmError, match=r"DICOM needs hilum's `dicom` extra: pip install 'hilum\[dicom\]'"):
        stream_from(dicom(), WANTED)


def test_the_mark() -> None:
    assert is_dicom(dicom())
    assert is_dicom(bytes(128) + b"DICM")
    assert not is_dicom(b"")
    assert not is_dicom(fields({}))


def test_frames_in_fragments() -> None:
    packed = dicom(fragments(b"ab", b"cd"), "1.2.840.10008.1.2.4.50")
    assert frame_of(stream_from(packed, WANTED)) == b"abcd"
    for length in range(packed.index(b"ab"), len(packed)):
        with pytest.raises(FilmError, match="the end of its compressed pixels was not found"):
            frame_of(stream_from(packed[:length], WANTED))
    with pytest.raises(FilmError, match="its pixel data is empty"):
        frame_of(stream_from(dicom(fragments()), WANTED))
    with pytest.raises(FilmError, match="not in fragments"):
        frame_of(stream_from(dicom(), WANTED))


def test_fragments_that_are_no_fragments() -> None:
    for wrong in (element(0x00091010, b"", b"ab", implicit=True), _open(0xFFFEE000), item(b"")[:7]):
        content = element(0x7FE00010, b"OB", item(b"") + wrong, ENDLESS)
        with pytest.raises(FilmError, match="the end of its compressed pixels was not found"):
            frame_of(stream_from(dicom(content), WANTED))


@pytest.mark.parametrize("implicit", [False, True])
def test_the_first_item_of_a_sequence(implicit) -> None:
    inner = element(ROWS, b"US", b"\7\0", implicit=implicit) + element(NAME, b"PN", b"ab", implicit=implicit)
    other = element(ROWS, b"US", b"\x09\0", implicit=implicit)
    kind = "" if implicit else "US"
    opened = _open(0xFFFEE000) + inner + ITEM_END + END
    for value in (
        item(inner),
        item(inner) + item(other),
        opened,
        item(inner + _open(0x00081140, b"SQ", implicit) + END),
    ):
        found = item_of(value)
        assert found[ROWS] == Element(kind, b"\7\0")
        assert set(found) == {ROWS, NAME}
    assert item_of(b"") == {}
    assert item_of(END) == {}
    assert item_of(item(b"")) == {}
    empty = element(ROWS, b"" if implicit else b"ZZ", b"", implicit=implicit)  # a kind that does not exist
    assert item_of(item(empty)) == {ROWS: Element("" if implicit else "ZZ", b"")}
    assert item_of(item(inner)[:-2])[NAME].value == b""  # a table that is cut is refused for its length
    with pytest.raises(FilmError, match=NESTED):
        item_of(item(inner)[:5])


def test_a_deflated_file_stops_at_the_cap(monkeypatch) -> None:
    packed = dicom(syntax=DEFLATED)
    monkeypatch.setattr(dicom_stream, "MAX_INFLATED", 500)
    with pytest.raises(FilmError, match="inflates to more than"):
        stream_from(packed, WANTED)


def test_where_the_pixels_of_scanners_lie() -> None:
    """Beside the last place of the pixels' tag in the file, found without any parser."""
    pydicom = pytest.importorskip("pydicom")
    n_compared = 0
    for path in sorted((Path(pydicom.__file__).parent / "data" / "test_files").glob("*.dcm")):
        content = path.read_bytes()
        try:
            stream = stream_from(content, WANTED)
        except FilmError:
            continue
        place = stream.content.rindex(b"\xe0\x7f\x10\x00", 0, stream.place)
        assert stream.place - place in (8, 12), path.name
        n_compared += 1
    assert n_compared > 45
