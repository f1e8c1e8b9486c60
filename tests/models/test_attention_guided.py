"""The crop lands where the map is hot; losses stay in their branch; the answers fit together."""

import pytest
import torch
from torch import nn

from hilum import models
from hilum.explain import class_maps, heatmaps
from hilum.models.attention_guided import LEAST_PX, AttentionGuided, crop_boxes, cropped, likeliest
from hilum.training.stepped import Seen

FINDINGS = ("Effusion", "Mass", "Nodule")
SIDE = 64


def _model(name: str = "attention_guided", **changes) -> AttentionGuided:
    torch.manual_seed(0)
    model = models.build(
        **{
            "name": name,
            "backbone": "resnet10t",
            "map_stride": 32,
            "metadata": True,
            "findings": FINDINGS,
            "input_hw": (SIDE, SIDE),
            "class_maps": class_maps,
            **changes,
        }
    )
    assert isinstance(model, AttentionGuided)
    return model


def _seen(n: int = 2) -> Seen:
    labels = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])[:n]
    return Seen(torch.randn(n, 3, SIDE, SIDE), labels, torch.full((n, 3), 0.5), torch.zeros(0, 6))


def test_the_box_is_around_the_largest_hot_region() -> None:
    """A hot square of cells 2 to 4 of 8, and a smaller hot cell that is left out."""
    maps = torch.zeros(1, 8, 8)
    maps[0, 2:5, 2:5] = 1.0
    maps[0, 7, 7] = 0.9
    ((x0, y0, x1, y1),) = crop_boxes(maps, (SIDE, SIDE), 0.7).tolist()
    assert (x0, y0) == pytest.approx((18, 18), abs=2)
    assert (x1, y1) == pytest.approx((38, 38), abs=2)


def test_a_small_region_grows_and_a_flat_map_gives_the_whole_film() -> None:
    maps = torch.zeros(2, 64, 64)
    maps[0, 0, 63] = 1.0  # in the corner, where the box has to move inwards
    small, whole = crop_boxes(maps, (SIDE, SIDE), 0.7).tolist()
    assert small == [SIDE - LEAST_PX, 0, SIDE, LEAST_PX]
    assert whole == [0, 0, SIDE, SIDE]


def test_a_crop_holds_the_pixels_of_its_box() -> None:
    images = torch.zeros(1, 3, SIDE, SIDE)
    images[0, :, 16:32, 40:48] = 1.0
    crop = cropped(images, torch.tensor([[40.0, 16.0, 48.0, 32.0]]), (32, 32))
    assert crop.shape == (1, 3, 32, 32)
    assert crop.mean().item() == pytest.approx(1.0, abs=0.1)
    whole = cropped(images, torch.tensor([[0.0, 0.0, SIDE, SIDE]]), (SIDE, SIDE))
    torch.testing.assert_close(whole, images)
    assert cropped(images[:0], torch.zeros(0, 4), (8, 8)).shape == (0, 3, 8, 8)


def test_the_likeliest_finding_is_a_true_one_where_there_is_one() -> None:
    logits = torch.tensor([[0.0, 2.0, 1.0], [0.0, 2.0, 1.0]])
    labels = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    assert likeliest(logits, labels).tolist() == [2, 1]
    assert likeliest(logits, None).tolist() == [1, 1]


@pytest.mark.parametrize("attention", ["max_abs", "sum", "gradcam", "gradcam++", "xgradcam"])
def test_every_source_of_a_crop_answers_thrice(attention: str) -> None:
    model, seen = _model(f"attention_guided({attention}, 0.7, linear)").eval(), _seen()
    answers = model.answers(seen.images, seen.metadata)
    assert {name: tuple(logits.shape) for name, logits in answers.items()} == {
        "global": (2, 3),
        "local": (2, 3),
        "fusion": (2, 3),
    }
    torch.testing.assert_close(model(seen.images, seen.metadata), answers["fusion"])
    torch.testing.assert_close(answers["global"], model.of_film(seen.images))


def test_the_fusion_of_two_resnets_has_the_stated_width() -> None:
    """2,048 + 2,048 + 3 of ResNet-50, in its own words 4,099."""
    model = _model(backbone="resnet50")
    assert model.fusion[0].in_features == 4099
    hidden = _model("attention_guided(max_abs, 0.7, hidden)")
    assert [type(layer) for layer in hidden.fusion] == [nn.Linear, nn.ReLU, nn.Dropout, nn.Linear]


def test_blocks_of_both_branches_open_side_by_side() -> None:
    model = _model(local_backbone="densenet121")
    assert len(model.blocks) == 6
    held = {id(weight) for block in model.blocks for weight in block.parameters()}
    assert held == {id(weight) for weight in model.parameters()}


def test_class_maps_are_of_the_global_branch_and_its_own_map_of_no_finding() -> None:
    model, seen = _model().eval(), _seen()
    theirs = heatmaps(model.of_film, seen.images)
    ours = heatmaps(model, seen.images, metadata=seen.metadata)
    assert ours.shape == theirs.shape
    assert abs(ours - theirs).max() == 0
    own = heatmaps(model, seen.images, method="own", metadata=seen.metadata)
    assert (own == own[:, :1]).all()


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        _model("attention_guided(max_abs, 1)")
    with pytest.raises(ValueError, match="pools no features"):
        _model(branch="wildcat")
    with pytest.raises(ValueError, match="has no branches"):
        models.build(
            name="average_pooling",
            backbone="resnet10t",
            map_stride=32,
            metadata=False,
            findings=FINDINGS,
            input_hw=(SIDE, SIDE),
            local_backbone="resnet18",
        )
    with pytest.raises(ValueError, match="pass metadata"):
        _model().eval()(torch.zeros(1, 3, SIDE, SIDE))
