"""One file in, one film out: by content and not by name, the same pixels as floats and as bytes."""

import math
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.data.malformed_film import GREY, PRIVATE, dicom, element, fragments, jpeg, png, sixteen

from hilum.data import radiograph
from hilum.data.radiograph import Header, eight_bit_from, header_from, radiograph_from
from hilum.errors import FilmError

READERS = [eight_bit_from, radiograph_from, header_from]
BASELINE = "1.2.840.10008.1.2.4.50"


@pytest.fixture
def file_of(tmp_path: Path):
    def write(content: bytes, name: str = "film.png") -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize("name", ["film.png", "film.jpg", "film.dcm", "film"])
@pytest.mark.parametrize(
    ("content", "source"),
    [(png(), "PNG"), (jpeg(), "JPEG"), (dicom(), "DICOM"), (dicom(fragments(jpeg()), BASELINE), "DICOM")],
    ids=["png", "jpeg", "dicom", "compressed dicom"],
)
def test_content_decides_and_not_the_name(file_of, name, content, source) -> None:
    path = file_of(content, name)
    film = radiograph_from(path)
    assert film.source == source
    assert film.pixels.dtype == np.float32
    assert film.header.hw == header_from(path).hw == film.pixels.shape == GREY.shape
    assert np.abs(255 * film.pixels - GREY).max() < 2
    np.testing.assert_array_equal(np.rint(255 * film.pixels), eight_bit_from(path))


@pytest.mark.parametrize(
    "content",
    [
        png(GREY.astype(np.uint16) * 200 + 77),
        sixteen(GREY.astype(np.uint16) * 16, 12),
        sixteen(GREY.astype(np.uint16) * 200 + 77),
        dicom(photometric=b"MONOCHROME1 "),
        dicom(centre=b"100 ", width=b"77"),
    ],
    ids=["16-bit png", "12 bits", "16 bits", "monochrome1", "window"],
)
def test_bytes_are_the_floats_rounded(file_of, content) -> None:
    path = file_of(content)
    film = radiograph_from(path)
    assert film.pixels.min() >= 0
    assert film.pixels.max() <= 1
    bytes_ = eight_bit_from(path)
    assert bytes_.dtype == np.uint8
    assert np.abs(bytes_ - 255 * film.pixels.astype(float)).max() <= 0.5001


def test_eight_bits_are_not_touched(file_of) -> None:
    np.testing.assert_array_equal(eight_bit_from(file_of(png())), GREY)
    np.testing.assert_array_equal(eight_bit_from(file_of(dicom())), GREY)
    np.testing.assert_array_equal(radiograph_from(file_of(png())).pixels, GREY.astype(np.float32) / 255)


def test_what_a_header_says(file_of) -> None:
    said = dicom(view=b"AP", age=b"006M", sex=b"F ", spacing=b"0.2\\0.1 ", patient=b"P7")
    assert header_from(file_of(said)) == Header((24, 20), "AP", 0.5, "F", (0.2, 0.1), "P7")
    for content in (png(), jpeg()):
        header = header_from(file_of(content))
        assert (header.hw, header.view, header.sex, header.patient) == ((24, 20), "", "", "")
        assert math.isnan(header.age)
        assert header.spacing_mm is None


@pytest.mark.parametrize("content", [png(), jpeg(), dicom()], ids=["png", "jpeg", "dicom"])
def test_a_header_needs_no_decoder(file_of, content, monkeypatch) -> None:
    path = file_of(content)
    monkeypatch.setattr(radiograph.raster, "grey", lambda _: pytest.fail("was decoded"))
    monkeypatch.setattr(radiograph.dicom, "grey_codes", lambda _: pytest.fail("was decoded"))
    assert header_from(path).hw == GREY.shape


def test_a_header_is_read_from_the_start_of_a_file(file_of, monkeypatch) -> None:
    read, content_of = [], radiograph._content
    monkeypatch.setattr(radiograph, "_content", lambda *a: read.append(a[1:]) or content_of(*a))
    large = dicom(np.zeros((1200, 1000), np.uint8), rows=1200, columns=1000)
    assert header_from(file_of(large)).hw == (1200, 1000)
    assert read == [(2**20,)]
    note = element(0x00090001, b"UN", bytes(2**20))
    assert header_from(file_of(dicom(before=note))).hw == GREY.shape
    assert read[1:] == [(2**20,), ()]


def test_a_film_without_a_decoder_still_has_a_header(file_of) -> None:
    assert header_from(file_of(dicom(fragments(b"garbage"), BASELINE, view=b"PA"))).view == "PA"


