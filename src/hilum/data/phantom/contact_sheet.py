"""A folder of phantoms -> one picture with some of its films, their findings and their boxes."""

import csv
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from hilum.data.phantom.canvas import FRAME_PX, generator
from hilum.files import whole
from hilum.findings import CHESTXRAY14, canonical

_TILE, _STRIP, _GAP, _COLUMNS = 256, 34, 4, 5
_SHEET_STREAM = 8
# One hue a finding, evenly round the circle; blue, green, red as cv2 wants them.
_HUES = np.array([[[180 * k // len(CHESTXRAY14), 150, 255] for k in range(len(CHESTXRAY14))]], np.uint8)
_COLOURS = [tuple(map(int, colour)) for colour in cv2.cvtColor(_HUES, cv2.COLOR_HSV2BGR)[0]]


def contact_sheet(folder: Path, out: Path, *, films: int, seed: int) -> None:
    """Draws some test films side by side, chosen so that as many findings as possible are seen.

    Args:
        folder: What `write` made.
        out: The PNG to write.
        films: How many films, 1 or more; fewer if the folder has fewer. Without test films others are shown,
            which have no boxes.
        seed: Of the choice.

    Raises:
        ValueError: No film is asked for.
    """
    tables = folder / "Data_Entry_2017_v2020.csv", folder / "BBox_List_2017.csv"
    if films < 1:
        raise ValueError(f"a contact sheet of {films} films shows nothing; ask for 1 or more")
    test = set((folder / "test_list.txt").read_text(encoding="utf-8").split())
    everyone = _rows(tables[0])
    rows = [row for row in everyone if row[0] in test] or everyone
    boxes = _rows(tables[1])
    chosen = _chosen(rows, min(films, len(rows)), generator(seed, 0, 0, _SHEET_STREAM))
    tiles = [_tile(folder, row, [box for box in boxes if box[0] == row[0]]) for row in chosen]
    across = min(_COLUMNS, len(tiles))
    height, width = _TILE + _STRIP + _GAP, _TILE + _GAP
    sheet = np.full((-(-len(tiles) // across) * height + _GAP, across * width + _GAP, 3), 24, np.uint8)
    for k, tile in enumerate(tiles):
        top, left = _GAP + k // across * height, _GAP + k % across * width
        sheet[top : top + _TILE + _STRIP, left : left + _TILE] = tile
    with whole(out) as temporary:
        temporary.write_bytes(cv2.imencode(".png", sheet, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].tobytes())


def _rows(table: Path) -> list[list[str]]:
    with table.open(newline="", encoding="utf-8") as stream:
        return list(csv.reader(stream))[1:]


def _chosen(rows: list[list[str]], n: int, chance: np.random.Generator) -> list[list[str]]:
    """A healthy film first, then again and again the film that shows most of what was shown least."""
    rest = [rows[k] for k in chance.permutation(len(rows))]
    healthy = [row for row in rest if row[1] == "No Finding"][:1]
    chosen, shown = healthy[:n], dict.fromkeys(CHESTXRAY14, 0)
    rest = [row for row in rest if row[1] != "No Finding"]
    while rest and len(chosen) < n:
        # A film with one finding shows it best; each further one costs a little.
        worth = [
            np.mean([2.0 ** -shown[name] for name in row[1].split("|")]) - 0.03 * row[1].count("|")
            for row in rest
        ]
        row = rest.pop(int(np.argmax(worth)))
        chosen.append(row)
        for name in row[1].split("|"):
            shown[name] += 1
    return chosen


def _tile(folder: Path, row: list[str], boxes: list[list[str]]) -> UInt8[np.ndarray, "h w 3"]:
    coded = np.frombuffer((folder / "images" / row[0]).read_bytes(), np.uint8)
    film = cv2.resize(
        np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE)), (_TILE, _TILE), interpolation=cv2.INTER_AREA
    )
    film = np.bitwise_and(film, 0xFC)  # 64 grey levels are enough for a small picture, and halve its file
    tile = np.full((_TILE + _STRIP, _TILE, 3), 24, np.uint8)
    tile[:_TILE] = film[:, :, None]
    for _, name, *numbers in boxes:
        x, y, w, h = (float(number) * _TILE / FRAME_PX for number in numbers)
        corners = (round(x), round(y)), (round(x + w) - 1, round(y + h) - 1)
        cv2.rectangle(tile[:_TILE], *corners, _COLOURS[CHESTXRAY14.index(canonical(name))], 1)
    at = [4, _TILE + 13]
    for name in row[1].split("|"):
        word = name.replace("_", " ")
        colour = _COLOURS[CHESTXRAY14.index(name)] if name in CHESTXRAY14 else (200, 200, 200)
        long = cv2.getTextSize(word, cv2.FONT_HERSHEY_SIMPLEX, 0.4, 1)[0][0]
        if at[0] + long > _TILE:
            at = [4, at[1] + 15]
        cv2.putText(tile, word, tuple(at), cv2.FONT_HERSHEY_SIMPLEX, 0.4, colour, 1, cv2.LINE_AA)
        at[0] += long + 8
    return tile
