"""Score-CAM: what the logit becomes when only the places of one channel are left of the film."""

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import interpolate

from hilum.explain.capture import Captured, Layer

BATCH = 16
"""Masked films a forward pass."""


def score_cam(
    captured: Captured, findings: Int[Tensor, " c"], layer: Layer = "last"
) -> Float[Tensor, "n c d 1 1"]:
    """Softmax over the channels of Y(x * U_k), U_k the channel at input size, scaled to [0, 1].

    The logit of a black film, which the paper subtracts, changes no softmax. One forward pass a channel.

    Source: Wang et al., CVPR Workshops 2020 (arXiv:1910.01279), equations 4 to 8.
    """
    images, A = captured.images, captured.at(layer).activations
    n, n_channels = A.shape[:2]
    logits = A.new_empty(n, n_channels, len(findings))
    for film in range(n):
        metadata = None if captured.metadata is None else captured.metadata[film : film + 1]
        for start in range(0, n_channels, BATCH):
            channels = A[film, start : start + BATCH, None]
            masks = interpolate(channels, images.shape[2:], mode="bilinear", align_corners=False)
            low = masks.amin(dim=(2, 3), keepdim=True)
            masks = (masks - low) / (masks.amax(dim=(2, 3), keepdim=True) - low + 1e-8)
            extras = None if metadata is None else metadata.expand(len(masks), -1)
            made = captured.model(images[film] * masks, extras)
            logits[film, start : start + BATCH] = made[:, findings]
    return logits.softmax(dim=1).mT[..., None, None]
