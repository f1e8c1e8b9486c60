"""The order and geometry of an epoch depend on seed, epoch and film alone."""

from pathlib import Path

import numpy as np
import pytest
import torch

from hilum.data.geometry import Augmentation, Geometry
from hilum.data.store import PixelStore
from hilum.training.batches import Epoch, FilmSet, in_order


def _films(n: int) -> FilmSet:
    pixels = np.arange(n, dtype=np.uint8)[:, None, None] * np.ones((1, 8, 8), np.uint8)
    store = PixelStore(Path(), tuple(map(str, range(n))), pixels, np.full((n, 2), 1024), {})
    labels = np.arange(n, dtype=np.float32)[:, None]
    return FilmSet(store, np.arange(n), labels, np.zeros((n, 3), np.float32), Geometry(8, 8, 8))


@pytest.mark.parametrize(("n", "sizes"), [(0, []), (1, [1]), (4, [4]), (5, [5]), (6, [4, 2]), (9, [4, 5])])
def test_no_batch_of_a_single_film_is_left_over(n: int, sizes: list[int]) -> None:
    epoch = Epoch(_films(n), 4, seed=0, epoch=0, augmentation=Augmentation())
    assert [len(batch[0]) for batch in epoch] == sizes
    assert len(epoch) == len(sizes)


def test_every_film_comes_once_with_its_own_label() -> None:
    batches = list(Epoch(_films(9), 4, seed=0, epoch=3, augmentation=Augmentation(flip=0.5)))
    films = torch.cat([batch[0][:, 0, 0] for batch in batches])
    labels = torch.cat([batch[2][:, 0] for batch in batches])
    assert sorted(films.tolist()) == list(range(9))
    assert torch.equal(films.float(), labels)


def test_an_epoch_can_be_drawn_again_and_differs_from_the_next() -> None:
    def drawn(epoch: int) -> list[torch.Tensor]:
        batches = Epoch(_films(9), 4, seed=1, epoch=epoch, augmentation=Augmentation(rotate_degrees=9.0))
        return [torch.cat([b[0][:, 0, 0].float(), b[1].ravel()]) for b in batches]

    assert all(map(torch.equal, drawn(2), drawn(2)))
    assert not torch.equal(drawn(2)[0], drawn(3)[0])


def test_scoring_takes_films_in_order_and_whole() -> None:
    films, affine, *_ = next(in_order(_films(3), 2))
    assert films[:, 0, 0].tolist() == [0, 1]
    assert torch.equal(affine[0], torch.eye(2, 3))


def test_a_store_of_another_side_is_refused() -> None:
    films = _films(2)
    with pytest.raises(ValueError, match="a store of 8 px where 16"):
        FilmSet(films.store, films.rows, films.labels, films.metadata, Geometry(16, 16, 16))
