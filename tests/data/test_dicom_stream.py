"""The walk through a DICOM file: what is kept, what is stepped over, and where it ends."""

import warnings
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
from hilum.data.dicom_stream import Element, frame_of, is_dicom, item_of, stream_from
from hilum.errors import FilmError

ROWS, NAME, SEQUENCE = 0x00280010, 0x00100010, 0x00281199
ENDLESS = 0xFFFFFFFF
WANTED = frozenset({ROWS, SEQUENCE})
END, ITEM_END = element(0xFFFEE0DD, b"", b""), element(0xFFFEE00D, b"", b"")


def _open(tag: int, kind: bytes = b"SQ", implicit: bool = False) -> bytes:
    return element(tag, kind, b"", ENDLESS, implicit)


@pytest.mark.parametrize("syntax", [LITTLE, IMPLICIT, DEFLATED])
def test_where_the_pixels_lie(syntax) -> None:
    stream = stream_from(dicom(syntax=syntax), WANTED)
    assert stream.syntax == syntax
    assert stream.implicit == (syntax == IMPLICIT)
    assert set(stream.elements) == {ROWS}
    assert int.from_bytes(stream.elements[ROWS].value, "little") == 24
    assert stream.length == GREY.size
    assert stream.content[stream.place :][: GREY.size] == GREY.tobytes()


def test_a_file_that_is_not_what_its_syntax_says() -> None:
    """Some writers name explicit elements and write implicit ones."""
    stream = stream_from(meta(LITTLE) + dicom(syntax=IMPLICIT)[len(meta(IMPLICIT)) :], WANTED)
    assert stream.implicit
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
    assert stream.elements[ROWS].value == b"\x18\0"


def test_every_cut_of_a_header_is_noticed() -> None:
    whole = dicom(before=SKIPPED["nested"] + SKIPPED["item with an end"])
    for length in range(132, whole.index(GREY.tobytes())):
        with pytest.raises(FilmError, match=r"truncated|without pixel|no transfer syntax|unknown kind"):
            stream_from(whole[:length], WANTED)


def test_no_byte_makes_it_fail_in_another_way() -> None:
    whole, rng = (
        dicom(before=SKIPPED["nested"], after=SKIPPED["sequence with an end"]),
        np.random.default_rng(0),
    )
    outcomes = set()
    for _ in range(3_000):
        content = bytearray(whole)
        for place in rng.integers(132, len(whole) - GREY.size, 3):
            content[place] = rng.integers(256)
        try:
            stream_from(bytes(content), WANTED)
            outcomes.add("read")
        except FilmError as error:
            outcomes.add(str(error)[:20])
    assert len(outcomes) > 3


def test_the_mark() -> None:
    assert is_dicom(dicom())
    assert is_dicom(bytes(128) + b"DICM")
    assert not is_dicom(b"")
    assert not is_dicom(fields({}))


def test_frames_in_fragments() -> None:
    packed = dicom(fragments(b"ab", b"cd"), "1.2.840.10008.1.2.4.50")
    assert frame_of(stream_from(packed, WANTED)) == b"abcd"
    for length in range(packed.index(b"abcd"[:2]), len(packed)):
        with pytest.raises(FilmError, match="the end of its compressed pixels was not found"):
            frame_of(stream_from(packed[:length], WANTED))
    with pytest.raises(FilmError, match="its pixel data is empty"):
        frame_of(stream_from(dicom(fragments()), WANTED))
    with pytest.raises(FilmError, match="not in fragments"):
        frame_of(stream_from(dicom(), WANTED))


@pytest.mark.parametrize("implicit", [False, True])
def test_the_first_item_of_a_sequence(implicit) -> None:
    inner = element(ROWS, b"US", b"\7\0", implicit=implicit) + element(NAME, b"PN", b"ab", implicit=implicit)
    kind = b"" if implicit else b"US"
    for value in (item(inner), item(inner) + item(inner), _open(0xFFFEE000) + inner + ITEM_END + END):
        found = item_of(Element(b"SQ", value), implicit)
        assert found[ROWS] == Element(kind, b"\7\0")
        assert set(found) == {ROWS, NAME}
    assert item_of(Element(b"SQ", b""), implicit) == {}
    with pytest.raises(FilmError, match="a sequence without an item"):
        item_of(Element(b"SQ", inner), implicit)
    with pytest.raises(FilmError, match="truncated DICOM"):
        item_of(Element(b"SQ", item(inner)[:-2]), implicit)


def test_a_deflated_file_stops_at_the_cap(monkeypatch) -> None:
    packed = dicom(syntax=DEFLATED)
    monkeypatch.setattr(dicom_stream, "MAX_INFLATED", 500)
    with pytest.raises(FilmError, match="inflates to more than"):
        stream_from(packed, WANTED)


def test_every_file_of_pydicom_is_walked_as_it_walks() -> None:
    pydicom = pytest.importorskip("pydicom")
    n_compared = 0
    for path in sorted((Path(pydicom.__file__).parent / "data" / "test_files").glob("*.dcm")):
        try:
            stream = stream_from(path.read_bytes(), frozenset({ROWS, 0x00080016, 0x00280030}))
        except FilmError:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom tells of every quirk
            peer = pydicom.dcmread(path, stop_before_pixels=True)
        for tag in (ROWS, 0x00080016, 0x00280030):
            assert (tag in stream.elements) == (tag in peer), path.name
        if ROWS in stream.elements:
            assert int.from_bytes(stream.elements[ROWS].value, "little") == peer.Rows, path.name
        n_compared += 1
    assert n_compared > 45
