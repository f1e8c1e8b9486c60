"""Frames packed by a few lines of our own, to be unpacked by decoders that had no part in it."""

import struct

import numpy as np

HUFFMAN = b"\xff\xc4\x00\x24\x00" + bytes([0, 0, 0, 0, 17, *[0] * 11]) + bytes(range(17))
"""A table in which category c has the code c, 5 bits long."""


def _segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def _coded(difference: int) -> str:
    """Category in 5 bits, then the difference in as many bits as the category says."""
    size = abs(difference).bit_length()
    if size == 16:
        return f"{size:05b}"
    rest = difference if difference >= 0 else difference + (1 << size) - 1
    return f"{size:05b}" + (f"{rest:0{size}b}" if size else "")


def _packed(bits: str) -> bytes:
    bits += "1" * (-len(bits) % 8)
    content = bytes(int(bits[start : start + 8], 2) for start in range(0, len(bits), 8))
    return content.replace(b"\xff", b"\xff\x00")


def _frame(marker: int, pixels: np.ndarray, depth: int, scan: bytes, tables: bytes, bits: str) -> bytes:
    head = struct.pack(">BHHBBBB", depth, *pixels.shape, 1, 1, 0x11, 0)
    scan = _segment(0xDA, b"\x01\x01\x00" + scan)
    return b"\xff\xd8" + tables + _segment(marker, head) + HUFFMAN + scan + _packed(bits) + b"\xff\xd9"


def lossless_jpeg(pixels: np.ndarray, depth: int, predictor: int = 1) -> bytes:
    """Source: ITU T.81, annex H: predictors 1 left, 2 above, 4 left + above - corner, 7 their mean."""
    bits, values = [], pixels.astype(int)
    for y, row in enumerate(values):
        for x, value in enumerate(row):
            left, above = row[x - 1], values[y - 1, x]
            if y == 0:
                guess = left if x else 1 << (depth - 1)
            elif x == 0:
                guess = above
            else:
                corner = values[y - 1, x - 1]
                guess = {1: left, 2: above, 4: left + above - corner, 7: (left + above) >> 1}[predictor]
            difference = (int(value - guess) + 2**15) % 2**16 - 2**15
            bits.append(_coded(difference))
    return _frame(0xC3, pixels, depth, bytes([predictor, 0, 0]), b"", "".join(bits))


def twelve_bit_jpeg(levels: np.ndarray) -> bytes:
    """Blocks of 8 x 8 px, each of one value: a first coefficient, and the end of the block at once."""
    bits, before = [], 0
    for value in 8 * (levels.astype(int).ravel() - 2048):
        bits.append(_coded(int(value) - before) + "00000")
        before = int(value)
    quantisation = _segment(0xDB, b"\x00" + b"\x01" * 64)
    tables = quantisation + HUFFMAN.replace(b"\xff\xc4\x00\x24\x00", b"\xff\xc4\x00\x24\x10")
    return _frame(0xC1, np.kron(levels, np.ones((8, 8))), 12, b"\x00\x3f\x00", tables, "".join(bits))


def run_lengths(pixels: np.ndarray) -> bytes:
    """Source: DICOM PS3.5, annex G: a run of three or more is packed, all else stands as it is."""
    planes = [pixels & 0xFF] if pixels.itemsize == 1 else [pixels >> 8, pixels & 0xFF]
    segments = [_one_plane(plane.astype(np.uint8).tobytes()) for plane in planes]
    starts = 64 + np.cumsum([0, *map(len, segments)])[: len(planes)]
    return struct.pack("<16I", len(planes), *starts, *[0] * (15 - len(planes))) + b"".join(segments)


def _one_plane(values: bytes) -> bytes:
    packed, place = b"", 0
    while place < len(values):
        n = 1
        while n < 128 and values[place : place + 1] == values[place + n : place + n + 1]:
            n += 1
        packed += bytes([257 - n, values[place]]) if n > 2 else bytes([n - 1]) + values[place : place + n]
        place += n
    return packed + b"\0" * (len(packed) % 2)
