"""What else is on a film: marker, leads, tubes, nipples, folds; none of it goes with a finding."""

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from hilum.data.phantom.canvas import FRAME_PX, curve, drawn, rods
from hilum.data.phantom.patient import Film, Patient
from hilum.data.phantom.scene import Scene


def things(
    scene: Scene, person: Patient, film: Film, chance: np.random.Generator
) -> Float32[np.ndarray, "h h"]:
    """Density of what lies on or in the patient."""
    layer = np.zeros_like(scene.air)
    bedside = film.view == "AP"
    wires = []
    if chance.random() < (0.6 if bedside else 0.08):
        wires += _leads(scene, chance)
    if chance.random() < (0.35 if bedside else 0.06):
        wires.append(_line(scene, chance))
    if chance.random() < (0.25 if bedside else 0.02):
        wires.append(_tube(scene))
    if wires:
        layer += 0.17 * drawn(np.concatenate(wires), scene.size, 0.0)
    if chance.random() < 0.3:
        layer += _nipples(scene, person, chance)
    if chance.random() < (0.35 if bedside else 0.12):
        layer += _fold(scene, chance)
    return layer


def _leads(scene: Scene, chance: np.random.Generator) -> list[np.ndarray]:
    """Electrodes with their wires."""
    found = []
    for _ in range(int(chance.integers(2, 5))):
        start = scene.anatomy.place(chance.uniform([[-0.85, 0.0]], [[0.85, 0.85]]), 1.0)
        outer = start + chance.uniform([[-350, 120]], [[350, 520]])
        bend = 0.5 * (start + outer) + chance.normal(0, 60, (1, 2))
        found.append(
            rods(curve(np.concatenate([start, bend, outer]), 8, closed=False), (2.2, 2.2), (0.8, 0.8))
        )
        found.append(rods(np.concatenate([start, start + np.array([0.5, 0.0])]), (9.0, 9.0), (1.1, 1.1)))
    return found


def _line(scene: Scene, chance: np.random.Generator) -> np.ndarray:
    """A central venous line from the right neck or the left shoulder into the superior vena cava."""
    if chance.random() < 0.5:
        points = [[-0.22, -0.4], [-0.17, 0.0], [-0.12, 0.2], [-0.12, 0.38]]
    else:
        points = [[0.9, -0.02], [0.5, 0.08], [0.12, 0.13], [-0.08, 0.2], [-0.11, 0.38]]
    return rods(curve(scene.anatomy.place(np.array(points), 0.5), 8, closed=False), (2.6, 2.6), (0.6, 0.6))


def _tube(scene: Scene) -> np.ndarray:
    """A breathing tube that ends above the carina."""
    return rods(
        scene.anatomy.place(np.array([[0.0, -0.6], [0.0, 0.0], [0.012, 0.22]]), 0.4), (4.5, 4.5), (0.5, 0.5)
    )


def _nipples(scene: Scene, person: Patient, chance: np.random.Generator) -> Float32[np.ndarray, "h h"]:
    """Two faint rings at one height: the classical false nodules."""
    layer = np.zeros_like(scene.air)
    height = 0.74 if person.sex == "M" else person.breast[1] + 0.06
    for side in (-1, 1):
        (cx, cy), radius = (
            scene.anatomy.place(np.array([[side * 0.6, height]]), 1.0)[0],
            chance.uniform(14, 20),
        )
        dx, dy = scene.x - np.float32(cx), scene.y - np.float32(cy)
        far2 = (dx * dx + dy * dy) * np.float32(radius**-2)
        layer += np.float32(0.07) * np.exp(-np.minimum(far2 * far2, 30))
    return layer


def _fold(scene: Scene, chance: np.random.Generator) -> Float32[np.ndarray, "h h"]:
    """A fold of skin: an edge across the lung that fades to one side, as a pneumothorax does not."""
    side = -1 if chance.random() < 0.5 else 1
    start = chance.uniform([0.35, 0.15], [0.9, 0.35])
    points = np.stack([start, start + chance.uniform([-0.1, 0.35], [0.15, 0.6])]) * [side, 1.0]
    (ax, ay), (bx, by) = scene.anatomy.place(points)
    length = np.hypot(bx - ax, by - ay)
    along = ((scene.x - ax) * (bx - ax) + (scene.y - ay) * (by - ay)) / length
    across = ((scene.x - ax) * (by - ay) - (scene.y - ay) * (bx - ax)) / length * side
    inside = np.clip(along / 40, 0, 1) * np.clip((length - along) / 40, 0, 1)
    edge = np.clip(0.5 + across / 5, 0, 1) * np.exp(-np.clip(across, 0, None) / 45)
    return (0.075 * edge * inside).astype(np.float32)


def stamped(picture: UInt8[np.ndarray, "h h"], chance: np.random.Generator) -> UInt8[np.ndarray, "h h"]:
    """The film with its lead letter and, sometimes, the dark edges of the collimator."""
    size = len(picture)
    scale = size / FRAME_PX
    left = chance.random() < 0.75
    x, y = (chance.uniform(880, 950) if left else chance.uniform(60, 130)), chance.uniform(50, 160)
    if chance.random() < 0.35:
        sides = [int(chance.uniform(0, 40) * scale) if chance.random() < 0.5 else 0 for _ in range(4)]
        top, bottom, west, east = sides
        picture[:top] = picture[size - bottom :] = picture[:, :west] = picture[:, size - east :] = 4
    cv2.putText(
        picture,
        "L" if left else "R",
        (int(x * scale), int(y * scale)),
        cv2.FONT_HERSHEY_SIMPLEX,
        2.0 * scale,
        int(chance.uniform(215, 250)),
        max(1, round(6 * scale)),
        cv2.LINE_AA,
    )
    return picture
