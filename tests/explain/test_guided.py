"""Guided backpropagation beside a backward pass written out by hand, however the ReLUs are called."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from hilum.explain import heatmaps
from hilum.explain.capture import capture
from hilum.explain.guided import guided_backprop
from hilum.models import Classifier

SIDE = 6
EVERY = torch.arange(2)


class _Network(Classifier):
    """Two linear layers, a ReLU after each, and a third; `relu` is how the ReLU is called."""

    def __init__(self, relu) -> None:
        super().__init__(("Effusion", "Mass"), (SIDE, SIDE))
        generator = torch.Generator().manual_seed(0)
        self.w = [
            nn.Parameter(torch.randn(size, generator=generator).double())
            for size in ((10, 3 * SIDE * SIDE), (7, 10), (2, 7))
        ]
        self.relu = relu
        self.shared = nn.ReLU(inplace=True)

    @property
    def blocks(self):
        return [self]

    def start_at(self, prevalence):
        pass

    def forward(self, images, metadata=None):
        hidden = images.flatten(1)
        for w in self.w[:2]:
            hidden = self.relu(self, hidden @ w.T)
        return hidden @ self.w[2].T


RELUS = {
    "function": lambda _, x: functional.relu(x),
    "function in place": lambda _, x: functional.relu(x, inplace=True),
    "function_": lambda _, x: functional.relu_(x),
    "torch": lambda _, x: torch.relu(x),
    "torch_": lambda _, x: torch.relu_(x),
    "method": lambda _, x: x.relu(),
    "method_": lambda _, x: x.relu_(),
    "module": lambda _, x: nn.ReLU()(x),
    "one module, shared and in place": lambda network, x: network.shared(x),
}
CLIPPED = {
    "relu6": lambda _, x: functional.relu6(x),
    "module": lambda _, x: nn.ReLU6(inplace=True)(x),
    "hardtanh": lambda _, x: functional.hardtanh(x, 0.0, 6.0),
    "hardtanh by name": lambda _, x: functional.hardtanh(x, min_val=0.0, max_val=6.0),
}


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(3, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1)).double()


def _by_hand(network: _Network, images: torch.Tensor, ceiling: float, guided: bool = True) -> torch.Tensor:
    w1, w2, w3 = (w.detach() for w in network.w)
    z1 = images.flatten(1) @ w1.T
    z2 = z1.clamp(0, ceiling) @ w2.T
    maps = []
    for finding in range(2):
        g = w3[finding].expand(len(images), -1)
        for z, w in ((z2, w2), (z1, w1)):
            g = (g.clamp(min=0) if guided else g) * ((z > 0) & (z < ceiling)) @ w
        maps.append(g.reshape(images.shape).abs().amax(dim=1))
    return torch.stack(maps, dim=1)


@pytest.mark.parametrize("called", RELUS)
def test_however_a_relu_is_called(called, images) -> None:
    network = _Network(RELUS[called]).eval()
    ours = guided_backprop(capture(network, images), EVERY)
    torch.testing.assert_close(ours, _by_hand(network, images, torch.inf))
    assert not torch.allclose(ours, _by_hand(network, images, torch.inf, guided=False))


@pytest.mark.parametrize("called", CLIPPED)
def test_a_clipped_relu(called, images) -> None:
    network = _Network(CLIPPED[called]).eval()
    ours = guided_backprop(capture(network, 3 * images), EVERY)
    torch.testing.assert_close(ours, _by_hand(network, 3 * images, 6.0))


def test_plain_gradients_are_plain_again_afterwards(images) -> None:
    network = _Network(RELUS["module"]).eval()
    heatmaps(network, images, method="guided_backprop")
    made = torch.from_numpy(heatmaps(network, images, method="gradient"))
    torch.testing.assert_close(made, _by_hand(network, images, torch.inf, guided=False).float())


def test_a_network_without_a_relu_is_refused(images) -> None:
    for other in (functional.silu, functional.gelu, functional.hardtanh):
        network = _Network(lambda _, x, other=other: other(x)).eval()
        with pytest.raises(TypeError, match="_Network ran through no ReLU"):
            heatmaps(network, images, method="guided_backprop")


def test_guided_grad_cam_is_the_product(model, images, metadata) -> None:
    large = torch.randn(3, 3, 24, 24, generator=torch.Generator().manual_seed(2)).double()

    def maps(method: str) -> torch.Tensor:
        return torch.from_numpy(heatmaps(model, large, method=method, metadata=metadata))

    where = functional.interpolate(maps("gradcam").relu(), (24, 24), mode="bilinear", align_corners=False)
    assert (where == 0).any()
    torch.testing.assert_close(maps("guided_gradcam"), maps("guided_backprop") * where)
