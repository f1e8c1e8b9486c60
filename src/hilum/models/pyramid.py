"""A backbone whose coarse maps meet its finer ones, step by step: what merged maps and PYLON share."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence

from jaxtyping import Float
from torch import Tensor, nn

from hilum.models.shape import shape_after

N_MERGES = 3

Level = tuple[int, int]
"""Place of a block, and the channels of its map."""


class Pyramid(nn.Sequential):
    """Blocks of a backbone in their order, then the merges from the coarsest to the finest map.

    Args:
        blocks: From stem to end.
        levels: Blocks whose maps are merged, finest first.
        merges: Modules of a coarse and a fine map, coarsest first, one fewer than levels.
    """

    def __init__(self, blocks: nn.Sequential, levels: Sequence[Level], merges: Sequence[nn.Module]) -> None:
        super().__init__(OrderedDict(blocks.named_children()))
        self._n_blocks = len(blocks)
        self._places = [place for place, _ in levels]
        for number, merge in enumerate(merges):
            self.add_module(f"merge{len(merges) - number}", merge)

    def forward(self, input: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d u v"]:  # noqa: A002 - torch's name
        """The finest of the merged maps."""
        return self.with_levels(input)[0]

    def with_levels(self, images: Float[Tensor, "n 3 h w"]) -> tuple[Float[Tensor, "n d u v"], list[Tensor]]:
        """The finest of the merged maps, and the map of every block."""
        parts = list(self)
        maps = _maps(parts[: self._n_blocks], images)
        merged = maps[self._places[-1]]
        for merge, place in zip(parts[self._n_blocks :], reversed(self._places[:-1]), strict=True):
            merged = merge(merged, maps[place])
        return merged, maps


def last_and_levels(
    backbone: nn.Sequential, images: Float[Tensor, "n 3 h w"]
) -> tuple[Float[Tensor, "n d u v"], list[Tensor]]:
    """The last map of a backbone, merged or not, and the map of every block."""
    if isinstance(backbone, Pyramid):
        return backbone.with_levels(images)
    maps = _maps(backbone, images)
    return maps[-1], maps


def _maps(blocks: Iterable[nn.Module], images: Tensor) -> list[Tensor]:
    maps: list[Tensor] = []
    for block in blocks:
        maps.append(block(maps[-1] if maps else images))
    return maps


def levels_of(blocks: nn.Sequential) -> list[Level]:
    """The last four map sizes of a backbone, finest first; of blocks with maps of one size the last one.

    Raises:
        ValueError: The backbone has maps of fewer than four sizes.
    """
    last: dict[int, Level] = {}
    shape = (1, 3, 64, 64)
    for place, block in enumerate(blocks):
        shape = shape_after(block, shape)
        last[shape[-1]] = (place, shape[1])
    if len(last) <= N_MERGES:
        raise ValueError(
            f"a backbone with maps of {len(last)} sizes cannot be merged; {N_MERGES + 1} are needed"
        )
    return [last[size] for size in sorted(last, reverse=True)][-(N_MERGES + 1) :]
