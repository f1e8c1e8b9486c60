"""DICOM films: what their headers say, and pixels beside pydicom's; nobody's name in any message."""

import io
import math
import warnings
from pathlib import Path

import numpy as np
import pytest
from tests.data.malformed_film import DEFLATED, FIELDS, GREY, IMPLICIT, LITTLE, PRIVATE, dicom, sixteen

from hilum.data import dicom as reader
from hilum.data.dicom import OTHER_PARTS, SIDE_VIEWS, TAGS, grey_codes, header
from hilum.errors import FilmError

DIGITAL = b"1.2.840.10008.5.1.4.1.1.1.1\0"


def _grey(content: bytes) -> np.ndarray:
    _, codes, table = grey_codes(content)
    assert codes.max() < len(table)
    return table[codes]


@pytest.mark.parametrize("syntax", [LITTLE, IMPLICIT, DEFLATED])
def test_every_way_to_lay_out_a_header(syntax) -> None:
    said = {"view": b"PA", "age": b"058Y", "sex": b"M ", "spacing": b"0.143\\0.139 ", "patient": b"12"}
    head, codes, table = grey_codes(dicom(syntax=syntax, **said))
    assert head == header(dicom(syntax=syntax, **said))
    assert (head.hw, head.view, head.age, head.sex) == ((24, 20), "PA", 58.0, "M")
    assert (head.spacing_mm, head.patient) == ((0.143, 0.139), "12")
    np.testing.assert_array_equal(codes, GREY)
    np.testing.assert_allclose(table, np.arange(256) / 255)


@pytest.mark.parametrize(
    ("text", "age"),
    [
        (b"42", 42.0),
        (b"058Y", 58.0),
        (b"006M", 0.5),
        (b"155 ", math.nan),
        (b"", math.nan),
        (b"old ", math.nan),
    ],
)
def test_ages(text, age) -> None:
    assert header(dicom(age=text)).age == pytest.approx(age, nan_ok=True)


@pytest.mark.parametrize(
    ("field", "text", "told"),
    [
        ("view", b"pa", "PA"),
        ("view", b"AP", "AP"),
        ("view", b"SITTING ", ""),
        ("view", b"", ""),
        ("sex", b"f ", "F"),
        ("sex", b"O ", ""),
        ("sex", b"", ""),
        ("patient", b"P 7 ", "P 7"),
        ("patient", b"P7\0", "P7"),
        ("patient", "Jürgen".encode(), "Jürgen"),
        ("patient", b"\xff7", "\ufffd7"),
    ],
)
def test_texts(field, text, told) -> None:
    assert getattr(header(dicom(**{field: text})), field) == told


@pytest.mark.parametrize(
    ("spacing", "told"),
    [
        (b"0.2\\0.1 ", (0.2, 0.1)),
        (b"0.2 ", None),
        (b"0\\0 ", None),
        (b"-1\\1", None),
        (b"nan\\1 ", None),
        (b"a\\b ", None),
        (None, None),
    ],
)
def test_spacing(spacing, told) -> None:
    assert header(dicom(spacing=spacing)).spacing_mm == told


def test_spacing_at_the_detector_if_there_is_no_other(monkeypatch) -> None:
    monkeypatch.setitem(FIELDS, "detector", (TAGS["ImagerPixelSpacing"], b"DS"))
    assert header(dicom(detector=b"0.2\\0.1 ")).spacing_mm == (0.2, 0.1)
    assert header(dicom(detector=b"0.2\\0.1 ", spacing=b"0.3\\0.3 ")).spacing_mm == (0.3, 0.3)


@pytest.mark.parametrize("view", sorted(SIDE_VIEWS))
def test_no_view_but_frontal(view) -> None:
    with pytest.raises(FilmError, match=f"a film of view {view}; PA and AP are read"):
        header(dicom(view=view.encode()))


@pytest.mark.parametrize("part", sorted(OTHER_PARTS))
def test_no_other_part_of_the_body(part) -> None:
    with pytest.raises(FilmError, match=f"a film of body part {part}, not of a chest"):
        header(dicom(part=part.encode()))


@pytest.mark.parametrize("kind", sorted(reader.FILM_CLASSES))
def test_every_class_of_films(kind) -> None:
    padded = kind.encode() + b"\0" * (len(kind) % 2)
    assert header(dicom(**{"class": padded}, part=b"CHEST ")).hw == (24, 20)


