"""A film, the region that its own network finds striking, and both together."""

from collections.abc import Callable, Mapping
from itertools import zip_longest
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import affine_grid, grid_sample

from hilum.localize import BoxRule, boxes_from
from hilum.models.classifier import Branch, Classifier, Composite, LastMapClassifier, OwnMaps, set_last_bias
from hilum.models.inputs import resized

Attention = Literal["max_abs", "sum", "gradcam", "gradcam++", "xgradcam"]
ClassMaps = Callable[[LastMapClassifier, Tensor, Tensor, str], Float[Tensor, "n f u v"]]
"""Maps of every finding from a classifier, images, their last feature map and the name of a method."""

Answer = Literal["global", "local", "fusion"]

LEAST_PX = 8
"""Least side of a crop, in px of the input."""

N_HIDDEN, DROPOUT = 256, 0.5
"""Of the fusion with a hidden layer."""


class AttentionGuided(Classifier, Composite, OwnMaps):
    """One branch reads the film, another a crop around what strikes the first, a fusion what both pooled.

    The pooled features are detached: the fusion's loss trains the fusion alone. The answer is the fusion's.

    Source: Guan et al. 2018 (arXiv:1801.09927), sections 3.1 to 3.3, as Pun et al. 2021 train it.

    Args:
        of_film: The global branch.
        of_crop: The local one, which may be another network with an input of its own.
        n_metadata: Numbers of view, age and sex that join the fusion; 0 for none.
        class_maps: Makes the maps of a crop by class map; None where the crop needs none.
        attention: Where the crop comes from: the greatest absolute value over the channels of the global
            branch's last map, the sum of channels as the code of Pun et al. 2021, or a class map.
        level: Share of the map's maximum above which a cell belongs to the region.
        fusion: One linear layer, or a hidden one and dropout before it.
    """

    def __init__(
        self,
        of_film: Branch,
        of_crop: Branch,
        n_metadata: int,
        class_maps: ClassMaps | None = None,
        attention: Attention = "max_abs",
        level: float = 0.7,
        fusion: Literal["linear", "hidden"] = "linear",
    ) -> None:
        super().__init__(of_film.findings, of_film.input_hw)
        if not 0 < level < 1:
            raise ValueError(f"a crop at level {level:g}; it lies between 0 and 1")
        self.of_film, self.of_crop = of_film, of_crop
        self.attention, self.level, self.n_metadata = attention, level, n_metadata
        self.class_maps = class_maps
        n_in, n = of_film.n_pooled + of_crop.n_pooled + n_metadata, len(self.findings)
        hidden = [nn.Linear(n_in, N_HIDDEN), nn.ReLU(), nn.Dropout(DROPOUT), nn.Linear(N_HIDDEN, n)]
        self.fusion = nn.Sequential(*(hidden if fusion == "hidden" else [nn.Linear(n_in, n)]))

    @property
    def explained(self) -> Branch:
        """The global branch."""
        return self.of_film

    @property
    def parts(self) -> Mapping[str, nn.Module]:
        """The branches and the fusion, each with a loss of its own."""
        return {"global": self.of_film, "local": self.of_crop, "fusion": self.fusion}

    @property
    def blocks(self) -> list[nn.Module]:
        """The fusion with both heads, then the blocks of both branches side by side, last first."""
        pairs = zip_longest(self.of_film.blocks, self.of_crop.blocks)
        groups = [[block for block in pair if block is not None] for pair in pairs]
        return [nn.ModuleList(group) for group in [[self.fusion, *groups[0]], *groups[1:]]]

    def start_at(self, prevalence: Float[Tensor, " f"]) -> None:
        """Sets the biases of all three answers."""
        self.of_film.start_at(prevalence)
        self.of_crop.start_at(prevalence)
        set_last_bias(self.fusion, prevalence)

    def forward(
        self, images: Float[Tensor, "n 3 h w"], metadata: Float[Tensor, "n 3"] | None = None
    ) -> Float[Tensor, "n f"]:
        """The fusion's logits."""
        return self.answers(images, metadata)["fusion"]

    def answers(
        self,
        images: Float[Tensor, "n 3 h w"],
        metadata: Float[Tensor, "n 3"] | None = None,
        labels: Float[Tensor, "n f"] | None = None,
        last: Answer = "fusion",
    ) -> dict[str, Float[Tensor, "n f"]]:
        """Logits of the global branch, the local one and the fusion, as far as asked for.

        Args:
            images: Normalised films.
            metadata: View, age and sex, where the fusion takes them.
            labels: In training, of which a crop by class map takes the most likely true one.
            last: The one after which nothing is computed.
        """
        small = resized(images, self.of_film.input_hw)
        activations, pooled, logits = self.of_film.read(small)
        answers = {"global": logits}
        if last == "global":
            return answers
        with torch.no_grad():
            maps = self._attention(small, activations, logits, labels)
            crops = cropped(images, crop_boxes(maps, self.input_hw, self.level), self.of_crop.input_hw)
        _, pooled_of_crop, answers["local"] = self.of_crop.read(crops)
        if last == "local":
            return answers
        joined = [pooled.detach(), pooled_of_crop.detach()]
        if self.n_metadata:
            if metadata is None:
                raise ValueError("this model was made with view, age and sex; pass metadata")
            joined.append(metadata.to(pooled))
        answers["fusion"] = self.fusion(torch.cat(joined, dim=1))
        return answers

    def own_maps(
        self,
        images: Float[Tensor, "n 3 h w"],
        metadata: Float[Tensor, "n 3"] | None = None,  # noqa: ARG002
    ) -> Float[Tensor, "n f u v"]:
        """The map from which the crop is cut; the same for all findings."""
        small = resized(images, self.of_film.input_hw)
        activations, _, logits = self.of_film.read(small)
        maps = self._attention(small, activations, logits, None)
        return maps[:, None].expand(-1, len(self.findings), -1, -1)

    def _attention(
        self,
        images: Float[Tensor, "n 3 h w"],
        activations: Float[Tensor, "n d u v"],
        logits: Float[Tensor, "n f"],
        labels: Float[Tensor, "n f"] | None,
    ) -> Float[Tensor, "n u v"]:
        if self.attention == "max_abs":
            return activations.abs().amax(dim=1)
        if self.attention == "sum":
            return activations.sum(dim=1)
        if self.class_maps is None or not isinstance(self.of_film, LastMapClassifier):
            raise ValueError(f"a crop by {self.attention} needs a global branch with class maps")
        maps = self.class_maps(self.of_film, images, activations, self.attention)
        return maps[torch.arange(len(maps)), likeliest(logits, labels)]


