"""Losses on logits and labels; a label that is NaN counts for nothing."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from hilum.lookup import call


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


Loss = Callable[[Tensor, Tensor], Tensor]

LOSSES: dict[str, Callable[..., Tensor]] = {
    "bce": binary_cross_entropy,
    "finding_weighted": finding_weighted_cross_entropy,
    "focal": focal,
    "weighted": weighted_cross_entropy,
}
"""Losses by the name that a recipe gives under `[training] loss`, with their numbers: "focal(2, 0.25)"."""


def loss_from(text: str) -> Loss:
    """The loss written as text, a function of logits and labels.

    Raises:
        ValueError: No such loss, or too many numbers.
    """
    return call(LOSSES, text, "loss", n_given=2)