def test_the_window_is_the_first_of_several() -> None:
    one, two = {"centre": b"100 ", "width": b"51"}, {"centre": b"100\\9 ", "width": b"51\\80 "}
    np.testing.assert_array_equal(_grey(dicom(**two)), _grey(dicom(**one)))
    np.testing.assert_allclose(_grey(dicom(**one)), np.clip((GREY - 99.5) / 50 + 0.5, 0, 1))


def test_half_a_window_is_none() -> None:
    for half in ({"centre": b"100 "}, {"width": b"51"}, {"centre": b"", "width": b""}):
        np.testing.assert_allclose(_grey(dicom(**half)), GREY / 255)


def test_monochrome1_is_inverted_behind_the_window() -> None:
    window = {"centre": b"100 ", "width": b"51"}
    np.testing.assert_allclose(
        _grey(dicom(photometric=b"MONOCHROME1 ", **window)), 1 - _grey(dicom(**window)), atol=1e-12
    )


def _written(stored: np.ndarray, depth: int, **more) -> tuple[bytes, object]:
    """A file that pydicom writes, and its data set."""
    pydicom = pytest.importorskip("pydicom")
    film = pydicom.Dataset()
    film.file_meta = pydicom.dataset.FileMetaDataset()
    film.file_meta.TransferSyntaxUID = LITTLE
    film.file_meta.MediaStorageSOPClassUID = film.SOPClassUID = DIGITAL.decode().strip("\0")
    film.file_meta.MediaStorageSOPInstanceUID = film.SOPInstanceUID = "1.2.3"
    film.Rows, film.Columns = stored.shape
    film.SamplesPerPixel, film.PhotometricInterpretation = 1, "MONOCHROME2"
    film.BitsAllocated, film.BitsStored, film.HighBit = 8 * stored.itemsize, depth, depth - 1
    film.PixelRepresentation = int(stored.dtype.kind == "i")
    for name, value in more.items():
        setattr(film, name, value)
    film.PixelData = stored.tobytes()
    stream = io.BytesIO()
    film.save_as(stream, enforce_file_format=True)
    return stream.getvalue(), film


def _table(entries: np.ndarray, first: int, bits: int, kind: str):
    pydicom = pytest.importorskip("pydicom")
    table = pydicom.Dataset()
    table.add_new(0x00283002, kind, [len(entries), first, bits])
    table.add_new(0x00283006, "US", entries.tolist())
    if kind == "SS":
        table.ModalityLUTType = "US"
    return [table]


