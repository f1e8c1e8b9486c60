"""timm networks up to their last feature map, as named blocks from stem to end."""

import difflib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import timm
from torch import Tensor, nn

from hilum.errors import WeightsError
from hilum.lookup import pick

TRANSITION_CHANNELS = 256


def _densenet(network: Any) -> OrderedDict[str, nn.Module]:
    part = dict(network.features.named_children())
    groups = {
        "stem": ("conv0", "norm0", "pool0"),
        "dense1": ("denseblock1",),
        "dense2": ("transition1", "denseblock2"),
        "dense3": ("transition2", "denseblock3"),
        "dense4": ("transition3", "denseblock4", "norm5"),  # timm's norm5 ends in its ReLU
    }
    return OrderedDict(
        (name, nn.Sequential(*(part[inner] for inner in inside))) for name, inside in groups.items()
    )


def _resnet(network: Any) -> OrderedDict[str, nn.Module]:
    stem = nn.Sequential(network.conv1, network.bn1, network.act1, network.maxpool)
    return OrderedDict(
        [("stem", stem), *((f"layer{i}", getattr(network, f"layer{i}")) for i in (1, 2, 3, 4))]
    )


def _efficientnet(network: Any) -> OrderedDict[str, nn.Module]:
    stages = [(f"stage{i}", stage) for i, stage in enumerate(network.blocks)]
    stem = nn.Sequential(network.conv_stem, network.bn1)
    return OrderedDict([("stem", stem), *stages, ("end", nn.Sequential(network.conv_head, network.bn2))])


FAMILIES: dict[str, Callable[[Any], OrderedDict[str, nn.Module]]] = {
    "densenet": _densenet,
    "efficientnet": _efficientnet,
    "resnet": _resnet,
    "resnext": _resnet,
}
"""How a timm network falls into blocks, by the letters its name starts with."""

_STRIDE_16_BLOCKS = {"efficientnet": 6, "resnet": 4, "resnext": 4}
"""Blocks up to stride 16, stem included."""


def backbone_from(
    name: str, map_stride: int = 32, state: Mapping[str, Tensor] | None = None
) -> tuple[nn.Sequential, int]:
    """A timm network without its classifier, and the number of channels of its last map.

    Args:
        name: timm's name, with or without a weights tag: "densenet121.tv_in1k".
        map_stride: Input pixels per pixel of the last map. With 16 the deepest blocks are left out
            and a 1 x 1 convolution with batch norm and ReLU closes the network, for finer maps.
        state: timm's state of the whole network to start from; the classifier's part is ignored.

    Returns:
        Blocks from stem to end, and the channels of the last map.

    Raises:
        ValueError: timm has no such network, its family is not known here, or it has no such stride.
        WeightsError: The state is of another network.
    """
    architecture = name.partition(".")[0]
    known_to_timm = timm.list_models()
    if architecture not in known_to_timm:
        near = difflib.get_close_matches(architecture, known_to_timm, n=5)
        raise ValueError(f"timm has no network {name!r}; near: {', '.join(near) or 'none'}")
    family = next((known for known in FAMILIES if architecture.startswith(known)), architecture)
    split = pick(FAMILIES, family, "family of networks")
    network: Any = timm.create_model(architecture, num_classes=0)
    if state is not None:
        _fill(network, state, name)
    try:
        blocks = split(network)
    except (AttributeError, KeyError) as error:  # a cousin that only shares the name: resnetv2
        raise ValueError(f"{name} does not fall into the blocks of a {family}: no {error}") from error
    if map_stride == 32:
        return nn.Sequential(blocks), network.num_features
    if map_stride != 16 or family not in _STRIDE_16_BLOCKS:
        raise ValueError(f"{name} has no map of stride {map_stride}; 32, or 16 for {[*_STRIDE_16_BLOCKS]}")
    kept = OrderedDict(list(blocks.items())[: _STRIDE_16_BLOCKS[family]])
    kept["transition"] = nn.Sequential(
        nn.Conv2d(_out_channels(kept), TRANSITION_CHANNELS, 1, bias=False),
        nn.BatchNorm2d(TRANSITION_CHANNELS),
        nn.ReLU(inplace=True),
    )
    return nn.Sequential(kept), TRANSITION_CHANNELS


def _fill(network: nn.Module, state: Mapping[str, Tensor], name: str) -> None:
    own = network.state_dict()
    known = {key: tensor for key, tensor in state.items() if key in own}
    missing = [key for key in own if key not in known and not key.endswith("num_batches_tracked")]
    wrong = [key for key, tensor in known.items() if tensor.shape != own[key].shape]
    if missing or wrong:
        first = (missing or wrong)[0]
        raise WeightsError(
            f"not the weights of {name}: {len(missing + wrong)} tensors differ, first {first!r}"
        )
    network.load_state_dict(known, strict=False)


def _out_channels(blocks: OrderedDict[str, nn.Module]) -> int:
    """Channels after the last convolution of the last block."""
    convolutions = [part for part in blocks[next(reversed(blocks))].modules() if isinstance(part, nn.Conv2d)]
    return convolutions[-1].out_channels
