"""A detector: boxes with a score of their own from five levels of maps."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torchvision.models.detection import _utils as matching
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.retinanet import RetinaNetHead
from torchvision.ops import FeaturePyramidNetwork, batched_nms, clip_boxes_to_image
from torchvision.ops.feature_pyramid_network import LastLevelP6P7

from hilum.lookup import whole
from hilum.models.cells import painted
from hilum.models.classifier import Body, Classifier, OwnMaps
from hilum.models.pyramid import Pyramid, levels_of

STRIDES = (8, 16, 32, 64, 128)
"""Px of the input a cell of each level, P3 to P7."""
SIZES = tuple(tuple(4 * stride * 2 ** (third / 3) for third in range(3)) for stride in STRIDES)
"""Sides of each level's square anchors, in px of the input."""
RATIOS = (0.5, 1.0, 2.0)
"""Height by width of an anchor."""

PRIOR = 0.01
"""Probability of every anchor before training."""
MIN_SCORE, TOP_OF_LEVEL, MAX_IOU = 0.05, 1000, 0.5
"""What is a box at all, how many of a level go on, and how much two boxes of a finding may overlap."""

CODER = matching.BoxCoder(weights=(1.0, 1.0, 1.0, 1.0))
"""A box as offsets from an anchor: shift by its size, logarithm of the ratio of sizes."""


class Answers(NamedTuple):
    """What the subnets say of every anchor.

    Attributes:
        logits: Of every finding.
        offsets: From anchor to box, as `CODER` has them.
        anchors: In px of the input, the same for every film.
        n_of_level: Anchors of each level, P3 first.
    """

    logits: Float[Tensor, "n a f"]
    offsets: Float[Tensor, "n a 4"]
    anchors: Float[Tensor, "a 4"]
    n_of_level: tuple[int, ...]


class RetinaNet(Classifier, OwnMaps):
    """Nine anchors a cell of five levels, each with a logit a finding and four offsets.

    The logit of a film is that of its best anchor. Differs from the box that is shown: it is known also
    below the least score of a box, so that films without a box are ranked too.

    Source: Lin et al., ICCV 2017 (arXiv:1708.02002), section 4; subnets, anchors and pyramid are those of
    torchvision.

    Args:
        body: What it is put on: a backbone with maps of strides 8, 16 and 32, and no neck.
        width: Channels of every level.
    """

    def __init__(self, body: Body, width: float = 256.0) -> None:
        super().__init__(body.without_metadata().findings, body.input_hw)
        if isinstance(body.backbone, Pyramid):
            raise ValueError('retinanet has a pyramid of its own; neck = "none"')
        levels, n = levels_of(body.backbone)[-3:], whole(width, "width")
        channels = [n_channels for _, n_channels in levels]
        self.backbone = body.backbone
        self._places = [place for place, _ in levels]
        self.pyramid = FeaturePyramidNetwork(channels, n, LastLevelP6P7(channels[-1], n))
        self.head = RetinaNetHead(n, len(SIZES[0]) * len(RATIOS), len(self.findings))
        with torch.no_grad():  # the published start is made for 256 channels; narrower ones would fade
            for layer in self.head.modules():
                if isinstance(layer, nn.Conv2d):
                    layer.weight.mul_((256 / n) ** 0.5)
        self._anchors = AnchorGenerator(SIZES, (RATIOS,) * len(SIZES))

    @property
    def blocks(self) -> list[nn.Module]:
        """Pyramid and subnets, then the backbone's blocks, last first."""
        return [nn.ModuleList([self.pyramid, self.head]), *reversed(list(self.backbone))]

    def start_at(self, prevalence: Float[Tensor, " f"]) -> None:
        """Sets every anchor to its prior of 0.01, which an untrained model has already.

        Source: Lin et al. 2017, section 4.1. The prevalence is one of films: at an anchor it would drown the
        few boxes in thousands of false ones.
        """
        bias = self.head.classification_head.cls_logits.bias
        assert bias is not None  # for the type checker: the layer was made with one
        odds = torch.full_like(prevalence, math.log(PRIOR / (1 - PRIOR)))
        with torch.no_grad():
            bias.copy_(odds.repeat(len(bias) // len(odds)))

    def answers(self, images: Float[Tensor, "n 3 h w"]) -> Answers:
        """Logits and offsets of every anchor of at least one film."""
        maps = [images]
        for block in self.backbone:
            maps.append(block(maps[-1]))
        levels = self.pyramid({str(place): maps[place + 1] for place in self._places}).values()
        said = self.head(list(levels))
        self._anchors.set_cell_anchors(torch.float32, images.device)
        anchors = self._anchors.grid_anchors(
            [list(level.shape[2:]) for level in levels], [[torch.tensor(stride)] * 2 for stride in STRIDES]
        )
        logits, offsets = said["cls_logits"].float(), said["bbox_regression"].float()
        return Answers(logits, offsets, torch.cat(anchors), tuple(map(len, anchors)))

    def forward(
        self,
        images: Float[Tensor, "n 3 h w"],
        metadata: Float[Tensor, "n 3"] | None = None,
    ) -> Float[Tensor, "n f"]:
        """The logit of the best anchor."""
        if not len(images):  # torchvision lays out no empty batch
            return self(images.new_zeros(1, *images.shape[1:]), metadata)[:0]
        return self.answers(images).logits.amax(dim=1)

    def detections(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "b 7"]:
        """Boxes as film, finding, x0, y0, x1, y1 in px of the input, score; of each film the best first."""
        if not len(images):
            return images.new_zeros(0, 7)
        with torch.no_grad():
            answers = self.answers(images)
            return torch.cat([_boxes_of(answers, film, self.input_hw) for film in range(len(images))])

    def own_maps(
        self,
        images: Float[Tensor, "n 3 h w"],
        metadata: Float[Tensor, "n 3"] | None = None,  # noqa: ARG002
    ) -> Float[Tensor, "n f u v"]:
        """The score of the best box over each cell of 8 px, 0 where there is none."""
        found, (height, width) = self.detections(images), self.input_hw
        grid = -(-height // STRIDES[0]), -(-width // STRIDES[0])
        covered = grid[0] * STRIDES[0], grid[1] * STRIDES[0]
        return painted(found[:, :6], found[:, 6], (len(images), len(self.findings), *grid), covered)


def _boxes_of(answers: Answers, film: int, input_hw: tuple[int, int]) -> Float[Tensor, "b 7"]:
    """Boxes of one film, best first."""
    n_findings, start, parts = answers.logits.shape[2], 0, []
    for n in answers.n_of_level:
        score = answers.logits[film, start : start + n].sigmoid().flatten()
        best, place = score.topk(min(TOP_OF_LEVEL, len(score)))
        best, place = best[best > MIN_SCORE], place[best > MIN_SCORE]
        anchor = start + place // n_findings
        box = CODER.decode_single(answers.offsets[film, anchor], answers.anchors[anchor])
        parts.append((clip_boxes_to_image(box, input_hw), place % n_findings, best))
        start += n
    box, finding, score = (torch.cat(column) for column in zip(*parts, strict=True))
    there = ((box[:, 2:] - box[:, :2]) > 0).all(dim=1)
    box, finding, score = box[there], finding[there], score[there]
    kept = batched_nms(box, score, finding, MAX_IOU)
    whose = torch.stack([torch.full_like(finding, film), finding], dim=1)
    return torch.cat([whose.to(box), box, score[:, None]], dim=1)[kept]
