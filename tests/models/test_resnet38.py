import pytest
import torch

from hilum.models import build
from hilum.models.backbones import backbone_from
from hilum.models.resnet38 import N_BLOCKS, resnet38


def test_a_film_of_448_px_ends_in_7_by_7() -> None:
    body, n_channels = backbone_from("resnet38")
    assert [name for name, _ in body.named_children()] == ["stem", "layer1", "layer2", "layer3", "layer4"]
    sizes = []
    made = torch.zeros(1, 3, 448, 448)
    with torch.inference_mode():
        for block in body.eval():
            made = block(made)
            sizes.append((made.shape[1], made.shape[2]))
    assert sizes == [(64, 112), (256, 56), (512, 28), (1024, 14), (2048, 7)]
    assert n_channels == 2048


@pytest.mark.parametrize(("pool2", "side"), [("group", 7), ("block", 7), ("none", 14)])
def test_where_the_pooling_stands(pool2, side) -> None:
    body, _ = backbone_from(f"resnet38({pool2})")
    pools = [type(part).__name__ for part in body[1]].count("MaxPool2d")
    assert pools == (pool2 != "none")
    assert [type(part).__name__ for part in body[1]][1 if pool2 == "block" else -1].startswith(
        "Bottleneck" if pool2 == "none" else "MaxPool"
    )
    with torch.inference_mode():
        assert body.eval()(torch.zeros(1, 3, 448, 448)).shape[2:] == (side, side)


def test_38_layers_have_weights() -> None:
    for blocks in ((2, 3, 5, 2), (3, 3, 3, 3)):
        network = resnet38("group", *map(float, blocks))
        wide = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
        of_shortcuts = [m for name, m in network.named_modules() if name.endswith("downsample.0")]
        assert len(wide) - len(of_shortcuts) + 1 == 38
    assert N_BLOCKS == 12


def test_metadata_make_2051_inputs() -> None:
    settings = {"backbone": "resnet38", "map_stride": 32, "metadata": True}
    findings = tuple(f"f{n}" for n in range(15))
    model = build(name="average_pooling", **settings, findings=findings, input_hw=(448, 448))
    assert (model.head.in_features, model.head.out_features) == (2051, 15)


WRONG = {
    "resnet38(group, 3, 4, 6, 3)": "resnet38 of 3\\+4\\+6\\+3 blocks; 12 make 38 layers",
    "resnet38(before)": "pool2 is one of group, block, none",
    "resnet38(group, 2.5)": "blocks of a group is 2.5",
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_refused(name) -> None:
    with pytest.raises(ValueError, match=WRONG[name]):
        backbone_from(name)
    with pytest.raises(ValueError, match="no other map stride"):
        backbone_from("resnet38", 16)
