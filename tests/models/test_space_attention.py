import pytest
import torch
from torch import nn

from hilum.models.classifier import Body
from hilum.models.space_attention import SpaceAttention

FINDINGS = ("Effusion", "Mass")


def _model(context: str) -> SpaceAttention:
    torch.manual_seed(0)
    return SpaceAttention(Body(nn.Sequential(nn.Identity()), 3, FINDINGS, (8, 8)), context).eval()


@pytest.fixture
def activations() -> torch.Tensor:
    return torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def test_maps_cell_by_cell(activations) -> None:
    model = _model("global")
    w, b = model.head.weight[..., 0, 0], model.bias
    maps = model.own_maps(activations)
    assert maps.shape == (2, 2, 8, 8)
    for film in range(2):
        around = activations[film].mean(dim=(1, 2))
        for i, j in ((0, 0), (3, 7)):
            cell = torch.cat([around, activations[film, :, i, j]])
            torch.testing.assert_close(maps[film, :, i, j], w @ cell + b)
    torch.testing.assert_close(model(activations), maps.mean(dim=(2, 3)))


def test_the_context_moves_a_map_as_a_whole(activations) -> None:
    """So that, scaled to [0, 1], it is that of the convolution on the cells alone."""
    model = _model("global")
    alone = torch.einsum("nduv,fd->nfuv", activations, model.head.weight[:, 3:, 0, 0])
    difference = model.own_maps(activations) - alone
    torch.testing.assert_close(difference, difference.mean(dim=(2, 3), keepdim=True).expand_as(difference))


def test_windows_of_7_hold_over_quarters(activations) -> None:
    model = _model("pool7")
    with torch.no_grad():
        model.head.weight[:, 3:] = 0
    maps = model.own_maps(activations)
    for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
        window = activations[:, :, i : i + 7, j : j + 7].mean(dim=(2, 3))
        expected = window @ model.head.weight[:, :3, 0, 0].T + model.bias
        quarter = maps[:, :, 4 * i : 4 * i + 4, 4 * j : 4 * j + 4]
        torch.testing.assert_close(quarter, expected[..., None, None].expand_as(quarter))
