"""Class activation maps from a captured feature map; raw: signed, at map resolution.

Symbols as in the papers: A the activations, w the head's weights, Y a logit, G = dY/dA.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hilum.explain.capture import Captured
from hilum.models.classifier import AveragePooling, LastMapClassifier


def cam(
    model: LastMapClassifier, captured: Captured, findings: Int[Tensor, " c"]
) -> Float[Tensor, "n c u v"]:
    """M = sum_k w_k A_k, the bias and any metadata weights left out.

    Source: Zhou et al., CVPR 2016 (arXiv:1512.04150), equation 2.

    Raises:
        TypeError: The head is not average pooling and one linear layer, the only one that has a CAM.
    """
    if not isinstance(model, AveragePooling):
        raise TypeError(
            f"{type(model).__name__} has no CAM: its head is not linear in the pooled map; use gradcam"
        )
    return torch.einsum("nduv,cd->ncuv", captured.activations, model.map_weights.detach()[findings])


def grad_cam(
    model: LastMapClassifier, captured: Captured, findings: Int[Tensor, " c"]
) -> Float[Tensor, "n c u v"]:
    """M = sum_k a_k A_k with a_k the mean of G_k; the ReLU of the paper belongs to the threshold's rescale.

    For average pooling and a linear layer G is the constant w / (u v), so no gradient is computed.

    Source: Selvaraju et al., ICCV 2017 (arXiv:1610.02391), equations 1 and 2.
    """
    if isinstance(model, AveragePooling):
        height, width = captured.activations.shape[2:]
        return cam(model, captured, findings) / (height * width)
    weights = head_gradients(model, captured, findings).mean(dim=(3, 4))
    return torch.einsum("nduv,ncd->ncuv", captured.activations, weights)


def grad_cam_plus_plus(
    model: LastMapClassifier, captured: Captured, findings: Int[Tensor, " c"]
) -> Float[Tensor, "n c u v"]:
    """M = sum_k a_k A_k, a_k = sum_ij ReLU(G) G^2 / (2 G^2 + S_k G^3 + 1e-6), S_k the sum of A_k.

    The closed form holds for a score that passes through exp; channels with a negative gradient are dropped.
    The 1e-6 is the library's that the papers used; it matters, because G is about 1e-3.

    Source: Chattopadhay et al., WACV 2018 (arXiv:1710.11063), equations 10 and 19.
    """
    A, G = captured.activations, _gradients(model, captured, findings)
    S = A.sum(dim=(2, 3))[:, None, :, None, None]
    alpha = G**2 / (2 * G**2 + S * G**3 + 1e-6)  # 0 where G is 0
    n_positions = A.shape[2] * A.shape[3]
    return _weighted(A, n_positions * (alpha * G.relu()).mean(dim=(3, 4)))


def xgrad_cam(
    model: LastMapClassifier, captured: Captured, findings: Int[Tensor, " c"]
) -> Float[Tensor, "n c u v"]:
    """M = sum_k a_k A_k, a_k = sum_ij G A_k / (S_k + 1e-7), S_k the sum of A_k.

    For average pooling and a linear layer this is Grad-CAM.

    Source: Fu et al., BMVC 2020 (arXiv:2008.02312), equation 10.
    """
    A, G = captured.activations, _gradients(model, captured, findings)
    S = A.sum(dim=(2, 3))
    n_positions = A.shape[2] * A.shape[3]
    return _weighted(A, n_positions * (G * A[:, None]).mean(dim=(3, 4)) / (S[:, None] + 1e-7))


def layer_cam(
    model: LastMapClassifier, captured: Captured, findings: Int[Tensor, " c"]
) -> Float[Tensor, "n c u v"]:
    """M = sum_k ReLU(G) A_k, position by position.

    Source: Jiang et al., IEEE TIP 2021 (doi:10.1109/TIP.2021.3089943), equations 4 and 5.
    """
    return _summed(captured.activations, _gradients(model, captured, findings).relu())


def hires_cam(
    model: LastMapClassifier, captured: Captured, findings: Int[Tensor, " c"]
) -> Float[Tensor, "n c u v"]:
    """M = sum_k G A_k, position by position; for average pooling and a linear layer this is Grad-CAM.

    Source: Draelos and Carin 2020 (arXiv:2011.08891), equation 2.
    """
    return _summed(captured.activations, _gradients(model, captured, findings))


def head_gradients(
    model: LastMapClassifier, captured: Captured, findings: Int[Tensor, " c"]
) -> Float[Tensor, "n c d u v"]:
    """G of every finding, by one vector-Jacobian product each through the head alone."""
    with torch.inference_mode(False), torch.enable_grad():
        activations = captured.activations.clone().requires_grad_()
        metadata = None if captured.metadata is None else captured.metadata.clone()
        totals = model.logits_from(activations, metadata).sum(dim=0)
        n, *each = activations.shape
        gradients = activations.new_empty(n, len(findings), *each)
        for place, finding in enumerate(findings.tolist()):
            (gradients[:, place],) = torch.autograd.grad(totals[finding], activations, retain_graph=True)
    return gradients


def _gradients(
    model: LastMapClassifier, captured: Captured, findings: Int[Tensor, " c"]
) -> Float[Tensor, "m c d p q"]:
    """G, with axes of length 1 where it is the same for all films and positions."""
    if not isinstance(model, AveragePooling):
        return head_gradients(model, captured, findings)
    height, width = captured.activations.shape[2:]
    return (model.map_weights.detach()[findings] / (height * width))[None, :, :, None, None]


def _weighted(
    activations: Float[Tensor, "n d u v"], weights: Float[Tensor, "m c d"]
) -> Float[Tensor, "n c u v"]:
    return torch.einsum("nduv,ncd->ncuv", activations, weights.expand(len(activations), -1, -1))


def _summed(
    activations: Float[Tensor, "n d u v"], gradients: Float[Tensor, "m c d p q"]
) -> Float[Tensor, "n c u v"]:
    if gradients.shape[3:] == (1, 1):
        return _weighted(activations, gradients[..., 0, 0])
    return torch.einsum("nduv,ncduv->ncuv", activations, gradients)
