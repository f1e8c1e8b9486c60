"""PNG and JPEG of every kind that is a film, limits at their edge, and cuts at every byte."""

import io
import struct

import cv2
import numpy as np
import pytest
from PIL import Image
from tests.data.malformed_film import (
    GREY,
    grey_and_alpha_png,
    interlaced_png,
    jpeg,
    palette_png,
    png,
    png_header,
    raw_png,
    rows_of,
    with_alpha,
)

from hilum.data import raster
from hilum.data.raster import eight_bit, grey, is_raster, jpeg_pixels, refuse_too_large, size
from hilum.errors import FilmError

WHOLE, WHOLE_JPEG = png(), jpeg()
WIDE = GREY.astype(np.uint16) * 257 + 3


@pytest.mark.parametrize(
    "content",
    [
        WHOLE,
        png(np.dstack([GREY] * 3)),
        png(with_alpha(GREY)),
        palette_png(),
        grey_and_alpha_png(),
        interlaced_png(),
        png(GREY, cv2.IMWRITE_PNG_COMPRESSION, 0),
        WHOLE + b"PK\x03\x04 and an archive behind the last chunk",
    ],
    ids=["grey", "rgb", "rgba", "palette", "grey and alpha", "interlaced", "not compressed", "with a tail"],
)
def test_every_eight_bit_png_of_one_film(content) -> None:
    pixels = grey(content)
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, GREY)
    assert size(content) == size(content[:33]) == GREY.shape


@pytest.mark.parametrize("colours", [1, 3, 4])
def test_sixteen_bits_are_kept_and_scaled(colours) -> None:
    pixels = grey(png(WIDE if colours == 1 else with_alpha(WIDE)[..., :colours]))
    assert pixels.dtype == np.uint16
    np.testing.assert_array_equal(pixels, WIDE)
    np.testing.assert_array_equal(eight_bit(pixels), GREY)


def test_eight_bit() -> None:
    assert eight_bit(GREY) is GREY
    wide = np.array([[0, 128, 129, 257, 32_767, 65_535]], np.uint16)
    assert eight_bit(wide).tolist() == [[0, 0, 1, 1, 127, 255]]
    every = np.arange(2**16, dtype=np.uint16)[None]
    assert eight_bit(every).tolist() == np.rint(every / 257).astype(int).tolist()
    assert eight_bit(np.zeros((0, 3), np.uint16)).shape == (0, 3)


def test_one_bit_is_black_and_white() -> None:
    content = raw_png(png_header(8, 2, bits=1), b"\0\xf0\0\x0f")
    assert grey(content).tolist() == [[255] * 4 + [0] * 4, [0] * 4 + [255] * 4]


@pytest.mark.parametrize("colours", [1, 3])
def test_jpeg_is_read_as_opencv_reads_it(colours) -> None:
    smooth = np.add.outer(np.arange(32), np.arange(48)).astype(np.uint8)
    content = jpeg(smooth if colours == 1 else np.dstack([smooth] * colours))
    for variant in (content, content.replace(b"\xff\xdb", b"\xff\xff\xff\xdb", 1), content + b"tail"):
        pixels = grey(variant)
        assert pixels.shape == size(variant) == (32, 48)
        assert np.abs(pixels.astype(int) - smooth).max() <= 1
        peer = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
        assert np.abs(pixels.astype(int) - peer).max() <= 1


def test_colour_becomes_luminance() -> None:
    colour = np.zeros((16, 16, 3), np.uint8)
    colour[..., 0] = 200  # blue, as OpenCV writes it
    assert np.abs(grey(png(colour)).astype(int) - round(0.114 * 200)).max() <= 1
    assert np.abs(grey(jpeg(colour)).astype(int) - round(0.114 * 200)).max() <= 2
    assert jpeg_pixels(jpeg(colour)).shape == (16, 16, 3)


def test_a_note_does_not_change_a_pixel(capfd) -> None:
    """Notes are left out before libpng sees them: it complains of a bad profile, and holds all in memory."""
    noted = raw_png(
        png_header(),
        rows_of(GREY),
        *(_chunk_with_right_checksum(kind) for kind in (b"iCCP", b"tEXt", b"gAMA", b"tRNS", b"eXIf")),
    )
    np.testing.assert_array_equal(grey(noted), GREY)
    assert capfd.readouterr() == ("", "")


def _chunk_with_right_checksum(kind: bytes) -> bytes:
    import zlib

    return struct.pack(">I", 7) + kind + b"garbage" + struct.pack(">I", zlib.crc32(kind + b"garbage"))


def test_a_damaged_jpeg_says_nothing_on_the_terminal(capfd) -> None:
    large = jpeg(cv2.resize(GREY, (400, 400), interpolation=cv2.INTER_CUBIC))
    middle = len(large) // 2
    grey(large[:middle] + bytes(300) + large[middle + 300 :])
    assert capfd.readouterr() == ("", "")


def test_what_a_raster_is() -> None:
    assert is_raster(WHOLE)
    assert is_raster(WHOLE_JPEG)
    assert not is_raster(b"")
    assert not is_raster(b"GIF89a")


def test_every_cut_is_noticed() -> None:
    for content in (WHOLE, WHOLE_JPEG):
        for length in range(3, len(content)):
            with pytest.raises(FilmError):
                grey(content[:length])


def test_every_flipped_bit_of_a_png_is_noticed() -> None:
    for place in range(8, len(WHOLE)):
        with pytest.raises(FilmError):
            grey(WHOLE[:place] + bytes([WHOLE[place] ^ 4]) + WHOLE[place + 1 :])


def test_40_million_pixels_are_still_a_film(monkeypatch) -> None:
    refuse_too_large(5_000, 8_000)
    with pytest.raises(FilmError, match="8001 x 5000 pixels; at most 40 million are read"):
        refuse_too_large(5_000, 8_001)
    for content in (WHOLE, WHOLE_JPEG):
        monkeypatch.setattr(raster, "MAX_PIXELS", GREY.size)
        assert grey(content).shape == GREY.shape
        monkeypatch.setattr(raster, "MAX_PIXELS", GREY.size - 1)
        for read in (grey, size):
            with pytest.raises(FilmError, match="20 x 24 pixels"):
                read(content)


def test_a_bomb_is_refused_before_it_is_decoded(monkeypatch) -> None:
    monkeypatch.setattr(raster.cv2, "imdecode", lambda *_: pytest.fail("was decoded"))
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("was decoded"))
    for bomb in (
        raw_png(png_header(6_400, 6_400), bytes(6_401 * 6_400)),
        WHOLE_JPEG.replace(struct.pack(">HH", 24, 20), struct.pack(">HH", 65_000, 65_000), 1),
    ):
        with pytest.raises(FilmError, match="at most 40 million"):
            grey(bomb)


def test_scans_of_a_progressive_jpeg_are_counted(monkeypatch) -> None:
    stream = io.BytesIO()
    Image.fromarray(GREY).save(stream, "JPEG", progressive=True, quality=95)
    assert grey(stream.getvalue()).shape == GREY.shape
    monkeypatch.setattr(raster, "MAX_SCANS", 3)
    with pytest.raises(FilmError, match="a JPEG of more than 3 scans"):
        grey(stream.getvalue())
