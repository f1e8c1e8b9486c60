"""Any network that was built elsewhere, explained at a layer that its user names."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from hilum.models.classifier import Classifier
from hilum.models.inputs import BLACK


class Foreign(Classifier):
    """A module from images to logits, as it is; it is explained here, not trained.

    A network whose last layers are average pooling and one linear layer is better taken apart into
    `AveragePooling`, whose maps need no gradients.

    Args:
        module: Takes images, in its own scale and number of channels, and gives one logit a finding.
        layer: Name of the part whose output is the last feature map, as `module.named_modules()` has it;
            a map (n, d, u, v), or tokens (n, t, d) of a square map, with or without tokens before them.
            Of torchvision's DenseNet "features" is the map before its last ReLU.
        findings: Names of the outputs, in order.
        input_hw: Height and width of the input, in px.
        black: What a black film is to it, a value a channel; the default is that of ImageNet's scale.

    Raises:
        ValueError: The module has no such layer.
    """

    def __init__(
        self,
        module: nn.Module,
        layer: str,
        findings: Sequence[str],
        input_hw: tuple[int, int],
        black: Sequence[float] = BLACK,
    ) -> None:
        super().__init__(tuple(findings), input_hw)
        names = [name for name, _ in module.named_modules() if name]
        if layer not in names:
            near = [name for name in names if name.count(".") < 2]
            raise ValueError(f"{type(module).__name__} has no layer {layer!r}; it has {', '.join(near)}")
        self.module = module
        self.layer = module.get_submodule(layer)
        self.black = tuple(black)
        self.train(module.training)

    @property
    def blocks(self) -> list[nn.Module]:
        """The module in one piece."""
        return [self.module]

    def start_at(self, prevalence: Float[Tensor, " f"]) -> None:  # noqa: ARG002
        """Refuses: it comes trained."""
        raise TypeError(f"{type(self.module).__name__} was built elsewhere; hilum does not train it")

    def forward(
        self, images: Float[Tensor, "n ch h w"], metadata: Float[Tensor, "n 3"] | None = None
    ) -> Float[Tensor, "n f"]:
        """What the module says of the images.

        Raises:
            ValueError: Metadata were given, or the module's answer is not one number a finding.
        """
        if metadata is not None:
            raise ValueError("a network from elsewhere takes images only; leave metadata out")
        logits = self.module(images)
        if not isinstance(logits, Tensor) or logits.shape != (len(images), len(self.findings)):
            found = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise ValueError(
                f"{type(self.module).__name__} gave {found} for {len(images)} images; "
                f"wanted {(len(images), len(self.findings))}: one logit a finding"
            )
        return logits
