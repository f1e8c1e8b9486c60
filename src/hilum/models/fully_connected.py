"""The head of VGG: the last map as one long vector through two wide layers."""

from jaxtyping import Float
from torch import Tensor, nn

from hilum.lookup import whole
from hilum.models.classifier import Body, LastMapClassifier, set_last_bias
from hilum.models.shape import shape_after

DROPOUT = 0.5


class FullyConnected(LastMapClassifier):
    """Flattened map, two layers with ReLU and dropout, one linear layer; films have one size.

    Source: Simonyan and Zisserman 2015 (arXiv:1409.1556), section 2.1, with its 4,096 channels.

    Args:
        body: What it is put on.
        width: Channels of each of the two layers.
    """

    def __init__(self, body: Body, width: float = 4096.0) -> None:
        super().__init__(body.without_metadata().findings, body.input_hw)
        n = whole(width, "width")
        _, n_channels, *map_hw = shape_after(body.backbone, (1, 3, *body.input_hw))
        self.backbone = body.backbone
        self.head = nn.Sequential(
            nn.Flatten(),
            *_layer(n_channels * map_hw[0] * map_hw[1], n),
            *_layer(n, n),
            nn.Linear(n, len(body.findings)),
        )

    @property
    def blocks(self) -> list[nn.Module]:
        """The head, then the backbone's blocks, last first."""
        return [self.head, *reversed(list(self.backbone))]

    def start_at(self, prevalence: Float[Tensor, " f"]) -> None:
        """Sets the last bias to the log-odds of the prevalence."""
        set_last_bias(self.head, prevalence)

    def logits_from(
        self,
        activations: Float[Tensor, "n d u v"],
        metadata: Float[Tensor, "n 3"] | None = None,  # noqa: ARG002
    ) -> Float[Tensor, "n f"]:
        """What the layers make of every cell at its place."""
        return self.head(activations)


def _layer(n_in: int, n_out: int) -> tuple[nn.Module, ...]:
    return nn.Linear(n_in, n_out), nn.ReLU(inplace=True), nn.Dropout(DROPOUT)
