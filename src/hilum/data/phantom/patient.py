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
        lucency: Factor of the air in the right and the left lung: a turned chest has one darker lung.
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
    lucency: tuple[float, float]
    noise: float
    tilt: tuple[float, float]


def _tree(chance: np.random.Generator, side: int) -> Float[np.ndarray, "r 8"]:
    """Branching vessels of one lung, from the hilum outwards, one generation after the other."""
    angle = np.linspace(-1.35, 1.5, 10) + chance.normal(0.0, 0.12, 10)
    middle = (0.44 if side == 0 else 0.41) + 0.045 * angle + chance.normal(0.0, 0.012, 10)
    end = np.stack([0.17 + 0.05 * chance.random(10), middle], axis=1)
    radius = chance.uniform(0.020, 0.030, 10) * np.where(angle > 0.2, 1.1, 0.8)
    found = []
    for order in range(5):
        n = len(angle)
        half_length = 0.5 * (0.15 - 0.02 * order) * chance.uniform(0.6, 1.4, n)[:, None]
        bent = angle + chance.normal(0.0, 0.25, n)
        # u runs over half the chest and v over its whole height: a unit of v is longer.
        knee = end + half_length * np.stack([1.5 * np.cos(angle), np.sin(angle)], axis=1)
        tip = knee + half_length * np.stack([1.5 * np.cos(bent), np.sin(bent)], axis=1)
        thin = radius * chance.uniform(0.66, 0.8, n)
        half = 0.5 * (radius + thin)
        found += [np.column_stack([end, knee, radius, half]), np.column_stack([knee, tip, half, thin])]
        spread = chance.uniform(0.25, 0.55, n)
        angle = np.concatenate([bent + spread, bent - spread])
        radius = np.concatenate([thin * chance.uniform(0.65, 0.9, n), thin * chance.uniform(0.75, 1.0, n)])
        end = np.concatenate([tip, tip])
    parts = np.concatenate(found)
    depth = np.clip(parts[:, 4:6] * 36, 0.10, 1.0)
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
    domes = chance.normal([0.84, 0.87], 0.025) - 0.06 * (chance.random(2) < 0.1)  # some stand high for life
    return Patient(
        sex="F" if female else "M",
        age=age,
        build=build,
        half_width=float(362 * size * chance.normal(1.0, 0.045)),
        height=float(655 * size * chance.normal(1.0, 0.05) * (1 - 0.07 * kyphosis)),
        heart=float(np.clip(chance.normal(0.98 + 0.04 * old, 0.08), 0.82, 1.14)),
        aorta=float(np.clip(0.2 + 0.7 * old + chance.normal(0.0, 0.12), 0.0, 1.0)),
        bone=float((1 - 0.35 * old * (1.2 if female else 0.9)) * chance.uniform(0.85, 1.1)),
        kyphosis=float(kyphosis),
        domes=(float(domes[0]), float(domes[1])),
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
    """How that film was taken; bedside films (AP) are flatter, shallower and less well centred."""
    person = patient_of(seed, patient)
    chance = generator(seed, patient, film, _HOW)
    bedside = chance.random() < 0.4
    loose = 1.4 if bedside else 1.0
    twist = float(loose * chance.normal(0.0, 0.4))
    lucency = 1 + chance.normal(0.0, 0.07) + 0.06 * twist * np.array([1, -1]) + chance.normal(0.0, 0.03, 2)
    return Film(
        view="AP" if bedside else "PA",
        age=min(person.age + film // 2, 95),
        inspiration=float(chance.normal(-1.0 if bedside else 0.0, 0.7)),
        scale=float((1.05 if bedside else 1.0) * np.clip(chance.normal(1.0, 0.06), 0.86, 1.16)),
        angle=float(loose * chance.normal(0.0, 0.03)),
        shift=(float(loose * chance.normal(0.0, 26)), float(loose * chance.normal(0.0, 28))),
        twist=twist,
        contrast=float((0.88 if bedside else 1.0) * chance.lognormal(0.0, 0.2)),
        brightness=float(chance.normal(0.0, 0.08)),
        gamma=float(chance.lognormal(0.0, 0.27)),
        lucency=(float(lucency[0]), float(lucency[1])),
        noise=float(chance.uniform(0.005, 0.014) * (1.2 if bedside else 1.0)),
        tilt=(float(chance.normal(0.0, 0.08)), float(chance.normal(0.0, 0.08))),
    )