@pytest.mark.parametrize("read", [eight_bit_from, radiograph_from, header_from])
@pytest.mark.parametrize(
    ("hw", "reason"),
    [
        ((7, 8), "8 x 7 pixels; a film has at least 8 on a side"),
        ((8, 8), None),
        ((8, 64), None),
        ((65, 8), "8 x 65 pixels; a film is at most 8 times as long as wide"),
    ],
)
def test_what_is_too_small_or_too_long(file_of, read, hw, reason) -> None:
    pixels = np.resize(np.arange(100, dtype=np.uint8), hw)
    for content in (png(pixels), dicom(pixels, rows=hw[0], columns=hw[1])):
        if reason is None:
            read(file_of(content))
        else:
            with pytest.raises(FilmError, match=reason):
                read(file_of(content))


@pytest.mark.parametrize("read", [eight_bit_from, radiograph_from])
def test_one_grey_value_is_no_film(file_of, read) -> None:
    constant = np.full_like(GREY, 9)
    for content in (png(constant), jpeg(constant), dicom(constant), dicom(centre=b"900 ", width=b"2 ")):
        with pytest.raises(FilmError, match="every pixel has the same grey value; this is no film"):
            read(file_of(content))


def test_one_pixel_or_one_row_is_enough(file_of) -> None:
    for place in ((0, 0), (12, 7), (23, 19)):
        pixels = np.full_like(GREY, 9)
        pixels[place] = 10
        np.testing.assert_array_equal(eight_bit_from(file_of(png(pixels))), pixels)
    rows = np.repeat(np.arange(24, dtype=np.uint8)[:, None], 20, axis=1)
    np.testing.assert_array_equal(eight_bit_from(file_of(png(rows))), rows)


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("name", ["absent.png", ".", "pipe", "round", "n" * 256])
def test_what_is_no_file(tmp_path, read, name) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "round").symlink_to(tmp_path / "round")
    with pytest.raises(FilmError, match=r"no such file|is no file but|cannot be read: "):
        read(tmp_path / name)


@pytest.mark.parametrize("read", READERS)
def test_the_message_is_one_line_that_names_the_file(file_of, read) -> None:
    path = file_of(b"<html>" + PRIVATE.encode(), "a\nfilm")
    with pytest.raises(FilmError) as caught:
        read(path)
    shown = str(path).replace("\n", "\\n")
    assert str(caught.value) == f"{shown}: starts with b'<htm'; a film is a PNG, JPEG or DICOM file"


def test_a_file_that_may_not_be_read(file_of, monkeypatch) -> None:
    path = file_of(png())
    monkeypatch.setattr(Path, "open", _denied)
    with pytest.raises(FilmError, match="cannot be read: Permission denied"):
        eight_bit_from(path)


def _denied(*_) -> None:
    raise PermissionError(13, "Permission denied")


def test_a_file_that_is_too_large_is_not_read(file_of, monkeypatch) -> None:
    path = file_of(png())
    monkeypatch.setattr(radiograph, "MAX_BYTES", len(png()) - 1)
    monkeypatch.setattr(Path, "open", lambda *_: pytest.fail("was read"))
    with pytest.raises(FilmError, match=rf"{len(png())} bytes; at most {len(png()) - 1} are read"):
        eight_bit_from(path)


def test_every_film_of_the_rsna_sample(rsna_films) -> None:
    assert len(rsna_films) == 110
    views, ages = set(), []
    for number, path in enumerate(rsna_films):
        content = path.read_bytes()
        start = content.index(b"\xff\xd8\xff")
        peer = cv2.imdecode(np.frombuffer(content[start:], np.uint8), cv2.IMREAD_UNCHANGED)
        header, pixels = header_from(path), eight_bit_from(path)
        views.add(header.view)
        ages.append(header.age)
        assert header.hw == pixels.shape == (1024, 1024)
        assert np.abs(pixels.astype(int) - peer).max() <= 1
        if number % 10 == 0:
            np.testing.assert_array_equal(np.rint(255 * radiograph_from(path).pixels), pixels)
    assert views == {"PA", "AP"}
    assert not np.isnan(ages).any()


@pytest.fixture
def rsna_films() -> list[Path]:
    root = Path(os.environ.get("HILUM_SAMPLES", Path(__file__).parents[3] / "shared")) / "rsna-sample"
    if not root.is_dir():
        pytest.skip("no real films here: rsna-sample is absent; HILUM_SAMPLES names the folder that holds it")
    return sorted((root / "stage_2_train_images").glob("*.dcm"))
