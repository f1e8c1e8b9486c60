"""Training on a few squares: it learns, keeps the best epoch, stops in time, and survives kills."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from hilum.data.geometry import Augmentation, Geometry
from hilum.data.store import PixelStore
from hilum.errors import DiskError
from hilum.models.classifier import AveragePooling, Body
from hilum.training import FilmSet, fit
from hilum.training import schedule as schedules

SETTINGS = {
    "epochs": 4,
    "batch_size": 8,
    "optimiser": "adam",
    "learning_rate": 0.05,
    "weight_decay": 0.0,
    "betas": (0.9, 0.999),
    "accumulate": 1,
    "schedule_name": "one_cycle",
    "plateau_patience": 1,
    "plateau_factor": 0.1,
    "stop_patience": 100,
    "monitor": "val_auroc",
    "loss": "bce",
    "frozen_blocks": 0,
    "augmentation": Augmentation(flip=0.5),
    "seed": 3,
    "precision": "fp32",
}


def _films(n: int, seed: int) -> FilmSet:
    """Noise, with a bright square in the films that have the finding."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(n)[:, None] % 2).astype(np.float32)
    pixels = rng.integers(0, 120, (n, 16, 16)).astype(np.uint8)
    pixels[labels[:, 0] == 1, 4:9, 4:9] += 100
    store = PixelStore(Path(), tuple(map(str, range(n))), pixels, np.full((n, 2), 1024), {})
    return FilmSet(store, np.arange(n), labels, np.zeros((n, 3), np.float32), Geometry(16, 16, 16))


def _model() -> AveragePooling:
    torch.manual_seed(1)
    body = nn.Sequential(nn.Sequential(nn.Conv2d(3, 8, 5, stride=2), nn.BatchNorm2d(8), nn.ReLU()))
    return AveragePooling(Body(body, 8, ("Square",), (16, 16)))


def _fit(folder: Path, **changes) -> tuple[AveragePooling, list[dict[str, float]]]:
    folder.mkdir(exist_ok=True)
    model = _model()
    history = fit(model, _films(48, 0), _films(24, 1), folder, **{**SETTINGS, **changes})
    return model, history


def _same(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def test_it_learns_what_can_be_seen(tmp_path) -> None:
    model, history = _fit(tmp_path / "a")
    assert history[-1]["val_auroc"] > 0.95
    assert not model.training
    assert all(p.requires_grad for p in model.parameters())
    assert [round(record["learning_rate"], 4) for record in history][-1] < 0.01


class _Kill(BaseException):
    pass


def test_a_kill_in_any_epoch_changes_no_bit(tmp_path) -> None:
    whole, history = _fit(tmp_path / "whole")
    for step in (3, 8, 20):

        def stop(done: int, total: int, step: int = step) -> None:
            if done == step:
                raise _Kill

        folder = tmp_path / f"killed{step}"
        with pytest.raises(_Kill):
            _fit(folder, progress=stop)
        again, its_history = _fit(folder)
        assert _same(again, whole)
        figures = ("train_loss", "val_loss", "val_auroc", "learning_rate")
        assert [[record[f] for f in figures] for record in its_history] == [
            [record[f] for f in figures] for record in history
        ]


def test_the_best_epoch_is_kept_not_the_last(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(schedules, "best_epoch", lambda figures: 0)
    first, _ = _fit(tmp_path / "a")
    monkeypatch.setattr(schedules, "best_epoch", lambda figures: len(figures) - 1)
    last, _ = _fit(tmp_path / "b")
    assert not _same(first, last)


def test_it_stops_when_nothing_improves(tmp_path) -> None:
    slow = {"learning_rate": 1e-9, "schedule_name": "constant"}
    _, history = _fit(tmp_path / "a", epochs=30, stop_patience=2, **slow)
    assert len(history) < 30
    figures = [record["val_auroc"] for record in history]
    assert max(figures[-2:]) <= max(figures[:-2])


def test_a_full_disk_is_named_and_what_was_there_stays(tmp_path, monkeypatch) -> None:
    import pytorch_lightning as pl

    _fit(tmp_path / "a", epochs=1)
    checkpoint = (tmp_path / "a" / "last.ckpt").read_bytes()

    def full(self, path, *_, **__) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pl.Trainer, "save_checkpoint", full)
    with pytest.raises(DiskError, match="the disk is full"):
        _fit(tmp_path / "a", epochs=2)
    assert (tmp_path / "a" / "last.ckpt").read_bytes() == checkpoint
    assert not list((tmp_path / "a").glob("*.part"))


def test_progress_ends_at_the_number_of_steps(tmp_path) -> None:
    told: list[tuple[int, int]] = []
    _fit(tmp_path / "a", epochs=2, progress=lambda *at: told.append(at))
    assert told[-1] == (12, 12)
    assert [done for done, _ in told] == list(range(1, 13))


def test_unknown_names_are_refused(tmp_path) -> None:
    for key in ("optimiser", "loss", "schedule_name"):
        with pytest.raises(ValueError, match="unknown"):
            _fit(tmp_path / "a", **{key: "nonsense"})


def test_accumulated_batches_are_one_larger_batch(tmp_path: Path) -> None:
    """With batch norm frozen, four batches of 4 make the steps of one of 16, but for the rounding."""
    same = {"optimiser": "sgd", "epochs": 2, "frozen_blocks": 1}
    small, history = _fit(tmp_path / "a", batch_size=4, accumulate=4, **same)
    large, other = _fit(tmp_path / "b", batch_size=16, **same)
    assert not torch.equal(small.head.weight, _model().head.weight)
    for first, second in zip(small.parameters(), large.parameters(), strict=True):
        torch.testing.assert_close(first, second, atol=1e-5, rtol=1e-4)
    assert [r["learning_rate"] for r in history] == [r["learning_rate"] for r in other]


def test_betas_reach_adam(tmp_path: Path) -> None:
    first, _ = _fit(tmp_path / "a", epochs=1)
    second, _ = _fit(tmp_path / "b", epochs=1, betas=(0.9, 0.9))
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    assert not all(torch.equal(a, b) for a, b in pairs)
