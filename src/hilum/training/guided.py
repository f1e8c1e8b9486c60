"""The step of a global branch, a local one and their fusion, together or one after another."""

from typing import Literal

import torch

from hilum.models.attention_guided import AttentionGuided
from hilum.training.losses import Loss
from hilum.training.stepped import Seen, Stepped


def attention_guided(
    model: AttentionGuided,
    seen: Seen,
    loss: Loss,
    trained: Literal["all", "global", "local", "fusion"] = "all",
) -> Stepped:
    """Each answer against the labels; no loss reaches another's weights, as what is fused is detached.

    Source: Pun et al. 2021 train all at once and judge by the fusion; Guan et al. 2018 (arXiv:1801.09927),
    section 3.3, one after another, each judged by its own loss.
    """
    labels = seen.labels if model.training else None
    last = "fusion" if trained == "all" else trained
    answers = model.answers(seen.images, seen.metadata, labels, last)
    losses = {name: loss(logits.float(), seen.labels) for name, logits in answers.items()}
    minimised = torch.stack(list(losses.values())).sum() if trained == "all" else losses[last]
    return Stepped(minimised, losses[last], losses, answers[last].float())
