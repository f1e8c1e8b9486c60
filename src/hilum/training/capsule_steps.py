"""Steps of capsule networks: the recipe's loss, and the film drawn again from the capsules."""

from jaxtyping import Float
from torch import Tensor

from hilum.models.capsule_cascade import CapsuleCascade
from hilum.models.capsules import CapsuleClassifier, grey_from
from hilum.models.inputs import resized
from hilum.training.losses import Loss
from hilum.training.stepped import Seen, Stepped

OF_RECONSTRUCTION = 0.0005
"""Weight beside the loss of the findings."""


def reconstruct(model: CapsuleClassifier, seen: Seen, loss: Loss) -> Stepped:
    """The recipe's loss and the squared error of the drawn film.

    Source: Sabour et al., NeurIPS 2017 (arXiv:1710.09829), section 4.1.
    """
    return _stepped(model, seen.images, seen.labels, loss, truth=model.training)


def capsule_pretraining(model: CapsuleCascade, seen: Seen, loss: Loss) -> Stepped:
    """As `reconstruct`, of a cascade's capsule network alone, on the films themselves at 28 px.

    Source: Pun et al. 2021, section V.
    """
    inner = model.capsules
    films = resized(seen.images, inner.input_hw)
    return _stepped(inner, films, seen.labels, loss, truth=model.training)


def _stepped(
    model: CapsuleClassifier,
    images: Float[Tensor, "n 3 h w"],
    labels: Float[Tensor, "n f"],
    loss: Loss,
    *,
    truth: bool,
) -> Stepped:
    """Findings and reconstruction.

    Sabour et al. keep the capsule of the one true digit. A film may have several findings or none: kept are
    those that it has in training, and those longer than 0.5 elsewhere; without any the decoder draws the
    film that it thinks usual.
    """
    _, capsules, logits = model.read(images)
    logits = logits.float()
    drawn = model.reconstructed(capsules, labels == 1 if truth else logits > 0).float()
    wanted = resized(grey_from(images), (drawn.shape[2], drawn.shape[3]))
    reconstruction = (drawn - wanted).square().sum() / max(len(images), 1)
    of_findings = loss(logits, labels)
    total = of_findings + OF_RECONSTRUCTION * reconstruction
    return Stepped(total, total, {"findings": of_findings, "reconstruction": reconstruction}, logits)
