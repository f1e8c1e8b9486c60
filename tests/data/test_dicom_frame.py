"""Every codec gives back what another program packed; damage in it never ends the process."""

import io
import subprocess
import sys

import cv2
import numpy as np
import pytest
from PIL import Image
from tests.data.malformed_codec import lossless_jpeg, run_lengths, twelve_bit_jpeg
from tests.data.malformed_film import GREY, jpeg

from hilum.data.dicom_frame import (
    GDCM,
    JPEG_2000,
    JPEG_BASELINE,
    JPEG_EXTENDED,
    RLE,
    Layout,
    decoded,
    one_channel,
)
from hilum.errors import FilmError

LOSSLESS, FIRST_ORDER = "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70"
JPEG_LS, NEAR_LOSSLESS = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"
EIGHT = Layout(GREY.shape, 1, 8, 8, False)
LAYOUTS = {
    "8 bits": EIGHT,
    "12 bits": Layout(GREY.shape, 1, 16, 12, False),
    "16 bits": Layout(GREY.shape, 1, 16, 16, False),
    "12 bits, signed": Layout(GREY.shape, 1, 16, 12, True),
}


def _film(layout: Layout) -> np.ndarray:
    """Patterns of bits as they are stored: noise and runs."""
    noise = np.random.default_rng(3).integers(0, 2**layout.depth, layout.hw)
    noise[:9, 5:] = noise[0, 0]
    return noise.astype(f"u{layout.container // 8}")


def _jpeg_ls(pixels: np.ndarray, depth: int, error: int = 0) -> bytes:
    pixels_of = pytest.importorskip("pydicom.pixels")
    pytest.importorskip("jpeg_ls")
    syntax = NEAR_LOSSLESS if error else JPEG_LS
    frame = pixels_of.get_encoder(syntax).encode(
        pixels.tobytes(),
        rows=pixels.shape[0],
        columns=pixels.shape[1],
        samples_per_pixel=1,
        bits_allocated=8 * pixels.itemsize,
        bits_stored=depth,
        pixel_representation=0,
        photometric_interpretation="MONOCHROME2",
        number_of_frames=1,
        **({"jls_error": error} if error else {}),
    )
    return bytes(frame)


def _jpeg_2000(pixels: np.ndarray, _depth: int = 8) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG2000", no_jp2=True, irreversible=False)
    return stream.getvalue()


PACKED = {
    LOSSLESS: lossless_jpeg,
    FIRST_ORDER: lossless_jpeg,
    JPEG_LS: _jpeg_ls,
    JPEG_2000[0]: _jpeg_2000,
    JPEG_2000[1]: _jpeg_2000,
    RLE: lambda pixels, _depth: run_lengths(pixels),
}


@pytest.mark.parametrize("depth", LAYOUTS)
@pytest.mark.parametrize("syntax", PACKED)
def test_lossless_codecs_give_back_every_bit(syntax, depth) -> None:
    layout = LAYOUTS[depth]
    film = _film(layout)
    if syntax in JPEG_2000 and layout.depth == 12:
        return  # Pillow packs 8 and 16 bits only; the films of pydicom in test_dicom.py have 13 and 14
    if syntax in GDCM:
        pytest.importorskip("gdcm")
    values = decoded(PACKED[syntax](film, layout.depth), syntax, layout)
    assert values.dtype == film.dtype
    np.testing.assert_array_equal(values & (2**layout.depth - 1), film)  # signs may fill the bits above


@pytest.mark.parametrize("predictor", [1, 2, 4, 7])
def test_every_predictor_of_lossless_jpeg(predictor) -> None:
    pytest.importorskip("gdcm")
    film = _film(LAYOUTS["16 bits"])
    frame = lossless_jpeg(film, 16, predictor)
    np.testing.assert_array_equal(decoded(frame, LOSSLESS, LAYOUTS["16 bits"]), film)
    np.testing.assert_array_equal(decoded(frame, LOSSLESS, LAYOUTS["12 bits"]), film)  # some round bits up


def test_twelve_bit_jpeg() -> None:
    pytest.importorskip("gdcm")
    levels = np.array([[0, 4095, 2048], [77, 3000, 1]], np.uint16)
    layout = Layout((16, 24), 1, 16, 12, False)
    values = decoded(twelve_bit_jpeg(levels), JPEG_EXTENDED, layout)
    np.testing.assert_array_equal(values, np.kron(levels, np.ones((8, 8), int)))


def test_near_lossless_jpeg_ls() -> None:
    pytest.importorskip("gdcm")
    values = decoded(_jpeg_ls(GREY, 8, error=2), NEAR_LOSSLESS, EIGHT)
    assert 0 < np.abs(values.astype(int) - GREY).max() <= 2


