"""ResNet-38-large: a ResNet-50 of 12 bottleneck blocks, with one more pooling for films of 448 px."""

from typing import Any, Literal

from timm.models.resnet import Bottleneck, ResNet
from torch import nn

from hilum.lookup import whole

N_BLOCKS = 12
"""38 layers: the first convolution, three in each block, and the linear layer."""


def resnet38(
    pool2: Literal["group", "block", "none"] = "group",
    conv2: float = 2.0,
    conv3: float = 3.0,
    conv4: float = 5.0,
    conv5: float = 2.0,
) -> Any:
    """A ResNet of timm with four groups of that many blocks, its weights started as by He et al. 2015.

    The source gives neither the blocks of the groups nor the exact place of the pooling; (3, 3, 3, 3) also
    makes 38 layers.

    Source: Baltruschat et al., Scientific Reports 2019 (doi:10.1038/s41598-019-42294-8), as
    Gascoigne-Burns and Katsigiannis 2021 describe it.

    Args:
        pool2: Where the further 3 x 3 maximum of stride 2 stands: after the first group, after its first
            block, or nowhere.
        conv2: Blocks of the first group.
        conv3: Of the second.
        conv4: Of the third.
        conv5: Of the fourth.

    Raises:
        ValueError: The blocks are not 12.
    """
    layers = [whole(number, "blocks of a group") for number in (conv2, conv3, conv4, conv5)]
    if sum(layers) != N_BLOCKS:
        raise ValueError(f"resnet38 of {'+'.join(map(str, layers))} blocks; {N_BLOCKS} make 38 layers")
    block: Any = Bottleneck  # timm annotates an instance where it takes the class
    network: Any = ResNet(block, tuple(layers), num_classes=0)
    pool = nn.MaxPool2d(3, stride=2, padding=1)
    if pool2 == "group":
        network.layer1 = nn.Sequential(*network.layer1, pool)
    elif pool2 == "block":
        first, *others = network.layer1
        network.layer1 = nn.Sequential(first, pool, *others)
    return network
