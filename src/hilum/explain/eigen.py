"""Maps from the directions in which activations vary most; they know nothing of the finding."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hilum.explain.capture import Captured, Layer


def eigen_cam(
    captured: Captured, findings: Int[Tensor, " c"], layer: Layer = "last"
) -> Float[Tensor, "n c u v"]:
    """M = X V_1: the activations of every position along their first right singular vector.

    The same map for every finding.

    Source: Muhammad and Yeasin, IJCNN 2020 (arXiv:2008.00299), section III.
    """
    return _for_every_finding(first_projection(captured.at(layer).activations), findings)


def eigen_cam_centred(
    captured: Captured, findings: Int[Tensor, " c"], layer: Layer = "last"
) -> Float[Tensor, "n c u v"]:
    """Eigen-CAM with each channel's mean subtracted first: the first principal component of the positions.

    Differs from the paper: so does pytorch-grad-cam, with which Gascoigne-Burns and Katsigiannis 2021 made
    their maps.
    """
    A = captured.at(layer).activations
    return _for_every_finding(first_projection(A - A.mean(dim=(2, 3), keepdim=True), A.sum(dim=1)), findings)


def first_projection(
    maps: Float[Tensor, "n d u v"], reference: Float[Tensor, "n u v"] | None = None
) -> Float[Tensor, "n u v"]:
    """The map of each film that holds most of what its channels hold, sign included.

    With X the channels as columns, the left singular vector times its singular value is X V_1; it comes from
    the smaller of the two products of X with itself. Its sign is free, and is set so that the map does not
    correlate negatively with `reference`, by default the sum of the channels of `maps`.
    """
    n, n_channels, height, width = maps.shape
    X = maps.flatten(2).double()
    if not n:
        return maps.new_zeros(0, height, width)
    if height * width <= n_channels:
        squared, vectors = torch.linalg.eigh(X.mT @ X)
        M = vectors[..., -1] * squared[:, -1:].clamp(min=0).sqrt()
    else:
        _, vectors = torch.linalg.eigh(X @ X.mT)
        M = torch.einsum("ndp,nd->np", X, vectors[..., -1])
    total = (maps.sum(dim=1) if reference is None else reference).flatten(1).double()
    agreement = (M * (total - total.mean(dim=1, keepdim=True))).sum(dim=1, keepdim=True)
    return torch.where(agreement < 0, -M, M).reshape(n, height, width).to(maps.dtype)


def _for_every_finding(maps: Float[Tensor, "n u v"], findings: Int[Tensor, " c"]) -> Float[Tensor, "n c u v"]:
    return maps[:, None].expand(-1, len(findings), -1, -1)
