import pytest
import torch
from torch import nn

from hilum.models.backbones import backbone_from
from hilum.models.pyramid import N_MERGES, Pyramid, levels_of


class _Noted(nn.Module):
    """Keeps the sides that it was given, and answers with the finer map."""

    def __init__(self) -> None:
        super().__init__()
        self.met: tuple[int, int] | None = None

    def forward(self, coarse: torch.Tensor, fine: torch.Tensor) -> torch.Tensor:
        self.met = (coarse.shape[-1], fine.shape[-1])
        return fine


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("resnet50", [(1, 256), (2, 512), (3, 1024), (4, 2048)]),
        ("densenet121", [(1, 256), (2, 512), (3, 1024), (4, 1024)]),
        ("efficientnet_b4", [(2, 32), (3, 56), (5, 160), (8, 1792)]),
        ("vgg11", [(2, 256), (3, 512), (4, 512), (5, 512)]),
    ],
)
def test_levels_are_the_last_maps_of_the_last_four_sizes(name, expected) -> None:
    with torch.device("meta"):
        assert levels_of(backbone_from(name)[0]) == expected


def test_merges_meet_the_maps_from_coarse_to_fine() -> None:
    body, _ = backbone_from("resnet10t")
    merges = [_Noted() for _ in range(N_MERGES)]
    pyramid = Pyramid(body, levels_of(body), merges).eval()
    images = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        made = pyramid(images)
        assert torch.equal(made, body.eval()[:2](images))  # the finest level
    assert [merge.met for merge in merges] == [(2, 4), (4, 8), (8, 16)]
    names = [name for name, _ in pyramid.named_children()]
    assert names[-3:] == ["merge3", "merge2", "merge1"]


def test_too_few_sizes() -> None:
    with pytest.raises(ValueError, match="maps of 3 sizes cannot be merged; 4 are needed"):
        levels_of(nn.Sequential(*(nn.Conv2d(3, 3, 2, stride=2) for _ in range(3))))
