"""Any backbone, whose pooled map is turned into a small image for a capsule network."""

from collections.abc import Mapping

from jaxtyping import Bool, Float
from torch import Tensor, nn

from hilum.models.capsules import SIDE_PX, WIDTH, CapsNet, CapsuleClassifier, CapsuleStem
from hilum.models.classifier import Body


class CapsuleCascade(CapsuleClassifier):
    """Average of the last map, a linear layer to 3 x 28 x 28 numbers, and a capsule network on these.

    Source: Pun et al. 2021, figure 4. Their three stages are `learns = ["capsules"]` with step
    capsule_pretraining, `["mask", "capsules"]`, and all parts with gradual unfreezing.

    Args:
        body: What it is put on.
        width: Channels of the stem of the capsules.
    """

    def __init__(self, body: Body, width: float = float(WIDTH)) -> None:
        super().__init__(body.without_metadata().findings, body.input_hw)
        stem, small = CapsuleStem(width), (SIDE_PX, SIDE_PX)
        self.backbone = body.backbone
        self.mask = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(body.n_channels, 3 * SIDE_PX * SIDE_PX),
            nn.Unflatten(1, (3, *small)),
        )
        self.capsules = CapsNet(Body(nn.Sequential(stem), stem.num_features, body.findings, small))
        self.n_pooled = self.capsules.n_pooled

    @property
    def parts(self) -> Mapping[str, nn.Module]:
        """The backbone, the layer that makes the small image, and the capsule network."""
        return {"backbone": self.backbone, "mask": self.mask, "capsules": self.capsules}

    @property
    def blocks(self) -> list[nn.Module]:
        """Capsules with the layer before them, then the backbone's blocks, last first."""
        return [nn.ModuleList([self.mask, self.capsules]), *reversed(list(self.backbone))]

    def logits_from(
        self,
        activations: Float[Tensor, "n d u v"],
        metadata: Float[Tensor, "n 3"] | None = None,  # noqa: ARG002
    ) -> Float[Tensor, "n f"]:
        """Those of the capsule network."""
        return self.capsules(self.mask(activations))

    def read(
        self, images: Float[Tensor, "n 3 h w"]
    ) -> tuple[Float[Tensor, "n d u v"], Float[Tensor, "n p"], Float[Tensor, "n f"]]:
        """The backbone's last map, the capsules of all findings in one row, and logits."""
        activations = self.activations(images)
        _, capsules, logits = self.capsules.read(self.mask(activations))
        return activations, capsules, logits

    def reconstructed(
        self, capsules: Float[Tensor, "n p"], kept: Bool[Tensor, "n f"]
    ) -> Float[Tensor, "n 3 a b"]:
        """What the capsule network's decoder draws, at 28 px."""
        return self.capsules.reconstructed(capsules, kept)
