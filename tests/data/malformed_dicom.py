"""DICOM files, broken or odd, that a reader of films may meet."""

import struct
import zlib

import numpy as np
from tests.data.malformed_film import (
    DEFLATED,
    GREY,
    IMPLICIT,
    LITTLE,
    PRIVATE,
    dicom,
    element,
    fields,
    fragments,
    item,
    jpeg,
    meta,
    sixteen,
)

ENDLESS = 0xFFFFFFFF
SIGNED = np.linspace(-1000, 1000, 480).reshape(24, 20).astype(np.int16)
RUNS = bytes([1, 0, 0, 0, 64, 0, 0, 0]) + bytes(56)
WHOLE = dicom()
NESTED = "its elements are nested too deeply or do not fit together"
MANY = "DICOM of more than 120,000 elements"
CUT = "truncated DICOM: an element is longer than the file"
NO_PREAMBLE = "perhaps DICOM, but without the preamble of Part 10"


def _full(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Values spread from [low, high] over the 256 grey values."""
    return np.rint(255 * np.clip((values.astype(float) - low) / (high - low), 0, 1)).astype(np.uint8)


def _nested(depth: int, lengths: bool) -> bytes:
    """Sequences within items within sequences, with lengths or with ends."""
    if not lengths:
        opened = element(0x00081140, b"SQ", b"", ENDLESS) + element(0xFFFEE000, b"", b"", ENDLESS)
        closed = element(0xFFFEE00D, b"", b"") + element(0xFFFEE0DD, b"", b"")
        return depth * opened + depth * closed
    content = b""
    for _ in range(depth):
        content = element(0x00081140, b"SQ", item(content))
    return content


def _open(content: bytes) -> bytes:
    """A sequence of undefined length."""
    return element(0x00081140, b"SQ", content, ENDLESS) + element(0xFFFEE0DD, b"", b"")


def _items(n: int) -> bytes:
    return _open(n * (element(0xFFFEE000, b"", b"", ENDLESS) + element(0xFFFEE00D, b"", b"")))


def _charsets() -> bytes:
    return element(0x00080005, b"CS", b"\\".join(b"q%d" % number for number in range(9_000)))


def _private(n: int) -> bytes:
    return b"".join(element(0x00090000 | 0x1000 + k % 0xE000, b"LO", b"ab") for k in range(n))


def _deflate_bomb() -> bytes:
    deflater = zlib.compressobj(9, wbits=-15)
    head = deflater.compress(fields({})) + deflater.flush(zlib.Z_FULL_FLUSH)
    block = deflater.compress(bytes(2**24)) + deflater.flush(zlib.Z_FULL_FLUSH)
    return meta(DEFLATED) + head + 64 * block + deflater.flush()


def _pixels(length: int, content: bytes = GREY.tobytes()) -> bytes:
    return element(0x7FE00010, b"OB", content, length)


def _packed(code: int, frame: bytes, **changes: object) -> bytes:
    return dicom(fragments(frame), f"1.2.840.10008.1.2.{'5' if code == 5 else f'4.{code}'}", **changes)


def _jpeg_head(marker: int, depth: int, height: int, width: int) -> bytes:
    frame = struct.pack(">BHHBBBB", depth, height, width, 1, 1, 0x11, 0)
    return b"\xff\xd8\xff" + bytes([marker]) + struct.pack(">H", len(frame) + 2) + frame


def _noise(n: int = 2000) -> bytes:
    return np.random.default_rng(1).bytes(n)


def _lossless(marker: int) -> bytes:
    scan = b"\xff\xda\x00\x08\x01\x01\x00\x01\x00\x00"
    return _jpeg_head(marker, 8, 24, 20) + scan + bytes(50) + b"\xff\xd9"


def _scale(**changes: object) -> bytes:
    return sixteen(SIGNED, 12, **changes)


TRUNCATED = {
    "preamble only": (lambda: WHOLE[:128], "a film is a PNG, JPEG or DICOM file"),
    "preamble and mark only": (lambda: WHOLE[:132], "it ends in its meta information"),
    "mark only": (lambda: b"DICM", NO_PREAMBLE),
    "meta information only": (lambda: meta(LITTLE), "it ends in its meta information"),
    "half the pixels": (lambda: WHOLE[:-240], "truncated DICOM: 240 bytes of pixels where 480 are needed"),
    "cut in the header": (lambda: WHOLE[:300], "DICOM without pixel data, or cut before it"),
    "no preamble": (lambda: WHOLE[132:], NO_PREAMBLE),
    "no preamble, no meta information": (lambda: fields({}) + _pixels(480), NO_PREAMBLE),
    "flipped meta information": (
        lambda: WHOLE[:132] + bytes(byte ^ 0xFF for byte in WHOLE[132:160]) + WHOLE[160:],
        "it names no transfer syntax",
    ),
    "no transfer syntax": (lambda: dicom(syntax=""), "it names no transfer syntax"),
    "every byte behind the mark random": (lambda: WHOLE[:132] + _noise(), "damaged DICOM"),
}
LENGTHS = {
    "pixels of length 0xFFFFFFF0": (lambda: dicom(_pixels(0xFFFFFFF0)), "4294967280 bytes of pixels"),
    "uncompressed pixels of undefined length": (
        lambda: dicom(_pixels(ENDLESS)),
        "uncompressed pixels without a length",
    ),
    "compressed pixels with a length": (
        lambda: dicom(syntax="1.2.840.10008.1.2.4.50"),
        "compressed pixels that are not in fragments",
    ),
    "fragment longer than the file": (
        lambda: _packed(50, jpeg())[:-40],
        "the end of its compressed pixels was not found",
    ),
    "sequence without its end": (lambda: dicom(before=_nested(1, False)[:-16]), NESTED),
    "sequence longer than the file": (
        lambda: dicom(before=element(0x00081140, b"SQ", b"", 0x7FFFFFFF)),
        CUT,
    ),
    "name longer than the file": (
        lambda: dicom(after=element(0x00400275, b"UT", b"", 0xFFFFFF00)),
        CUT,
    ),
}
NESTING = {
    "50 nested sequences": (lambda: dicom(before=_nested(50, False)), GREY),
    "300 nested sequences": (lambda: dicom(before=_nested(300, False)), NESTED),
    "5,000 nested sequences": (lambda: dicom(before=_nested(5_000, False)), NESTED),
    "5,000 nested sequences with lengths": (lambda: dicom(before=_nested(5_000, True)), GREY),
    "a million nested sequences": (lambda: dicom(before=_nested(10**6, False)), NESTED),
    "a sequence of 1,000 items": (lambda: dicom(before=_items(1_000)), GREY),
    "a sequence of a million items": (lambda: dicom(before=_items(10**6)), MANY),
    "100,000 private elements": (lambda: dicom(before=_private(100_000)), GREY),
    "a million private elements": (lambda: dicom(before=10 * _private(100_000)), MANY),
    "sequence with a value of 100 MB inside": (
        lambda: dicom(before=_open(item(element(0x00091010, b"OB", bytes(10**8))))),
        MANY,
    ),
    "9,000 character sets that do not exist, 100 times": (
        lambda: dicom(before=100 * _open(item(_charsets()))),
        GREY,
    ),
    "look-up table of 20 MB": (
        lambda: dicom(after=element(0x00283010, b"SQ", bytes(20_000_000))),
        "DICOM with a value of 20000000 bytes in its header",
    ),
    "400,000 fragments": (
        lambda: dicom(fragments(*[b"ab"] * 400_000), "1.2.840.10008.1.2.4.50"),
        "the end of its compressed pixels was not found",
    ),
}
DIMENSIONS = {
    "65,535 rows": (lambda: dicom(rows=65_535), "480 bytes of pixels where its header asks for 1310700"),
    "65,535 x 65,535": (
        lambda: dicom(rows=65_535, columns=65_535),
        "65535 x 65535 pixels; at most 40 million are read",
    ),
    "no rows": (lambda: dicom(rows=0), "DICOM of 20 x 0 pixels holds no film"),
    "rows missing": (lambda: dicom(rows=None), "Rows is missing or no number"),
    "rows of four bytes": (lambda: dicom(rows=b"\x18\0\0\0"), "Rows is missing or no number"),
    "more rows than pixels": (lambda: dicom(rows=30), "480 bytes of pixels where its header asks for 600"),
    "fewer rows than pixels": (lambda: dicom(rows=12), "480 bytes of pixels where its header asks for 240"),
    "compressed pixels of another size": (lambda: _packed(50, jpeg(), rows=30), "of another size or depth"),
    "2 frames": (lambda: dicom(frames=b"2 "), "DICOM of 2 frames; a film has one"),
    "10^9 frames": (lambda: dicom(frames=b"1000000000"), "DICOM of 1000000000 frames; a film has one"),
    "1 frame": (lambda: dicom(frames=b"1 "), GREY),
    "no pixel data": (lambda: dicom(b""), "DICOM without pixel data"),
    "3 equal channels": (
        lambda: dicom(np.dstack([GREY] * 3), samples=3, photometric=b"RGB ", planar=0),
        GREY,
    ),
    "3 equal channels, one plane after the other": (
        lambda: dicom(np.stack([GREY] * 3), samples=3, photometric=b"RGB ", planar=1),
        GREY,
    ),
    "3 unequal channels": (
        lambda: dicom(np.dstack([GREY, GREY, 255 - GREY]), samples=3, photometric=b"RGB ", planar=0),
        "DICOM in colour; a film is grey",
    ),
    "3 channels said, 1 there": (
        lambda: dicom(samples=3, photometric=b"RGB "),
        "480 bytes of pixels where its header asks for 1440",
    ),
    "2 channels": (lambda: dicom(samples=2), "DICOM of 2 channels"),
    "constant": (lambda: dicom(np.full_like(GREY, 7)), "every pixel has the same grey value"),
}
VALUES = {
    "more bits stored than allocated": (lambda: dicom(stored=12, high=11), "DICOM of 12 bits in 8"),
    "no bits stored": (lambda: dicom(stored=0), "DICOM of 0 bits in 8"),
    "1 bit": (lambda: dicom(allocated=1, stored=1, high=0), "DICOM of 1 bits in 1"),
    "32 bits": (lambda: dicom(allocated=32, stored=32, high=31), "DICOM of 32 bits in 32"),
    "signed, 12 bits of 16": (lambda: _scale(), _full(SIGNED, -2048, 2047)),
    "unsigned, 12 bits of 16": (
        lambda: sixteen((SIGNED + 1000).astype(np.uint16), 12),
        _full(SIGNED + 1000, 0, 4095),
    ),
    "unsigned, 12 bits in the upper part of 16": (
        lambda: sixteen((SIGNED + 1000).astype(np.uint16) << 4, 12, high=15),
        _full(SIGNED + 1000, 0, 4095),
    ),
    "12 bits, other things in the bits above": (
        lambda: sixteen((SIGNED + 1000).astype(np.uint16) | 0xA000, 12),
        _full(SIGNED + 1000, 0, 4095),
    ),
    "slope and intercept, a window": (
        lambda: _scale(slope=b"2 ", intercept=b"-100", centre=b"0.5 ", width=b"1001"),
        _full(2.0 * SIGNED - 100, -500, 500),
    ),
    "slope 0": (lambda: _scale(slope=b"0 ", intercept=b"0 "), "a rescale slope of 0 and intercept of 0"),
    "slope NaN": (lambda: _scale(slope=b"NaN "), "a rescale slope of nan"),
    "slope that is no number": (lambda: _scale(slope=b"two "), "a rescale slope of nan"),
    "window of no width": (
        lambda: _scale(centre=b"0 ", width=b"0 "),
        "a window of width 0 at 0 shows nothing",
    ),
    "window of width NaN": (lambda: _scale(centre=b"0 ", width=b"NaN "), "a window of width nan"),
    "window function unknown": (
        lambda: _scale(centre=b"0 ", width=b"9 ", function=b"CUBIC "),
        "a window function that does not exist",
    ),
    "palette without its table": (lambda: dicom(photometric=b"PALETTE COLOR "), "colours of a palette"),
    "photometric interpretation missing": (lambda: dicom(photometric=None), "1 channels of an unknown kind"),
    "age 42": (lambda: dicom(age=b"42"), GREY),
    "age 058Y": (lambda: dicom(age=b"058Y"), GREY),
    "age 155": (lambda: dicom(age=b"155 "), GREY),
    "age that is no number": (lambda: dicom(age=b"\xff\xfe??"), GREY),
}
MEANING = {
    "MONOCHROME1 (inverted)": (lambda: dicom(photometric=b"MONOCHROME1 "), 255 - GREY),
    "MONOCHROME1 and shape INVERSE (inverted once)": (
        lambda: dicom(photometric=b"MONOCHROME1 ", shape=b"INVERSE "),
        255 - GREY,
    ),
    "shape INVERSE": (lambda: dicom(shape=b"INVERSE "), 255 - GREY),
    "lateral view": (lambda: dicom(view=b"LL"), "a film of view LL; PA and AP are read"),
    "view unknown": (lambda: dicom(view=b"SITTING "), GREY),
    "CT": (lambda: dicom(**{"class": b"1.2.840.10008.5.1.4.1.1.2\0"}), "a CT slice, not a radiograph"),
    "MR": (lambda: dicom(**{"class": b"1.2.840.10008.5.1.4.1.1.4\0"}), "an MR slice, not a radiograph"),
    "CT as Secondary Capture": (lambda: dicom(modality=b"CT"), "an image of modality CT, not a radiograph"),
    "structured report": (
        lambda: dicom(**{"class": b"1.2.840.10008.5.1.4.1.1.88.11"}),
        "a DICOM object of another kind, not a radiograph",
    ),
    "foot": (lambda: dicom(part=b"FOOT"), "a film of body part FOOT, not of a chest"),
    "body part unknown": (lambda: dicom(part=b"TORAX "), GREY),
    "no SOP class": (lambda: dicom(**{"class": None}), "DICOM without a SOP class"),
    "implicit little endian": (lambda: dicom(syntax=IMPLICIT), GREY),
}
PACKED = "its compressed pixels cannot be decoded"
CODECS = {
    "JPEG": (lambda: _packed(50, jpeg()), None),
    "JPEG of noise": (lambda: _packed(50, _noise()), "truncated JPEG"),
    "JPEG that is cut": (lambda: _packed(50, jpeg()[:-100]), "truncated JPEG: its end marker is missing"),
    "JPEG of 12 bits, of noise": (lambda: _packed(51, _noise(), allocated=16, stored=12, high=11), PACKED),
    "lossless JPEG of noise": (lambda: _packed(70, _noise()), PACKED),
    "lossless JPEG of another size": (
        lambda: _packed(57, _jpeg_head(0xC3, 8, 2400, 20) + b"\xff\xda" + bytes(50) + b"\xff\xd9"),
        "of another size or depth",
    ),
    "lossless JPEG without tables": (lambda: _packed(70, _lossless(0xC3)), PACKED),
    "lossless JPEG with an unknown marker": (
        lambda: _packed(70, b"\xff\xd8\xff\x01\x00\x02" + _lossless(0xC3)[2:]),
        PACKED,
    ),
    "JPEG-LS of noise": (lambda: _packed(80, _noise()), PACKED),
    "JPEG-LS without pixels": (lambda: _packed(81, _lossless(0xF7)), PACKED),
    "JPEG 2000 of noise": (lambda: _packed(90, _noise()), PACKED),
    "JPEG 2000, a header and noise": (
        lambda: _packed(
            91, b"\xff\x4f\xff\x51" + struct.pack(">HH8IH3B", 41, 0, 20, 24, 0, 0, 20, 24, 0, 0, 1, 7, 1, 1)
        ),
        PACKED,
    ),
    "JPEG 2000 of 2^31 x 2^31": (
        lambda: _packed(90, b"\xff\x4f\xff\x51" + struct.pack(">HH2I", 41, 0, 2**31, 2**31) + bytes(60)),
        "of another size or depth",
    ),
    "RLE of noise": (lambda: _packed(5, _noise()), "of another size or depth"),
    "RLE that ends too soon": (lambda: _packed(5, RUNS + b"\x81\x07"), PACKED),
    "RLE bomb": (lambda: _packed(5, RUNS + b"\x81\x07" * 20_000_000), "every pixel has the same grey value"),
    "no frame": (lambda: _packed(50, b""), "its pixel data is empty"),
    "unknown transfer syntax": (
        lambda: dicom(fragments(_noise()), "1.2.840.10008.1.2.4.201"),
        "a transfer syntax that is not read",
    ),
    "transfer syntax that is no UID": (
        lambda: dicom(fragments(_noise()), "<script>"),
        "a transfer syntax that is not read",
    ),
    "big endian": (lambda: dicom(syntax="1.2.840.10008.1.2.2"), "DICOM in big endian"),
}
DEFLATE = {
    "deflated": (lambda: dicom(syntax=DEFLATED), GREY),
    "1 GB of zeros": (_deflate_bomb, "DICOM that inflates to more than 81 MB"),
    "deflated, cut": (lambda: dicom(syntax=DEFLATED)[:-30], "its deflated part ends too soon"),
    "deflated, of noise": (lambda: meta(DEFLATED) + b"\xff" + _noise(), "it cannot be inflated"),
}
STRINGS = {
    "name and number with ../": (
        lambda: dicom(name=b"../../etc/" + PRIVATE.encode(), patient=b"../../" + PRIVATE.encode()),
        GREY,
    ),
    "UID with ../": (lambda: dicom(instance=b"../../../" + PRIVATE.encode()), GREY),
    "name with a script": (lambda: dicom(name=f"<script>alert('{PRIVATE}')</script>".encode()), GREY),
    "name with a formula": (lambda: dicom(name=b"=cmd|' /C calc'!A0" + PRIVATE.encode()), GREY),
    "name of another character set": (lambda: dicom(charset=b"ISO_IR 999", name=b"\x1b$B\xff\xfe\x80"), GREY),
    "SOP class that is a name": (
        lambda: dicom(**{"class": PRIVATE.encode()}),
        "a DICOM object of another kind",
    ),
    "view, sex, age and body part that are a name": (
        lambda: dicom(**dict.fromkeys(("view", "sex", "age", "part"), PRIVATE.encode())),
        GREY,
    ),
    "photometric interpretation that is a name": (
        lambda: dicom(photometric=PRIVATE.encode()),
        "1 channels of an unknown kind",
    ),
    "frames, slope and window that are a name": (
        lambda: dicom(**dict.fromkeys(("frames", "slope", "centre", "width"), PRIVATE.encode())),
        "DICOM of several frames",
    ),
}
