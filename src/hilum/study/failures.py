"""Calls and boxes of a run -> its failures, with pictures of those that the page shows."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from hilum.boxes import BoxTable
from hilum.evaluate.localization import matches
from hilum.recipe import Recipe
from hilum.report import Case, Curves, Example, cases_from
from hilum.report.failure import FALSE_CALL, LIT, picked
from hilum.study.folder import RunFolder, read_json
from hilum.study.opening import Films, Pixels
from hilum.study.score import scored_films


def failures(
    folder: RunFolder,
    recipe: Recipe,
    films: Films,
    pixels: Pixels,
    curves: Curves,
    examples: Sequence[Example],
) -> list[Case]:
    """Every failure of the headline's boxes at the first operating point; see `hilum.report.failure`.

    Heatmaps of films without reference boxes were never kept; those of the few false calls that the page
    shows are made here, from the weights, where they are still in the run.
    """
    cohort, probabilities = scored_films(folder, films)
    cut = curves.points[0][0].cut if curves.points else np.full(len(cohort.findings), np.nan)
    labels = cohort.labels.astype(float)
    cases = cases_from(cohort.films, cohort.findings, probabilities, labels, cut, examples)
    wanted = [case for kind in (LIT, FALSE_CALL) for case in picked(cases, kind)]
    if not wanted or not folder.weights.exists():
        return cases
    made = dict(zip(map(id, wanted), _pictured(wanted, folder, recipe, films, pixels), strict=True))
    return [made.get(id(case), case) for case in cases]


def _pictured(
    cases: Sequence[Case], folder: RunFolder, recipe: Recipe, films: Films, pixels: Pixels
) -> list[Case]:
    """The cases with film, heatmap and boxes."""
    from hilum import models, pipeline
    from hilum.data.geometry import input_to_frame
    from hilum.data.metadata import metadata_from
    from hilum.explain import class_maps
    from hilum.study.detections import read_detections

    model, geometry, scaling = models.load(folder.weights, class_maps)
    cohort, method, rule = films.cohort, recipe.explain.methods[0], recipe.localize.rules[0]
    row_of = {film: row for row, film in enumerate(cohort.films.tolist())}
    rows = np.array([row_of[case.film] for case in cases])
    finding = np.array([cohort.findings.index(case.finding) for case in cases])
    batch = pixels.store.batch(pixels.rows[rows])
    metadata = metadata_from(cohort, scaling)[rows]
    names = list(dict.fromkeys(case.finding for case in cases))
    _, made = pipeline.explain(model, batch, geometry, (method,), metadata, names)
    maps = made[method][np.arange(len(cases)), [names.index(case.finding) for case in cases]]
    affine = input_to_frame(geometry, pixels.store.film_hw[pixels.rows[rows]], cohort.frame_hw)
    likely = np.array([case.probability for case in cases])
    place = np.arange(len(cases))
    ranges = None
    if rule.scale == "cohort":
        ranges = np.array(read_json(folder.ranges)["low_high"][method], float)[finding]
    size = geometry.input_hw
    if rule.of_model:
        made = read_detections(folder, cohort, rule)
        case, box = matches(BoxTable(rows, finding, np.zeros((len(rows), 4)), likely), made)
        boxes = BoxTable(case, finding[case], made.xyxy[box], made.score[box])
    else:
        boxes = pipeline.localize(maps, place, finding, likely, affine, size, rule, cohort.frame_hw, ranges)
    pictured = []
    for number, case in enumerate(cases):
        example = Example(
            film=pixels.store.pixels[pixels.rows[rows[number]]],
            heatmap=maps[number],
            affine=affine[number],
            input_hw=geometry.input_hw,
            frame_hw=cohort.frame_hw,
            finding=case.finding,
            probability=case.probability,
            predicted=boxes.xyxy[boxes.image == number],
            reference=np.zeros((0, 4)),
            iou=np.nan,
            name=case.film,
        )
        pictured.append(dataclasses.replace(case, example=example))
    return pictured
