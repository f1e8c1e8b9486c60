"""Draws the pictures of the heatmap methods again: `python docs/heatmap_pictures.py DEMO OWN VIT`.

One film for all: the test phantom with an Effusion of which the demo's network is surest.
"""

import sys
from pathlib import Path

import cv2
import numpy as np
import torch
from heatmap_tables import METHODS, NETWORK, OPTIONS, RULE, Run, opened
from images.draw import INK, read
from PIL import Image

from hilum import pipeline
from hilum.boxes import paired_iou
from hilum.explain import logits_and_heatmaps
from hilum.report import Example

HERE = Path(__file__).parent / "images"
FINDING = "Effusion"
SIDE, SMALL, GAP, STRIP, COLUMNS = 224, 160, 6, 20, 6
N_COLOURS = 144


def surest_row(run: Run) -> int:
    """Film with a reference box of the finding and the greatest logit."""
    cohort = run.cohort
    boxed = np.unique(cohort.reference.image[cohort.reference.finding == cohort.findings.index(FINDING)])
    with torch.inference_mode():
        logits = run.model(run.images[boxed])[:, run.model.findings.index(FINDING)]
    return int(boxed[logits.argmax()])


def example(run: Run, row: int, name: str) -> Example:
    """The film with its map and box by a method."""
    names, column = (OPTIONS.get(name, name),), run.cohort.findings.index(FINDING)
    logits, maps = logits_and_heatmaps(run.model, run.images[row][None], names, (FINDING,))
    probability = 1 / (1 + np.exp(-logits[:, run.model.findings.index(FINDING)].astype(float)))
    heatmap, affine, frame_hw = maps[names[0]][0], run.affine[row][None], run.cohort.frame_hw
    at = np.array([row]), np.array([column])
    boxes = pipeline.localize(heatmap, *at, probability, affine, run.model.input_hw, RULE, frame_hw)
    of_film = (run.cohort.reference.image == row) & (run.cohort.reference.finding == column)
    reference = run.cohort.reference.xyxy[of_film]
    pairs = np.repeat(boxes.xyxy, len(reference), axis=0), np.tile(reference, (len(boxes.xyxy), 1))
    return Example(
        film=grey(run, row),
        heatmap=visible(heatmap[0], run.model.input_hw),
        affine=affine[0],
        input_hw=run.model.input_hw,
        frame_hw=frame_hw,
        finding=FINDING,
        probability=float(probability[0]),
        predicted=boxes.xyxy,
        reference=reference,
        iou=float(max(paired_iou(*pairs), default=0.0)),
        name=name,
    )


def visible(heatmap: np.ndarray, input_hw: tuple[int, int]) -> np.ndarray:
    """A map of pixels with its hottest hundredth in one colour: a few pixels would leave the others dark."""
    if heatmap.shape != input_hw:
        return heatmap
    return np.minimum(heatmap, np.percentile(heatmap, 99)).astype(np.float32)


def grey(run: Run, row: int) -> np.ndarray:
    """The film as the network's input shows it, in grey values."""
    channel = run.images[row, 0].numpy()
    return np.rint(255 * (channel * 0.229 + 0.485)).clip(0, 255).astype(np.uint8)


def tile(picture: np.ndarray, side: int, words: str) -> np.ndarray:
    """A picture with its words below."""
    made = np.full((side + STRIP, side, 3), 255, np.uint8)
    made[:side] = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
    cv2.putText(made, words, (1, side + 14), cv2.FONT_HERSHEY_SIMPLEX, 0.36, INK, 1, cv2.LINE_AA)
    return made


def film_tile(one: Example, side: int) -> np.ndarray:
    """The film without anything on it."""
    film = cv2.resize(one.film, (320, 320), interpolation=cv2.INTER_CUBIC)
    return tile(cv2.cvtColor(film, cv2.COLOR_GRAY2RGB), side, f"phantom, {one.finding}")


def rows_of(tiles: list[np.ndarray], n_columns: int) -> np.ndarray:
    """Tiles side by side, then below each other."""
    height, width = tiles[0].shape[:2]
    n_rows = -(-len(tiles) // n_columns)
    page = np.full((n_rows * (height + GAP) - GAP, n_columns * (width + GAP) - GAP, 3), 255, np.uint8)
    for number, each in enumerate(tiles):
        y, x = (number // n_columns) * (height + GAP), (number % n_columns) * (width + GAP)
        page[y : y + height, x : x + width] = each
    return page


def save(path: Path, picture: np.ndarray) -> None:
    """A PNG of few colours, among them those of the boxes."""
    path.parent.mkdir(exist_ok=True)
    few = Image.fromarray(picture).quantize(
        N_COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE
    )
    few.save(path, optimize=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    runs = dict(zip(("demo", "own", "vit"), map(opened, map(Path, sys.argv[1:4])), strict=True))
    row, gallery = surest_row(runs["demo"]), []
    for name in METHODS:
        one = example(runs[NETWORK.get(name, "demo")], row, name)
        drawn = read(one)
        words = f"{name}, IoU {one.iou:.2f}"
        gallery.append(tile(drawn, SMALL, name))
        if "-" not in name:
            both = [film_tile(one, SIDE), tile(drawn, SIDE, words)]
            save(HERE / "heatmaps" / f"{name}.png", rows_of(both, 2))
    save(HERE / "gallery.png", rows_of([film_tile(one, SMALL), *gallery], COLUMNS))
