"""The training stage: films and labels -> `weights.safetensors` and `history.jsonl`."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Int

from hilum import models, pipeline
from hilum.boxes import BoxTable, moved
from hilum.data import Cohort
from hilum.data.geometry import Geometry, inverted, store_to_frame
from hilum.data.metadata import N_METADATA, fit_scaling, metadata_from
from hilum.data.store import Progress, silent
from hilum.errors import RecipeError
from hilum.explain import class_maps, logits_and_heatmaps
from hilum.files import write_text
from hilum.lookup import pick
from hilum.recipe import Recipe
from hilum.study.folder import RunFolder
from hilum.study.opening import Films, Pixels
from hilum.training import FilmSet, fit
from hilum.training.fit import OPTIMISERS, Told, nobody
from hilum.training.losses import loss_from
from hilum.training.schedule import schedule_from, unfreezing_from
from hilum.training.steps import step_from

Entry = dict[str, Any]
"""One epoch's record."""

GEOMETRY_KEYS = {"flip", "rotate_degrees", "crop_area", "crop_aspect"}
"""Keys of `[training]` that together are an `Augmentation`."""


def check(recipe: Recipe) -> None:
    """Looks up everything that a recipe names before any work is done.

    Raises:
        RecipeError: A name that does not exist.
    """
    try:
        settings = recipe.model.model_dump(exclude={"weights"})
        input_hw = recipe.data.geometry.input_hw
        model = models.build(**settings, findings=("Effusion",), input_hw=input_hw, class_maps=class_maps)
        model.eval()
        for stage in recipe.stages:
            pick(OPTIMISERS, stage.optimiser, "optimiser")
            schedule_from(stage.schedule)
            unfreezing_from(stage.unfreezing)
            loss_from(stage.loss, torch.zeros(0, 1))
            step_from(stage.step, model)
            for part in (*stage.learns, *stage.part_rates):
                pick(model.parts, part, f"part of {recipe.model.name}")
        if any(rule.of_model for rule in recipe.localize.rules):
            pipeline.detector_from(model)
        logits_and_heatmaps(  # no film, so that a method which this model cannot have says so now
            model,
            torch.zeros(0, 3, *input_hw),
            recipe.explain.methods,
            metadata=torch.zeros(0, N_METADATA) if recipe.model.metadata else None,
        )
    except (ValueError, TypeError) as error:
        raise RecipeError(f"recipe {recipe.report.title!r}: {error}") from error


def train(
    folder: RunFolder,
    recipe: Recipe,
    films: Films,
    pixels: Pixels,
    progress: Progress = silent,
    told: Told = nobody,
) -> None:
    """Trains, or continues, or does nothing where the weights are there already; see `fit` for `told`."""
    if folder.weights.exists():
        return
    cohort = films.cohort
    scaling = fit_scaling(cohort.rows(cohort.side("train")))
    metadata, geometry = metadata_from(cohort, scaling), recipe.data.geometry
    torch.manual_seed(recipe.training.seed)
    model = models.build(
        **recipe.model.model_dump(exclude={"weights"}),
        findings=cohort.findings,
        input_hw=geometry.input_hw,
        start=recipe.model.weights,
        class_maps=class_maps,
    )
    if recipe.training.start_at_prevalence:
        model.start_at(_prevalence(cohort))

    def side(name: str) -> FilmSet:
        rows = cohort.side(name)
        boxes = _in_store(cohort, pixels, geometry, rows)
        return FilmSet(pixels.store, pixels.rows[rows], cohort.labels[rows], metadata[rows], geometry, boxes)

    stages, logs = recipe.stages, Logs(folder)
    history: list[Entry] = []
    for number, settings in enumerate(stages):
        in_stage = partial(_in_stage, number, len(stages), len(history))
        own = folder.checkpoints / f"stage-{number + 1}" if len(stages) > 1 else folder.checkpoints
        records = fit(
            model,
            side("train"),
            side("val"),
            own,
            **settings.model_dump(exclude=GEOMETRY_KEYS | {"start_at_prevalence"}),
            augmentation=settings.augmentation,
            progress=partial(_told_in_all, progress, number, len(stages)),
            told=partial(_told_after, (logs, told), history, in_stage),
        )
        history = [*history, *in_stage(records)]
    models.save(folder.weights, model, recipe.model.model_dump(exclude={"weights"}), geometry, scaling)


def _in_stage(number: int, n_stages: int, n_before: int, records: Sequence[Entry]) -> list[Entry]:
    """Records of one stage as they stand in the history of all; of a lone stage they stay as they are."""
    if n_stages == 1:
        return list(records)
    name = f"stage {number + 1}"
    return [{**record, "epoch": float(record["epoch"]) + n_before, "stage": name} for record in records]


def _told_after(
    listeners: Sequence[Told],
    before: Sequence[Entry],
    in_stage: Callable[[Sequence[Entry]], list[Entry]],
    records: Sequence[Entry],
) -> None:
    for told in listeners:
        told([*before, *in_stage(records)])


def _told_in_all(progress: Progress, number: int, n_stages: int, done: int, n: int) -> None:
    progress(number * n + done, n_stages * n)


def _in_store(cohort: Cohort, pixels: Pixels, geometry: Geometry, rows: Int[np.ndarray, " n"]) -> BoxTable:
    """Reference boxes of some films, counted as these are, in pixels of the stored film."""
    boxes = cohort.reference
    place = np.full(len(cohort), -1)
    place[rows] = np.arange(len(rows))
    inside = place[boxes.image] >= 0
    image = boxes.image[inside]
    film_hw = pixels.store.film_hw[pixels.rows[image]]
    affine = inverted(store_to_frame(geometry, film_hw, cohort.frame_hw))
    xyxy = moved(boxes.xyxy[inside], affine)
    return BoxTable(place[image], boxes.finding[inside], xyxy, boxes.score[inside])


class Logs:
    """The history as it grows: JSON lines, and scalars for TensorBoard."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder, self._n_written = folder, 0

    def __call__(self, history: Sequence[Entry]) -> None:
        """Writes what is new; a continued run writes all its epochs anew, in a file of its own."""
        from torch.utils.tensorboard import SummaryWriter

        write_text(self._folder.history, "".join(json.dumps(record) + "\n" for record in history))
        with SummaryWriter(self._folder.tensorboard, purge_step=self._n_written) as writer:
            for epoch in range(self._n_written, len(history)):
                for name, value in history[epoch].items():
                    if name not in ("epoch", "stage"):
                        writer.add_scalar(name, value, epoch)
        self._n_written = len(history)


def _prevalence(cohort: Cohort) -> torch.Tensor:
    """Share of training films with each finding; one film more with and without it keeps it off 0 and 1."""
    labels = cohort.labels[cohort.side("train")]
    present, known = np.nansum(labels, axis=0), np.isfinite(labels).sum(axis=0)
    return torch.from_numpy((present + 1) / (known + 2)).float()
