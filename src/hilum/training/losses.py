"""Losses on logits and labels; a label that is NaN counts for nothing."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from hilum.lookup import call, call_from


def binary_cross_entropy(logits: Float[Tensor, "n f"], labels: Float[Tensor, "n f"]) -> Float[Tensor, ""]:
    """Mean over the known labels of -y log p - (1 - y) log(1 - p), p = sigmoid(logit).

    Source: Rajpurkar et al. 2017 (arXiv:1711.05225), section 3.1, unweighted, over all findings.

    Example:
        >>> binary_cross_entropy(torch.zeros(1, 2), torch.tensor([[1.0, float("nan")]])).item()
        0.6931471824645996
    """
    known = torch.isfinite(labels)
    each = functional.binary_cross_entropy_with_logits(logits, labels.nan_to_num(), reduction="none")
    return (each * known).sum() / known.sum().clamp(min=1)


def weighted_cross_entropy(logits: Float[Tensor, "n f"], labels: Float[Tensor, "n f"]) -> Float[Tensor, ""]:
    """Sum over the findings, mean over the films, of -b_P y log p - b_N (1 - y) log(1 - p).

    b_P = (P + N) / P and b_N = (P + N) / N, with P and N the ones and zeros among all known labels of the
    batch, whatever the finding; a batch without one kind has no term of that kind.

    Source: Wang et al., CVPR 2017 (arXiv:1705.02315), equation 2 (W-CEL).

    Example:
        >>> weighted_cross_entropy(torch.zeros(2, 2), torch.tensor([[1.0, 0.0], [0.0, 0.0]])).item()
        2.7725887298583984
    """
    return _balanced(logits, labels, per_finding=False)


def finding_weighted_cross_entropy(
    logits: Float[Tensor, "n f"], labels: Float[Tensor, "n f"]
) -> Float[Tensor, ""]:
    """As `weighted_cross_entropy`, with P and N counted for each finding of the batch.

    Where a finding has no positive film its b_N is 1: the formula divides by 0 there.

    Source: D'Souza et al. 2022, equations 3 to 5.

    Example:
        >>> finding_weighted_cross_entropy(torch.zeros(2, 1), torch.tensor([[1.0], [0.0]])).item()
        1.3862943649291992
    """
    return _balanced(logits, labels, per_finding=True)


def focal(
    logits: Float[Tensor, "n f"], labels: Float[Tensor, "n f"], gamma: float = 2.0, alpha: float = 0.25
) -> Float[Tensor, ""]:
    """Mean over the known labels of -a_t (1 - p_t)^gamma log p_t; a_t is alpha for a positive label.

    Source: Lin et al., ICCV 2017 (arXiv:1708.02002), equation 5.

    Example:
        >>> round(focal(torch.zeros(1, 1), torch.ones(1, 1)).item(), 6)  # 0.25 x 0.5^2 x log 2
        0.043322
    """
    known, target = torch.isfinite(labels), labels.nan_to_num()
    each = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    of_truth = torch.exp(-each)  # p_t
    weight = torch.where(target == 1, alpha, 1 - alpha) * (1 - of_truth) ** gamma
    return (weight * each * known).sum() / known.sum().clamp(min=1)


def margin(
    logits: Float[Tensor, "n f"],
    labels: Float[Tensor, "n f"],
    present: float = 0.9,
    absent: float = 0.1,
    of_absent: float = 0.5,
) -> Float[Tensor, ""]:
    """Sum over the findings, mean over the films, of y max(0, a - p)^2 + w (1 - y) max(0, p - b)^2.

    p is the probability, which is the length of a capsule; a = `present` and b = `absent` are the lengths
    beyond which there is nothing to learn, w = `of_absent`. Unknown labels count for nothing.

    Source: Sabour et al., NeurIPS 2017 (arXiv:1710.09829), equation 4.

    Example:
        >>> round(margin(torch.zeros(1, 2), torch.tensor([[1.0, 0.0]])).item(), 6)  # 0.16 + 0.5 x 0.16
        0.24
    """
    known, target, p = torch.isfinite(labels), labels.nan_to_num(), logits.sigmoid()
    each = target * (present - p).relu() ** 2 + of_absent * (1 - target) * (p - absent).relu() ** 2
    return (each * known).sum() / max(len(logits), 1)


def _balanced(
    logits: Float[Tensor, "n f"], labels: Float[Tensor, "n f"], *, per_finding: bool
) -> Float[Tensor, ""]:
    known, target = torch.isfinite(labels), labels.nan_to_num()
    over = (0,) if per_finding else (0, 1)
    positive, total = target.sum(dim=over), known.sum(dim=over)
    # clamped where there is none: then there is no term that it weighs
    weight_positive, weight_negative = total / positive.clamp(min=1), total / (total - positive).clamp(min=1)
    weight = torch.where(target == 1, weight_positive, weight_negative)
    each = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (weight * each * known).sum() / len(logits)


def inverse_prevalence(training: Float[Tensor, "n f"]) -> "Loss":
    """Mean of -w y log p - (1 - y) log(1 - p), w = negatives / positives of each finding in all of training.

    A finding without a positive film has w = 1: there is no term that it weighs.

    Source: Pun et al. 2021, its code: 1 / prevalence - 1, here of the training films alone.

    Args:
        training: Labels of the training films.

    Example:
        >>> loss = inverse_prevalence(torch.tensor([[1.0], [0.0], [0.0], [0.0]]))
        >>> round(loss(torch.zeros(1, 1), torch.ones(1, 1)).item(), 6)  # 3 x log 2
        2.079442
    """
    positive, known = training.nan_to_num().sum(dim=0), torch.isfinite(training).sum(dim=0)
    weight = torch.where(positive > 0, (known - positive) / positive.clamp(min=1), torch.ones_like(positive))

    def weighed(logits: Float[Tensor, "n f"], labels: Float[Tensor, "n f"]) -> Float[Tensor, ""]:
        there, target = torch.isfinite(labels), labels.nan_to_num()
        each = functional.binary_cross_entropy_with_logits(
            logits, target, pos_weight=weight.to(logits), reduction="none"
        )
        return (each * there).sum() / there.sum().clamp(min=1)

    return weighed


Loss = Callable[[Tensor, Tensor], Tensor]

LOSSES: dict[str, Callable[..., Tensor]] = {
    "bce": binary_cross_entropy,
    "finding_weighted": finding_weighted_cross_entropy,
    "focal": focal,
    "margin": margin,
    "weighted": weighted_cross_entropy,
}
"""Losses by the name that a recipe gives under `[training] loss`, with their numbers: "focal(2, 0.25)"."""


OF_TRAINING: dict[str, Callable[[Tensor], Loss]] = {"inverse_prevalence": inverse_prevalence}
"""Losses whose weights are counted over the training films, by the same."""


def loss_from(text: str, training: Float[Tensor, "n f"]) -> Loss:
    """The loss written as text, a function of logits and labels.

    Args:
        text: An entry of `LOSSES` or `OF_TRAINING`.
        training: Labels of the training films.

    Raises:
        ValueError: No such loss, or too many numbers.
    """
    if call_from(text)[0] in OF_TRAINING:
        return call(OF_TRAINING, text, "loss", n_given=1)(training)
    return call({**LOSSES, **dict.fromkeys(OF_TRAINING, binary_cross_entropy)}, text, "loss", n_given=2)
