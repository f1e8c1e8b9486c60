"""The one LightningModule of every system; what differs is a step function in `STEPS`."""

import math
import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from jaxtyping import Float
from torch import Tensor

from hilum.errors import TrainingError
from hilum.evaluate.classification import auroc
from hilum.findings import in_mean
from hilum.models import Classifier, network_input
from hilum.training.batches import Batch
from hilum.training.schedule import Schedule

Step = Callable[[Classifier, Tensor, Tensor, Tensor, Callable[[Tensor, Tensor], Tensor]], dict[str, Tensor]]


def classify(
    model: Classifier,
    images: Float[Tensor, "n 3 h w"],
    labels: Float[Tensor, "n f"],
    metadata: Float[Tensor, "n 3"],
    loss: Callable[[Tensor, Tensor], Tensor],
) -> dict[str, Tensor]:
    """Image-level labels against the model's logits."""
    return {"loss": loss(model(images, metadata).float(), labels)}


STEPS: dict[str, Step] = {"classify": classify}
"""What a training step computes: named losses, of which "loss" is minimised."""


class Training(pl.LightningModule):
    """Runs a step function, keeps the history, and sets the learning rate from it.

    Attributes:
        history: One record an epoch: losses, validation AUROC, learning rate, seconds.
    """

    def __init__(
        self,
        model: Classifier,
        *,
        step: str,
        loss: Callable[[Tensor, Tensor], Tensor],
        optimiser: Callable[[Iterable[Tensor]], torch.optim.Optimizer],
        scale: Schedule,
        monitor: str,
        frozen_blocks: int,
        unfreezing: Callable[[int, int], tuple[int, float]],
        seed: int,
        n_steps: int,
    ) -> None:
        super().__init__()
        self.model = model
        self.history: list[dict[str, float]] = []
        self._step, self._loss, self._optimiser, self._scale = STEPS[step], loss, optimiser, scale
        self._monitor, self._seed, self.n_steps = monitor, seed, n_steps
        self._blocks, self._unfreezing = model.blocks[: len(model.blocks) - frozen_blocks], unfreezing
        for block in model.blocks[len(self._blocks) :]:
            block.requires_grad_(requires_grad=False)
        self._clear()

    def _clear(self) -> None:
        self._train_losses: list[Tensor] = []
        self._val_losses: list[Tensor] = []
        self._val_logits: list[Tensor] = []
        self._val_labels: list[Tensor] = []
        self._started = time.monotonic()

    @property
    def monitored(self) -> list[float]:
        """The validation figure of every epoch; greater is better."""
        sign = -1.0 if self._monitor == "val_loss" else 1.0
        return [sign * record[self._monitor] for record in self.history]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """One optimiser over what is not frozen; the schedule is set batch by batch."""
        optimiser = self._optimiser([p for p in self.model.parameters() if p.requires_grad])
        self._rates = [group["lr"] for group in optimiser.param_groups]
        return optimiser

    def on_train_epoch_start(self) -> None:
        """Frozen blocks keep weights and statistics; dropout draws what this epoch always draws."""
        self._clear()
        n_learning, self._cut = self._unfreezing(len(self._blocks), self.current_epoch)
        for place, block in enumerate(self.model.blocks):
            learns = place < min(n_learning, len(self._blocks))
            block.requires_grad_(requires_grad=learns)
            block.train(learns)
        torch.manual_seed(self._seed * 1_000_003 + self.current_epoch)

    def on_train_batch_start(self, *_: Any, **__: Any) -> None:
        """Sets the learning rate of this step."""
        share = min(self.global_step / max(self.n_steps, 1), 1.0)
        self._rate_scale = self._cut * self._scale(share, self.current_epoch, self.monitored)
        (optimiser,) = self.trainer.optimizers
        for group, rate in zip(optimiser.param_groups, self._rates, strict=True):
            group["lr"] = rate * self._rate_scale

    def training_step(self, batch: Batch, *_: Any) -> Tensor:
        """The step function on one batch."""
        loss = self._losses(batch)["loss"]
        self._train_losses.append(loss.detach())
        return loss

    def validation_step(self, batch: Batch, *_: Any) -> None:
        """Keeps the logits, of which the epoch's AUROC is made."""
        films, affine, labels, metadata = batch
        logits = self.model(network_input(films, affine, self.model.input_hw), metadata).float()
        self._val_losses.append(self._loss(logits, labels) * len(labels))
        self._val_logits.append(logits)
        self._val_labels.append(labels)

    def _losses(self, batch: Batch) -> dict[str, Tensor]:
        films, affine, labels, metadata = batch
        images = network_input(films, affine, self.model.input_hw)
        return self._step(self.model, images, labels, metadata, self._loss)

    def on_validation_epoch_end(self) -> None:
        """Writes the epoch's record.

        Raises:
            TrainingError: The loss is no longer a number.
        """
        logits, labels = torch.cat(self._val_logits).cpu(), torch.cat(self._val_labels).cpu()
        each = auroc(logits.double().sigmoid().numpy(), labels.double().numpy())
        each = each[in_mean(self.model.findings)]
        record = {
            "epoch": float(self.current_epoch),
            "train_loss": float(torch.stack(self._train_losses).mean()),
            "val_loss": float(torch.stack(self._val_losses).sum()) / len(labels),
            "val_auroc": float(np.nanmean(each)) if np.isfinite(each).any() else math.nan,
            "learning_rate": self._rates[0] * self._rate_scale,
            "seconds": time.monotonic() - self._started,
        }
        if not math.isfinite(record["train_loss"] + record["val_loss"]):
            raise TrainingError(
                f"training diverged in epoch {self.current_epoch}: loss {record['train_loss']}, validation "
                f"{record['val_loss']}; lower training.learning_rate ({self._rates[0]:g})"
            )
        self.history.append(record)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """The history decides learning rates and stopping, so it is part of the state."""
        checkpoint["history"] = self.history

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Takes the history up again."""
        self.history = list(checkpoint["history"])