SIGNED = np.linspace(-2000, 2000, 480).reshape(24, 20).astype(np.int16)
CURVE = (65_535 * np.linspace(0, 1, 1000) ** 2).astype(np.uint16)
SCALES = {
    "plain": {},
    "line": {"RescaleSlope": "0.5", "RescaleIntercept": "-7"},
    "window": {"WindowCenter": "40", "WindowWidth": "400"},
    "line and window": {
        "RescaleSlope": "2",
        "RescaleIntercept": "-100",
        "WindowCenter": ["0.5", "7"],
        "WindowWidth": ["1001", "8"],
    },
    "sigmoid": {"WindowCenter": "40", "WindowWidth": "900", "VOILUTFunction": "SIGMOID"},
    "exact": {"WindowCenter": "40", "WindowWidth": "900", "VOILUTFunction": "LINEAR_EXACT"},
    "table": {"VOILUTSequence": (CURVE, -500, 16, "SS")},
    "table before window": {
        "VOILUTSequence": (CURVE, -500, 16, "SS"),
        "WindowCenter": "1",
        "WindowWidth": "9",
    },
    "table of 12 bits": {"VOILUTSequence": (CURVE // 16, 0, 12, "SS")},
    "table of modality": {"ModalityLUTSequence": (CURVE, -400, 16, "SS")},
}


@pytest.mark.parametrize("name", SCALES)
def test_scales_beside_pydicom(name) -> None:
    """Both end in the same picture; pydicom's has another range, so that a straight line joins them."""
    pixels = pytest.importorskip("pydicom.pixels")
    more = {key: _table(*value) if isinstance(value, tuple) else value for key, value in SCALES[name].items()}
    content, film = _written(SIGNED, 12, **more)
    ours = _grey(content)
    peer = pixels.apply_voi_lut(pixels.apply_modality_lut(SIGNED, film), film).astype(float)
    line = np.polyfit(peer.ravel(), ours.ravel(), 1)
    assert line[0] > 0
    np.testing.assert_allclose(np.polyval(line, peer), ours, atol=1e-3 if "table" in name else 1e-9)
    if name in ("window", "line and window", "exact", "table"):
        assert (ours.min(), ours.max()) == (0, 1)


def test_a_broken_table_is_refused() -> None:
    content, _ = _written(SIGNED, 12, VOILUTSequence=_table(CURVE, 0, 16, "SS"))
    entries = content.index(CURVE[:50].tobytes()) - 8
    assert content[entries : entries + 4] == b"\x28\x00\x06\x30"
    with pytest.raises(FilmError, match="a look-up table without its entries"):
        grey_codes(content[:entries] + b"\x28\x00\x07\x30" + content[entries + 4 :])
    content, _ = _written(SIGNED, 12, VOILUTSequence=_table(CURVE, 0, 17, "SS"))
    with pytest.raises(FilmError, match="a look-up table of 1000 entries of 17 bits is not whole"):
        grey_codes(content)


FILMS_OF_PYDICOM = {
    "693_J2KI.dcm", "CT_small.dcm", "J2K_pixelrep_mismatch.dcm", "JPEG2000.dcm", "JPEGLSNearLossless_08.dcm",
    "JPEGLSNearLossless_16.dcm", "MR_small.dcm", "MR_small_RLE.dcm", "MR_small_implicit.dcm",
    "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm", "examples_overlay.dcm", "image_dfl.dcm",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(FILMS_OF_PYDICOM))
def test_stored_values_beside_pydicom(name, monkeypatch) -> None:
    """Scanners' files of many kinds; they are no films, so that the check of the kind is put aside."""
    pydicom = pytest.importorskip("pydicom")
    path = Path(pydicom.__file__).parent / "data" / "test_files" / name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom tells of every quirk
        film = pydicom.dcmread(path)
        stored = film.pixel_array
    monkeypatch.setattr(reader, "FILM_CLASSES", {film.SOPClassUID})
    monkeypatch.setattr(reader, "OTHER_MODALITIES", set())
    monkeypatch.setattr(reader, "OTHER_PARTS", set())
    _, codes, table = grey_codes(path.read_bytes())
    np.testing.assert_array_equal(codes, stored.astype(np.int64) & (2**film.BitsStored - 1))
    assert len(table) == 2**film.BitsStored


def test_odd_bytes_of_an_odd_film() -> None:
    odd = np.arange(9 * 9, dtype=np.uint8).reshape(9, 9)
    np.testing.assert_allclose(_grey(dicom(odd, rows=9, columns=9)), odd / 255)


def test_no_number_of_the_header_is_read_as_another() -> None:
    """Rows and columns are not swapped, nor the planes of colour."""
    wide = np.arange(16 * 40, dtype=np.uint16).reshape(16, 40)
    assert _grey(sixteen(wide)).shape == (16, 40)
    assert header(sixteen(wide)).hw == (16, 40)


@pytest.mark.parametrize("field", sorted(FIELDS))
def test_no_message_shows_a_text_of_the_file(field) -> None:
    for content in (dicom(**{field: PRIVATE.encode()}), dicom(**{field: b"\xff<b>\n\0" + PRIVATE.encode()})):
        told = _told(content)
        assert PRIVATE not in told
        assert "<b>" not in told
        assert "\n" not in told


def test_no_byte_of_a_header_makes_it_fail_in_another_way() -> None:
    rng, told = np.random.default_rng(0), []
    whole = sixteen(GREY.astype(np.uint16) * 16, 12, centre=b"90", width=b"99")
    for _ in range(400):
        content = bytearray(whole)
        for place in rng.integers(132, len(whole) - 2 * GREY.size, 2):
            content[place] = rng.integers(256)
        told.append(_told(bytes(content)))
    assert len(set(told)) > 10
    assert not any("\n" in message for message in told)


def _told(content: bytes) -> str:
    """The message; empty where the film is read."""
    try:
        grey_codes(content)
    except FilmError as error:
        return str(error)
    return ""
