"""Train a model: read this file from top to bottom."""

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from hilum.data.geometry import Augmentation
from hilum.data.store import Progress, silent
from hilum.files import whole
from hilum.lookup import pick
from hilum.models import Classifier, weights
from hilum.training.batches import Batch, Epoch, FilmSet, in_order
from hilum.training.losses import loss_from
from hilum.training.module import Training
from hilum.training.schedule import best_epoch, schedule_from, should_stop, unfreezing_from
from hilum.training.steps import step_from

OPTIMISERS = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": partial(torch.optim.SGD, momentum=0.9),
}
"""By the name under `[training] optimiser`."""

Told = Callable[[Sequence[dict[str, float]]], None]


def nobody(_history: Sequence[dict[str, float]]) -> None:
    """Nobody is told."""


def fit(
    model: Classifier,
    training: FilmSet,
    validation: FilmSet,
    folder: Path,
    *,
    step: str,
    learns: Sequence[str],
    epochs: int,
    batch_size: int,
    optimiser: str,
    learning_rate: float,
    part_rates: Mapping[str, float],
    weight_decay: float,
    betas: tuple[float, float],
    accumulate: int,
    schedule: str,
    warmup: float,
    clip_norm: float | None,
    stop_patience: int,
    monitor: str,
    loss: str,
    frozen_blocks: int,
    unfreezing: str,
    augmentation: Augmentation,
    seed: int,
    precision: str,
    devices: int,
    progress: Progress = silent,
    told: Told = nobody,
) -> list[dict[str, float]]:
    """Trains to the best validation epoch and leaves that epoch's weights in the model.

    Called again with the same folder it continues from the last finished epoch, and ends bit for bit
    where an unbroken run ends (same machine, thread count and build).

    Args:
        model: Starting point; changed in place.
        training: Films to learn from.
        validation: Films that choose the epoch, the learning rate and the end.
        folder: Keeps the checkpoint of the last epoch and the weights of the best one.
        step: A name of `STEPS`, with its options if it has any.
        learns: Parts of the model that learn while the others keep weights and statistics; empty for all.
        epochs: At most so many.
        batch_size: Films a step.
        optimiser: A name of `OPTIMISERS`.
        learning_rate: Highest learning rate of the schedule.
        part_rates: The same of parts of the model that have one of their own.
        weight_decay: Of the optimiser.
        betas: Of Adam and AdamW.
        accumulate: Batches whose gradients are averaged before a step.
        schedule: A name of `SCHEDULES`, with its numbers if it has any.
        warmup: Share of all steps over which the learning rate rises from 0.
        clip_norm: Longest gradient over all weights; None for any.
        stop_patience: Epochs without improvement before training stops.
        monitor: "val_auroc" or "val_loss".
        loss: A name of `LOSSES`, with its numbers if it has any.
        frozen_blocks: So many blocks, counted from the stem, keep their weights and statistics.
        unfreezing: A name of `UNFREEZING`, with its numbers: which of the others learn from which epoch on.
        augmentation: Geometry of the training films.
        seed: Of order, geometry and dropout.
        precision: "fp32", "bf16" or "auto": bf16 where the machine computes in it.
        devices: Accelerators, or processes of one where there is none, that share each batch; batch norm sees
            a share. Above 1 the program is started again for each, up to this place, and all but the first
            end here.
        progress: Called with steps done and steps in all.
        told: Called with the history after every epoch, and before the first where training is continued.

    Returns:
        The history, one record an epoch.

    Raises:
        TrainingError: The loss is no longer a number; the last good checkpoint stays.
        DiskError: A checkpoint cannot be written; the last good one stays.
    """
    epoch_of = partial(Epoch, training, batch_size, seed, augmentation=augmentation)
    more = {} if optimiser == "sgd" else {"betas": betas}
    make = partial(pick(OPTIMISERS, optimiser, "optimiser"), weight_decay=weight_decay, **more)
    module = Training(
        model.to(memory_format=torch.channels_last),
        step=step_from(step, model),
        loss=loss_from(loss, torch.from_numpy(training.labels)),
        optimiser=make,
        learning_rate=learning_rate,
        part_rates=part_rates,
        scale=schedule_from(schedule, warmup),
        monitor=monitor,
        frozen_blocks=frozen_blocks,
        learns=learns,
        unfreezing=unfreezing_from(unfreezing),
        seed=seed,
        n_steps=epochs * -(-len(epoch_of(epoch=0)) // accumulate),
    )

    def share() -> tuple[int, int]:
        return module.global_rank, devices

    module.train_dataloader = lambda: epoch_of(epoch=module.current_epoch, share=share())
    module.val_dataloader = lambda: _Validation(validation, batch_size)
    last, best = folder / "last.ckpt", folder / "best.safetensors"
    with _quiet():
        trainer = pl.Trainer(
            max_epochs=epochs,
            accelerator="auto",
            devices=devices,
            strategy=_strategy(devices, whole_model=unfreezing == "at_once" and not model.parts),
            use_distributed_sampler=False,
            gradient_clip_val=clip_norm,
            precision="bf16-mixed" if computes_in_bf16(precision) else "32-true",
            deterministic="warn",
            reload_dataloaders_every_n_epochs=1,
            accumulate_grad_batches=accumulate,
            num_sanity_val_steps=0,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[_Keep(last, best, stop_patience, told), _Show(progress)],
        )
        trainer.fit(module, ckpt_path=last if last.exists() else None, weights_only=True)
    if trainer.global_rank:
        raise SystemExit(0)  # the first process goes on alone
    weights.load_into(best, model)
    model.requires_grad_(requires_grad=True).eval()
    return module.history


class _Validation:
    """The validation films again and again."""

    def __init__(self, films: FilmSet, batch_size: int) -> None:
        self._films, self._batch_size = films, batch_size

    def __len__(self) -> int:
        return -(-len(self._films.rows) // self._batch_size)

    def __iter__(self) -> Iterator[Batch]:
        return in_order(self._films, self._batch_size)


class _Keep(pl.Callback):
    """At every epoch's end: the weights if they are the best so far, then the whole state, atomically."""

    def __init__(self, last: Path, best: Path, stop_patience: int, told: Told) -> None:
        self._last, self._best, self._stop_patience, self._told = last, best, stop_patience, told

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Training)
        history = pl_module.history
        history[-1] = trainer.strategy.broadcast(
            history[-1]
        )  # one history, so that all processes stop together
        figures = pl_module.monitored
        if trainer.is_global_zero and best_epoch(figures) == len(figures) - 1:
            weights.save(self._best, pl_module.model, {"epoch": len(figures) - 1})
        with whole(self._last) if trainer.is_global_zero else nullcontext(self._last) as temporary:
            trainer.save_checkpoint(temporary)  # every process takes part, the first one writes
        if trainer.is_global_zero:
            self._told(history)
        trainer.should_stop = should_stop(figures, self._stop_patience)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Training)
        trainer.should_stop = should_stop(pl_module.monitored, self._stop_patience)
        if trainer.is_global_zero and pl_module.history:
            self._told(pl_module.history)


class _Show(pl.Callback):
    """Tells how many steps are done."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any, **__: Any
    ) -> None:
        assert isinstance(pl_module, Training)
        self._progress(trainer.global_step, pl_module.n_steps)


def _strategy(devices: int, *, whole_model: bool) -> str:
    if devices == 1:
        return "auto"
    return "ddp" if whole_model else "ddp_find_unused_parameters_true"


def computes_in_bf16(precision: str) -> bool:
    """Whether a precision means bf16 on this machine."""
    if precision == "auto":
        if torch.cuda.is_available():
            return torch.cuda.is_bf16_supported()
        flags = Path("/proc/cpuinfo")
        return flags.exists() and "amx_bf16" in flags.read_text()
    return {"fp32": False, "bf16": True}[precision]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps Lightning's advice on loaders and its own deprecations off the screen."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        told = (".*does not have many workers.*", ".*treespec.*", ".*deterministic.*", ".*in eval mode.*")
        for text in told:
            warnings.filterwarnings("ignore", text)
        yield
