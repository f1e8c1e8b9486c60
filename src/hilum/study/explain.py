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
from hilum.files import demand_space, sha256, write_text
from hilum.recipe import Recipe
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
    """Reads every validation and test film once; parts that are there already are not made again.

    Heatmaps are made of the (film, finding) pairs that have a reference box, of other findings that a boxed
    film has as label, and of all findings of every test film where the recipe or the caller says so. A
    cohort's scale needs those of all validation films. Films that want the same findings share a pass.

    Raises:
        RunError: There are no weights yet.
        DiskError: The maps would not fit.
    """
    model, geometry, scaling = models.load(folder.demand(folder.weights, "train"))
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    cohort, methods = films.cohort, recipe.explain.methods
    rows = np.sort(np.concatenate([cohort.side("val"), cohort.side("test")]))
    parts = [rows[start : start + PART] for start in range(0, len(rows), PART)]
    wanted = _pairs(cohort, recipe, all_findings)
    pairs = [wanted[np.isin(wanted[:, 0], part)] for part in parts]
    metadata = metadata_from(cohort, scaling)
    _drop_parts_of_other_weights(folder)

    def read(films: np.ndarray, columns: tuple[int, ...]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        batch = pixels.store.batch(pixels.rows[films])
        names = [cohort.findings[column] for column in columns]
        return pipeline.explain(model, batch, geometry, methods if names else (), metadata[films], names)

    for number, part in enumerate(parts):
        targets = [part_path(folder, method, number) for method in methods]
        likely_path = folder.probability_part(number)
        if not (_holds(likely_path, len(part)) and all(_holds(path, len(pairs[number])) for path in targets)):
            likely, maps = np.zeros((len(part), len(cohort.findings)), np.float32), {}
            n_left, n_read = sum(map(len, pairs[number:])), 0
            for inside, columns in _groups(part, pairs[number]):
                likely[inside], made = read(part[inside], columns)
                if made and not maps:
                    demand_space(folder.path, n_left * sum(each[0, 0].nbytes for each in made.values()))
                    maps = {method: _empty(each, len(pairs[number])) for method, each in made.items()}
                place = np.searchsorted(pairs[number][:, 0], part[inside])[:, None] + np.arange(len(columns))
                for method, each in made.items():
                    maps[method][place] = each
                n_read += len(inside)
                progress(number * PART + n_read, len(rows))
            for method, target in zip(methods, targets, strict=True):
                write_array(target, maps.get(method, np.zeros((0, 1, 1), np.float32)))
            write_array(likely_path, likely)
        progress(min((number + 1) * PART, len(rows)), len(rows))
    affine = input_to_frame(geometry, pixels.store.film_hw[pixels.rows], cohort.frame_hw)
    for method in methods:
        write_index(folder, method, cohort, pairs, affine)
    _write_probabilities(folder, cohort, rows, len(parts))


def _drop_parts_of_other_weights(folder: RunFolder) -> None:
    """Parts are taken up again only where this very network made them."""
    mark, weights = folder.heatmaps / "weights.sha256", sha256(folder.weights)
    if mark.exists() and mark.read_text(encoding="utf-8").strip() != weights:
        shutil.rmtree(folder.heatmaps)
        shutil.rmtree(folder.probability_part(0).parent, ignore_errors=True)
    write_text(mark, weights + "\n")


def _holds(path: Path, n_rows: int) -> bool:
    """Whether a part is there and of these rows: fewer were wanted before `--findings all`."""
    return path.exists() and len(np.load(path, mmap_mode="r")) == n_rows


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
    if any(rule.scale == "cohort" for rule in recipe.localize.rules):
        wanted[cohort.side("val")] = True
    return np.argwhere(wanted)


def _groups(part: np.ndarray, pairs: np.ndarray) -> Iterator[tuple[np.ndarray, tuple[int, ...]]]:
    """Places within the part of films that want the same findings, at most `CHUNK` at once, and these."""
    wants = [tuple(pairs[pairs[:, 0] == film, 1].tolist()) for film in part]
    for columns in sorted(set(wants)):
        same = np.array([place for place, wanted in enumerate(wants) if wanted == columns])
        yield from ((same[start : start + CHUNK], columns) for start in range(0, len(same), CHUNK))


def _empty(made: np.ndarray, n_maps: int) -> np.ndarray:
    return np.zeros((n_maps, *made.shape[2:]), np.float32)


def _write_probabilities(folder: RunFolder, cohort: Cohort, rows: np.ndarray, n_parts: int) -> None:
    parts = [np.load(folder.probability_part(n)) for n in range(n_parts)]
    lines = (
        (cohort.films[row], cohort.split[row], *likely)
        for row, likely in zip(rows, np.concatenate(parts), strict=True)
    )
    write_csv(folder.probabilities, ("image", "split", *cohort.findings), lines)
