"""The loops that `training.py` times: ours, a bare one, plain Lightning, and torchxrayvision's data set."""

import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Subset
from torchvision.transforms import Compose
from torchxrayvision.datasets import NIH_Dataset, XRayCenterCrop, XRayResizer

from hilum import models
from hilum.data.chestxray14 import load
from hilum.data.geometry import Augmentation, Geometry
from hilum.data.store import PixelStore, build
from hilum.findings import CHESTXRAY14
from hilum.models import Classifier, network_input
from hilum.recipe import Recipe
from hilum.training import FilmSet, fit
from hilum.training.batches import Batch, Epoch, in_order
from hilum.training.losses import binary_cross_entropy

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
RATE, SEED = 1e-4, 0


@dataclass(frozen=True)
class Work:
    """What is trained, and on how much.

    Attributes:
        network: Settings of `hilum.models.build`.
        side: Of the network's input, in px.
        batch: Films a step.
        epochs: Over the training films.
    """

    network: dict[str, Any]
    side: int
    batch: int
    epochs: int = 1

    def model(self) -> Classifier:
        """Untrained, and the same at every call."""
        torch.manual_seed(SEED)
        return models.build(**self.network, findings=CHESTXRAY14, input_hw=(self.side, self.side))


def work_of(recipe: Recipe) -> Work:
    """What a recipe trains."""
    network = recipe.model.model_dump(exclude={"weights"})
    return Work(network, recipe.data.input_px, recipe.training.batch_size)


def noise(n: int, side: int, seed: int) -> FilmSet:
    """Films that are nothing; times do not depend on them."""
    chance = np.random.default_rng(seed)
    pixels = chance.integers(0, 256, (n, side, side), dtype=np.uint8)
    labels = (chance.random((n, len(CHESTXRAY14))) < 0.2).astype(np.float32)
    store = PixelStore(Path(), tuple(map(str, range(n))), pixels, np.full((n, 2), side), {})
    metadata = np.zeros((n, 3), np.float32)
    return FilmSet(store, np.arange(n), labels, metadata, Geometry(side, side, side))


def ours(work: Work, training: FilmSet, validation: FilmSet, precision: str = "fp32") -> list[float]:
    """`hilum.training.fit` as a recipe calls it; the mean loss of every epoch."""
    with tempfile.TemporaryDirectory() as folder:
        history = fit(
            work.model(),
            training,
            validation,
            Path(folder),
            step="classify",
            learns=(),
            epochs=work.epochs,
            batch_size=work.batch,
            optimiser="adam",
            learning_rate=RATE,
            part_rates={},
            weight_decay=0.0,
            betas=(0.9, 0.999),
            accumulate=1,
            schedule="constant",
            warmup=0.0,
            clip_norm=None,
            stop_patience=1000,
            monitor="val_loss",
            loss="bce",
            frozen_blocks=0,
            unfreezing="at_once",
            augmentation=Augmentation(),
            seed=SEED,
            precision=precision,
            devices=1,
        )
    return [record["train_loss"] for record in history]


def bare(work: Work, training: FilmSet, validation: FilmSet) -> list[float]:
    """The same steps and validation without Lightning, checkpoints and history."""
    model = work.model().to(DEVICE, memory_format=torch.channels_last)
    optimiser = torch.optim.Adam(model.parameters(), lr=RATE)
    losses = []
    for epoch in range(work.epochs):
        model.train()
        each = []
        for batch in Epoch(training, work.batch, SEED, epoch, Augmentation()):
            optimiser.zero_grad()
            loss = _loss(model, batch)
            loss.backward()
            optimiser.step()
            each.append(loss.detach())
        model.eval()
        with torch.no_grad():
            _ = [_loss(model, batch) for batch in in_order(validation, work.batch)]
        losses.append(float(torch.stack(each).mean()))
    return losses


def _loss(model: Classifier, batch: Batch) -> Tensor:
    films, affine, labels, metadata, _ = (part.to(DEVICE) for part in batch)
    return binary_cross_entropy(model(network_input(films, affine, model.input_hw), metadata), labels)


