"""Findings lie where they lie in life, are as large as in ChestX-ray14, and change the film they are on."""

import numpy as np
import pytest
from tests.data.phantom.conftest import healthy

from hilum.data.phantom.film import LESIONS

MEDIAN_AREA = {
    "Nodule": 0.0046,
    "Mass": 0.0148,
    "Atelectasis": 0.0188,
    "Pneumothorax": 0.0358,
    "Effusion": 0.0557,
    "Infiltration": 0.0566,
    "Pneumonia": 0.0572,
    "Cardiomegaly": 0.1709,
}
"""Median area of the reference boxes of ChestX-ray14, as a share of the film."""

IN_THE_LUNGS = ("Nodule", "Mass", "Atelectasis", "Infiltration", "Pneumonia", "Consolidation", "Fibrosis")


def _box_area(mask: np.ndarray) -> float:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return (np.ptp(rows) + 1) * (np.ptp(columns) + 1) / mask.size if len(rows) else 0.0


@pytest.mark.parametrize(("name", "expected"), MEDIAN_AREA.items())
def test_median_box_areas_are_those_of_chestxray14(lesion_masks, name: str, expected: float) -> None:
    areas = [_box_area(mask) for masks in lesion_masks[name] for mask in masks]
    assert np.median(areas) == pytest.approx(expected, rel=0.3)


@pytest.mark.parametrize("name", IN_THE_LUNGS)
def test_lesions_of_the_lung_lie_in_a_lung(lesion_masks, name: str) -> None:
    shares = []
    for patient, masks in enumerate(lesion_masks[name]):
        scene = healthy(patient)
        lungs = scene.lungs[0] + scene.lungs[1] > 0.5
        shares += [lungs[mask].mean() for mask in masks if mask.any()]
    assert np.mean(shares) > 0.93
    assert np.quantile(shares, 0.1) > 0.7


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("Pneumothorax", -0.1, 0.5), ("Effusion", 0.6, 1.15), ("Edema", 0.2, 0.85), ("Hernia", 0.65, 1.2)],
)
def test_height_in_the_chest_is_typical(lesion_masks, name: str, low: float, high: float) -> None:
    heights = [
        healthy(patient).v[mask].mean()
        for patient, masks in enumerate(lesion_masks[name])
        for mask in masks
        if mask.any()
    ]
    assert low < np.median(heights) < high
    assert np.mean([(low - 0.2 < height < high + 0.2) for height in heights]) > 0.9


@pytest.mark.parametrize("name", LESIONS)
def test_every_finding_has_a_mask_on_nearly_every_chest_and_changes_the_layers(lesion_masks, name) -> None:
    assert np.mean([any(mask.any() for mask in masks) for masks in lesion_masks[name]]) > 0.95
    if name == "Cardiomegaly":
        return  # the anatomy widens the heart before anything is drawn
    for patient in range(5):
        scene, untouched = healthy(patient), healthy(patient)
        LESIONS[name](scene, np.random.default_rng(patient))
        change = np.abs(scene.air - untouched.air) + np.abs(scene.tissue - untouched.tissue)
        change += np.abs(scene.vessels - untouched.vessels)
        assert change.sum() > 1


def test_the_same_chance_draws_the_same_lesion() -> None:
    for paint in LESIONS.values():
        first, again = (paint(healthy(2), np.random.default_rng(9)) for _ in range(2))
        assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