def likeliest(logits: Float[Tensor, "n f"], labels: Float[Tensor, "n f"] | None) -> Int[Tensor, " n"]:
    """The finding with the highest logit of each film; among its true ones where it has any."""
    if labels is None:
        return logits.argmax(dim=1)
    true = labels == 1
    allowed = true | ~true.any(dim=1, keepdim=True)
    return logits.masked_fill(~allowed, -torch.inf).argmax(dim=1)


def crop_boxes(maps: Float[Tensor, "n u v"], input_hw: tuple[int, int], level: float) -> Float[Tensor, "n 4"]:
    """The box around the largest region above a level of each map's [0, 1] range, in px of the input.

    It has sides of at least `LEAST_PX`; a constant map gives the whole input.

    Source: Guan et al. 2018 (arXiv:1801.09927), equations 3 and 4.
    """
    height, width = input_hw
    found = np.tile(np.array([0.0, 0.0, width, height]), (len(maps), 1))
    rule = BoxRule(f"fraction({level:g})", map_size="input", signed=True)
    here = np.tile(np.eye(2, 3), (len(maps), 1, 1))
    rows, xyxy, _ = boxes_from(maps.float().cpu().numpy(), here, input_hw, rule, input_hw)
    found[rows] = xyxy
    centre, side = (found[:, :2] + found[:, 2:]) / 2, np.maximum(found[:, 2:] - found[:, :2], LEAST_PX)
    centre = np.clip(centre, side / 2, np.array([width, height]) - side / 2)
    return torch.from_numpy(np.concatenate([centre - side / 2, centre + side / 2], axis=1)).to(maps)


def cropped(
    images: Float[Tensor, "n 3 h w"], boxes: Float[Tensor, "n 4"], hw: tuple[int, int]
) -> Float[Tensor, "n 3 p q"]:
    """Each image's box, bilinearly brought to a size."""
    height, width = images.shape[2:]
    if not len(images):
        return images.new_zeros(0, 3, *hw)
    size = boxes.new_tensor([width, height])
    scale = (boxes[:, 2:] - boxes[:, :2]) / size
    shift = (boxes[:, :2] + boxes[:, 2:]) / size - 1
    theta = torch.cat([torch.diag_embed(scale), shift.unsqueeze(2)], dim=2).to(images)
    grid = affine_grid(theta, [len(images), 3, *hw], align_corners=False)
    return grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
