"""Losses on logits and labels; a label that is NaN counts for nothing."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


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


LOSSES = {"bce": binary_cross_entropy}
"""Losses by the name that a recipe gives under `[training] loss`."""
