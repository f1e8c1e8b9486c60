"""What every model offers: findings, input size, blocks, logits; and what closed-form heatmaps need."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hilum.models.inputs import BLACK


class Classifier(nn.Module, ABC):
    """Films to logits; `sigmoid(logits)` is the probability of each finding.

    Attributes:
        findings: Names of the outputs, in order.
        input_hw: Height and width of the input it was made for, in px.
        black: What a black film is to it, a value a channel.
    """

    black: tuple[float, ...] = BLACK

    def __init__(self, findings: tuple[str, ...], input_hw: tuple[int, int]) -> None:
        super().__init__()
        self.findings = findings
        self.input_hw = input_hw

    @property
    @abstractmethod
    def blocks(self) -> list[nn.Module]:
        """Parts that are frozen and unfrozen together, from the one nearest the logits to the stem."""

    @property
    def parts(self) -> Mapping[str, nn.Module]:
        """Parts that may learn at rates of their own, or alone, by name; together they are the model.

        Empty for a model that is trained as one.
        """
        return {}

    @abstractmethod
    def start_at(self, prevalence: Float[Tensor, " f"]) -> None:
        """Makes an untrained model answer about the prevalence of each finding, above 0 and below 1.

        Source: Lin et al. 2017 (arXiv:1708.02002), section 4.1. Otherwise the first epoch is spent on
        learning that findings are rare.
        """

    @abstractmethod
    def forward(
        self, images: Float[Tensor, "n 3 h w"], metadata: Float[Tensor, "n 3"] | None = None
    ) -> Float[Tensor, "n f"]:
        """Logits of normalised films."""


class LastMapClassifier(Classifier):
    """A classifier whose logits depend on the film through one last feature map.

    Only such a model has heatmaps in closed form, or by a gradient through its head alone.

    Attributes:
        backbone: Blocks from stem to end, whose last map it is.
    """

    backbone: nn.Sequential

    def activations(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d u v"]:
        """The backbone's last feature map, after its activation function."""
        return self.backbone(images)

    @abstractmethod
    def logits_from(
        self, activations: Float[Tensor, "n d u v"], metadata: Float[Tensor, "n 3"] | None = None
    ) -> Float[Tensor, "n f"]:
        """What the head makes of the last feature map."""

    def forward(
        self, images: Float[Tensor, "n 3 h w"], metadata: Float[Tensor, "n 3"] | None = None
    ) -> Float[Tensor, "n f"]:
        """Logits of normalised films."""
        return self.logits_from(self.activations(images), metadata)


def set_last_bias(layers: nn.Sequential, prevalence: Float[Tensor, " f"]) -> None:
    """Sets the bias of the last of some layers, which is linear, to the log-odds of the prevalence."""
    last = layers[-1]
    assert isinstance(last, nn.Linear)
    with torch.no_grad():
        last.bias.copy_(torch.logit(prevalence))


class OwnMaps(ABC):
    """A model that makes maps by itself, on its way to the logits."""

    @abstractmethod
    def own_maps(
        self, images: Float[Tensor, "n 3 h w"], metadata: Float[Tensor, "n 3"] | None = None
    ) -> Float[Tensor, "n f u v"]:
        """A raw map of every finding, over the whole input."""


class Composite(ABC):
    """A model of several networks, of which one has the feature map that explains."""

    @property
    @abstractmethod
    def explained(self) -> Classifier:
        """The network whose last feature map and logits class maps are made of."""

    @abstractmethod
    def answers(
        self, images: Float[Tensor, "n 3 h w"], metadata: Float[Tensor, "n 3"] | None = None
    ) -> dict[str, Float[Tensor, "n f"]]:
        """Logits of each of its networks, by name; the model's own last."""


class Branch(Classifier):
    """A classifier that can be one of several in a model.

    Attributes:
        n_pooled: Numbers that it pools a film to.
    """

    n_pooled: int

    @abstractmethod
    def read(
        self, images: Float[Tensor, "n 3 h w"]
    ) -> tuple[Float[Tensor, "n d u v"], Float[Tensor, "n p"], Float[Tensor, "n f"]]:
        """Last feature map, pooled features and logits."""


@dataclass(frozen=True)
class Body:
    """What a head is put on.

    Attributes:
        backbone: Blocks from stem to end.
        n_channels: Of its last map.
        findings: Outputs, in order.
        input_hw: Height and width of the input, in px.
        n_metadata: Numbers of view, age and sex that the head takes; 0 for none.
    """

    backbone: nn.Sequential
    n_channels: int
    findings: tuple[str, ...]
    input_hw: tuple[int, int]
    n_metadata: int = 0

    def without_metadata(self) -> "Body":
        """Itself, for a head in which they have no place.

        Raises:
            ValueError: They were asked for.
        """
        if self.n_metadata:
            raise ValueError("this head has no place for view, age and sex; metadata = false")
        return self


class PoolingClassifier(LastMapClassifier, Branch):
    """Backbone, each channel of the last map pooled to a number, metadata if any, one linear layer."""

    def __init__(self, body: Body) -> None:
        super().__init__(body.findings, body.input_hw)
        self.n_pooled = body.n_channels
        self.backbone = body.backbone
        self.n_metadata = body.n_metadata
        self.head = nn.Linear(body.n_channels + body.n_metadata, len(body.findings))

    @abstractmethod
    def pooled(self, activations: Float[Tensor, "n d u v"]) -> Float[Tensor, "n d"]:
        """One number a channel."""

    @property
    def blocks(self) -> list[nn.Module]:
        """The head, then the backbone's blocks, last first."""
        return [self.head, *reversed(list(self.backbone))]

    @property
    def map_weights(self) -> Float[Tensor, "f d"]:
        """Weight of every channel of the map for every finding; the metadata's weights are left out."""
        return self.head.weight[:, : self.head.in_features - self.n_metadata]

    def start_at(self, prevalence: Float[Tensor, " f"]) -> None:
        """Sets the bias to the log-odds of the prevalence."""
        with torch.no_grad():
            self.head.bias.copy_(torch.logit(prevalence))

    def logits_from(
        self, activations: Float[Tensor, "n d u v"], metadata: Float[Tensor, "n 3"] | None = None
    ) -> Float[Tensor, "n f"]:
        """The pooled map, then the linear layer."""
        pooled = self.pooled(activations)
        if self.n_metadata:
            if metadata is None:
                raise ValueError("this model was made with view, age and sex; pass metadata")
            pooled = torch.cat([pooled, metadata.to(pooled)], dim=1)
        return self.head(pooled)

    def read(
        self, images: Float[Tensor, "n 3 h w"]
    ) -> tuple[Float[Tensor, "n d u v"], Float[Tensor, "n d"], Float[Tensor, "n f"]]:
        """Last feature map, pooled features and logits; a branch takes no metadata."""
        activations = self.activations(images)
        pooled = self.pooled(activations)
        return activations, pooled, self.head(pooled)


class AveragePooling(PoolingClassifier):
    """The average of each channel.

    Source: the head of ResNet and DenseNet, as CheXNet (Rajpurkar et al. 2017, arXiv:1711.05225) keeps it.
    """

    def pooled(self, activations: Float[Tensor, "n d u v"]) -> Float[Tensor, "n d"]:
        """The mean over the map."""
        return activations.mean(dim=(2, 3))
