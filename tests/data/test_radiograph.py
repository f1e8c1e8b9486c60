"""Every way in which a file can fail to be a film, and the few in which it is one."""

import os
import resource
import struct
import time
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from hilum.data import radiograph
from hilum.data.radiograph import eight_bit, grey_from
from hilum.errors import FilmError

GREY = np.arange(12 * 10, dtype=np.uint8).reshape(12, 10) * 2
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def _png(pixels: np.ndarray, *options: int) -> bytes:
    return cv2.imencode(".png", pixels, options)[1].tobytes()


def _jpeg(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _header(width: int, height: int, bits: int = 8, colour: int = 0) -> bytes:
    return _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))


def _raw_png(header: bytes, rows: bytes, *between: bytes) -> bytes:
    """A PNG written by hand, for kinds that OpenCV does not write."""
    return (
        SIGNATURE + header + b"".join(between) + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")
    )


def _with_alpha(grey: np.ndarray) -> np.ndarray:
    alpha = np.full_like(grey, np.iinfo(grey.dtype).max)
    alpha[:3] = 0  # transparent pixels keep their grey value
    return np.dstack([grey, grey, grey, alpha])


def _palette() -> bytes:
    rows = b"".join(b"\0" + (row // 2).tobytes() for row in GREY)
    entries = b"".join(bytes([2 * entry] * 3) for entry in range(120))
    return _raw_png(_header(10, 12, colour=3), rows, _chunk(b"PLTE", entries))


def _grey_and_alpha() -> bytes:
    pairs = np.dstack([GREY, np.full_like(GREY, 7)])
    return _raw_png(_header(10, 12, colour=4), b"".join(b"\0" + row.tobytes() for row in pairs))


@pytest.fixture
def file_of(tmp_path: Path):
    def write(content: bytes) -> Path:
        path = tmp_path / "film.png"
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize(
    "content",
    [
        _png(GREY),
        _png(np.dstack([GREY] * 3)),
        _png(_with_alpha(GREY)),
        _palette(),
        _grey_and_alpha(),
        _png(GREY, cv2.IMWRITE_PNG_COMPRESSION, 0),
        _png(GREY) + b"PK\x03\x04 and an archive behind the last chunk",
    ],
    ids=["grey", "rgb", "rgba", "palette", "grey and alpha", "not compressed", "with a tail"],
)
def test_every_eight_bit_png_of_one_film(file_of, content) -> None:
    path = file_of(content)
    grey = grey_from(path)
    assert grey.dtype == np.uint8
    np.testing.assert_array_equal(grey, GREY)
    np.testing.assert_array_equal(eight_bit(grey), GREY)


@pytest.mark.parametrize("colours", [1, 3, 4])
def test_sixteen_bits_are_kept_and_scaled(file_of, colours) -> None:
    wide = GREY.astype(np.uint16) * 257 + 3
    content = _png(wide if colours == 1 else _with_alpha(wide)[..., :colours])
    grey = grey_from(file_of(content))
    assert grey.dtype == np.uint16
    np.testing.assert_array_equal(grey, wide)
    np.testing.assert_array_equal(eight_bit(grey), GREY)


def test_one_bit_is_black_and_white(file_of) -> None:
    path = file_of(_raw_png(_header(8, 2, bits=1), b"\0\xf0\0\x0f"))
    assert grey_from(path).tolist() == [[255] * 4 + [0] * 4, [0] * 4 + [255] * 4]


@pytest.mark.parametrize("hw", [(1, 1), (4, 900), (900, 4)])
def test_odd_sizes_are_films(file_of, hw) -> None:
    assert grey_from(file_of(_png(np.full(hw, 51, np.uint8)))).tolist() == np.full(hw, 51).tolist()


@pytest.mark.parametrize("colours", [1, 3])
def test_jpeg(file_of, colours) -> None:
    smooth = np.add.outer(np.arange(32), np.arange(48)).astype(np.uint8)
    content = _jpeg(smooth if colours == 1 else np.dstack([smooth] * colours))
    for variant in (content, content.replace(b"\xff\xdb", b"\xff\xff\xff\xdb", 1), content + b"tail"):
        grey = grey_from(file_of(variant))
        assert grey.shape == (32, 48)
        assert np.abs(grey.astype(int) - smooth).max() <= 1


def _without(kind: bytes) -> bytes:
    content = _png(GREY)
    start = content.index(kind) - 4
    (length,) = struct.unpack_from(">I", content, start)
    return content[:start] + content[start + 12 + length :]


def _flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


WHOLE, WHOLE_JPEG = _png(GREY), _jpeg(np.full((64, 64), 90, np.uint8))
NO_SIZE = WHOLE_JPEG.replace(b"\xff\xc0", b"\xff\xfe", 1)  # the frame header turned into a comment
BAD = {
    "no byte": (b"", "is empty; a film is a PNG or JPEG file"),
    "one byte": (b"\x89", "a film is a PNG or JPEG file"),
    "signature": (SIGNATURE, "truncated PNG: its last chunk was not found; copy it again"),
    "html": (b"<!DOCTYPE html><title>404</title>", "starts with b'<!DO'; a film is a PNG or JPEG file"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "a film is a PNG or JPEG file"),
    "zip": (b"PK\x03\x04" + bytes(40), "a film is a PNG or JPEG file"),
    "eps": (b"%!PS-Adobe-3.0 EPSF-3.0", "a film is a PNG or JPEG file"),
    "tiff": (cv2.imencode(".tiff", GREY)[1].tobytes(), "a film is a PNG or JPEG file"),
    "bmp": (cv2.imencode(".bmp", GREY)[1].tobytes(), "a film is a PNG or JPEG file"),
    "noise": (np.random.default_rng(0).bytes(4096), "a film is a PNG or JPEG file"),
    "half a png": (WHOLE[: len(WHOLE) // 2], "truncated PNG: its last chunk was not found; copy it again"),
    "last 16 bytes": (WHOLE[:-16], "truncated PNG: its last chunk was not found; copy it again"),
    "last byte": (WHOLE[:-1], "truncated PNG: its last chunk was not found; copy it again"),
    "flipped pixel": (_flipped(WHOLE, WHOLE.index(b"IDAT") + 9), "damaged PNG: a checksum does not match"),
    "flipped size": (_flipped(WHOLE, 19), "damaged PNG: a checksum does not match"),
    "no header": (_without(b"IHDR"), "truncated PNG"),
    "no pixels": (_without(b"IDAT"), "its pixels cannot be decoded; the file is damaged"),
    "endless chunk": (SIGNATURE + b"\xff\xff\xff\xffIHDR" + bytes(40), "truncated PNG"),
    "no width": (_raw_png(_header(0, 12), b"\0"), "a PNG of 0 x 12 pixels holds no film"),
    "half a jpeg": (
        WHOLE_JPEG[: len(WHOLE_JPEG) // 2],
        "damaged or truncated JPEG: its pixels were not found",
    ),
    "jpeg without end": (WHOLE_JPEG[:-2], "truncated JPEG: its end marker is missing"),
    "jpeg start": (WHOLE_JPEG[:4], "damaged or truncated JPEG: its pixels were not found"),
    "jpeg without size": (NO_SIZE, "damaged JPEG: no frame header with a size"),
    "jpeg of noise": (b"\xff\xd8\xff" + np.random.default_rng(0).bytes(400), "damaged or truncated JPEG"),
    "a million chunks": (SIGNATURE + _header(10, 12) + 10**6 * _chunk(b"tEXt", b""), "truncated PNG"),
    "a million fill bytes": (b"\xff\xd8" + 10**7 * b"\xff", "damaged or truncated JPEG"),
    "bomb": (_raw_png(_header(30_000, 30_000), b"\0"), "30000 x 30000 pixels; at most 40 million are read"),
    "largest png": (_raw_png(_header(2**31 - 1, 2**31 - 1), b"\0"), "2147483647 x 2147483647 pixels"),
    "valid bomb": (_png(np.zeros((6_400, 6_400), np.uint8)), "6400 x 6400 pixels; at most 40 million"),
    "jpeg bomb": (
        WHOLE_JPEG.replace(struct.pack(">HH", 64, 64), struct.pack(">HH", 65_000, 65_000), 1),
        "65000 x 65000 pixels; at most 40 million are read",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_film_is_one_error_that_says_why(file_of, case) -> None:
    content, reason = BAD[case]
    path = file_of(content)
    start = time.process_time()
    with pytest.raises(FilmError) as caught:
        grey_from(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    assert time.process_time() - start < 1.0


def test_every_cut_of_a_png_is_noticed(file_of) -> None:
    for length in range(len(WHOLE)):
        with pytest.raises(FilmError):
            grey_from(file_of(WHOLE[:length]))


def test_a_bomb_is_refused_before_it_is_decoded(file_of, monkeypatch) -> None:
    monkeypatch.setattr(radiograph.cv2, "imdecode", lambda *_: pytest.fail("was decoded"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(FilmError, match="at most 40 million"):
        grey_from(file_of(BAD["valid bomb"][0]))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # kB


def test_a_file_that_is_too_large_is_not_read(file_of, monkeypatch) -> None:
    path = file_of(WHOLE)
    monkeypatch.setattr(radiograph, "MAX_BYTES", len(WHOLE) - 1)
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("was read"))
    with pytest.raises(FilmError, match=rf"{len(WHOLE)} bytes; at most {len(WHOLE) - 1} are read"):
        grey_from(path)


def test_40_million_pixels_are_still_a_film(file_of, monkeypatch) -> None:
    monkeypatch.setattr(radiograph, "MAX_PIXELS", GREY.size)
    assert grey_from(file_of(WHOLE)).shape == GREY.shape
    monkeypatch.setattr(radiograph, "MAX_PIXELS", GREY.size - 1)
    with pytest.raises(FilmError, match="10 x 12 pixels"):
        grey_from(file_of(WHOLE))


@pytest.mark.parametrize("name", ["absent.png", ".", "pipe", "round", "n" * 256])
def test_what_is_no_file(tmp_path, name) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "round").symlink_to(tmp_path / "round")
    with pytest.raises(FilmError, match=r"no such file|cannot be read: "):
        grey_from(tmp_path / name)


def test_a_file_that_may_not_be_read(file_of, monkeypatch) -> None:
    path = file_of(WHOLE)
    monkeypatch.setattr(Path, "read_bytes", _denied)
    with pytest.raises(FilmError, match="cannot be read: Permission denied"):
        grey_from(path)


def _denied(_path: Path) -> bytes:
    raise PermissionError(13, "Permission denied")


def test_eight_bit() -> None:
    assert eight_bit(GREY) is GREY
    wide = np.array([[0, 128, 129, 257, 32_767, 65_535]], np.uint16)
    assert eight_bit(wide).tolist() == [[0, 0, 1, 1, 127, 255]]