@pytest.mark.parametrize("syntax", [JPEG_BASELINE, JPEG_EXTENDED])
def test_eight_bit_jpeg(syntax) -> None:
    peer = cv2.imdecode(np.frombuffer(jpeg(), np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(decoded(jpeg(), syntax, EIGHT), peer)
    equal = decoded(jpeg(np.dstack([GREY] * 3)), syntax, Layout(GREY.shape, 3, 8, 8, False))
    assert np.abs(equal.astype(int) - GREY).max() <= 1
    with pytest.raises(FilmError, match="DICOM in colour; a film is grey"):
        decoded(jpeg(np.dstack([GREY, GREY, 255 - GREY])), syntax, Layout(GREY.shape, 3, 8, 8, False))


@pytest.mark.parametrize("syntax", PACKED)
@pytest.mark.parametrize("other", [Layout((24, 40), 1, 8, 8, False), Layout((25, 20), 1, 8, 8, False)])
def test_a_frame_of_another_size_reaches_no_decoder(syntax, other, monkeypatch) -> None:
    frame = PACKED[syntax](GREY, 8)
    monkeypatch.setitem(sys.modules, "gdcm", None)
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("was decoded"))
    with pytest.raises(FilmError, match=r"of another size or depth|cannot be decoded"):
        decoded(frame, syntax, other)


@pytest.mark.parametrize("marker", [0x00, 0x01, 0xCC, 0xD0, 0xD9, 0xFF])
@pytest.mark.parametrize("syntax", [JPEG_EXTENDED, LOSSLESS])
def test_a_marker_at_which_gdcm_would_abort(syntax, marker, monkeypatch) -> None:
    """libjpeg goes on to the next one, here without the tables, and nothing catches gdcm's exception."""
    monkeypatch.setitem(sys.modules, "gdcm", None)
    twelve = syntax == JPEG_EXTENDED
    frame = twelve_bit_jpeg(np.array([[7]], np.uint16)) if twelve else lossless_jpeg(GREY, 8)
    tables = frame.index(b"\xff\xc4") + 1
    layout = Layout((8, 8), 1, 16, 12, False) if twelve else EIGHT
    with pytest.raises(FilmError, match=r"pixels (cannot be decoded|are of another size)"):
        decoded(frame[:tables] + bytes([marker]) + frame[tables + 1 :], syntax, layout)


@pytest.mark.parametrize("syntax", [LOSSLESS, FIRST_ORDER, JPEG_LS, RLE])
def test_a_frame_that_is_cut(syntax) -> None:
    frame = PACKED[syntax](GREY, 8)
    for length in (0, 1, 30, len(frame) // 2, len(frame) - 3):
        with pytest.raises(FilmError, match="its compressed pixels cannot be decoded"):
            decoded(frame[:length], syntax, EIGHT)


@pytest.mark.parametrize("syntax", [LOSSLESS, JPEG_LS, RLE])
def test_a_frame_of_fewer_bits_than_said(syntax) -> None:
    with pytest.raises(FilmError, match="of another size or depth"):
        decoded(PACKED[syntax](GREY, 8), syntax, LAYOUTS["12 bits"])


def test_without_the_extra(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "gdcm", None)
    with pytest.raises(FilmError, match=r"need hilum's `dicom` extra: pip install 'hilum\[dicom\]'"):
        decoded(lossless_jpeg(GREY, 8), LOSSLESS, EIGHT)
    others = {JPEG_BASELINE: jpeg(), JPEG_2000[0]: _jpeg_2000(GREY), RLE: run_lengths(GREY)}
    for syntax, frame in others.items():
        assert decoded(frame, syntax, EIGHT).shape == GREY.shape


def test_what_is_not_read() -> None:
    with pytest.raises(FilmError, match="a transfer syntax that is not read"):
        decoded(b"", "1.2.840.10008.1.2.4.201", EIGHT)
    with pytest.raises(FilmError, match="in colour is read only uncompressed or as JPEG"):
        decoded(b"", RLE, Layout(GREY.shape, 3, 8, 8, False))


def test_one_channel() -> None:
    np.testing.assert_array_equal(one_channel(np.stack([GREY] * 3)), GREY)
    for odd in range(1, 3):
        channels = np.stack([GREY] * 3)
        channels[odd, 3, 3] ^= 1
        with pytest.raises(FilmError, match="DICOM in colour"):
            one_channel(channels)


FUZZ = """
import sys
import numpy as np
from hilum.data.dicom_frame import Layout, decoded
from hilum.errors import FilmError
frame, syntax, depth, rounds = bytes.fromhex(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
layout = Layout((24, 20 if depth == 8 else 24), 1, 8 if depth == 8 else 16, depth, False)
rng, told = np.random.default_rng(0), 0
for number in range(rounds):
    content = bytearray(frame)
    reach = len(frame) if number % 2 else min(len(frame), 90)
    for place in rng.integers(0, reach, rng.integers(1, 5)):
        content[place] = rng.integers(256)
    if number % 5 == 0:
        content = content[: rng.integers(len(content))]
    try:
        decoded(bytes(content), syntax, layout)
    except FilmError:
        told += 1
print(told)
"""


@pytest.mark.parametrize("syntax", [*PACKED, JPEG_BASELINE, JPEG_EXTENDED])
def test_damage_never_ends_the_process(syntax) -> None:
    depth = 12 if syntax == JPEG_EXTENDED else 8
    if syntax == JPEG_BASELINE:
        frame = jpeg()
    elif syntax == JPEG_EXTENDED:
        frame = twelve_bit_jpeg(np.arange(9, dtype=np.uint16).reshape(3, 3) * 400)
    else:
        frame = PACKED[syntax](GREY, 8)
    done = subprocess.run(
        [sys.executable, "-c", FUZZ, frame.hex(), syntax, str(depth), "400"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr[-300:]
    assert int(done.stdout) > 80
