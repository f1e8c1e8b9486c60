import numpy as np
import pytest

from hilum.evaluate.pixelwise import map_auprc, union_masks
from hilum.localize import BoxRule, boxes_from
from hilum.report.steps import mask_and_component, pixel_chart, section_from, typical

RULES = [
    BoxRule(),
    BoxRule("level(128)", component="largest_box"),
    BoxRule("fraction(0.6)", component="all", connectivity=4),
    BoxRule("static_band(60,180)", component="hull", map_size="input"),
    BoxRule("otsu", min_area=0.02),
    BoxRule("two_level(60,180)"),
    BoxRule(signed=True),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@pytest.mark.parametrize("seed", range(3))
def test_the_component_that_is_shown_is_the_one_that_got_the_box(example, rule, seed):
    rng = np.random.default_rng(seed)
    made = example(heatmap=(rng.random((5, 5)) - 0.3).astype(np.float32))
    _, xyxy, _ = boxes_from(made.heatmap[None], made.affine[None], (32, 32), rule, made.frame_hw)
    mask, chosen = mask_and_component(made, rule)
    assert (mask | ~chosen).all()
    rows, columns = np.nonzero(chosen)
    scale = np.array([made.frame_hw[1], made.frame_hw[0]]) / np.array(mask.shape[::-1])
    found = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]) * np.tile(scale, 2)
    hull = np.concatenate([xyxy[:, :2].min(axis=0), xyxy[:, 2:].max(axis=0)])
    np.testing.assert_allclose(found, hull, atol=1e-6)


def test_a_flat_map_has_neither(example):
    mask, chosen = mask_and_component(example(heatmap=np.zeros((4, 4), np.float32)), BoxRule())
    assert not mask.any()
    assert not chosen.any()


def test_the_area_under_the_pixels_is_the_score(example):
    rng = np.random.default_rng(4)
    made = example(heatmap=rng.random((4, 4)).astype(np.float32))
    masks = union_masks(made.reference, np.zeros(1, int), made.affine[None], (32, 32), (32, 32))
    expected = map_auprc(made.heatmap[None], masks)[0]
    panel = pixel_chart(made).panels[0]
    assert panel.note == f"AUPRC {expected:.3f}, chance {masks.mean():.3f}"
    assert panel.lines[1].x[-1] == 1.0


@pytest.mark.parametrize(
    "changes",
    [
        {"heatmap": None},
        {"heatmap": np.full((4, 4), np.nan, np.float32)},
        {"reference": np.zeros((0, 4))},
        {"reference": np.array([[0.0, 0.0, 100.0, 200.0]])},
    ],
)
def test_no_curve_where_nothing_can_be_ranked(example, changes):
    assert pixel_chart(example(**changes)) is None


def test_the_typical_film_is_the_median_of_those_found(example):
    ious = [0.0, 0.05, 0.2, 0.3, 0.9, np.nan]
    examples = [example(iou=iou, name=str(iou)) for iou in ious]
    assert typical(examples).iou == 0.3
    assert typical(examples[:2]).iou == 0.0
    assert typical([example(heatmap=None), example(predicted=np.zeros((0, 4)))]) is None


def test_the_section_has_five_steps_and_says_when_there_are_none(example):
    made = section_from([example()], BoxRule("level(180)"))
    assert made.count('class="pair single"') == 6
    for words in ("1. film", "2. heatmap", "3. mask: level(180)", "4. component: largest", "5. box"):
        assert words in made
    assert "No film" in section_from([], BoxRule())
    assert "No film" in section_from([example()], None)
