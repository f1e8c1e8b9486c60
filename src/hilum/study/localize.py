"""The localising stage: raw heatmaps -> `boxes.csv`."""

import numpy as np
from jaxtyping import Float

from hilum import pipeline
from hilum.boxes import BoxTable
from hilum.data.cohort import Cohort
from hilum.data.store import Progress, silent
from hilum.localize.scale import cohort_ranges, extremes_from
from hilum.recipe import Recipe
from hilum.study.detections import read_detections
from hilum.study.folder import RunFolder, read_probabilities, write_boxes, write_json
from hilum.study.heatmap_files import StoredMaps, read_maps
from hilum.study.opening import Films


def localize(folder: RunFolder, recipe: Recipe, films: Films, progress: Progress = silent) -> None:
    """Boxes of every stored map of a test film by every box rule of the recipe; of every entry where asked.

    The boxes of a detector are of no map: the same stand under every heatmap method.

    Raises:
        RunError: There are no heatmaps yet.
    """
    cohort, methods, rules = films.cohort, recipe.explain.methods, recipe.localize.rules
    probabilities = read_probabilities(folder, cohort)
    boxes: dict[tuple[str, str], BoxTable] = {}
    ranges: dict[str, list[list[float]]] = {}
    wanted = np.zeros((len(cohort), len(cohort.findings)), bool)
    wanted[cohort.side("test")] = True
    if recipe.explain.pairs == "every_box":
        wanted[cohort.reference.image, cohort.reference.finding] = True
    for method in methods:
        stored = read_maps(folder, method, cohort)
        tested = stored.rows(np.flatnonzero(wanted[stored.image, stored.finding]))
        for rule in rules:
            if rule.of_model:
                made = read_detections(folder, cohort, rule)
                boxes[method, rule.name] = made.rows(wanted[made.image, made.finding])
                progress(len(boxes), len(methods) * len(rules))
                continue
            own = _ranges(stored, cohort, signed=rule.signed) if rule.scale == "cohort" else None
            boxes[method, rule.name] = pipeline.localize(
                tested.maps,
                tested.image,
                tested.finding,
                probabilities[tested.image, tested.finding],
                tested.affine,
                recipe.data.geometry.input_hw,
                rule,
                cohort.frame_hw,
                None if own is None else own[tested.finding],
            )
            if own is not None:
                ranges[method] = own.tolist()
            progress(len(boxes), len(methods) * len(rules))
    if ranges:
        write_json(folder.ranges, {"findings": cohort.findings, "low_high": ranges})
    write_boxes(folder.boxes, cohort, boxes)


def _ranges(stored: StoredMaps, cohort: Cohort, *, signed: bool) -> Float[np.ndarray, "f 2"]:
    """The cohort's scale of each finding, from the validation films."""
    rows = np.flatnonzero(cohort.split[stored.image] == "val")
    extremes = np.full((len(cohort), len(cohort.findings), 2), np.nan)
    extremes[stored.image[rows], stored.finding[rows]] = extremes_from(stored.maps[rows, None])[:, 0]
    return cohort_ranges(extremes[cohort.side("val")], signed=signed)
