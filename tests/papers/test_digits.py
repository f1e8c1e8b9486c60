"""Capsules on handwritten digits, as Sabour et al. 2017 and Pun et al. 2021 try theirs: AUROC above 0.99.

scikit-learn's digits, 8 px enlarged to 28, stand for MNIST's; every fifth is held out of all training.
"""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from hilum.data.geometry import Augmentation, Geometry
from hilum.data.store import PixelStore
from hilum.evaluate.classification import auroc
from hilum.models import Classifier, build, network_input
from hilum.training import FilmSet, fit
from hilum.training.batches import in_order

SIDE = 28
DIGITS = tuple(f"digit {digit}" for digit in range(10))


@pytest.fixture(scope="module")
def digits() -> FilmSet:
    """1,797 digits of a column each, in an order of their own."""
    found = load_digits()
    order = np.random.default_rng(0).permutation(len(found.images))
    small = (found.images[order] / 16 * 255).astype(np.uint8)
    pixels = np.stack([cv2.resize(each, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) for each in small])
    labels = np.eye(10, dtype=np.float32)[found.target[order]]
    n = len(pixels)
    store = PixelStore(Path(), tuple(map(str, range(n))), pixels, np.full((n, 2), SIDE), {})
    return FilmSet(store, np.arange(n), labels, np.zeros((n, 3), np.float32), Geometry(SIDE, SIDE, SIDE))


def _some(digits: FilmSet, rows: np.ndarray) -> FilmSet:
    return FilmSet(digits.store, rows, digits.labels[rows], digits.metadata[rows], digits.geometry)


def _held_out_auroc(
    digits: FilmSet, folder: Path, step: str, loss: str, width: int, n: int, epochs: int
) -> float:
    """Mean one-vs-rest AUROC of every fifth digit; the last tenth of the others chooses the epoch."""
    torch.manual_seed(0)
    settings = {"map_stride": 32, "metadata": False, "findings": DIGITS, "input_hw": (SIDE, SIDE)}
    model = build(name="capsules", backbone=f"capsule_stem({width})", **settings)
    held_out = np.arange(len(digits.rows)) % 5 == 4
    others = np.flatnonzero(~held_out)[:n]
    n_learnt = len(others) * 9 // 10
    fit(
        model,
        _some(digits, others[:n_learnt]),
        _some(digits, others[n_learnt:]),
        folder,
        step=step,
        learns=(),
        epochs=epochs,
        batch_size=32,
        optimiser="adam",
        learning_rate=1e-3,
        part_rates={},
        weight_decay=0.0,
        betas=(0.9, 0.999),
        accumulate=1,
        schedule="constant",
        warmup=0.0,
        clip_norm=None,
        stop_patience=epochs,
        monitor="val_loss",
        loss=loss,
        frozen_blocks=0,
        unfreezing="at_once",
        augmentation=Augmentation(),
        seed=0,
        precision="fp32",
        devices=1,
    )
    test = _some(digits, np.flatnonzero(held_out))
    return float(auroc(_probabilities(model, test), test.labels.astype(np.float64)).mean())


def _probabilities(model: Classifier, films: FilmSet) -> np.ndarray:
    with torch.inference_mode():
        made = [model(network_input(b.films, b.affine, model.input_hw)) for b in in_order(films, 64)]
    return torch.cat(made).double().sigmoid().numpy()


def test_a_few_digits_are_read_after_a_few_steps(digits: FilmSet, tmp_path: Path) -> None:
    assert _held_out_auroc(digits, tmp_path, "classify", "margin", width=4, n=320, epochs=3) > 0.8


@pytest.mark.slow
@pytest.mark.parametrize(("step", "loss"), [("reconstruct", "margin"), ("classify", "bce")])
def test_digits_are_read(digits: FilmSet, tmp_path: Path, step: str, loss: str) -> None:
    assert _held_out_auroc(digits, tmp_path, step, loss, width=32, n=1438, epochs=3) > 0.99
