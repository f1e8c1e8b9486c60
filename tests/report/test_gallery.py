import math
import re

import cv2
import numpy as np
import pytest

from hilum.localize.scale import unit_map
from hilum.report import gallery
from hilum.report.gallery import (
    chosen,
    gallery_from,
    heat_in_film,
    heat_on_film,
    in_film,
    jpeg,
    picture_of,
    shown,
)


@pytest.mark.parametrize(
    ("ious", "expected"),
    [
        ([0.2], {"the only film": 0.2}),
        ([0.2, 0.6], {"best": 0.6, "worst": 0.2}),
        ([0.2, 0.9, 0.4], {"best": 0.9, "median": 0.4, "worst": 0.2}),
        ([0.1, 0.2, 0.3, 0.4, 0.5], {"best": 0.5, "median": 0.3, "worst": 0.1}),
        ([math.nan, 0.0, 0.3], {"best": 0.3, "median": 0.0, "worst": math.nan}),
        ([], {}),
    ],
)
def test_best_median_and_worst(example, ious, expected):
    picked = chosen([example(iou=iou) for iou in ious])
    assert [place for place, _ in picked] == list(expected)
    np.testing.assert_equal([e.iou for _, e in picked], list(expected.values()))


def test_ties_do_not_depend_on_the_order(example):
    examples = [example(iou=0.5, name=name) for name in "cab"]
    names = [e.name for _, e in chosen(examples)]
    assert names == [e.name for _, e in chosen(examples[::-1])] == ["a", "b", "c"]


def test_the_map_lands_where_its_affine_says(example):
    # The network saw the lower right quarter of the frame only.
    quarter = np.array([[50 / 32, 0.0, 50.0], [0.0, 100 / 32, 100.0]])
    heat = np.ones((4, 4), np.float32)
    heat[0, 0] = 0.0
    landed = heat_in_film(example(heatmap=heat, affine=quarter), 64)
    assert landed.shape == (64, 64)
    assert landed[:31].max() == 0.0
    assert landed[:, :31].max() == 0.0
    assert landed[40:63, 48:63].min() > 0.99
    assert landed[33, 33] < 0.05


@pytest.mark.parametrize("side", [8, 32, 100])
def test_what_covers_the_input_lands_the_same_at_any_size(example, side):
    part = np.zeros((side, side), np.float32)
    part[: side // 2, side // 2 :] = 1.0
    landed = in_film(part, example(), 64)
    assert landed[4:28, 36:60].min() > 0.99
    assert landed[36:].max() == 0.0
    assert landed[:, :28].max() == 0.0


def test_the_map_is_enlarged_about_pixel_centres(example):
    heat = np.random.default_rng(0).random((32, 32)).astype(np.float32)
    heat[:4, :4], heat[-4:, -4:] = 0.0, 1.0  # so that lowest and highest value survive the enlarging
    landed = heat_in_film(example(heatmap=heat), 64)
    expected = unit_map(cv2.resize(heat, (64, 64), interpolation=cv2.INTER_LINEAR))
    np.testing.assert_allclose(landed[2:-2, 2:-2], expected[2:-2, 2:-2], atol=0.01)


@pytest.mark.parametrize("heat", [np.zeros((4, 4)), np.full((4, 4), -3.0), np.full((4, 4), np.nan)])
def test_a_map_without_peaks_leaves_the_film_bare(example, heat):
    made = example(heatmap=heat.astype(np.float32))
    np.testing.assert_array_equal(heat_on_film(made), np.full((64, 64, 3), 100))


def test_only_the_hot_corner_is_coloured(example):
    picture = heat_on_film(example()).astype(int)
    assert abs(picture[4, 60] - 100).max() > 50
    np.testing.assert_array_equal(picture[32:, :32], 100)


def test_negative_evidence_is_drawn_only_where_there_is_no_other(example):
    heat = np.full((4, 4), -4.0, np.float32)
    heat[0, 3] = -1.0
    assert heat_in_film(example(heatmap=heat), 64)[2, 62] > 0.99
    heat[2, 0] = 1.0
    assert heat_in_film(example(heatmap=heat), 64)[2, 62] == 0.0


def test_large_films_shrink_and_small_ones_stay():
    assert shown(np.zeros((1024, 1024), np.uint8)).shape == (gallery.SIDE_PX, gallery.SIDE_PX)
    assert shown(np.zeros((64, 64), np.uint8)).shape == (64, 64)


def test_jpeg_keeps_red_red():
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 255
    back = cv2.imdecode(np.frombuffer(jpeg(red), np.uint8), cv2.IMREAD_COLOR)
    assert back[8, 8].tolist()[2] > 240 > 20 > back[8, 8].tolist()[0]


def test_each_box_stands_in_the_frame_with_its_name(example):
    made = gallery_from([example()])
    assert 'viewBox="0 0 100 200"' in made
    assert re.findall(r'<rect x="60.0" y="0.0" width="40.0" height="40.0" class="(\w+)"', made) == [
        "casing",
        "predicted",
    ]
    assert re.findall(r'<rect x="50.0" y="10.0" width="40.0" height="40.0" class="(\w+)"', made) == [
        "casing",
        "reference",
    ]
    assert made.count(">predicted</text>") == made.count(">reference</text>") == 1
    assert "IoU 0.40" in made
    assert "probability 0.70" in made


def test_a_film_without_boxes_says_so(example):
    none = np.zeros((0, 4))
    made = gallery_from([example(predicted=none, reference=none, iou=math.nan)])
    assert "<rect" not in made
    assert "IoU undefined" in made


def test_pictures_beyond_the_budget_are_counted_not_shown(example, monkeypatch):
    examples = [example(finding=name) for name in ("Mass", "Nodule", "Edema")]
    weight = len(gallery_from(examples[:1])) * 3 // 4
    monkeypatch.setattr(gallery, "BUDGET_BYTES", weight + 1)
    made = gallery_from(examples)
    assert made.count("<figure") == 1
    assert "<h3>Nodule</h3>" not in made
    assert "2 more films are left out" in made


def test_no_film_no_picture():
    assert "<img" not in gallery_from([])
    assert "No film" in gallery_from([])


def test_a_film_without_a_map_is_shown_once_and_grey(example):
    bare = example(heatmap=None, predicted=np.zeros((0, 4)), reference=np.zeros((0, 4)))
    assert picture_of(bare, "words", "caption").count("<image") == 1
    np.testing.assert_array_equal(heat_on_film(bare), np.full((64, 64, 3), 100))
    assert picture_of(example(heatmap=None), "words", "caption").count("<image") == 2  # its boxes are there
