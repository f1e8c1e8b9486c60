"""The explaining stage: weights and films -> `probabilities.csv` and raw heatmaps, part by part."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from hilum import models, pipeline
from hilum.data.cohort import Cohort
from hilum.data.geometry import input_to_frame
from hilum.data.metadata import metadata_from
from hilum.data.store import Progress, silent
from hilum.explain import class_maps, costs_by_finding
from hilum.files import demand_space, sha256, write_text
from hilum.recipe import Recipe
from hilum.study.detections import write_detections
from hilum.study.folder import RunFolder, write_csv
from hilum.study.heatmap_files import part_path, write_array, write_index
from hilum.study.opening import Films, Pixels

PART = 256
"""Films a part; a killed run makes at most one part again."""
CHUNK = 32
"""Films a forward pass."""


def explain(
    folder: RunFolder,
    recipe: Recipe,
    films: Films,
    pixels: Pixels,
    progress: Progress = silent,
    all_findings: bool = False,
) -> None:
    """Reads every validation and test film once, and all boxed films where the recipe wants every box.

    Parts that are there already are not made again.

    Heatmaps are made of the (film, finding) pairs that have a reference box, of other findings that a boxed
    film has as label, and of all findings of every test film where the recipe or the caller says so. A
    cohort's scale needs those of all validation films. All maps of a chunk share a pass, but for methods that
    cost more with each finding: these are made of the findings that a film wants. Where a box rule is a
    detector's own, its boxes of all these films are made too.

    Raises:
        RunError: There are no weights yet.
        DiskError: The maps would not fit.
    """
    model, geometry, scaling = models.load(folder.demand(folder.weights, "train"), class_maps)
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    cohort, methods = films.cohort, recipe.explain.methods
    rows = _rows(cohort, recipe)
    parts = [rows[start : start + PART] for start in range(0, len(rows), PART)]
    wanted = _pairs(cohort, recipe, all_findings)
    pairs = [wanted[np.isin(wanted[:, 0], part)] for part in parts]
    metadata = metadata_from(cohort, scaling)
    _drop_parts_of_other_weights(folder)

    costly = [method for method in methods if costs_by_finding(method)]
    shared = [method for method in methods if method not in costly]

    def read(films: np.ndarray, pairs: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Probabilities of some films, and the maps of their pairs."""
        batch, extras = pixels.store.batch(pixels.rows[films]), metadata[films]
        film = np.searchsorted(films, pairs[:, 0])
        likely, made = pipeline.explain(model, batch, geometry, shared, extras)
        maps = {method: each[film, pairs[:, 1]] for method, each in made.items()}
        for group, columns in _groups(film, pairs[:, 1]) if costly else ():
            names = [cohort.findings[column] for column in columns]
            _, made = pipeline.explain(model, batch[group], geometry, costly, extras[group], names)
            place = np.searchsorted(film, group)[:, None] + np.arange(len(columns))
            for method, each in made.items():
                empty = np.zeros((len(pairs), *each.shape[2:]), np.float32)
                maps.setdefault(method, empty)[place] = each
        return likely, maps

    for number, part in enumerate(parts):
        targets = [part_path(folder, method, number) for method in methods]
        likely_path = folder.probability_part(number)
        if not (_holds(likely_path, len(part)) and all(_holds(path, len(pairs[number])) for path in targets)):
            probabilities, maps = [], {method: [] for method in methods}
            for start in range(0, len(part), CHUNK):
                inside = part[start : start + CHUNK]
                likely, made = read(inside, pairs[number][np.isin(pairs[number][:, 0], inside)])
                if not start:
                    n_left = sum(map(len, pairs[number:]))
                    demand_space(folder.path, n_left * sum(_map_bytes(each) for each in made.values()))
                probabilities.append(likely)
                for method, each in made.items():
                    maps[method].append(each)
                progress(number * PART + start + len(inside), len(rows))
            for method, target in zip(methods, targets, strict=True):
                write_array(target, _joined(maps[method]))
            write_array(likely_path, np.concatenate(probabilities))
        progress(min((number + 1) * PART, len(rows)), len(rows))
    affine = input_to_frame(geometry, pixels.store.film_hw[pixels.rows], cohort.frame_hw)
    if any(rule.of_model for rule in recipe.localize.rules):
        write_detections(folder, model, films, pixels, geometry, affine, parts, progress)
    for method in methods:
        write_index(folder, method, cohort, pairs, affine)
    _write_probabilities(folder, cohort, rows, len(parts))


