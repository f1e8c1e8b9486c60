"""Gradients of the logit with respect to the film: one map of input size a finding, without sign.

Symbols as in the papers: x a film, x_0 a black one, Y a logit. The channels of a film are copies of one grey
value; a pixel's saliency is the greatest of their absolute values.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hilum.explain.capture import Captured, jacobian
from hilum.lookup import whole

BATCH = 8
"""Films, or copies of one, a pass; what bounds the memory."""

Copy = Callable[[int], Tensor]
"""The j-th copy of a film."""


def gradient(captured: Captured, findings: Int[Tensor, " c"]) -> Float[Tensor, "n c h w"]:
    """|dY/dx|.

    Source: Simonyan et al. 2013 (arXiv:1312.6034), section 3.
    """
    return in_batches(captured, findings)


def smooth_grad(
    captured: Captured, findings: Int[Tensor, " c"], samples: float = 50.0, noise: float = 0.15
) -> Float[Tensor, "n c h w"]:
    """|mean of dY/dx at x + e|, e normal with a standard deviation of `noise` times the film's range.

    Every film sees the same draws, so that its map does not depend on its neighbours.

    Source: Smilkov et al. 2017 (arXiv:1706.03825), section 2.
    """
    n_samples = whole(samples, "samples")
    copies = (_noisy(captured, film, noise) for film in captured.images)
    means = [_mean_gradient(captured, row, findings, copy, n_samples) for row, copy in enumerate(copies)]
    return _greatest(_stacked(captured, findings, means))


def integrated_gradients(
    captured: Captured, findings: Int[Tensor, " c"], steps: float = 50.0
) -> Float[Tensor, "n c h w"]:
    """|(x - x_0) times the mean of dY/dx on the straight way from x_0 to x|.

    Source: Sundararajan et al., ICML 2017 (arXiv:1703.01365), equation 3.
    """
    return _greatest(attributions(captured, findings, whole(steps, "steps")))


def smooth_integrated_gradients(
    captured: Captured,
    findings: Int[Tensor, " c"],
    samples: float = 10.0,
    steps: float = 50.0,
    noise: float = 0.15,
) -> Float[Tensor, "n c h w"]:
    """|mean of the integrated gradients of noisy copies|, the copies as for SmoothGrad.

    Source: Smilkov et al. 2017 (arXiv:1706.03825), section 3.4, with Sundararajan et al. 2017.
    """
    n_samples, n_steps = whole(samples, "samples"), whole(steps, "steps")
    means = []
    for row, film in enumerate(captured.images):
        copy = _noisy(captured, film, noise)
        each = (_integrated(captured, row, copy(j), findings, n_steps) for j in range(n_samples))
        means.append(torch.stack(list(each)).mean(dim=0))
    return _greatest(_stacked(captured, findings, means))


def attributions(
    captured: Captured, findings: Int[Tensor, " c"], n_steps: int = 50
) -> Float[Tensor, "n c ch h w"]:
    """Integrated gradients with their signs and channels; over a film they sum to about Y(x) - Y(x_0)."""
    each = [_integrated(captured, row, film, findings, n_steps) for row, film in enumerate(captured.images)]
    return _stacked(captured, findings, each)


def input_gradients(
    captured: Captured,
    images: Float[Tensor, "s ch h w"],
    metadata: Float[Tensor, "s 3"] | None,
    findings: Int[Tensor, " c"],
) -> Float[Tensor, "s c ch h w"]:
    """dY/dx of every finding, from one forward pass."""
    with torch.inference_mode(False), torch.enable_grad():
        start = images.clone().requires_grad_()
        logits = captured.model(start, None if metadata is None else metadata.clone())
        return jacobian(logits, start, findings)


def in_batches(
    captured: Captured,
    findings: Int[Tensor, " c"],
    gradients: Callable[[Captured, Tensor, Tensor | None, Tensor], Tensor] = input_gradients,
) -> Float[Tensor, "n c h w"]:
    """Saliency of every film, the gradients made by a function such as `input_gradients`."""
    images, metadata = captured.images, captured.metadata
    made = images.new_empty(len(images), len(findings), *images.shape[2:])
    for start in range(0, len(images), BATCH):
        rows = slice(start, start + BATCH)
        extras = None if metadata is None else metadata[rows]
        made[rows] = _greatest(gradients(captured, images[rows], extras, findings))
    return made


def _mean_gradient(
    captured: Captured, row: int, findings: Int[Tensor, " c"], copy: Copy, n_copies: int
) -> Float[Tensor, "c ch h w"]:
    total = captured.images.new_zeros(len(findings), *captured.images.shape[1:])
    metadata = captured.metadata
    for first in range(0, n_copies, BATCH):
        images = torch.stack([copy(j) for j in range(first, min(first + BATCH, n_copies))])
        extras = None if metadata is None else metadata[row].expand(len(images), -1)
        total += input_gradients(captured, images, extras, findings).sum(dim=0)
    return total / n_copies


def _integrated(
    captured: Captured, row: int, film: Float[Tensor, "ch h w"], findings: Int[Tensor, " c"], n_steps: int
) -> Float[Tensor, "c ch h w"]:
    x0 = film.new_tensor(captured.model.black)[:, None, None].expand_as(film)
    mean = _mean_gradient(captured, row, findings, lambda j: x0 + (j + 1) / n_steps * (film - x0), n_steps)
    return (film - x0) * mean


def _noisy(captured: Captured, film: Float[Tensor, "ch h w"], noise: float) -> Copy:
    deviation = noise * (film.max() - film.min())

    def copy(j: int) -> Tensor:
        draws = torch.Generator().manual_seed(captured.seed * 1_000_003 + j)
        return film + deviation * torch.randn(film.shape, generator=draws).to(film)

    return copy


def _stacked(
    captured: Captured, findings: Int[Tensor, " c"], each: list[Tensor]
) -> Float[Tensor, "n c ch h w"]:
    return (
        torch.stack(each) if each else captured.images.new_zeros(0, len(findings), *captured.images.shape[1:])
    )


def _greatest(gradients: Float[Tensor, "*n ch h w"]) -> Float[Tensor, "*n h w"]:
    return gradients.abs().amax(dim=-3)
