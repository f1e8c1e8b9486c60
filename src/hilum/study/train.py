"""The training stage: films and labels -> `weights.safetensors` and `history.jsonl`."""

import json
from collections.abc import Sequence

import numpy as np
import torch

from hilum import models
from hilum.data import Cohort
from hilum.data.metadata import N_METADATA, fit_scaling, metadata_from
from hilum.data.store import Progress, silent
from hilum.errors import RecipeError
from hilum.explain import logits_and_heatmaps
from hilum.files import write_text
from hilum.lookup import pick
from hilum.recipe import Recipe
from hilum.study.folder import RunFolder
from hilum.study.opening import Films, Pixels
from hilum.training import FilmSet, fit
from hilum.training.fit import OPTIMISERS
from hilum.training.losses import loss_from
from hilum.training.schedule import schedule_from, unfreezing_from


def check(recipe: Recipe) -> None:
    """Looks up everything that a recipe names before any work is done.

    Raises:
        RecipeError: A name that does not exist.
    """
    try:
        pick(OPTIMISERS, recipe.training.optimiser, "optimiser")
        schedule_from(recipe.training.schedule)
        unfreezing_from(recipe.training.unfreezing)
        loss_from(recipe.training.loss)
        settings = recipe.model.model_dump(exclude={"weights"})
        input_hw = recipe.data.geometry.input_hw
        model = models.build(**settings, findings=("Effusion",), input_hw=input_hw).eval()
        logits_and_heatmaps(  # no film, so that a method which this model cannot have says so now
            model,
            torch.zeros(0, 3, *input_hw),
            recipe.explain.methods,
            metadata=torch.zeros(0, N_METADATA) if recipe.model.metadata else None,
        )
    except (ValueError, TypeError) as error:
        raise RecipeError(f"recipe {recipe.report.title!r}: {error}") from error


def train(
    folder: RunFolder, recipe: Recipe, films: Films, pixels: Pixels, progress: Progress = silent
) -> None:
    """Trains, or continues, or does nothing where the weights are there already."""
    if folder.weights.exists():
        return
    settings, cohort = recipe.training, films.cohort
    scaling = fit_scaling(cohort.rows(cohort.side("train")))
    metadata, geometry = metadata_from(cohort, scaling), recipe.data.geometry
    torch.manual_seed(settings.seed)
    model = models.build(
        **recipe.model.model_dump(exclude={"weights"}),
        findings=cohort.findings,
        input_hw=geometry.input_hw,
        start=recipe.model.weights,
    )

    if settings.start_at_prevalence:
        model.start_at(_prevalence(cohort))

    def side(name: str) -> FilmSet:
        rows = cohort.side(name)
        return FilmSet(pixels.store, pixels.rows[rows], cohort.labels[rows], metadata[rows], geometry)

    fit(
        model,
        side("train"),
        side("val"),
        folder.checkpoints,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        optimiser=settings.optimiser,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        betas=settings.betas,
        accumulate=settings.accumulate,
        schedule=settings.schedule,
        warmup=settings.warmup,
        clip_norm=settings.clip_norm,
        stop_patience=settings.stop_patience,
        monitor=settings.monitor,
        loss=settings.loss,
        frozen_blocks=settings.frozen_blocks,
        unfreezing=settings.unfreezing,
        augmentation=settings.augmentation,
        seed=settings.seed,
        precision=settings.precision,
        devices=settings.devices,
        progress=progress,
        told=Logs(folder),
    )
    models.save(folder.weights, model, recipe.model.model_dump(exclude={"weights"}), geometry, scaling)


class Logs:
    """The history as it grows: JSON lines, and scalars for TensorBoard."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder, self._n_written = folder, 0

    def __call__(self, history: Sequence[dict[str, float]]) -> None:
        """Writes what is new; a continued run writes all its epochs anew, in a file of its own."""
        from torch.utils.tensorboard import SummaryWriter

        write_text(self._folder.history, "".join(json.dumps(record) + "\n" for record in history))
        with SummaryWriter(self._folder.tensorboard, purge_step=self._n_written) as writer:
            for epoch in range(self._n_written, len(history)):
                for name, value in history[epoch].items():
                    if name != "epoch":
                        writer.add_scalar(name, value, epoch)
        self._n_written = len(history)


def _prevalence(cohort: Cohort) -> torch.Tensor:
    """Share of training films with each finding; one film more with and without it keeps it off 0 and 1."""
    labels = cohort.labels[cohort.side("train")]
    present, known = np.nansum(labels, axis=0), np.isfinite(labels).sum(axis=0)
    return torch.from_numpy((present + 1) / (known + 2)).float()
