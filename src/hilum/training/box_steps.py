"""Steps of systems that learn from reference boxes, not from image-level labels alone."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import smooth_l1_loss
from torchvision.models.detection import _utils as matching
from torchvision.ops import box_iou, sigmoid_focal_loss

from hilum.models.cells import painted
from hilum.models.patches import Patches, any_of
from hilum.models.retinanet import CODER, RetinaNet
from hilum.training.losses import Loss
from hilum.training.stepped import Seen, Stepped

IOU_OF_BOX, IOU_OF_NONE = 0.5, 0.4
"""An anchor belongs to a box from the one on, to none below the other; between them it learns nothing."""
ALPHA, GAMMA = 0.25, 2.0
"""Of the focal loss."""

NOWHERE, BETWEEN = matching.Matcher.BELOW_LOW_THRESHOLD, matching.Matcher.BETWEEN_THRESHOLDS


def detect(model: RetinaNet, seen: Seen, _loss: Loss) -> Stepped:
    """Focal loss of every anchor's class and smooth L1 of the offsets of those that belong to a box.

    Both are sums over a film, divided by its anchors that belong to a box, then means over films; a film
    without boxes is all background. A label that is unknown, or present without any box of it in view, says
    nothing of its finding. The image-level loss of the recipe plays no part.

    Source: Lin et al., ICCV 2017 (arXiv:1708.02002), section 4; the best anchor of a box belongs to it
    whatever their IoU, as in torchvision.
    """
    answers, known = model.answers(seen.images), labelled(seen)
    classes, offsets = [], []
    for film in range(len(seen.images)):
        boxes = seen.boxes[seen.boxes[:, 0] == film]
        matched = matched_boxes(answers.anchors, boxes[:, 2:])
        (inside,) = torch.where(matched >= 0)
        target = torch.zeros_like(answers.logits[film])
        target[inside, boxes[matched[inside], 1].long()] = 1
        counts = (matched != BETWEEN)[:, None] & known[film]
        each = sigmoid_focal_loss(answers.logits[film], target, ALPHA, GAMMA)
        wanted = CODER.encode_single(boxes[matched[inside], 2:], answers.anchors[inside])
        away = smooth_l1_loss(answers.offsets[film, inside], wanted, reduction="sum")
        classes.append((each * counts).sum() / max(1, len(inside)))
        offsets.append(away / max(1, len(inside)))
    parts = {"classification": torch.stack(classes).mean(), "boxes": torch.stack(offsets).mean()}
    total = parts["classification"] + parts["boxes"]
    return Stepped(total, total, parts, answers.logits.amax(dim=1))


def patches(model: Patches, seen: Seen, loss: Loss, weight: float = 5.0) -> Stepped:
    """Where there is a box, its patches against all others; elsewhere the image-level loss.

    Of a film and finding with boxes the loss is -log of prod p over the patches whose centre lies in a box
    times prod (1 - p) over the others. It is a sum over patches, weighed, and divided by all known labels of
    the batch, as the image-level loss is.

    Source: Li et al., CVPR 2018 (arXiv:1711.06373), equations 2 to 4, lambda_bbox = 5.

    Args:
        model: Of patches.
        seen: A batch.
        loss: Of films without boxes.
        weight: Of the films with boxes; 0 takes them as all others.
    """
    logits_of = model.patches(model.activations(seen.images))
    factors, boxed = model.log_factors(logits_of), seen.boxes.new_zeros(seen.labels.shape, dtype=torch.bool)
    logits = any_of(factors.without)
    if weight:
        film, finding = seen.boxes[:, :2].long().T
        boxed[film, finding] = True
    ones, (n, f, p, q) = torch.ones(len(seen.boxes)), logits_of.shape
    inside = painted(seen.boxes, ones, (n, f, p, q), model.input_hw) > 0
    each = -torch.where(inside, factors.with_finding, factors.without).sum(dim=(2, 3))
    n_known = (torch.isfinite(seen.labels) | boxed).sum().clamp(min=1)
    parts = {
        "image": loss(logits, seen.labels.masked_fill(boxed, torch.nan)),
        "boxes": weight * (each * boxed).sum() / n_known,
    }
    total = parts["image"] + parts["boxes"]
    return Stepped(total, total, parts, logits)


def labelled(seen: Seen) -> Bool[Tensor, "n f"]:
    """Whether what the boxes in view say of a finding is all there is to say."""
    film, finding = seen.boxes[:, :2].long().T
    boxed = torch.zeros_like(seen.labels, dtype=torch.bool)
    boxed[film, finding] = True
    return boxed | (seen.labels == 0)


def matched_boxes(anchors: Float[Tensor, "a 4"], boxes: Float[Tensor, "b 4"]) -> Int[Tensor, " a"]:
    """The box that each anchor belongs to; `NOWHERE` and `BETWEEN`, below 0, for none."""
    if not len(boxes):
        return torch.full((len(anchors),), NOWHERE, device=anchors.device)
    match = matching.Matcher(IOU_OF_BOX, IOU_OF_NONE, allow_low_quality_matches=True)
    return match(box_iou(boxes, anchors))