def _drop_parts_of_other_weights(folder: RunFolder) -> None:
    """Parts are taken up again only where this very network made them."""
    mark, weights = folder.heatmaps / "weights.sha256", sha256(folder.weights)
    if mark.exists() and mark.read_text(encoding="utf-8").strip() != weights:
        shutil.rmtree(folder.heatmaps)
        shutil.rmtree(folder.probability_part(0).parent, ignore_errors=True)
        for branch in folder.branches:
            folder.branch_probabilities(branch).unlink()
    write_text(mark, weights + "\n")


def _holds(path: Path, n_rows: int) -> bool:
    """Whether a part is there and of these rows: fewer were wanted before `--findings all`."""
    return path.exists() and len(np.load(path, mmap_mode="r")) == n_rows


def _rows(cohort: Cohort, recipe: Recipe) -> np.ndarray:
    """Films that are read: those of validation and test, and all boxed ones where every box is wanted."""
    more = cohort.reference.image if recipe.explain.pairs == "every_box" else ()
    return np.unique(np.concatenate([cohort.side("val"), cohort.side("test"), more])).astype(np.int64)


def _pairs(cohort: Cohort, recipe: Recipe, all_findings: bool) -> np.ndarray:
    """(film row, finding column) of every map wanted, films in ascending order."""
    wanted = np.zeros(cohort.labels.shape, bool)
    test = cohort.side("test")
    if all_findings or recipe.explain.pairs == "all":
        wanted[test] = True
    else:
        boxed = np.intersect1d(cohort.reference.image, test)
        wanted[np.ix_(boxed, np.unique(cohort.reference.finding))] = True
        wanted &= cohort.labels == 1  # false boxes are counted where the film has the finding
        wanted[cohort.reference.image, cohort.reference.finding] = True
        wanted[np.setdiff1d(np.arange(len(cohort)), test)] = False
    if recipe.explain.pairs == "every_box":
        wanted[cohort.reference.image, cohort.reference.finding] = True
    if any(rule.scale == "cohort" for rule in recipe.localize.rules):
        wanted[cohort.side("val")] = True
    return np.argwhere(wanted)


def _groups(film: np.ndarray, finding: np.ndarray) -> Iterator[tuple[np.ndarray, tuple[int, ...]]]:
    """Films that want the same findings, and these."""
    there = np.unique(film)
    wants = [tuple(finding[film == each].tolist()) for each in there]
    for columns in sorted(set(wants)):
        yield there[[wanted == columns for wanted in wants]], columns


def _joined(maps: list[np.ndarray]) -> np.ndarray:
    """Maps of all chunks; a chunk without pairs may not know their size."""
    known = [each for each in maps if len(each)]
    return np.concatenate(known) if known else np.zeros((0, 1, 1), np.float32)


def _map_bytes(maps: np.ndarray) -> int:
    return 4 * int(np.prod(maps.shape[1:]))


def _write_probabilities(folder: RunFolder, cohort: Cohort, rows: np.ndarray, n_parts: int) -> None:
    parts = [np.load(folder.probability_part(n)) for n in range(n_parts)]
    lines = (
        (cohort.films[row], cohort.split[row], *likely)
        for row, likely in zip(rows, np.concatenate(parts), strict=True)
    )
    write_csv(folder.probabilities, ("image", "split", *cohort.findings), lines)
