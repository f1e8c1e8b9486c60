"""Outlines -> layers of air, tissue and vessels, and from them the film."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from hilum.data.phantom.anatomy import Anatomy
from hilum.data.phantom.canvas import FRAME_PX, clouds, drawn, filled, soft
from hilum.data.phantom.patient import Film, Patient

_LUNG_AIR = 0.50  # how much darker a whole lung is than the tissue it replaces, of the grey scale


@dataclass
class Scene:
    """Layers that findings change before the film is developed; all of the size of the film.

    Attributes:
        anatomy: Outlines, in pixels of the 1024 frame.
        x: Of each pixel's centre, in the 1024 frame.
        y: The same, down.
        u: Chest coordinate of each pixel, across.
        v: Chest coordinate of each pixel, down.
        lungs: Coverage by the right and the left lung, up to the spine.
        heart: Coverage by the heart.
        air: What is left of the air, 0 to 1; findings multiply it.
        tissue: Density added by findings; negative where they add air.
        vessels: Vessels of the lungs, 0 to 1; findings multiply it.
    """

    anatomy: Anatomy
    x: Float32[np.ndarray, "h h"]
    y: Float32[np.ndarray, "h h"]
    u: Float32[np.ndarray, "h h"]
    v: Float32[np.ndarray, "h h"]
    lungs: tuple[Float32[np.ndarray, "h h"], Float32[np.ndarray, "h h"]]
    heart: Float32[np.ndarray, "h h"]
    air: Float32[np.ndarray, "h h"]
    tissue: Float32[np.ndarray, "h h"]
    vessels: Float32[np.ndarray, "h h"]

    @property
    def size(self) -> int:
        """Height and width of the film in pixels."""
        return len(self.air)

    def fill(self, alpha: Float32[np.ndarray, "h h"]) -> None:
        """Replaces that share of the air by tissue or water; vessels drown in it."""
        self.air *= 1 - alpha
        self.vessels *= 1 - 0.7 * alpha


@lru_cache(maxsize=4)
def _grid(size: int) -> tuple[Float32[np.ndarray, "h h"], Float32[np.ndarray, "h h"]]:
    centre = ((np.arange(size) + 0.5) * (FRAME_PX / size)).astype(np.float32)
    x, y = np.meshgrid(centre, centre)
    return x, y


def opened(anatomy: Anatomy, film: Film, size: int) -> Scene:
    """The healthy chest as layers."""
    x, y = _grid(size)
    place = anatomy.place
    # Python's floats leave the layers in single precision, which is half the work.
    (ux, uy), (vx, vy) = np.linalg.inv(place.matrix[:, :2]).tolist()
    cx, cy = place.matrix[:, 2].tolist()
    across, down = x - cx, y - cy
    u = across * (ux / place.half_width) + down * (uy / place.half_width)
    v = across * (vx / place.height) + down * (vy / place.height) + 0.5
    right, left = (filled(outline, size) for outline in anatomy.lungs)
    heart = soft(filled(anatomy.heart, size), 3.0)
    root = soft(filled(anatomy.vessels_root, size), 2.5)
    both = right + left
    air = cv2.addWeighted(right, film.lucency[0], left, film.lucency[1], 0.0)
    air *= 0.62 + 0.38 * soft(both, 45.0)
    for organ, edge, depth, sigma in ((heart, 0.52, 0.40, 40.0), (root, 0.62, 0.30, 25.0)):
        left_over = edge + depth * soft(organ, sigma)
        left_over *= organ
        air *= np.subtract(1, left_over, out=left_over)
    return Scene(
        anatomy=anatomy,
        x=x,
        y=y,
        u=u,
        v=v,
        lungs=(right, left),
        heart=heart,
        air=soft(air, 2.0),
        tissue=np.zeros((size, size), np.float32),
        vessels=drawn(anatomy.trees, size),
    )


def _tissue(scene: Scene, person: Patient, chance: np.random.Generator) -> Float32[np.ndarray, "h h"]:
    """Skin, muscle, fat, abdomen and mediastinum, without bone and without air."""
    anatomy, size = scene.anatomy, scene.size
    body = soft(filled(anatomy.body, size), 5.0)
    depth = soft(body, 60.0)
    layer = 0.28 + (0.34 + 0.03 * person.build) * depth
    middle = scene.u * scene.u
    middle *= -1 / 0.30**2
    layer += 0.16 * np.exp(middle, out=middle)
    floor = 0.5 * sum(anatomy.domes)
    below = (scene.v - (floor - 0.12)) * (1 / 0.3)
    layer += 0.20 * np.clip(below, 0, 1, out=below)
    layer *= body
    for breast in anatomy.breasts:
        shadow = soft(filled(breast, size), 7.0)
        layer += (0.11 + 0.07 * person.breast[0]) * shadow * (0.4 + 0.6 * soft(shadow, 40.0))
    # Clothes, fat and muscle are never even.
    uneven = 0.045 * soft(clouds(chance, size, 150.0), 20.0) + 0.007 * clouds(chance, size, 26.0)
    uneven *= body
    layer += uneven
    return layer


def _bones(scene: Scene, person: Patient, film: Film) -> Float32[np.ndarray, "h h"]:
    anatomy, size = scene.anatomy, scene.size
    hinder, front = anatomy.ribs
    layer = 0.17 * drawn(hinder, size, 0.72) + 0.13 * drawn(front, size, 0.72)
    layer += 0.21 * drawn(anatomy.clavicles, size, 0.62) + 0.16 * drawn(anatomy.humeri, size, 0.4)
    layer += 0.055 * drawn(anatomy.spine, size, 0.6)
    for scapula in anatomy.scapulae:
        blade = filled(scapula, size)
        layer += 0.035 * blade + 0.06 * np.abs(blade - soft(blade, 10.0))
    return np.float32(person.bone * (0.85 if film.view == "AP" else 1.0)) * soft(layer, 2.2)


def _stomach(scene: Scene, person: Patient, chance: np.random.Generator) -> Float32[np.ndarray, "h h"]:
    """Gas under the left dome, flat below when the patient stands."""
    place, dome = scene.anatomy.place, scene.anatomy.domes[1]
    if chance.random() < 0.25:
        return np.zeros_like(scene.air)
    middle = np.array([[0.42 + 0.05 * person.shape[21], dome + 0.115 + 0.02 * chance.random()]])
    (cx, cy), wide = place(middle)[0].tolist(), (0.13 + 0.09 * chance.random()) * place.px
    ring = ((scene.x - cx) / wide) ** 2 + ((scene.y - cy) / (0.55 * wide)) ** 2
    gas = np.clip((1.0 - ring) * 3, 0, 1) * np.clip((cy + 0.3 * wide - scene.y) / 4.0, 0, 1)
    return 0.16 * soft(gas, 3.0)


def developed(
    scene: Scene, person: Patient, film: Film, things: Float32[np.ndarray, "h h"], chance: np.random.Generator
) -> UInt8[np.ndarray, "h h"]:
    """The layers as a film: beam, scatter, display curve, grain.

    Args:
        scene: After all findings were drawn.
        person: Whose bones and soft tissue these are.
        film: Exposure and display curve.
        things: Density of what lies on or in the patient: leads, tubes, folds.
        chance: For the stomach's gas, unevenness and the grain.
    """
    size = scene.size
    light = _tissue(scene, person, chance) - _stomach(scene, person, chance)
    light -= 0.09 * soft(drawn(scene.anatomy.trachea, size), 4.0)
    light -= np.float32(_LUNG_AIR) * scene.air
    light += np.float32(0.19) * scene.vessels * np.minimum(scene.air + 0.15, 1.0)
    light += _bones(scene, person, film) + scene.tissue + things
    blur = 0.35 if film.view == "AP" else 0.22  # scatter: no grid at the bedside
    light = cv2.addWeighted(light, 1 - blur, soft(light, 70.0), blur, 0.0)
    light += film.tilt[0] * (scene.x[:1] / FRAME_PX - 0.5)
    light += film.tilt[1] * (scene.y[:, :1] / FRAME_PX - 0.5)
    slope = film.contrast * 1.18
    light *= slope
    light += 0.5 + film.brightness - 0.45 * slope
    light = cv2.pow(np.clip(light, 0.0, 1.0, out=light), film.gamma)
    grain = chance.standard_normal((size, size), dtype=np.float32)
    light = cv2.addWeighted(light, 235.0, grain, 235.0 * film.noise, 8.0)
    return np.clip(light, 0, 255, out=light).astype(np.uint8)
