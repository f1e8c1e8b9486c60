"""Draws the pictures of the docs again, from a run of the demo: `python docs/images/draw.py runs/demo`."""

import itertools
import json
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

from hilum.data.chestxray14 import load
from hilum.data.contact_sheet import contact_sheet
from hilum.data.phantom import write
from hilum.recipe import parse
from hilum.report import Example
from hilum.report.gallery import heat_on_film
from hilum.study.folder import RunFolder
from hilum.study.opening import decode, open_films
from hilum.study.report import examples
from hilum.study.score import scored_films

HERE = Path(__file__).parent
SIDE, GAP, STRIP = 320, 8, 26
PREDICTED, REFERENCE, INK = (255, 176, 0), (120, 220, 255), (70, 70, 70)


def picture(run: Path, findings: tuple[str, ...]) -> np.ndarray:
    """Of each finding the film whose best overlap is the median: as it is, and as it was read."""
    folder = RunFolder(run)
    recipe = parse(folder.recipe.read_text(), str(folder.recipe))
    data = Path(json.loads(folder.record.read_text())["data"])
    films, pixels = decode(open_films(data, recipe.data), recipe.data)
    cohort, probabilities = scored_films(folder, films)
    found = examples(folder, recipe, films, pixels, cohort, probabilities)
    tiles = []
    for finding in findings:
        ranked = sorted((each for each in found if each.finding == finding), key=lambda each: each.iou)
        middle = ranked[len(ranked) // 2]
        film = cv2.cvtColor(cv2.resize(middle.film, (SIDE, SIDE)), cv2.COLOR_GRAY2RGB)
        words = f"{finding}, probability {middle.probability:.2f}, IoU {middle.iou:.2f} (median film)"
        tiles += [captioned(film, words), captioned(read(middle), "")]
    gap = np.full((SIDE + STRIP, GAP, 3), 255, np.uint8)
    return np.concatenate([part for tile in tiles for part in (tile, gap)][:-1], axis=1)


def read(example: Example) -> np.ndarray:
    """Heatmap on film, the predicted box drawn through, the reference dashed."""
    film = cv2.resize(heat_on_film(example), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    scale = SIDE / example.frame_hw[0]
    for box in example.predicted:
        x0, y0, x1, y1 = np.rint(box * scale).astype(int).tolist()
        cv2.rectangle(film, (x0, y0), (x1, y1), PREDICTED, 2)
    for x0, y0, x1, y1 in (example.reference * scale).tolist():
        corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1], [x0, y0]])
        for a, b in itertools.pairwise(corners):
            steps = np.linspace(0, 1, 2 * max(2, int(np.hypot(*(b - a)) / 12)) + 2)
            for start, end in zip(steps[::2], steps[1::2], strict=True):
                ends = np.rint([a + (b - a) * start, a + (b - a) * end]).astype(int)
                cv2.line(film, *map(tuple, ends.tolist()), REFERENCE, 2)
    return film


def captioned(film: np.ndarray, words: str) -> np.ndarray:
    """A tile with its words below."""
    tile = np.full((SIDE + STRIP, SIDE, 3), 255, np.uint8)
    tile[:SIDE] = film
    cv2.putText(tile, words, (0, SIDE + 17), cv2.FONT_HERSHEY_SIMPLEX, 0.4, INK, 1, cv2.LINE_AA)
    return tile


if __name__ == "__main__":
    shown = picture(Path(sys.argv[1]), ("Pneumonia", "Pneumothorax"))
    cv2.imwrite(str(HERE / "reading.png"), shown[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "p", films=300, size=512, seed=0)
        contact_sheet(load(Path(folder) / "p"), HERE / "phantoms.png", films=15, seed=1)
