"""The one LightningModule of every system; what differs is its step function."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.nn import Module

from hilum.errors import TrainingError
from hilum.evaluate.classification import auroc
from hilum.findings import in_mean
from hilum.lookup import pick
from hilum.models import Classifier, network_input
from hilum.training.batches import Batch
from hilum.training.losses import Loss
from hilum.training.schedule import Schedule, Unfrozen
from hilum.training.steps import Seen, Step, Stepped

Group = dict[str, Any]
"""Parameters that learn at one rate, and that rate."""


class Training(pl.LightningModule):
    """Runs a step function, keeps the history, and sets the learning rate from it.

    Attributes:
        history: One record an epoch: losses, validation AUROC, learning rate, seconds.
    """

    def __init__(
        self,
        model: Classifier,
        *,
        step: Step,
        loss: Loss,
        optimiser: Callable[[Sequence[Group]], torch.optim.Optimizer],
        learning_rate: float,
        part_rates: Mapping[str, float],
        scale: Schedule,
        monitor: str,
        frozen_blocks: int,
        learns: Sequence[str],
        unfreezing: Callable[[int, int], Unfrozen],
        seed: int,
        n_steps: int,
    ) -> None:
        super().__init__()
        self.model = model
        self.history: list[dict[str, float]] = []
        self._step, self._loss, self._optimiser, self._scale = step, loss, optimiser, scale
        self._rate, self._part_rates = learning_rate, part_rates
        self._monitor, self._seed, self.n_steps = monitor, seed, n_steps
        self._blocks, self._unfreezing = model.blocks[: len(model.blocks) - frozen_blocks], unfreezing
        self._still = [*model.blocks[len(self._blocks) :], *_others(model, learns)]
        for module in self._still:
            module.requires_grad_(requires_grad=False)
        self._clear()

    def _clear(self) -> None:
        self._train_losses: dict[str, list[Tensor]] = {}
        self._val_losses: dict[str, list[Tensor]] = {}
        self._val_logits: list[Tensor] = []
        self._val_labels: list[Tensor] = []
        self._started = time.monotonic()

    @property
    def monitored(self) -> list[float]:
        """The validation figure of every epoch; greater is better."""
        return self._figures(self._monitor)

    def _figures(self, name: str) -> list[float]:
        sign = 1.0 if name == "val_auroc" else -1.0
        return [sign * record[name] for record in self.history]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """One optimiser over what is not frozen, a group a part; the schedule is set batch by batch."""
        parts = self.model.parts or {"": self.model}
        made = []
        for name, part in parts.items():
            learning = [weight for weight in part.parameters() if weight.requires_grad]
            if learning:
                made.append((name, {"params": learning, "lr": self._part_rates.get(name, self._rate)}))
        self._groups, groups = [name for name, _ in made], [group for _, group in made]
        self._rates = [group["lr"] for group in groups]
        return self._optimiser(groups)

    def on_train_epoch_start(self) -> None:
        """Frozen blocks keep weights and statistics; dropout draws what this epoch always draws."""
        self._clear()
        self._now = self._unfreezing(len(self._blocks), self.current_epoch)
        for place, block in enumerate(self.model.blocks):
            learns = place < min(self._now.n_blocks, len(self._blocks))
            block.requires_grad_(requires_grad=learns)
            block.train(learns)
        for module in self._still:
            module.requires_grad_(requires_grad=False)
            module.eval()
        if 0 < self._now.since == self.current_epoch:
            (optimiser,) = self.trainer.optimizers
            optimiser.state.clear()
        torch.manual_seed(self._seed * 1_000_003 + self.current_epoch)

    def on_train_batch_start(self, *_: Any, **__: Any) -> None:
        """Sets the learning rates of this step; a part with a loss of its own is judged by that."""
        share = min(self.global_step / max(self.n_steps, 1), 1.0)
        (optimiser,) = self.trainer.optimizers
        scales = []
        for name, group, rate in zip(self._groups, optimiser.param_groups, self._rates, strict=True):
            own = f"val_{name}"
            judged = own if self.history and own in self.history[-1] else self._monitor
            since = self._figures(judged)[self._now.since :]
            scales.append(self._now.factor * self._scale(share, self.current_epoch, since))
            group["lr"] = rate * scales[-1]
        self._rate_now = self._rates[0] * scales[0]

    def training_step(self, batch: Batch, *_: Any) -> Tensor:
        """The step function on one batch."""
        stepped = self.stepped(batch)
        for name, loss in {"loss": stepped.judged, **stepped.parts}.items():
            self._train_losses.setdefault(name, []).append(loss.detach())
        return stepped.minimised

    def validation_step(self, batch: Batch, *_: Any) -> None:
        """Keeps losses and logits, of which the epoch's AUROC is made."""
        stepped, n = self.stepped(batch), len(batch.labels)
        for name, loss in {"loss": stepped.judged, **stepped.parts}.items():
            self._val_losses.setdefault(name, []).append(loss * n)
        self._val_logits.append(stepped.logits)
        self._val_labels.append(batch.labels)

    def stepped(self, batch: Batch) -> Stepped:
        """The step function's losses and logits."""
        images = network_input(batch.films, batch.affine, self.model.input_hw)
        return self._step(self.model, Seen(images, batch.labels, batch.metadata, batch.boxes), self._loss)

    def on_validation_epoch_end(self) -> None:
        """Writes the epoch's record.

        Raises:
            TrainingError: The loss is no longer a number.
        """
        logits, labels = torch.cat(self._val_logits).cpu(), torch.cat(self._val_labels).cpu()
        each = auroc(logits.double().sigmoid().numpy(), labels.double().numpy())
        each = each[in_mean(self.model.findings)]
        train, val = self._train_losses.items(), self._val_losses.items()
        record = {
            "epoch": float(self.current_epoch),
            **{f"train_{name}": float(torch.stack(losses).mean()) for name, losses in train},
            **{f"val_{name}": float(torch.stack(losses).sum()) / len(labels) for name, losses in val},
            "val_auroc": float(np.nanmean(each)) if np.isfinite(each).any() else math.nan,
            "learning_rate": self._rate_now,
            "seconds": time.monotonic() - self._started,
        }
        if not math.isfinite(record["train_loss"] + record["val_loss"]):
            raise TrainingError(
                f"training diverged in epoch {self.current_epoch}: loss {record['train_loss']}, validation "
                f"{record['val_loss']}; lower training.learning_rate ({self._rate:g})"
            )
        self.history.append(record)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """The history decides learning rates and stopping, so it is part of the state."""
        checkpoint["history"] = self.history

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Takes the history up again."""
        self.history = list(checkpoint["history"])


def _others(model: Classifier, learns: Sequence[str]) -> list[Module]:
    """The parts that do not learn, where some are named.

    Raises:
        ValueError: The model has no such part.
    """
    parts = model.parts
    for name in learns:
        pick(parts, name, f"part of {type(model).__name__}")
    return [part for name, part in parts.items() if learns and name not in learns]
