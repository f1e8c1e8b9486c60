"""Steps of capsule networks: lengths with a margin, and the film drawn again from the capsules."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from hilum.models.capsule_cascade import CapsuleCascade
from hilum.models.capsules import CapsuleClassifier, grey_from
from hilum.models.inputs import resized
from hilum.training.losses import Loss
from hilum.training.stepped import Seen, Stepped

PRESENT, ABSENT, OF_ABSENT = 0.9, 0.1, 0.5
"""Length at which a finding that is there costs nothing, one that is not, and the weight of the latter."""
OF_RECONSTRUCTION = 0.0005
"""Weight beside the margin loss."""


def margin(
    model: CapsuleClassifier,
    seen: Seen,
    _loss: Loss,
    reconstruction: Literal["reconstruct", "plain"] = "reconstruct",
) -> Stepped:
    """The margin loss, in place of the recipe's, and with it the reconstruction or not.

    Source: Sabour et al., NeurIPS 2017 (arXiv:1710.09829), equation 4 and section 4.1.
    """
    return _stepped(model, seen.images, seen.labels, reconstruction, truth=model.training)


def capsule_pretraining(model: CapsuleCascade, seen: Seen, _loss: Loss) -> Stepped:
    """Margin and reconstruction of a cascade's capsule network alone, on the films themselves at 28 px.

    Source: Pun et al. 2021, section V.
    """
    inner = model.capsules
    films = resized(seen.images, inner.input_hw)
    return _stepped(inner, films, seen.labels, "reconstruct", truth=model.training)


def margin_loss(logits: Float[Tensor, "n f"], labels: Float[Tensor, "n f"]) -> Float[Tensor, ""]:
    """Sum over the findings, mean over the films, of y max(0, 0.9 - p)^2 + 0.5 (1 - y) max(0, p - 0.1)^2.

    p is the probability, which is the length of the capsule; unknown labels count for nothing.

    Source: Sabour et al., NeurIPS 2017 (arXiv:1710.09829), equation 4.

    Example:
        >>> round(margin_loss(torch.zeros(1, 2), torch.tensor([[1.0, 0.0]])).item(), 6)  # 0.16 + 0.5 x 0.16
        0.24
    """
    known, target, p = torch.isfinite(labels), labels.nan_to_num(), logits.sigmoid()
    each = target * (PRESENT - p).relu() ** 2 + OF_ABSENT * (1 - target) * (p - ABSENT).relu() ** 2
    return (each * known).sum() / max(len(logits), 1)


def _stepped(
    model: CapsuleClassifier,
    images: Float[Tensor, "n 3 h w"],
    labels: Float[Tensor, "n f"],
    reconstruction: Literal["reconstruct", "plain"],
    *,
    truth: bool,
) -> Stepped:
    """Margin and reconstruction.

    Sabour et al. keep the capsule of the one true digit. A film may have several findings or none: kept are
    those that it has in training, and those longer than 0.5 elsewhere; without any the decoder draws the
    film that it thinks usual.
    """
    _, capsules, logits = model.read(images)
    logits = logits.float()
    parts = {"margin": margin_loss(logits, labels)}
    loss = parts["margin"]
    if reconstruction == "reconstruct":
        kept = labels == 1 if truth else logits > 0
        drawn = model.reconstructed(capsules, kept).float()
        wanted = resized(grey_from(images), (drawn.shape[2], drawn.shape[3]))
        parts["reconstruction"] = (drawn - wanted).square().sum() / max(len(images), 1)
        loss = loss + OF_RECONSTRUCTION * parts["reconstruction"]
    return Stepped(loss, loss, parts, logits)