class Plain(pl.LightningModule):
    """What a tutorial writes: images and labels, single precision, contiguous."""

    def __init__(self, model: Classifier) -> None:
        super().__init__()
        self.model = model
        self.losses: list[Tensor] = []

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam over everything."""
        return torch.optim.Adam(self.parameters(), lr=RATE)

    def training_step(self, batch: tuple[Tensor, Tensor], *_: object) -> Tensor:
        """The loss of one batch."""
        images, labels = batch
        loss = binary_cross_entropy(self.model(images), labels)
        self.losses.append(loss.detach())
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], *_: object) -> None:
        """The loss of one batch, which nobody looks at."""
        images, labels = batch
        binary_cross_entropy(self.model(images), labels)


class Contiguous:
    """Our batches as a plain loop takes them."""

    def __init__(self, batches: Callable[[], Iterable[Batch]], n: int, work: Work) -> None:
        self._batches, self._n, self._hw = batches, n, (work.side, work.side)

    def __len__(self) -> int:
        return self._n

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for batch in self._batches():
            yield network_input(batch.films, batch.affine, self._hw).contiguous(), batch.labels


def lightning(work: Work, training: FilmSet, validation: FilmSet) -> list[float]:
    """Lightning in single precision over the same batches of one epoch; its mean loss."""
    epoch = Epoch(training, work.batch, SEED, 0, Augmentation())
    n_validation = -(-len(validation.rows) // work.batch)
    return _plain(
        work,
        Contiguous(lambda: iter(epoch), len(epoch), work),
        Contiguous(lambda: in_order(validation, work.batch), n_validation, work),
    )


def _plain(work: Work, training: Any, validation: Any) -> list[float]:
    module = Plain(work.model())
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # advice on workers
        trainer = pl.Trainer(
            max_epochs=work.epochs,
            accelerator="auto",
            devices=1,
            precision="32-true",
            num_sanity_val_steps=0,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(module, training, validation)
    return torch.stack(module.losses).view(work.epochs, -1).mean(dim=1).tolist()


def from_files(work: Work, data: Path, n_validation: int) -> list[float]:
    """The tables of a folder, a store that is not there yet, and epochs in the precision of the machine."""
    cohort = load(data)
    with tempfile.TemporaryDirectory() as cache, mock.patch.dict(os.environ, {"HILUM_CACHE": cache}):
        store = build(cohort.rows(cohort.on_disk), work.side)
        rows, metadata = np.arange(len(cohort)), np.zeros((len(cohort), 3), np.float32)
        geometry = Geometry(work.side, work.side, work.side)

        def some(chosen: np.ndarray) -> FilmSet:
            return FilmSet(store, chosen, cohort.labels[chosen], metadata[chosen], geometry)

        return ours(work, some(rows[n_validation:]), some(rows[:n_validation]), "auto")


class _Grey(torch.utils.data.Dataset[tuple[Tensor, Tensor]]):
    """torchxrayvision's films in [-1024, 1024] as three channels of ImageNet's size."""

    def __init__(self, films: NIH_Dataset) -> None:
        self._films = films

    def __len__(self) -> int:
        return len(self._films)

    def __getitem__(self, place: int) -> tuple[Tensor, Tensor]:
        film = self._films[place]
        grey = torch.from_numpy(film["img"]).float().expand(3, -1, -1) / 512
        return grey, torch.from_numpy(film["lab"])


def by_torchxrayvision(work: Work, data: Path, n_validation: int) -> list[float]:
    """Its data set, transforms and a loader with a worker a core, plain Lightning behind them."""
    films = NIH_Dataset(
        str(Path(load(data).paths[0]).parent),
        csvpath=str(data / "Data_Entry_2017_v2020.csv"),
        views=["PA", "AP"],
        unique_patients=False,
        transform=Compose([XRayCenterCrop(), XRayResizer(work.side, engine="cv2")]),
    )
    grey, n_workers = _Grey(films), os.cpu_count() or 1

    def loader(places: range, *, shuffle: bool) -> DataLoader[Any]:
        return DataLoader(Subset(grey, places), work.batch, shuffle=shuffle, num_workers=n_workers)

    training = loader(range(n_validation, len(films)), shuffle=True)
    return _plain(work, training, loader(range(n_validation), shuffle=False))


class _OnDevice(Epoch):
    """One batch that lies on the device, as often as an epoch has batches."""

    def __iter__(self) -> Iterator[Batch]:
        batch = Batch(*(part.to(DEVICE) for part in next(super().__iter__())))
        for _ in range(len(self)):
            yield batch


def from_device(work: Work, training: FilmSet, validation: FilmSet) -> None:
    """Ours, with nothing to be read or copied."""
    with mock.patch.object(sys.modules["hilum.training.fit"], "Epoch", _OnDevice):
        ours(work, training, validation, "auto")
