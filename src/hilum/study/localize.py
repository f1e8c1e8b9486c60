"""The localising stage: raw heatmaps -> `boxes.csv`."""

import numpy as np
from jaxtyping import Float

from hilum import pipeline
from hilum.boxes import BoxTable
from hilum.data.cohort import Cohort
from hilum.data.store import Progress, silent
from hilum.localize.scale import cohort_ranges, extremes_from
from hilum.recipe import Recipe
from hilum.study.folder import RunFolder, read_probabilities, write_boxes, write_json
from hilum.study.heatmap_files import StoredMaps, read_maps
from hilum.study.opening import Films


def localize(folder: RunFolder, recipe: Recipe, films: Films, progress: Progress = silent) -> None:
    """Boxes of every stored map of a test film by every box rule of the recipe; of every entry where asked.

    Raises:
        RunError: There are no heatmaps yet.
    """
    cohort, methods, rules = films.cohort, recipe.explain.methods, recipe.localize.rules
    probabilities = read_probabilities(folder, cohort)
    boxes: dict[tuple[str, str], BoxTable] = {}
    ranges: dict[str, list[list[float]]] = {}
    for method in methods:
        stored = read_maps(folder, method, cohort)
        wanted = cohort.split[stored.image] == "test"
        if recipe.explain.pairs == "every_box":
            entry = np.zeros((len(cohort), len(cohort.findings)), bool)
            entry[cohort.reference.image, cohort.reference.finding] = True
            wanted |= entry[stored.image, stored.finding]
        tested = stored.rows(np.flatnonzero(wanted))
        for rule in rules:
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
