"""The localising stage: raw heatmaps -> `boxes.csv`."""

from hilum import pipeline
from hilum.boxes import BoxTable
from hilum.data.store import Progress, silent
from hilum.recipe import Recipe
from hilum.study.folder import RunFolder, read_probabilities, write_boxes
from hilum.study.heatmap_files import read_maps
from hilum.study.opening import Films


def localize(folder: RunFolder, recipe: Recipe, films: Films, progress: Progress = silent) -> None:
    """Boxes of every stored map by every box rule of the recipe.

    Raises:
        RunError: There are no heatmaps yet.
    """
    cohort, methods, rules = films.cohort, recipe.explain.methods, recipe.localize.rules
    probabilities = read_probabilities(folder, cohort)
    boxes: dict[tuple[str, str], BoxTable] = {}
    for method in methods:
        stored = read_maps(folder, method, cohort)
        for rule in rules:
            boxes[method, rule.name] = pipeline.localize(
                stored.maps,
                stored.image,
                stored.finding,
                probabilities[stored.image, stored.finding],
                stored.affine,
                recipe.data.geometry.input_hw,
                rule,
                cohort.frame_hw,
            )
            progress(len(boxes), len(methods) * len(rules))
    write_boxes(folder.boxes, cohort, boxes)
