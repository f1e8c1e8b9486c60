"""Seed, patient and film number -> who is filmed, and how the film was taken."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from hilum.data.phantom.canvas import generator

_WHO, _HOW = 0, 1


@dataclass(frozen=True)
class Patient:
    """What stays the same on all films of one person; lengths in pixels of the 1024 frame.

    Attributes:
        sex: "F" or "M".
        age: Years at the first film.
        build: Body habitus, 0 on average, 1 is one standard deviation heavier.
        half_width: From the midline to the inner chest wall.
        height: From the apex of the lung to the costophrenic angle.
        heart: Width of the heart relative to the usual one; 1 makes 0.42 of the thorax.
        aorta: Size of the aortic knob, 0 to 1.
        bone: How much lime the bones hold, 1 in the young.
        kyphosis: Bend of the upper spine, 0 to 1.
        domes: Height of the right and the left dome as fractions of the lung.
        breast: Size, height and distance from the midline of the breast shadows; size 0 in men.
        ribs: Distance, slope and phase of the ribs.
        shape: Small deviations that make outlines a person's own.
        trees: Vessels of the right and the left lung as rods; u from the midline out, v from the apex down.
    """

    sex: str
    age: int
    build: float
    half_width: float
    height: float
    heart: float
    aorta: float
    bone: float
    kyphosis: float
    domes: tuple[float, float]
    breast: tuple[float, float, float]
    ribs: tuple[float, float, float]
    shape: Float[np.ndarray, "40"]
    trees: tuple[Float[np.ndarray, "r 8"], Float[np.ndarray, "s 8"]]


@dataclass(frozen=True)
class Film:
    """How one film was taken.

    Attributes:
        view: "PA" or "AP".
        age: Years on that day.
        inspiration: 0 usual, 1 one standard deviation deeper.
        scale: Magnification.
        angle: Tilt in radians.
        shift: Right and down, in pixels of the 1024 frame.
        twist: Turn about the long axis; moves what lies in front sideways.
        contrast: Of the display curve.
        brightness: Added by the display curve.
        gamma: Of the display curve.
        noise: Standard deviation of the grain, as a fraction of the grey scale.
        tilt: Unevenness of the beam across and down the film.
    """

    view: str
    age: int
    inspiration: float
    scale: float
    angle: float
    shift: tuple[float, float]
    twist: float
    contrast: float
    brightness: float
    gamma: float
    noise: float
    tilt: tuple[float, float]


def _tree(chance: np.random.Generator, side: int) -> Float[np.ndarray, "r 8"]:
    """Branching vessels of one lung, from the hilum outwards."""
    hilum = np.array([0.20, 0.43 if side == 0 else 0.40])
    angles = np.linspace(-1.35, 1.45, 9) + chance.normal(0.0, 0.1, 9)
    growing = [(hilum, angle, 0.036 if angle > -0.3 else 0.028, 0) for angle in angles]
    found = []
    while growing:
        start, angle, radius, order = growing.pop()
        length = (0.15 - 0.022 * order) * chance.uniform(0.75, 1.3)
        bend = chance.normal(0.0, 0.16)
        # One lung is about half as wide (u to 1) as it is high (v to 1) is long: u is stretched.
        middle = start + 0.5 * length * np.array([1.5 * np.cos(angle), np.sin(angle)])
        end = middle + 0.5 * length * np.array([1.5 * np.cos(angle + bend), np.sin(angle + bend)])
        thin = radius * chance.uniform(0.70, 0.82)
        half = 0.5 * (radius + thin)
        found += [(*start, *middle, radius, half), (*middle, *end, half, thin)]
        if order < 4 and thin > 0.004:
            spread = chance.uniform(0.25, 0.55)
            growing += [(end, angle + bend + spread, thin * chance.uniform(0.65, 0.9), order + 1)]
            growing += [(end, angle + bend - spread, thin * chance.uniform(0.75, 1.0), order + 1)]
    parts = np.array(found)
    depth = np.clip(parts[:, 4:6] * 34, 0.16, 1.0)
    return np.concatenate([parts, depth], axis=1)


@lru_cache(maxsize=64)
def patient_of(seed: int, patient: int) -> Patient:
    """The person with this number."""
    chance = generator(seed, patient, 0, _WHO)
    female = chance.random() < 0.45
    age = int(np.clip(chance.normal(49.0, 17.0), 18, 90))
    build = float(np.clip(chance.normal(), -1.8, 2.2))
    old = float(np.clip((age - 35) / 50, 0.0, 1.0))
    kyphosis = old * chance.uniform(0.1, 1.0)
    size = 0.93 if female else 1.0
    return Patient(
        sex="F" if female else "M",
        age=age,
        build=build,
        half_width=float(345 * size * chance.normal(1.0, 0.045)),
        height=float(640 * size * chance.normal(1.0, 0.05) * (1 - 0.07 * kyphosis)),
        heart=float(np.clip(chance.normal(0.98 + 0.04 * old, 0.05), 0.86, 1.10)),
        aorta=float(np.clip(0.2 + 0.7 * old + chance.normal(0.0, 0.12), 0.0, 1.0)),
        bone=float((1 - 0.35 * old * (1.2 if female else 0.9)) * chance.uniform(0.85, 1.1)),
        kyphosis=float(kyphosis),
        domes=(float(chance.normal(0.80, 0.025)), float(chance.normal(0.845, 0.025))),
        breast=(
            float(np.clip(chance.normal(0.75 + 0.18 * build, 0.25), 0.25, 1.5)) if female else 0.0,
            float(chance.normal(0.80 + 0.05 * old, 0.05)),
            float(chance.normal(0.56, 0.05)),
        ),
        ribs=(
            float(chance.normal(0.1, 0.005)),
            float(chance.normal(0.17, 0.03)),
            float(chance.uniform(0, 0.1)),
        ),
        shape=chance.normal(0.0, 1.0, 40),
        trees=(_tree(chance, 0), _tree(chance, 1)),
    )


def film_of(seed: int, patient: int, film: int) -> Film:
    """How that film of that person was taken; bedside films (AP) are flatter, shallower and less well centred."""
    person = patient_of(seed, patient)
    chance = generator(seed, patient, film, _HOW)
    bedside = chance.random() < 0.4
    loose = 1.4 if bedside else 1.0
    return Film(
        view="AP" if bedside else "PA",
        age=min(person.age + film // 2, 95),
        inspiration=float(chance.normal(-1.0 if bedside else 0.0, 0.7)),
        scale=float((1.05 if bedside else 1.0) * chance.normal(1.0, 0.05)),
        angle=float(loose * chance.normal(0.0, 0.022)),
        shift=(float(loose * chance.normal(0.0, 18)), float(loose * chance.normal(0.0, 20))),
        twist=float(loose * chance.normal(0.0, 0.35)),
        contrast=float((0.88 if bedside else 1.0) * chance.lognormal(0.0, 0.16)),
        brightness=float(chance.normal(0.0, 0.07)),
        gamma=float(chance.lognormal(0.0, 0.2)),
        noise=float(chance.uniform(0.008, 0.022) * (1.2 if bedside else 1.0)),
        tilt=(float(chance.normal(0.0, 0.05)), float(chance.normal(0.0, 0.05))),
    )
