"""A head with one hidden layer, as MobileNetV3 has it: class maps have no closed form there."""

from jaxtyping import Float
from torch import Tensor, nn

from hilum.lookup import whole
from hilum.models.classifier import Body, Branch, LastMapClassifier, set_last_bias

DROPOUT = 0.2


class HiddenLayer(LastMapClassifier, Branch):
    """The average of each channel, a layer with Hardswish and dropout, one linear layer.

    Source: Howard et al. 2019 (arXiv:1905.02244), section 5.1, with its 1,280 units; what it pools to as a
    branch are the averages.

    Args:
        body: What it is put on.
        width: Units of the layer.
    """

    def __init__(self, body: Body, width: float = 1280.0) -> None:
        super().__init__(body.without_metadata().findings, body.input_hw)
        n = whole(width, "width")
        self.backbone = body.backbone
        self.n_pooled = body.n_channels
        layers = (nn.Linear(body.n_channels, n), nn.Hardswish(), nn.Dropout(DROPOUT))
        self.head = nn.Sequential(*layers, nn.Linear(n, len(body.findings)))

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
        """What the layers make of the averages."""
        return self.head(activations.mean(dim=(2, 3)))

    def read(
        self, images: Float[Tensor, "n 3 h w"]
    ) -> tuple[Float[Tensor, "n d u v"], Float[Tensor, "n d"], Float[Tensor, "n f"]]:
        """Last feature map, averages and logits."""
        activations = self.activations(images)
        pooled = activations.mean(dim=(2, 3))
        return activations, pooled, self.head(pooled)
