"""PNG and JPEG files, and files of other kinds, that a reader of films may meet."""

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from tests.data.malformed_film import (
    GREY,
    SIGNATURE,
    chunk,
    flipped,
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

KIND = "a film is a PNG, JPEG or DICOM file"
CUT, DAMAGED = "truncated PNG: its last chunk was not found", "damaged PNG: a checksum does not match"
UNDECODED = "its pixels cannot be decoded; the file is damaged or of an unusual kind"
WHOLE, WHOLE_JPEG = png(), jpeg()
LARGE_JPEG = jpeg(cv2.resize(GREY, (400, 400), interpolation=cv2.INTER_CUBIC))
COLOUR = np.dstack([GREY, 255 - GREY, GREY // 2])
JPEG_GREY = cv2.imdecode(np.frombuffer(WHOLE_JPEG, np.uint8), cv2.IMREAD_UNCHANGED)


def _as(kind: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(GREY).save(stream, kind)
    return stream.getvalue()


def _several(kind: str) -> bytes:
    """Two images in one file."""
    stream = io.BytesIO()
    second = Image.fromarray(255 - GREY)
    Image.fromarray(GREY).save(stream, kind, save_all=True, append_images=[second])
    return stream.getvalue()


def _inks() -> bytes:
    stream = io.BytesIO()
    Image.merge("CMYK", [Image.fromarray(GREY)] * 4).save(stream, "JPEG")
    return stream.getvalue()


def _noted() -> bytes:
    """A JPEG that says that it lies on its side."""
    exif = Image.Exif()
    exif[0x0112] = 6
    stream = io.BytesIO()
    Image.fromarray(GREY).save(stream, "JPEG", quality=100, exif=exif)
    return stream.getvalue()


def _many_scans() -> bytes:
    scan = b"\xff\xda\x00\x08\x01\x01\x00\x00\x00\x00" + bytes(40)
    return WHOLE_JPEG[:-2].replace(b"\xff\xc0", b"\xff\xc2") + 1000 * scan + b"\xff\xd9"


def _jpeg_of(height: int, width: int) -> bytes:
    return WHOLE_JPEG.replace(struct.pack(">HH", 24, 20), struct.pack(">HH", height, width), 1)


def _deflated_zeros() -> bytes:
    """200 MB."""
    deflater = zlib.compressobj(1)
    head = deflater.compress(bytes(10**7)) + deflater.flush(zlib.Z_FULL_FLUSH)
    block = deflater.compress(bytes(10**7)) + deflater.flush(zlib.Z_FULL_FLUSH)
    return head + 19 * block + b"\x03\x00\0\0\0\0"


def _packed_note(kind: bytes, head: bytes) -> bytes:
    return raw_png(png_header(), rows_of(GREY), chunk(kind, head + _deflated_zeros()))


WRONG_KIND = {
    "empty": (lambda: b"", f"is empty; {KIND}"),
    "one byte": (lambda: b"\x89", KIND),
    "signature of a PNG only": (lambda: SIGNATURE, CUT),
    "signature of a JPEG only": (lambda: b"\xff\xd8\xff\xe0", "its pixels were not found"),
    "HTML": (lambda: b"<!DOCTYPE html><title>404</title>", f"starts with b'<!DO'; {KIND}"),
    "SVG": (lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", KIND),
    "ZIP": (lambda: b"PK\x03\x04" + bytes(400), KIND),
    "EPS": (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", KIND),
    "PDF": (lambda: b"%PDF-1.7\n", KIND),
    "random bytes": (lambda: np.random.default_rng(0).bytes(4096), KIND),
    "PNG of no width": (lambda: raw_png(png_header(0, 12), b"\0"), "a PNG of 0 x 12 pixels holds no film"),
    "JPEG of no height": (lambda: _jpeg_of(0, 20), "no frame header with a size"),
}
CORRUPT = {
    "half a PNG": (lambda: WHOLE[: len(WHOLE) // 2], CUT),
    "PNG, last 16 bytes cut": (lambda: WHOLE[:-16], CUT),
    "PNG, bad checksum": (lambda: flipped(WHOLE, len(WHOLE) - 14), DAMAGED),
    "PNG, a bit of the pixels flipped": (lambda: flipped(WHOLE, WHOLE.index(b"IDAT") + 9), DAMAGED),
    "PNG, a bit of the size flipped": (lambda: flipped(WHOLE, 19), DAMAGED),
    "PNG without pixels": (lambda: SIGNATURE + png_header() + chunk(b"IEND", b""), UNDECODED),
    "PNG without its palette": (lambda: raw_png(png_header(colour=3), rows_of(GREY)), UNDECODED),
    "PNG of a kind that does not exist": (
        lambda: raw_png(png_header(colour=5), rows_of(GREY)),
        "damaged PNG",
    ),
    "PNG with an unknown chunk": (
        lambda: raw_png(png_header(), rows_of(GREY), chunk(b"FILM", b"?")),
        "a chunk of an unknown kind",
    ),
    "PNG, half the rows, checksums right": (lambda: raw_png(png_header(), rows_of(GREY[:12])), UNDECODED),
    "PNG, pixels that do not inflate, checksums right": (
        lambda: SIGNATURE + png_header() + chunk(b"IDAT", b"\x78\x9c" + bytes(90)) + chunk(b"IEND", b""),
        UNDECODED,
    ),
    "half a JPEG": (lambda: LARGE_JPEG[: len(LARGE_JPEG) // 2], "truncated JPEG: its end marker is missing"),
    "JPEG, last 16 bytes cut": (lambda: WHOLE_JPEG[:-16], "truncated JPEG: its end marker is missing"),
    "JPEG of noise": (lambda: b"\xff\xd8\xff" + np.random.default_rng(0).bytes(400), "truncated JPEG"),
    "JPEG of two sizes": (
        lambda: WHOLE_JPEG.replace(
            b"\xff\xc4", b"\xff\xc0\x00\x0b\x08\x00\x09\x00\x09\x01\x01\x11\0\xff\xc4", 1
        ),
        "two frame headers",
    ),
    "JPEG, a bit of the pixels flipped (JPEG has no checksum)": (
        lambda: flipped(LARGE_JPEG, len(LARGE_JPEG) - 200),
        None,
    ),
}
BOMBS = {
    "PNG of 30,000 x 30,000": (
        lambda: raw_png(png_header(30_000, 30_000), b"\0"),
        "30000 x 30000 pixels; at most 40 million are read",
    ),
    "PNG of 2^31 x 2^31": (lambda: raw_png(png_header(2**31 - 1, 2**31 - 1), b"\0"), "at most 40 million"),
    "PNG of 12,000 x 12,000, valid": (
        lambda: raw_png(png_header(12_000, 12_000), bytes(12_001 * 12_000)),
        "12000 x 12000 pixels; at most 40 million are read",
    ),
    "JPEG of 65,000 x 65,000": (lambda: _jpeg_of(65_000, 65_000), "65000 x 65000 pixels; at most 40 million"),
    "PNG with a note of 80 MB": (
        lambda: raw_png(png_header(), rows_of(GREY), chunk(b"tEXt", b"a\0" + bytes(80_000_000))),
        GREY,
    ),
    "PNG with a packed note of 200 MB": (lambda: _packed_note(b"zTXt", b"a\0\0"), GREY),
    "PNG with a packed colour profile of 200 MB": (lambda: _packed_note(b"iCCP", b"a\0\0"), GREY),
    "PNG with pixels of 200 MB too many": (
        lambda: (
            SIGNATURE
            + png_header()
            + chunk(b"IDAT", zlib.compress(rows_of(GREY)))
            + chunk(b"IDAT", _deflated_zeros())
            + chunk(b"IEND", b"")
        ),
        GREY,
    ),
    "PNG of a million chunks": (lambda: SIGNATURE + png_header() + 10**6 * chunk(b"tEXt", b""), CUT),
    "JPEG of ten million fill bytes": (lambda: b"\xff\xd8" + 10**7 * b"\xff", "truncated JPEG"),
    "JPEG of 1,000 scans": (_many_scans, "a JPEG of more than 64 scans"),
}
ODD = {
    "PNG of 16 bits": (lambda: png(GREY.astype(np.uint16) * 257 + 3), GREY),
    "PNG of 16 bits, RGBA": (lambda: png(with_alpha(GREY.astype(np.uint16) * 257 + 3)), GREY),
    "PNG of 1 bit": (
        lambda: raw_png(
            png_header(16, 8, bits=1), b"".join(b"\0" + bytes([row, 255 - row]) for row in range(8))
        ),
        255 * np.unpackbits(np.array([[row, 255 - row] for row in range(8)], np.uint8), axis=1),
    ),
    "PNG with a palette": (palette_png, GREY),
    "PNG, RGB": (lambda: png(np.dstack([GREY] * 3)), GREY),
    "PNG, RGBA": (lambda: png(with_alpha(GREY)), GREY),
    "PNG, grey and alpha": (grey_and_alpha_png, GREY),
    "PNG, interlaced": (interlaced_png, GREY),
    "PNG, animated": (lambda: _several("PNG"), "an animated PNG holds several images"),
    "PNG with a ZIP behind it": (lambda: WHOLE + b"PK\x03\x04" + bytes(100), GREY),
    "JPEG of four inks": (_inks, "a JPEG of 4 channels (inks?); save it as grey or RGB"),
    "JPEG that says it lies on its side": (_noted, GREY),
    "JPEG, progressive": (lambda: jpeg(GREY, cv2.IMWRITE_JPEG_PROGRESSIVE, 1), JPEG_GREY),
    "JPEG with bytes behind it": (lambda: WHOLE_JPEG + b"tail", JPEG_GREY),
    "TIFF of two pages": (lambda: _several("TIFF"), KIND),
    "GIF named .png": (lambda: _several("GIF"), KIND),
    "BMP named .png": (lambda: _as("BMP"), KIND),
    "WebP named .png": (lambda: _as("WEBP"), KIND),
    "JPEG 2000 named .png": (lambda: _as("JPEG2000"), KIND),
    "4,096 x 4": (
        lambda: png(np.resize(GREY, (4, 4096))),
        "4096 x 4 pixels; a film has at least 8 on a side",
    ),
    "2,048 x 16": (
        lambda: png(np.resize(GREY, (16, 2048))),
        "2048 x 16 pixels; a film is at most 8 times as long as wide",
    ),
    "1 x 1": (lambda: png(GREY[:1, :1]), "1 x 1 pixels; a film has at least 8 on a side"),
    "constant": (lambda: png(np.full_like(GREY, 7)), "every pixel has the same grey value; this is no film"),
}


def _sparse(folder: Path) -> Path:
    path = folder / "large.png"
    path.write_bytes(WHOLE)
    with path.open("rb+") as stream:
        stream.truncate(161_000_000)
    return path


LARGE_FILE = (_sparse, "161000000 bytes; at most 160000000 are read")
