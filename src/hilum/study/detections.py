"""Boxes that a detector makes by itself: made part by part while explaining, read by later stages."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, Int

from hilum import pipeline
from hilum.boxes import BoxTable, no_boxes
from hilum.data.cohort import Cohort
from hilum.data.geometry import Geometry
from hilum.data.store import Progress
from hilum.localize import DETECTOR, BoxRule
from hilum.models import Classifier
from hilum.study.folder import RunFolder, boxes_in, read_probabilities, write_boxes
from hilum.study.heatmap_files import part_path, write_array
from hilum.study.opening import Films, Pixels

CHUNK = 32
"""Films a forward pass."""


def write_detections(
    folder: RunFolder,
    model: Classifier,
    films: Films,
    pixels: Pixels,
    geometry: Geometry,
    affine: Float64[np.ndarray, "n 2 3"],
    parts: Sequence[Int[np.ndarray, " p"]],
    progress: Progress,
) -> None:
    """Boxes of every named film, in the cohort's frame; parts that are there already are not made again.

    Args:
        folder: The run.
        model: A detector.
        films: Of the run.
        pixels: Of these.
        geometry: How they become network input.
        affine: From network input to frame, in px, a film of the cohort.
        parts: Rows of the films, part by part.
        progress: Told how many films are done.

    Raises:
        TypeError: The model is no detector.
    """
    cohort, done, n = films.cohort, 0, sum(map(len, parts))
    for number, part in enumerate(parts):
        path = part_path(folder, DETECTOR, number)
        if not path.exists():
            rows = [np.zeros((0, 7))]
            for start in range(0, len(part), CHUNK):
                inside = part[start : start + CHUNK]
                batch = pixels.store.batch(pixels.rows[inside])
                found = pipeline.detect(model, batch, geometry, affine[inside], cohort.frame_hw)
                rows.append(np.column_stack([inside[found.image], found.finding, found.xyxy, found.score]))
                progress(done + start + len(inside), n)
            write_array(path, np.concatenate(rows))
        done += len(part)
        progress(done, n)
    paths = [part_path(folder, DETECTOR, number) for number in range(len(parts))]
    every = np.concatenate([np.zeros((0, 7)), *map(np.load, paths)])
    image, finding = every[:, :2].astype(np.int64).T
    table = BoxTable(image, finding, every[:, 2:6], every[:, 6])
    write_boxes(folder.detections, cohort, {("", DETECTOR): table})


def read_detections(folder: RunFolder, cohort: Cohort, rule: BoxRule) -> BoxTable:
    """The boxes of all films that pass the rule's gate.

    Raises:
        RunError: They were not made, or are of films that the run does not have.
    """
    tables = boxes_in(folder.demand(folder.detections, "explain"), cohort)
    table = tables.get(("", DETECTOR), no_boxes())
    if rule.gate is None:
        return table
    likely = read_probabilities(folder, cohort)[table.image, table.finding]
    return table.rows(likely >= rule.gate)
