"""One epoch of training films: order and geometry from counters, so that any epoch can be drawn again."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int, UInt8
from torch import Tensor

from hilum.boxes import BoxTable, area, clip, moved, no_boxes
from hilum.data.geometry import Augmentation, Geometry, augmented, input_to_store, inverted
from hilum.data.store import PixelStore


class Batch(NamedTuple):
    """Some films of an epoch.

    Attributes:
        films: As stored.
        affine: From network input to stored film.
        labels: Of every finding.
        metadata: View, age and sex.
        boxes: Rows of film in the batch, finding, x0, y0, x1, y1 in px of the network input.
    """

    films: UInt8[Tensor, "n s s"]
    affine: Float32[Tensor, "n 2 3"]
    labels: Float32[Tensor, "n f"]
    metadata: Float32[Tensor, "n 3"]
    boxes: Float32[Tensor, "b 6"]


@dataclass(frozen=True)
class FilmSet:
    """Films of a store with what is known of them.

    Attributes:
        store: Pixels.
        rows: Which films of the store.
        labels: Of those films.
        metadata: Of those films: view, age, sex.
        geometry: How they become network input when scored.
        boxes: Reference boxes, in px of the stored film; `image` counts the rows.
    """

    store: PixelStore
    rows: Int[np.ndarray, " n"]
    labels: Float32[np.ndarray, "n f"]
    metadata: Float32[np.ndarray, "n 3"]
    geometry: Geometry
    boxes: BoxTable = field(default_factory=no_boxes)

    def __post_init__(self) -> None:
        """Refuses a store of another side than the geometry expects."""
        if self.store.side_px != self.geometry.store_px:
            raise ValueError(
                f"a store of {self.store.side_px} px where {self.geometry.store_px} are expected"
            )


@dataclass(frozen=True)
class Epoch:
    """The batches of one epoch; the last one may be smaller, but never a single film in training.

    Attributes:
        films: Of training.
        batch_size: Films a step, over all processes.
        seed: Of order and geometry.
        epoch: From 0.
        augmentation: Geometry of the films.
        share: Which process this is, of how many; each takes as many films of a batch, and films that cannot
            be shared out evenly are left out.
    """

    films: FilmSet
    batch_size: int
    seed: int
    epoch: int
    augmentation: Augmentation
    share: tuple[int, int] = (0, 1)

    def __len__(self) -> int:
        return len(self._bounds())

    def __iter__(self) -> Iterator[Batch]:
        """Batches in this epoch's order."""
        key = np.array([self.seed, self.epoch], np.uint64)
        order = np.random.Generator(np.random.Philox(key=key)).permutation(len(self.films.rows))
        for start, stop in self._bounds():
            first, n_shares = self.share
            chosen = order[start + first : start + (stop - start) // n_shares * n_shares : n_shares]
            numbers = self.films.rows[chosen]
            geometry = self.films.geometry
            affine = augmented(geometry, self.augmentation, self.seed, self.epoch, numbers)
            yield _batch(self.films, chosen, affine)

    def _bounds(self) -> list[tuple[int, int]]:
        n = len(self.films.rows)
        starts = list(range(0, n, self.batch_size))
        if len(starts) > 1 and n - starts[-1] < 2 * self.share[1]:  # batch norm cannot train on one film
            starts.pop()
        return list(itertools.pairwise([*starts, n]))


def in_order(films: FilmSet, batch_size: int) -> Iterator[Batch]:
    """All films as they are scored: in order, without augmentation."""
    for start in range(0, len(films.rows), batch_size):
        chosen = np.arange(start, min(start + batch_size, len(films.rows)))
        yield _batch(films, chosen, input_to_store(films.geometry, len(chosen)))


def _batch(films: FilmSet, chosen: np.ndarray, affine: np.ndarray) -> Batch:
    return Batch(
        torch.from_numpy(films.store.batch(films.rows[chosen])),
        torch.from_numpy(affine.astype(np.float32)),
        torch.from_numpy(films.labels[chosen]),
        torch.from_numpy(films.metadata[chosen]),
        torch.from_numpy(_boxes(films, chosen, affine)),
    )


def _boxes(
    films: FilmSet, chosen: Int[np.ndarray, " n"], affine: Float64[np.ndarray, "n 2 3"]
) -> Float32[np.ndarray, "b 6"]:
    """Boxes where the affines put them, cut at the edges; what lies outside is left out."""
    place = np.full(len(films.rows), -1)
    place[chosen] = np.arange(len(chosen))
    table = films.boxes
    inside = place[table.image] >= 0
    row = place[table.image[inside]]
    height, width = films.geometry.input_hw
    xyxy = clip(moved(table.xyxy[inside], inverted(affine)[row]), (height, width))
    made = np.column_stack([row, table.finding[inside], xyxy]).astype(np.float32)
    return made[area(xyxy) > 0]
