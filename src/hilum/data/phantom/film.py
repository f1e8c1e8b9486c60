"""Seed, patient, film number and size -> one phantom film with everything that is true of it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from hilum.data.phantom import lesions
from hilum.data.phantom.anatomy import Changes, anatomy_of
from hilum.data.phantom.canvas import FRAME_PX, filled, generator
from hilum.data.phantom.occurrence import findings_of
from hilum.data.phantom.patient import Patient, film_of, patient_of
from hilum.data.phantom.scene import Scene, developed, opened
from hilum.data.phantom.things import stamped, things
from hilum.findings import CHESTXRAY14

REGIONS = ("lungs", "heart", "hila", "clavicles")
"""What bit k of a region file marks."""

LESIONS: dict[str, Callable[[Scene, np.random.Generator], list[np.ndarray]]] = {
    "Cardiomegaly": lesions.cardiomegaly,
    "Emphysema": lesions.emphysema,
    "Edema": lesions.edema,
    "Fibrosis": lesions.fibrosis,
    "Infiltration": lesions.infiltration,
    "Pneumonia": lesions.pneumonia,
    "Consolidation": lesions.consolidation,
    "Mass": lesions.mass,
    "Nodule": lesions.nodule,
    "Atelectasis": lesions.atelectasis,
    "Pleural_Thickening": lesions.pleural_thickening,
    "Pneumothorax": lesions.pneumothorax,
    "Effusion": lesions.effusion,
    "Hernia": lesions.hernia,
}
"""How each finding is drawn, in the order of drawing."""

_WHICH, _CHANGE, _THINGS, _GRAIN, _MARKER, _LESION = 2, 3, 4, 5, 6, 16


@dataclass(frozen=True)
class Phantom:
    """One drawn film.

    Attributes:
        image: Grey values, bright = dense.
        masks: Pixels of each finding, in the order of the label set.
        regions: Pixels of lungs (without heart and mediastinum), heart, hila and clavicles.
        labels: 1 present, 0 absent.
        findings: Finding of each box.
        boxes: Tight hull of each lesion, in pixels of the 1024 frame.
        view: "PA" or "AP".
        age: Years.
        sex: "F" or "M".
    """

    image: UInt8[np.ndarray, "h h"]
    masks: Bool[np.ndarray, "f h h"]
    regions: Bool[np.ndarray, "4 h h"]
    labels: Int[np.ndarray, " f"]
    findings: Int[np.ndarray, " k"]
    boxes: Float[np.ndarray, "k 4"]
    view: str
    age: int
    sex: str


def draw(seed: int, patient: int, film: int, size: int) -> Phantom:
    """One film of one patient; the same arguments give the same film, whatever was drawn before.

    Args:
        seed: 0 or more; another seed is another population.
        patient: From 0.
        film: From 0; films of a patient share the anatomy.
        size: Height and width in pixels, 64 to 1024.

    Raises:
        ValueError: The size is outside 64 to 1024, or a number is negative.
    """
    if not 64 <= size <= FRAME_PX:
        raise ValueError(f"a phantom of {size} px cannot be drawn; choose 64 to {FRAME_PX}")
    if min(seed, patient, film) < 0:
        raise ValueError(f"seed, patient and film are counted from 0, not {(seed, patient, film)}")
    person, exposure = patient_of(seed, patient), film_of(seed, patient, film)
    present = findings_of(person, exposure, generator(seed, patient, film, _WHICH))
    names = {CHESTXRAY14[k] for k in present}
    changes = _changes(person, names, generator(seed, patient, film, _CHANGE))
    scene = opened(anatomy_of(person, exposure, changes), exposure, size)
    visible = (scene.lungs[0] + scene.lungs[1] > 0.5) & (scene.air > 0.35)
    found: list[tuple[int, np.ndarray]] = []
    for name, paint in LESIONS.items():
        if name in names:
            number = CHESTXRAY14.index(name)
            chance = generator(seed, patient, film, _LESION + number)
            found += [(number, _at_least_a_pixel(mask)) for mask in paint(scene, chance)]
    on_top = things(scene, person, exposure, generator(seed, patient, film, _THINGS))
    image = developed(scene, person, exposure, on_top, generator(seed, patient, film, _GRAIN))
    image = stamped(image, generator(seed, patient, film, _MARKER))
    masks = np.zeros((len(CHESTXRAY14), size, size), bool)
    for number, mask in found:
        masks[number] |= mask
    labels = np.zeros(len(CHESTXRAY14), np.int64)
    labels[list(present)] = 1
    return Phantom(
        image=image,
        masks=masks,
        regions=_regions(scene, visible),
        labels=labels,
        findings=np.array([number for number, _ in found], np.int64),
        boxes=np.array([_hull(mask) for _, mask in found]).reshape(-1, 4),
        view=exposure.view,
        age=exposure.age,
        sex=person.sex,
    )


def _changes(person: Patient, names: set[str], chance: np.random.Generator) -> Changes:
    """What the findings do to the anatomy before anything is drawn."""
    heart = chance.uniform(1.23, 1.48) / person.heart if "Cardiomegaly" in names else 1.0
    raised = chance.uniform(0.0, 0.05, 2) if "Atelectasis" in names else np.zeros(2)
    flat = float(chance.uniform(0.3, 0.85)) if "Emphysema" in names else 0.0
    return Changes(heart=float(heart), raised=(float(raised[0]), float(raised[1])), flat=flat)


def _regions(scene: Scene, visible: np.ndarray) -> Bool[np.ndarray, "4 h h"]:
    size, anatomy = scene.size, scene.anatomy
    hila = filled(anatomy.hila[0], size) + filled(anatomy.hila[1], size) > 0.5
    clavicles = sum(filled(outline, size) for outline in anatomy.clavicle_outlines) > 0.5
    return np.stack([visible, scene.heart > 0.5, hila, clavicles])


def _at_least_a_pixel(mask: np.ndarray) -> np.ndarray:
    """A lesion that others or the frame's edge left nothing of still has a place: the middle of the film."""
    if not mask.any():
        mask = mask.copy()
        mask[len(mask) // 2, len(mask) // 2] = True
    return mask


def _hull(mask: np.ndarray) -> tuple[float, float, float, float]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    unit = FRAME_PX / len(mask)
    return columns[0] * unit, rows[0] * unit, (columns[-1] + 1) * unit, (rows[-1] + 1) * unit
