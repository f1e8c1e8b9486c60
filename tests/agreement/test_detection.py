"""Overlaps, average precisions and areas beside torchvision's and scikit-learn's; detection by hand."""

import numpy as np
import pytest
import torch
from sklearn.metrics import auc, average_precision_score, precision_recall_curve
from torchvision.ops import box_iou, masks_to_boxes

from hilum.boxes import BoxTable
from hilum.evaluate.detection import (
    FALSE_COLUMNS,
    curve_from,
    detected,
    detected_once,
    enveloped_precision,
    false_boxes,
)
from hilum.evaluate.pixelwise import map_auprc, union_masks
from hilum.localize import enlarged


def _boxes(n: int, rng: np.random.Generator) -> np.ndarray:
    low = rng.uniform(0, 800, (n, 2))
    return np.concatenate([low, low + rng.uniform(5, 220, (n, 2))], axis=1)


def _tables(seed: int) -> tuple[BoxTable, BoxTable]:
    """References and detections of forty films and three findings, some of them close to each other."""
    rng = np.random.default_rng(seed)
    reference = BoxTable(
        rng.integers(0, 40, 90), rng.integers(0, 3, 90), _boxes(90, rng), np.full(90, np.nan)
    )
    near = rng.integers(0, 90, 200)
    xyxy = np.concatenate([reference.xyxy[near] + rng.normal(0, 30, (200, 4)), _boxes(200, rng)])
    xyxy[:, 2:] = np.maximum(xyxy[:, 2:], xyxy[:, :2] + 1)
    image = np.concatenate([reference.image[near], rng.integers(0, 60, 200)])
    finding = np.concatenate([reference.finding[near], rng.integers(0, 3, 200)])
    return reference, BoxTable(image, finding, xyxy, rng.permutation(400) / 400)


@pytest.mark.parametrize("seed", [0, 1])
def test_false_boxes_and_hits_beside_torchvision(seed) -> None:
    reference, predicted = _tables(seed)
    iou = box_iou(torch.from_numpy(predicted.xyxy), torch.from_numpy(reference.xyxy)).numpy()
    same = (predicted.image[:, None] == reference.image) & (predicted.finding[:, None] == reference.finding)
    iou = np.where(same, iou, 0.0)
    false = false_boxes(reference, predicted)
    for column, (criterion, t) in enumerate(FALSE_COLUMNS):
        if criterion == "iou":
            np.testing.assert_array_equal(false[:, column], iou.max(axis=1) <= t)
    outcome = detected(reference, predicted, "iou(0.3)")
    np.testing.assert_array_equal(outcome.false, iou.max(axis=1) <= 0.3)
    best = np.where(iou > 0.3, predicted.score[:, None], -np.inf).max(axis=0)
    np.testing.assert_array_equal(outcome.found, best)


@pytest.mark.parametrize("decimals", [1, 3])
def test_step_precision_of_detections_beside_scikit_learn(decimals) -> None:
    """Where every reference is found and the envelope is laid by hand, the area is that of the ranking."""
    rng = np.random.default_rng(decimals)
    score = rng.random(300).round(decimals)
    true = rng.random(300) < 0.4
    low = np.stack([np.arange(300) * 20.0, np.zeros(300)], axis=1)
    boxes = np.concatenate([low, low + 10], axis=1)
    zeros = np.zeros(300, int)
    reference = BoxTable(zeros[true], zeros[true], boxes[true], np.full(true.sum(), np.nan))
    outcome = detected_once(reference, BoxTable(zeros, zeros, boxes, score))
    np.testing.assert_array_equal(outcome.false, ~true)
    one = np.zeros(300, int)
    curve = curve_from(outcome, score, one[true], one, 1)
    hits, false = curve.counts(np.ones((1, 1)))
    precision, recall, _ = precision_recall_curve(true, score)
    envelope = np.maximum.accumulate(precision)  # recall falls along scikit-learn's curve
    expected = -(np.diff(recall) * envelope[:-1]).sum()
    assert enveloped_precision(hits, false, np.array([float(true.sum())]))[0] == pytest.approx(
        expected, abs=1e-12
    )
    plain = average_precision_score(true, score)
    assert expected >= plain - 1e-12


@pytest.mark.parametrize(("side", "levels"), [(7, 0), (14, 0), (32, 0), (14, 5)])  # 5: few distinct values
def test_pixels_beside_scikit_learn(side, levels) -> None:
    rng = np.random.default_rng(side)
    maps = rng.normal(size=(6, side, side)).astype(np.float32)
    hw = (224, 224)
    if levels:
        maps = np.repeat(
            np.repeat(np.round(rng.random((6, 14, 14)) * levels), 16, axis=1), 16, axis=2
        ).astype(np.float32)
    row = np.array([0, 0, 1, 2, 3, 4, 5, 5])
    masks = union_masks(_boxes(8, rng), row, np.tile(np.eye(2, 3) * 1024 / 224, (6, 1, 1)), hw, hw)
    steps, lines = map_auprc(maps, masks), map_auprc(maps, masks, "trapezoid")
    for film in range(6):
        truth, values = masks[film].ravel(), enlarged(maps[film], hw).ravel()
        assert steps[film] == pytest.approx(average_precision_score(truth, values), abs=1e-12)
        precision, recall, _ = precision_recall_curve(truth, values)
        assert lines[film] == pytest.approx(auc(recall, precision), abs=1e-12)


def test_masks_of_whole_pixels_beside_torchvision() -> None:
    rng = np.random.default_rng(0)
    low = rng.integers(0, 200, (20, 2)).astype(float)
    boxes = np.concatenate([low, low + rng.integers(1, 20, (20, 2))], axis=1)
    masks = union_masks(boxes, np.arange(20), np.tile(np.eye(2, 3), (20, 1, 1)), (224, 224), (224, 224))
    theirs = masks_to_boxes(torch.from_numpy(masks)).numpy()
    np.testing.assert_array_equal(theirs + np.array([0, 0, 1, 1]), boxes)  # theirs name the last pixel


def test_average_false_positives_by_hand() -> None:
    """Wang's division: two false boxes of a finding with one entry, of three entries in all, are 2 / 3."""
    ten = np.array([0.0, 0.0, 10.0, 10.0])
    reference = BoxTable(
        np.array([0, 1, 1]), np.array([0, 1, 1]), np.stack([ten, ten, ten + 20]), np.full(3, np.nan)
    )
    predicted = BoxTable(
        np.array([0, 0, 1]), np.zeros(3, int), np.stack([ten, ten + 5, ten]), np.array([0.9, 0.8, 0.7])
    )
    false = false_boxes(reference, predicted)[:, FALSE_COLUMNS.index(("iou", 0.2))]
    assert false.tolist() == [False, True, True]  # 25 / 175 is no hit, and film 1 has no box of finding 0
    assert false.sum() / len(reference) == pytest.approx(2 / 3)
