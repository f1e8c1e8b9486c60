"""Small networks with every head, and maps worked out from first principles by full backward passes."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from hilum.models.classifier import AveragePooling, Body, LastMapClassifier

FINDINGS = ("Effusion", "Mass", "Hernia")
CHANNELS, SIDE = 6, 24


def body() -> nn.Sequential:
    """A network with batch norm, whose statistics are not those of any batch here; map of 6 x 6."""
    norm = nn.BatchNorm2d(CHANNELS)
    norm.running_mean = torch.linspace(-0.2, 0.2, CHANNELS)
    norm.running_var = torch.linspace(0.5, 1.5, CHANNELS)
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 5, 3, padding=1, stride=2), nn.ReLU(inplace=True)),
        nn.Sequential(nn.Conv2d(5, CHANNELS, 3, padding=1, stride=2), norm, nn.ReLU(inplace=True)),
    )


class LogSumExp(LastMapClassifier):
    """A head that is not linear in the pooled map, and in which the findings share a hidden layer."""

    def __init__(self) -> None:
        super().__init__(FINDINGS, (SIDE, SIDE))
        self.body = body()
        self.hidden = nn.Sequential(nn.Linear(CHANNELS + 3, 8), nn.Tanh())
        self.head = nn.Linear(8, len(FINDINGS))

    @property
    def blocks(self) -> list[nn.Module]:
        return [self.head, self.hidden, *reversed(list(self.body))]

    def start_at(self, prevalence):
        self.head.bias.data = torch.logit(prevalence)

    def activations(self, images):
        return self.body(images)

    def logits_from(self, activations, metadata=None):
        metadata = activations.new_zeros(len(activations), 3) if metadata is None else metadata
        pooled = torch.logsumexp(4 * activations.flatten(2), dim=2) / 4
        return self.head(self.hidden(torch.cat([pooled, metadata], dim=1)))


HEADS: dict[str, Callable[[], LastMapClassifier]] = {
    "average": lambda: AveragePooling(Body(body(), CHANNELS, FINDINGS, (SIDE, SIDE))),
    "average and metadata": lambda: AveragePooling(Body(body(), CHANNELS, FINDINGS, (SIDE, SIDE), 3)),
    "another": LogSumExp,
}


@pytest.fixture(params=HEADS)
def model(request: pytest.FixtureRequest) -> LastMapClassifier:
    """A network in double precision and eval mode."""
    torch.manual_seed(0)
    return HEADS[request.param]().double().eval()


@pytest.fixture
def images() -> Tensor:
    return torch.randn(3, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1)).double()


@pytest.fixture
def metadata() -> Tensor:
    return torch.tensor([[0.0, 0.5, 1.0], [1.0, 0.2, 0.0], [0.5, 0.9, 0.5]]).double()


def by_backward(model: nn.Module, last: nn.Module, finding: int, *inputs: Tensor) -> tuple[Tensor, Tensor]:
    """A and G = dY/dA of one finding: hooks on the last block, one backward pass of one film at a time."""
    kept: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        output.retain_grad()
        kept.append(output)

    handle = last.register_forward_hook(keep)
    for film in zip(*inputs, strict=True):
        model(*(part[None] for part in film))[0, finding].backward()
    handle.remove()
    model.zero_grad()
    return torch.cat([one.detach() for one in kept]), torch.cat([one.grad for one in kept])
