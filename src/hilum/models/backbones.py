"""timm networks up to their last feature map, as named blocks from stem to end."""

import difflib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import timm
from torch import Tensor, nn

from hilum.errors import WeightsError
from hilum.lookup import call
from hilum.models.capsules import CapsuleStem
from hilum.models.resnet38 import resnet38

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


def _mobilenet(network: Any) -> OrderedDict[str, nn.Module]:
    stages = [(f"stage{i}", stage) for i, stage in enumerate(network.blocks)]
    return OrderedDict([("stem", nn.Sequential(network.conv_stem, network.bn1)), *stages])


def _vgg(network: Any) -> OrderedDict[str, nn.Module]:
    """Stages that begin with the pooling before them, and the last pooling alone."""
    stages = [[]]
    for layer in network.features:
        if isinstance(layer, nn.MaxPool2d):
            stages.append([])
        stages[-1].append(layer)
    return OrderedDict((f"stage{i}", nn.Sequential(*inside)) for i, inside in enumerate(stages))


def _convnext(network: Any) -> OrderedDict[str, nn.Module]:
    stages = [(f"stage{i}", stage) for i, stage in enumerate(network.stages)]
    # timm normalises after pooling; here each position is, so that what follows the map is linear
    return OrderedDict([("stem", network.stem), *stages, ("end", network.head.norm)])


class _Tokens(nn.Module):
    """A vision transformer up to its patch tokens, laid out as a map; other tokens are dropped at the end."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Patch tokens after the last norm."""
        if not len(images):  # timm lays out no empty batch
            return self(images.new_zeros(1, *images.shape[1:]))[:0]
        height, width = self.network.patch_embed.dynamic_feat_size(images.shape[2:])
        tokens = self.network.forward_features(images)[:, self.network.num_prefix_tokens :]
        return tokens.mT.unflatten(2, (height, width))


def _vit(network: Any) -> OrderedDict[str, nn.Module]:
    _ = network.num_prefix_tokens, network.patch_embed.dynamic_feat_size
    return OrderedDict([("transformer", _Tokens(network))])


class _LastMap(nn.Module):
    """Any timm network up to its last map, channels first."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """The features before pooling."""
        if not len(images):  # nor does it part one into windows
            return self(images.new_zeros(1, *images.shape[1:]))[:0]
        features = self.network.forward_features(images)
        return features if features.shape[1] == self.network.num_features else features.movedim(3, 1)


def _in_one_piece(network: Any) -> OrderedDict[str, nn.Module]:
    return OrderedDict([("network", _LastMap(network))])


OURS = "backbone."
"""What the names of a backbone's tensors begin with in a model of hilum; none of timm's do."""

_ONE_SIZE = ("deit", "vit_")
"""Networks that take one input size only, unless timm is told otherwise."""

FAMILIES: dict[str, Callable[[Any], OrderedDict[str, nn.Module]]] = {
    "convnext": _convnext,
    "deit": _vit,
    "densenet": _densenet,
    "efficientnet": _efficientnet,
    "mobilenetv3": _mobilenet,
    "resnet": _resnet,
    "resnext": _resnet,
    "vgg": _vgg,
    "vit_": _vit,
}
"""How a timm network falls into blocks, by the letters its name starts with; any other is one block."""

OWN: dict[str, tuple[Callable[..., Any], Callable[[Any], OrderedDict[str, nn.Module]]]] = {
    "capsule_stem": (CapsuleStem, lambda stem: OrderedDict(stem=stem)),
    "resnet38": (resnet38, _resnet),
}
"""Networks that timm does not have, by name, with their options, and how they fall into blocks."""

_STRIDE_16_BLOCKS = {"efficientnet": 6, "resnet": 4, "resnext": 4, "vgg": 5}
"""Blocks up to stride 16, stem included."""


def backbone_from(
    name: str, map_stride: int = 32, state: Mapping[str, Tensor] | None = None
) -> tuple[nn.Sequential, int]:
    """A timm network without its classifier, and the number of channels of its last map.

    Args:
        name: timm's name, with or without a weights tag: "densenet121.tv_in1k".
        map_stride: Input pixels per pixel of the last map, 32 also for networks that have another of
            their own. With 16 the deepest blocks are left out and a 1 x 1 convolution with batch norm and
            ReLU closes the network, for finer maps; of VGG only the last pooling is left out.
        state: timm's state of the whole network to start from, or that of a model of hilum on the same
            backbone with stride 32; the classifier's part is ignored.

    Returns:
        Blocks from stem to end, and the channels of the last map.

    Raises:
        ValueError: timm has no such network, or it has no such stride.
        WeightsError: The state is of another network.
    """
    architecture = name.partition(".")[0]
    own = architecture.partition("(")[0].strip()
    if own in OWN:
        network = call({each: made for each, (made, _) in OWN.items()}, name, "backbone")()
        if map_stride != 32 or state is not None:
            raise ValueError(
                f"{name} has no other map stride and no start weights; map_stride = 32, weights none"
            )
        return nn.Sequential(OWN[own][1](network)), network.num_features
    known_to_timm = timm.list_models()
    if architecture not in known_to_timm:
        near = difflib.get_close_matches(architecture, known_to_timm, n=5)
        raise ValueError(f"timm has no network {name!r}; near: {', '.join(near) or 'none'}")
    family = next((known for known in FAMILIES if architecture.startswith(known)), architecture)
    settings: dict[str, Any] = {"dynamic_img_size": True} if architecture.startswith(_ONE_SIZE) else {}
    network: Any = timm.create_model(architecture, num_classes=0, **settings)
    try:
        blocks = FAMILIES.get(family, _in_one_piece)(network)
    except (AttributeError, KeyError):  # a cousin that only shares the name: resnetv2
        family, blocks = architecture, _in_one_piece(network)
    if state is not None:
        ours = {key.removeprefix(OURS): each for key, each in state.items() if key.startswith(OURS)}
        _fill(nn.Sequential(blocks) if ours else network, ours or state, name)
    if map_stride == 32:
        return nn.Sequential(blocks), network.num_features
    if map_stride != 16 or family not in _STRIDE_16_BLOCKS:
        raise ValueError(f"{name} has no map of stride {map_stride}; 32, or 16 for {[*_STRIDE_16_BLOCKS]}")
    kept = OrderedDict(list(blocks.items())[: _STRIDE_16_BLOCKS[family]])
    if family == "vgg":
        return nn.Sequential(kept), network.num_features
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
