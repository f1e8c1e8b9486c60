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
