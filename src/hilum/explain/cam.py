"""How class activation maps weigh the channels of the last feature map; every map is sum_k weight_k A_k.

Symbols as in the papers: A the activations, w the head's weights, Y a logit, G = dY/dA, S_k the sum of A_k.
Weights have axes (m, c, d, p, q), of length 1 where they are the same for all films or positions.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hilum.explain.capture import Captured, Layer
from hilum.models.classifier import PoolingClassifier

Weights = Float[Tensor, "m c d p q"]


def cam(
    captured: Captured,
    findings: Int[Tensor, " c"],
    layer: Layer = "last",  # noqa: ARG001 - its weights are the same
) -> Weights:
    """w_k, the bias and any metadata weights left out.

    Source: Zhou et al., CVPR 2016 (arXiv:1512.04150), equation 2.

    Raises:
        TypeError: The head is not a pooling of channels and one linear layer, the only one that has a CAM.
    """
    model = captured.explained
    if not isinstance(model, PoolingClassifier):
        raise TypeError(
            f"{type(model).__name__} has no CAM: its head is not linear in the pooled map; use gradcam"
        )
    return model.map_weights.detach()[findings][None, :, :, None, None]


def grad_cam(captured: Captured, findings: Int[Tensor, " c"], layer: Layer = "last") -> Weights:
    """The mean of G_k; the ReLU of the paper belongs to the threshold's rescale.

    For average pooling and a linear layer G is the constant w / (u v), so no gradient is computed.

    Source: Selvaraju et al., ICCV 2017 (arXiv:1610.02391), equations 1 and 2.
    """
    return captured.at(layer).gradients(findings).mean(dim=(3, 4), keepdim=True)


def grad_cam_plus_plus(captured: Captured, findings: Int[Tensor, " c"], layer: Layer = "last") -> Weights:
    """sum_ij ReLU(G) G^2 / (2 G^2 + S_k G^3 + 1e-6).

    The closed form holds for a score that passes through exp; channels with a negative gradient are dropped.
    The 1e-6 is the library's that the papers used; it matters, because G is about 1e-3.

    Source: Chattopadhay et al., WACV 2018 (arXiv:1710.11063), equations 10 and 19.
    """
    A, G = captured.at(layer).activations, captured.at(layer).gradients(findings)
    S = A.sum(dim=(2, 3))[:, None, :, None, None]
    alpha = G**2 / (2 * G**2 + S * G**3 + 1e-6)  # 0 where G is 0
    return _summed(alpha * G.relu(), A)


def xgrad_cam(captured: Captured, findings: Int[Tensor, " c"], layer: Layer = "last") -> Weights:
    """sum_ij G A_k / (S_k + 1e-7).

    For average pooling and a linear layer this is Grad-CAM.

    Source: Fu et al., BMVC 2020 (arXiv:2008.02312), equation 10.
    """
    A, G = captured.at(layer).activations, captured.at(layer).gradients(findings)
    S = A.sum(dim=(2, 3))[:, None, :, None, None]
    return (G * S if G.shape[3:] == (1, 1) else _summed(G * A[:, None], A)) / (S + 1e-7)


def layer_cam(captured: Captured, findings: Int[Tensor, " c"], layer: Layer = "last") -> Weights:
    """ReLU(G), position by position.

    Source: Jiang et al., IEEE TIP 2021 (doi:10.1109/TIP.2021.3089943), equations 4 and 5.
    """
    return captured.at(layer).gradients(findings).relu()


def hires_cam(captured: Captured, findings: Int[Tensor, " c"], layer: Layer = "last") -> Weights:
    """G, position by position; for average pooling and a linear layer this is Grad-CAM.

    Source: Draelos and Carin 2020 (arXiv:2011.08891), equation 2.
    """
    return captured.at(layer).gradients(findings)


def unweighted(captured: Captured, findings: Int[Tensor, " c"], layer: Layer = "last") -> Weights:
    """1 for every channel, whatever the finding."""
    A = captured.at(layer).activations
    return A.new_ones(1, len(findings), A.shape[1], 1, 1)


def channel_sum(activations: Float[Tensor, "n d u v"], weights: Weights) -> Float[Tensor, "n c u v"]:
    """sum_k weight_k A_k."""
    n_maps, n_findings, _, *per_position = weights.shape
    if not len(activations) or not n_findings:
        return activations.new_zeros(len(activations), n_findings, *activations.shape[2:])
    if per_position != [1, 1]:
        return torch.einsum("nduv,ncduv->ncuv", activations, weights.expand(len(activations), -1, -1, -1, -1))
    if n_maps == 1:
        return torch.einsum("nduv,cd->ncuv", activations, weights[0, :, :, 0, 0])
    return torch.einsum("nduv,ncd->ncuv", activations, weights[..., 0, 0])


def _summed(
    terms: Float[Tensor, "m c d p q"], activations: Float[Tensor, "n d u v"]
) -> Float[Tensor, "m c d 1 1"]:
    """Over all positions, also where one term stands for all of them."""
    n_positions = activations.shape[2] * activations.shape[3]
    return n_positions * terms.mean(dim=(3, 4), keepdim=True)
