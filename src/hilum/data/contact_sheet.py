"""A cohort -> one picture with some of its films, their findings and their reference boxes.

A sheet of real films shows people: it is made on request and belongs where the films lie.
"""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from hilum.data.cohort import Cohort
from hilum.data.geometry import squared
from hilum.data.radiograph import eight_bit_from
from hilum.errors import DataError, FilmError
from hilum.files import whole
from hilum.findings import NO_FINDING

_TILE, _STRIP, _GAP, _COLUMNS = 256, 34, 4, 5
_GREY, _DARK = (200, 200, 200), 24


def contact_sheet(cohort: Cohort, out: Path, *, films: int, seed: int) -> None:
    """Draws some films side by side, chosen so that as many findings as possible are seen.

    Test films are shown, because they have the boxes; without any, all others.

    Args:
        cohort: Films that are not on disk, or cannot be read, are passed over.
        out: The PNG to write.
        films: How many films, 1 or more; fewer if the cohort has fewer.
        seed: Of the choice.

    Raises:
        ValueError: No film is asked for.
        DataError: No film could be read.
    """
    if films < 1:
        raise ValueError(f"a contact sheet of {films} films shows nothing; ask for 1 or more")
    here = cohort.rows(cohort.on_disk)
    shown = here.rows(here.side("test")) if len(here.side("test")) else here
    present = shown.labels[:, [name != NO_FINDING for name in shown.findings]] == 1
    tiles = []
    boxed = np.isin(np.arange(len(shown)), shown.reference.image)
    for row in _order(present, boxed, np.random.Generator(np.random.Philox(seed))):
        try:
            tiles.append(_tile(shown, row))
        except FilmError:  # `hilum data store` lists them
            continue
        if len(tiles) == films:
            break
    if not tiles:
        raise DataError(f"{cohort.source}: no film could be read, so that there is nothing to show")
    with whole(out) as temporary:
        coded = cv2.imencode(".png", _joined(tiles), [cv2.IMWRITE_PNG_COMPRESSION, 9])[1]
        temporary.write_bytes(coded.tobytes())


def _order(
    present: Bool[np.ndarray, "n f"], boxed: Bool[np.ndarray, " n"], chance: np.random.Generator
) -> Iterator[int]:
    """A film without a finding, then again and again the film that shows most of what was shown least."""
    rest = chance.permutation(len(present))
    healthy = rest[~present[rest].any(axis=1)][:1]
    rest = rest[present[rest].any(axis=1)]
    rest = rest[np.argsort(~boxed[rest], kind="stable")][:2000]  # enough to choose from
    yield from healthy.tolist()
    times_shown = np.zeros(present.shape[1])
    while len(rest):
        n_findings = present[rest].sum(axis=1)
        # A film with one finding shows it best, and its box best of all.
        worth = present[rest] @ 2.0**-times_shown / n_findings - 0.03 * (n_findings - 1) + 0.2 * boxed[rest]
        best = int(np.argmax(worth))
        yield int(rest[best])
        times_shown += present[rest[best]]
        rest = np.delete(rest, best)


def _joined(tiles: list[UInt8[np.ndarray, "h w 3"]]) -> UInt8[np.ndarray, "a b 3"]:
    across = min(_COLUMNS, len(tiles))
    height, width = _TILE + _STRIP + _GAP, _TILE + _GAP
    sheet = np.full((-(-len(tiles) // across) * height + _GAP, across * width + _GAP, 3), _DARK, np.uint8)
    for k, tile in enumerate(tiles):
        top, left = _GAP + k // across * height, _GAP + k % across * width
        sheet[top : top + _TILE + _STRIP, left : left + _TILE] = tile
    return sheet


def _tile(cohort: Cohort, row: int) -> UInt8[np.ndarray, "h w 3"]:
    film = squared(eight_bit_from(Path(cohort.paths[row])), _TILE)
    film = np.bitwise_and(film, 0xFC)  # 64 grey levels are enough for a small picture, and halve its file
    tile = np.full((_TILE + _STRIP, _TILE, 3), _DARK, np.uint8)
    tile[:_TILE] = film[:, :, None]
    colours, boxes = _colours(len(cohort.findings)), cohort.reference
    scale = _TILE / np.array([cohort.frame_hw[1], cohort.frame_hw[0]] * 2)
    mine = boxes.image == row
    for finding, xyxy in zip(boxes.finding[mine], boxes.xyxy[mine] * scale, strict=True):
        x_min, y_min, x_max, y_max = np.rint(xyxy).astype(int).tolist()
        cv2.rectangle(tile[:_TILE], (x_min, y_min), (x_max - 1, y_max - 1), colours[finding], 1)
    at = [4, _TILE + 13]
    for column in np.flatnonzero(cohort.labels[row] == 1):
        name = cohort.findings[column]
        word = name.replace("_", " ")
        long = cv2.getTextSize(word, cv2.FONT_HERSHEY_SIMPLEX, 0.4, 1)[0][0]
        if at[0] + long > _TILE:
            at = [4, at[1] + 15]
        colour = _GREY if name == NO_FINDING else colours[column]
        cv2.putText(tile, word, tuple(at), cv2.FONT_HERSHEY_SIMPLEX, 0.4, colour, 1, cv2.LINE_AA)
        at[0] += long + 8
    return tile


def _colours(n: int) -> list[tuple[int, int, int]]:
    """One hue a finding, evenly round the circle; blue, green, red as cv2 wants them."""
    hues = np.array([[[180 * k // max(n, 1), 150, 255] for k in range(n)]], np.uint8).reshape(1, n, 3)
    return [(int(b), int(g), int(r)) for b, g, r in cv2.cvtColor(hues, cv2.COLOR_HSV2BGR)[0]] if n else []
