"""Maps from films of which a part is hidden: forward passes alone, so also for what has no gradients."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import interpolate

from hilum.explain.capture import Captured
from hilum.lookup import whole

BATCH = 16
"""Films with a part hidden, a forward pass."""


def occlusion(
    captured: Captured, findings: Int[Tensor, " c"], patch_px: float = 32.0, stride_px: float = 16.0
) -> Float[Tensor, "n c h w"]:
    """How far the logit falls when a square is hidden, each pixel the mean of the squares over it.

    Hidden is the mean of the films that the network was made for: 0 after normalisation.

    Source: Zeiler and Fergus, ECCV 2014 (arXiv:1311.2901), section 4.2.
    """
    patch, stride = whole(patch_px, "patch_px"), whole(stride_px, "stride_px")
    if stride > patch:
        raise ValueError(f"occlusion({patch}, {stride}): a stride above the patch leaves pixels out")
    height, width = captured.images.shape[2:]
    corners = [(y, x) for y in _starts(height, patch, stride) for x in _starts(width, patch, stride)]
    made = captured.images.new_zeros(len(captured.images), len(findings), height, width)
    n_over = captured.images.new_zeros(height, width)
    for y, x in corners:
        n_over[y : y + patch, x : x + patch] += 1
    for film, image in enumerate(captured.images):
        for first in range(0, len(corners), BATCH):
            inside = corners[first : first + BATCH]
            hidden = image.repeat(len(inside), 1, 1, 1)
            for copy, (y, x) in zip(hidden, inside, strict=True):
                copy[:, y : y + patch, x : x + patch] = 0.0
            fall = captured.logits[film, findings] - _logits(captured, film, hidden)[:, findings]
            for each, (y, x) in zip(fall, inside, strict=True):
                made[film, :, y : y + patch, x : x + patch] += each[:, None, None]
    return made / n_over


def rise(
    captured: Captured, findings: Int[Tensor, " c"], n_masks: float = 1000.0, side: float = 7.0
) -> Float[Tensor, "n c h w"]:
    """Mean of random masks, each weighted by the logit of the film seen through it, over the share seen.

    Masks are grids of `side` x `side` cells, each open with a probability of 0.5, enlarged and shifted at
    random. Every film sees the same masks.

    Differs from the paper: the mean logit over all masks is subtracted first. Films of a rare finding have
    negative logits, and a constant adds noise alone.

    Source: Petsiuk et al., BMVC 2018 (arXiv:1806.07421), equation 6.
    """
    n, cells = whole(n_masks, "n_masks"), whole(side, "side")
    hw = (captured.images.shape[2], captured.images.shape[3])
    n_films, n_findings = len(captured.images), len(findings)
    weighted = captured.images.new_zeros(n_films, n_findings, *hw)
    total, all_masks = captured.images.new_zeros(n_films, n_findings), captured.images.new_zeros(hw)
    generator = torch.Generator().manual_seed(captured.seed)
    for first in range(0, n, BATCH):
        masks = _masks(min(BATCH, n - first), cells, hw, generator).to(captured.images)
        all_masks += masks.sum(dim=0)
        for film, image in enumerate(captured.images):
            logits = _logits(captured, film, image * masks[:, None])[:, findings]
            weighted[film] += torch.einsum("mc,mhw->chw", logits, masks)
            total[film] += logits.sum(dim=0)
    return (weighted - total[..., None, None] / n * all_masks) / (n * _OPEN)


_OPEN = 0.5


def _masks(n: int, cells: int, hw: tuple[int, int], generator: torch.Generator) -> Float[Tensor, "m h w"]:
    """Smooth masks; one cell more a side than is seen, for the shift."""
    grid = (torch.rand(n, 1, cells + 1, cells + 1, generator=generator) < _OPEN).float()
    cell = [-(-size // cells) for size in hw]
    large = interpolate(grid, [(cells + 1) * c for c in cell], mode="bilinear", align_corners=False)
    shift = torch.stack([torch.randint(0, c, (n,), generator=generator) for c in cell], dim=1).tolist()
    return torch.stack(
        [mask[0, y : y + hw[0], x : x + hw[1]] for mask, (y, x) in zip(large, shift, strict=True)]
    )


def _logits(captured: Captured, film: int, images: Float[Tensor, "s ch h w"]) -> Float[Tensor, "s f"]:
    metadata = captured.metadata
    with torch.inference_mode():
        return captured.model(images, None if metadata is None else metadata[film].expand(len(images), -1))


def _starts(size: int, patch: int, stride: int) -> range:
    """Where the squares begin; the last one may reach over the edge."""
    return range(0, max(size - patch, 0) + stride, stride)
