"""The explaining stage: weights and films -> `probabilities.csv` and raw heatmaps, part by part."""

import shutil
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

    Heatmaps are kept of the (film, finding) pairs that have a reference box, or of all findings of
    every test film.

    Raises:
        RunError: There are no weights yet.
        DiskError: The maps would not fit.
    """
    model, geometry, scaling = models.load(folder.demand(folder.weights, "train"))
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    cohort, methods = films.cohort, recipe.explain.methods
    rows = np.sort(np.concatenate([cohort.side("val"), cohort.side("test")]))
    parts = [rows[start : start + PART] for start in range(0, len(rows), PART)]
    wanted = _pairs(cohort, all_findings)
    pairs = [wanted[np.isin(wanted[:, 0], part)] for part in parts]
    metadata = metadata_from(cohort, scaling)
    demand_space(folder.path, len(wanted) * len(methods) * _map_bytes(model, geometry.input_hw))
    _drop_parts_of_other_weights(folder)
    for number, part in enumerate(parts):
        targets = [part_path(folder, method, number) for method in methods]
        likely_path = folder.probability_part(number)
        if not (_holds(likely_path, len(part)) and all(_holds(path, len(pairs[number])) for path in targets)):
            probabilities, maps = [], {method: [] for method in methods}
            for start in range(0, len(part), CHUNK):
                inside = part[start : start + CHUNK]
                batch = pixels.store.batch(pixels.rows[inside])
                likely, made = pipeline.explain(model, batch, geometry, methods, metadata[inside])
                probabilities.append(likely)
                film, finding = _places(pairs[number], inside)
                for method in methods:
                    maps[method].append(made[method][film, finding])
                progress(number * PART + start + len(inside), len(rows))
            for method, target in zip(methods, targets, strict=True):
                write_array(target, np.concatenate(maps[method]))
            write_array(likely_path, np.concatenate(probabilities))
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


def _pairs(cohort: Cohort, all_findings: bool) -> np.ndarray:
    """(film row, finding column) of every map wanted, films in ascending order."""
    test = cohort.side("test")
    if all_findings:
        grid = np.meshgrid(test, np.arange(len(cohort.findings)), indexing="ij")
        return np.stack(grid, axis=-1).reshape(-1, 2)
    boxed = np.stack([cohort.reference.image, cohort.reference.finding], axis=1)
    return np.unique(boxed[np.isin(boxed[:, 0], test)], axis=0)


def _places(pairs: np.ndarray, films: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Place within the chunk, and finding, of the pairs whose film is in it."""
    order = np.argsort(films)
    place = np.searchsorted(films, pairs[:, 0], sorter=order).clip(max=len(films) - 1)
    place = order[place]
    inside = films[place] == pairs[:, 0]
    return place[inside], pairs[inside, 1]


def _map_bytes(model: models.Classifier, input_hw: tuple[int, int]) -> int:
    """Bytes of one map, from an empty film."""
    if not isinstance(model, models.LastMapClassifier):
        return 4 * input_hw[0] * input_hw[1]
    empty = torch.zeros(1, 3, *input_hw, device=next(model.parameters()).device)
    with torch.inference_mode():
        return 4 * model.activations(empty)[0, 0].numel()


def _write_probabilities(folder: RunFolder, cohort: Cohort, rows: np.ndarray, n_parts: int) -> None:
    parts = [np.load(folder.probability_part(n)) for n in range(n_parts)]
    lines = (
        (cohort.films[row], cohort.split[row], *likely)
        for row, likely in zip(rows, np.concatenate(parts), strict=True)
    )
    write_csv(folder.probabilities, ("image", "split", *cohort.findings), lines)
