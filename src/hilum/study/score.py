"""The scoring stage: probabilities, heatmaps and boxes -> `scores.json`; loads no torch."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from hilum.boxes import BoxTable, no_boxes
from hilum.data.cohort import Cohort
from hilum.data.geometry import RESAMPLER, Geometry
from hilum.data.store import Progress, silent
from hilum.evaluate import (
    AS_PRINTED,
    PairMaps,
    Protocol,
    Score,
    branch_scores,
    classification_scores,
    detection_scores,
    false_positive_scores,
    json_from,
    localization_scores,
    oracle_scores,
)
from hilum.evaluate.protocol import NOT_APPLICABLE
from hilum.evaluate.summary import template
from hilum.files import write_text
from hilum.lookup import call, call_from
from hilum.recipe import Recipe
from hilum.report import csv_from
from hilum.study.folder import RunFolder, read_boxes, read_probabilities, write_json
from hilum.study.heatmap_files import StoredMaps, read_maps
from hilum.study.opening import Films
from hilum.study.seen import header_of, seen_before

TAUGHT_BY_BOXES: dict[str, Callable[..., bool]] = {
    "detect": lambda: True,
    "patches": lambda weight=5.0: weight > 0,
}
"""Whether a training step learns from reference boxes, from its options; any other step does not."""


def score(folder: RunFolder, recipe: Recipe, films: Films, progress: Progress = silent) -> list[Score]:
    """Scores the test films and writes `scores.json` and `scores.csv`.

    Raises:
        RunError: An earlier stage is missing.
        WeightsError: The file of the weights is broken.
    """
    size = _size(folder)
    cohort, probabilities = scored_films(folder, films)
    methods, settings = recipe.explain.methods, recipe.evaluate
    protocol = protocol_of(recipe, films, cohort)
    rng = np.random.Generator(np.random.Philox(settings.seed))
    scores = classification_scores(
        cohort,
        probabilities,
        protocol,
        n_draws=settings.bootstrap_draws,
        rng=rng,
        validation=scored_films(folder, films, "val"),
        operating_points=settings.operating_points,
    )
    for branch in folder.branches:
        likely = scored_films(folder, films, branch=branch)[1]
        scores += branch_scores(cohort, likely, protocol, branch, n_draws=settings.bootstrap_draws, rng=rng)
    progress(1, 1 + len(methods))
    boxes = read_boxes(folder, cohort, films.cohort)
    for done, method in enumerate(methods, start=2):
        stored = read_maps(folder, method, cohort, films.cohort)
        predicted = {rule.name: boxes.get((method, rule.name), no_boxes()) for rule in recipe.localize.rules}
        scores += _map_scores(recipe, cohort, probabilities, stored, predicted, method, protocol, rng)
        progress(done, 1 + len(methods))
    scores += size
    write_json(folder.scores, json_from(scores))
    write_text(folder.path / "scores.csv", csv_from(scores))
    return scores


def _map_scores(
    recipe: Recipe,
    cohort: Cohort,
    probabilities: Float[np.ndarray, "n f"],
    stored: StoredMaps,
    predicted: Mapping[str, BoxTable],
    method: str,
    protocol: Protocol,
    rng: np.random.Generator,
) -> list[Score]:
    """Entries and, as far as maps of other films were made, false boxes and detection; threshold luck."""
    rules, entry = recipe.localize.rules, entry_rows(cohort, stored)
    shared: dict[str, Any] = {
        "input_hw": recipe.data.geometry.input_hw,
        "method": method,
        "protocol": protocol,
        "n_draws": recipe.evaluate.bootstrap_draws,
        "rng": rng,
    }
    maps, affine = stored.maps[entry], stored.affine[entry]
    scores = localization_scores(
        cohort,
        maps,
        affine,
        predicted,
        rules=rules,
        pixels=recipe.evaluate.pixels,
        entry_probability=probabilities[cohort.reference.image, cohort.reference.finding].astype(float),
        **shared,
    )
    pairs = PairMaps(
        stored.maps,
        stored.image,
        stored.finding,
        stored.affine,
        probabilities[stored.image, stored.finding].astype(float),
    )
    scores += false_positive_scores(cohort, pairs, predicted, probabilities, rules=rules, **shared)
    if recipe.explain.pairs == "all":
        scores += detection_scores(cohort, pairs, predicted, rules=rules, **shared)
    plain = [rule for rule in rules if rule.gate is None and rule.scale == "film" and not rule.of_model]
    thresholds = recipe.evaluate.choose_among or [rule.threshold for rule in plain]
    if plain and len(thresholds) > 1:
        scores += oracle_scores(cohort, maps, affine, rule=plain[0], thresholds=thresholds, **shared)
    del shared["input_hw"]
    for name in recipe.evaluate.as_printed:
        scores += AS_PRINTED[name](cohort, predicted, rules=rules, **shared)
    return scores


def _size(folder: RunFolder) -> list[Score]:
    """The number of parameters as the weights file states it; nothing where it does not."""
    header = header_of(folder.weights)
    if "parameters" not in header:
        return []
    nothing = dict.fromkeys((field.name for field in dataclasses.fields(Protocol)), NOT_APPLICABLE)
    shown = template("parameters", Protocol(**nothing))
    return [dataclasses.replace(shown, value=float(header["parameters"]))]


def scored_films(
    folder: RunFolder, films: Films, side: Literal["val", "test"] = "test", branch: str = ""
) -> tuple[Cohort, np.ndarray]:
    """The films of a side that have probabilities, and these; of the model or of a branch."""
    probabilities = read_probabilities(folder, films.cohort, branch)
    rows = films.cohort.side(side)
    rows = rows[np.isfinite(probabilities[rows]).all(axis=1)]
    return films.cohort.rows(rows), probabilities[rows]


def entry_rows(cohort: Cohort, stored: StoredMaps) -> np.ndarray:
    """Row of the stored map of every reference entry; all entries of scored films have one."""
    place = {
        pair: row for row, pair in enumerate(zip(stored.image.tolist(), stored.finding.tolist(), strict=True))
    }
    entries = zip(cohort.reference.image.tolist(), cohort.reference.finding.tolist(), strict=True)
    return np.array([place[pair] for pair in entries], np.int64)


def _resampler(geometry: Geometry) -> str:
    square = {"stretch": "stretched to a square", "pad": "padded to a square"}[geometry.fit]
    return f"{RESAMPLER}; {square}, {geometry.resize_px} px, centre {geometry.input_px} px"


def protocol_of(recipe: Recipe, films: Films, scored: Cohort) -> Protocol:
    """How the scores of a run come about, as far as the run knows; the rest is filled in while scoring."""
    source = scored.source
    before, contaminated = seen_before(recipe.model.weights, source)
    trained = f"{source} train and validation films of this split"
    if _taught_by_boxes(recipe, films.cohort):
        trained += " with their reference boxes (box-supervised)"
    return Protocol(
        films=f"{source}, test films",
        complete=films.complete,
        split=scored.split_name,
        split_hash=films.cohort.split_hash,
        box_source=scored.box_release or "no boxes",
        map_target="reference finding",
        denominator="entries of the box list on test films",
        threshold_chosen=recipe.localize.threshold_chosen,
        resampler=_resampler(recipe.data.geometry),
        weights_data=f"{before}, then {trained}" if before else trained,
        contaminated=contaminated,
    )


def _taught_by_boxes(recipe: Recipe, cohort: Cohort) -> bool:
    """Whether weights have learnt from reference boxes: from any of a training or validation film."""
    steps = [stage.step for stage in recipe.stages if call_from(stage.step)[0] in TAUGHT_BY_BOXES]
    taught = any(call(TAUGHT_BY_BOXES, step, "training step")() for step in steps)
    return taught and bool(np.isin(cohort.split[cohort.reference.image], ("train", "val")).any())
