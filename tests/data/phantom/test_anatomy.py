"""Organs lie where they belong, and findings that change the anatomy change the right part of it."""

import numpy as np
import pytest

from hilum.data.phantom.anatomy import Anatomy, Changes, anatomy_of
from hilum.data.phantom.canvas import filled
from hilum.data.phantom.patient import film_of, patient_of

PATIENTS = range(30)


def _anatomy(patient: int, changes: Changes | None = None) -> Anatomy:
    return anatomy_of(patient_of(0, patient), film_of(0, patient, 0), changes or Changes())


def _area(outline: np.ndarray) -> float:
    return float(filled(outline, 256).sum())


@pytest.mark.parametrize("patient", PATIENTS)
def test_every_organ_is_on_its_side(patient: int) -> None:
    anatomy = _anatomy(patient)
    right, left = (outline.mean(axis=0) for outline in anatomy.lungs)
    assert right[0] < left[0]  # the patient's right is on the left of the film
    assert right[0] < anatomy.heart.mean(axis=0)[0] < left[0]
    midline = anatomy.place(np.array([[0.0, 0.5]]))[0, 0]
    assert anatomy.heart.mean(axis=0)[0] > midline
    assert anatomy.hila[0].mean(axis=0)[0] < midline < anatomy.hila[1].mean(axis=0)[0]
    assert all(outline.mean(axis=0)[1] < anatomy.hila[0].mean() for outline in anatomy.clavicle_outlines)


@pytest.mark.parametrize("patient", PATIENTS)
def test_lungs_take_the_share_of_the_film_that_they_take_in_life(patient: int) -> None:
    lungs = sum(_area(outline) for outline in _anatomy(patient).lungs) / 256**2
    assert 0.14 < lungs < 0.5


def test_a_large_heart_is_wider_and_nothing_else() -> None:
    usual, large = _anatomy(1), _anatomy(1, Changes(heart=1.4))
    assert np.ptp(large.heart[:, 0]) > 1.25 * np.ptp(usual.heart[:, 0])
    assert np.array_equal(large.lungs[0], usual.lungs[0])


def test_emphysema_lowers_the_domes_and_collapse_raises_its_own() -> None:
    usual, flat = _anatomy(1), _anatomy(1, Changes(flat=0.8))
    assert min(np.subtract(flat.domes, usual.domes)) > 0
    raised = _anatomy(1, Changes(raised=(0.05, 0.0)))
    assert raised.domes[0] < usual.domes[0]
    assert raised.domes[1] == usual.domes[1]


def test_no_patient_has_another_ones_heart() -> None:
    hearts = [filled(_anatomy(patient).heart, 64) for patient in PATIENTS]
    alike = [np.abs(hearts[i] - hearts[j]).sum() for i in PATIENTS for j in range(i)]
    assert min(alike) > 10  # pixels of 64 x 64
