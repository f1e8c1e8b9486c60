"""Training on a few squares: it learns, keeps the best epoch, stops in time, and survives kills."""

import subprocess
import sys
from functools import partial
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
from hilum.training.batches import Epoch

SETTINGS = {
    "step": "classify",
    "learns": (),
    "part_rates": {},
    "epochs": 4,
    "batch_size": 8,
    "optimiser": "adam",
    "learning_rate": 0.05,
    "weight_decay": 0.0,
    "betas": (0.9, 0.999),
    "accumulate": 1,
    "schedule": "one_cycle",
    "warmup": 0.0,
    "clip_norm": None,
    "stop_patience": 100,
    "monitor": "val_auroc",
    "loss": "bce",
    "frozen_blocks": 0,
    "unfreezing": "at_once",
    "augmentation": Augmentation(flip=0.5),
    "seed": 3,
    "precision": "fp32",
    "devices": 1,
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
    monkeypatch.setattr(sys.modules["hilum.training.fit"], "best_epoch", lambda figures: 0)
    first, _ = _fit(tmp_path / "a")
    monkeypatch.setattr(sys.modules["hilum.training.fit"], "best_epoch", lambda figures: len(figures) - 1)
    last, _ = _fit(tmp_path / "b")
    assert not _same(first, last)


def test_it_stops_when_nothing_improves(tmp_path) -> None:
    slow = {"learning_rate": 1e-9, "schedule": "constant"}
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
    for key in ("optimiser", "loss", "schedule", "unfreezing"):
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


def test_warm_up_scales_the_first_steps(tmp_path: Path) -> None:
    _, plain = _fit(tmp_path / "a", epochs=2, schedule="constant")
    _, warmed = _fit(tmp_path / "b", epochs=2, schedule="constant", warmup=0.75)  # 9 of 12 steps
    assert [record["learning_rate"] for record in plain] == [0.05, 0.05]
    assert [record["learning_rate"] for record in warmed] == pytest.approx([0.05 * 5 / 9, 0.05])


def test_a_clipped_gradient_makes_a_short_step(tmp_path: Path) -> None:
    same = {"optimiser": "sgd", "epochs": 1, "batch_size": 48, "schedule": "constant"}
    moved = []
    for name, norm in (("a", None), ("b", 1e-3)):
        model, _ = _fit(tmp_path / name, clip_norm=norm, **same)
        pairs = zip(model.parameters(), _model().parameters(), strict=True)
        moved.append(sum((a - b).square().sum().item() for a, b in pairs) ** 0.5)
    assert moved[0] > 10 * moved[1]
    assert moved[1] == pytest.approx(0.05 * 1e-3, rel=1e-2)  # one step of SGD


def test_gradual_unfreezing_starts_with_the_head(tmp_path: Path) -> None:
    same = {"schedule": "constant", "monitor": "val_loss"}
    first, _ = _fit(tmp_path / "a", epochs=2, unfreezing="gradual(2, 0.1)", **same)
    start = _model()
    assert _same(first.backbone, start.backbone)  # statistics of its batch norm too
    assert not torch.equal(first.head.weight, start.head.weight)
    whole, history = _fit(tmp_path / "b", epochs=3, unfreezing="gradual(2, 0.1)", **same)
    assert not torch.equal(whole.backbone[0][0].weight, start.backbone[0][0].weight)
    assert [record["learning_rate"] for record in history] == pytest.approx([0.05, 0.05, 0.005])


def test_blocks_frozen_for_good_stay_so(tmp_path: Path) -> None:
    model, _ = _fit(tmp_path / "a", unfreezing="gradual(1)", frozen_blocks=1)
    assert _same(model.backbone, _model().backbone)


def test_the_history_is_told_after_every_epoch_and_once_more_when_continued(tmp_path: Path) -> None:
    told: list[int] = []
    _fit(tmp_path / "a", epochs=2, told=lambda history: told.append(len(history)))
    _fit(tmp_path / "a", epochs=3, told=lambda history: told.append(len(history)))
    assert told == [1, 2, 2, 3]


def test_processes_share_a_batch_without_rest() -> None:
    films = _films(11, 0)
    epoch = partial(Epoch, films, 4, 0, 0, Augmentation())
    whole, *shares = (list(epoch(share=share)) for share in ((0, 1), (0, 2), (1, 2)))
    assert [len(batch[0]) for batch in whole] == [4, 4, 3]
    assert [len(batch[0]) for batch in shares[0]] == [2, 5 // 2 + 1]
    assert [len(batch[0]) for batch in shares[1]] == [2, 3]
    for one, first, second in zip(whole, *shares, strict=False):
        joined = torch.stack([first[0][:2], second[0][:2]], dim=1).flatten(0, 1)
        assert torch.equal(joined, one[0])


SHARED = """
import sys
from pathlib import Path
import torch
sys.path.insert(0, sys.argv[1])
from test_fit import _films, _model, SETTINGS
from hilum.training import fit
if __name__ == "__main__":
    folder, devices = Path(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(1)
    model = _model()
    same = {"devices": devices, "frozen_blocks": 1, "optimiser": "sgd", "epochs": 2}
    history = fit(model, _films(48, 0), _films(24, 1), folder, **{**SETTINGS, **same})
    torch.save(model.state_dict(), folder / "end.pt")
    print(len(history))
"""


def test_two_processes_make_the_steps_of_one(tmp_path: Path) -> None:
    """With batch norm frozen, the mean gradient over both halves of a batch is the batch's."""
    script = tmp_path / "shared.py"
    script.write_text(SHARED)
    ends = []
    for devices in (1, 2):
        folder = tmp_path / str(devices)
        folder.mkdir()
        words = [sys.executable, str(script), str(Path(__file__).parent), str(folder), str(devices)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        assert done.stdout.split()[-1] == "2"
        ends.append(torch.load(folder / "end.pt", weights_only=True))
    assert not torch.equal(ends[0]["head.weight"], _model().head.weight)
    for name, tensor in ends[0].items():
        torch.testing.assert_close(ends[1][name], tensor, atol=1e-5, rtol=1e-4, msg=name)
