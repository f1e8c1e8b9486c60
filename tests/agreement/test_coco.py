"""Overlaps and localisation accuracy beside pycocotools, where one box stands against one reference."""

import contextlib
import io

import numpy as np
from pycocotools import mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from hilum.boxes import BoxTable
from hilum.evaluate.localization import best_overlaps, statistics
from hilum.evaluate.metric import T_IOU

N_FILMS, N_FINDINGS = 60, 3


def _tables(seed: int) -> tuple[BoxTable, BoxTable]:
    """On each film a reference of each finding, and a prediction near most of them."""
    rng = np.random.default_rng(seed)
    image, finding = (axis.ravel() for axis in np.indices((N_FILMS, N_FINDINGS)))
    low = rng.uniform(50, 600, (len(image), 2))
    xyxy = np.concatenate([low, low + rng.uniform(40, 300, (len(image), 2))], axis=1)
    moved = xyxy + rng.normal(0, 40, xyxy.shape)
    moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 1)
    there = rng.random(len(image)) < 0.9
    nothing = np.full(len(image), np.nan)
    reference = BoxTable(image, finding, xyxy, nothing)
    return reference, BoxTable(image, finding, moved, rng.random(len(image))).rows(np.flatnonzero(there))


def _xywh(xyxy: np.ndarray) -> np.ndarray:
    return np.concatenate([xyxy[:, :2], xyxy[:, 2:] - xyxy[:, :2]], axis=1)


def _notes(table: BoxTable) -> list[dict]:
    boxes = _xywh(table.xyxy).tolist()
    rows = zip(table.image.tolist(), table.finding.tolist(), boxes, table.score.tolist(), strict=True)
    return [
        {
            "id": number + 1,
            "image_id": image,
            "category_id": finding,
            "bbox": box,
            "area": box[2] * box[3],
            "iscrowd": 0,
            "score": score,
        }
        for number, (image, finding, box, score) in enumerate(rows)
    ]


def test_overlaps() -> None:
    reference, predicted = _tables(0)
    iou, _ = best_overlaps(reference, predicted)
    place = predicted.image * N_FINDINGS + predicted.finding
    theirs = np.zeros(len(reference))
    for box, row in zip(_xywh(predicted.xyxy), place, strict=True):
        theirs[row] = mask.iou(box[None], _xywh(reference.xyxy)[row][None], [0])[0, 0]
    assert (theirs > 0).sum() > 100
    np.testing.assert_allclose(iou, theirs, atol=1e-12)


def test_accuracy_at_t_is_the_recall_of_one_box_a_film() -> None:
    reference, predicted = _tables(1)
    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it does
        truth = COCO()
        truth.dataset = {
            "images": [{"id": film} for film in range(N_FILMS)],
            "categories": [{"id": finding} for finding in range(N_FINDINGS)],
            "annotations": _notes(reference),
        }
        truth.createIndex()
        found = COCO()
        found.dataset = truth.dataset | {"annotations": _notes(predicted)}
        found.createIndex()
        peer = COCOeval(truth, found, "bbox")
        peer.params.iouThrs, peer.params.maxDets = np.array(T_IOU), [1]
        peer.params.areaRng, peer.params.areaRngLbl = [[0, 1e10]], ["all"]
        peer.evaluate()
        peer.accumulate()
    theirs = peer.eval["recall"][:, :, 0, 0]
    values = statistics(*best_overlaps(reference, predicted))[:, : len(T_IOU)]
    ours = np.stack([values[reference.finding == finding].mean(axis=0) for finding in range(N_FINDINGS)])
    assert 0.05 < theirs.mean() < 0.95
    np.testing.assert_allclose(ours.T, theirs, atol=1e-12)
