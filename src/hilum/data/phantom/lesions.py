"""One function a finding: draws it into the scene and says where; every mask is one lesion."""

import numpy as np
from jaxtyping import Bool, Float, Float32

from hilum.data.phantom.canvas import clouds, drawn, filled, rods, soft
from hilum.data.phantom.scene import Scene

Mask = Bool[np.ndarray, "h h"]


def _side(chance: np.random.Generator) -> int:
    return -1 if chance.random() < 0.5 else 1


def _lung(scene: Scene, side: int) -> Float32[np.ndarray, "h h"]:
    return scene.lungs[0 if side < 0 else 1]


def _spot(
    scene: Scene, chance: np.random.Generator, side: int, v: tuple[float, float], u: tuple[float, float]
) -> tuple[float, float]:
    """A point of the 1024 frame inside one lung and beside the heart."""
    size = scene.size
    dome = scene.anatomy.domes[0 if side < 0 else 1]
    for _ in range(30):
        across, down = chance.uniform(*u), chance.uniform(v[0], min(v[1], dome - 0.03))
        cx, cy = scene.anatomy.place(np.array([[side * across, down]]))[0]
        column, row = int(cx * size / 1024), int(cy * size / 1024)
        inside = 0 <= row < size and 0 <= column < size
        if inside and _lung(scene, side)[row, column] > 0.5 and scene.heart[row, column] < 0.2:
            return float(cx), float(cy)
    cx, cy = scene.anatomy.place(np.array([[0.55 * side, 0.4]]))[0]
    return float(cx), float(cy)


def _ring(
    scene: Scene, centre: tuple[float, float], radii: tuple[float, float], angle: float = 0.0
) -> Float32[np.ndarray, "h h"]:
    """Distance from the centre of an ellipse, 1 on its edge."""
    c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    dx, dy = scene.x - np.float32(centre[0]), scene.y - np.float32(centre[1])
    across, down = (c * dx + s * dy) / np.float32(radii[0]), (c * dy - s * dx) / np.float32(radii[1])
    return np.sqrt(across * across + down * down)


def _size(chance: np.random.Generator, median: float, spread: float, low: float, high: float) -> float:
    return float(np.clip(median * chance.lognormal(0.0, spread), low, high))


def _round(
    scene: Scene, chance: np.random.Generator, diameter: float, v: tuple[float, float], lobed: float
) -> Mask:
    """A ball of tissue with a more or less lobed edge."""
    side = _side(chance)
    room = min(diameter / 2 / scene.anatomy.place.px, 0.3)
    centre = _spot(scene, chance, side, v, (0.24 + 0.6 * room, 0.92 - room))
    stretch = chance.lognormal(0.0, 0.1)
    ring = _ring(scene, centre, (diameter / 2 * stretch, diameter / 2 / stretch), chance.uniform(0, np.pi))
    if lobed:
        turn = np.arctan2(scene.y - centre[1], scene.x - centre[0])
        for waves in (3, 5, 8):
            ring *= 1 + lobed / waves * np.cos(waves * turn + chance.uniform(0, 6.28)) * chance.uniform(
                0.3, 1.0
            )
    ball = (np.clip(1.08 - ring * ring, 0.0, 1.0) ** 0.6).astype(np.float32)
    scene.fill(soft(ball, 3.0) * chance.uniform(0.5, 0.68))
    return ring < 1.0


def nodule(scene: Scene, chance: np.random.Generator) -> list[Mask]:
    """One to three balls below 3 cm, anywhere in the lungs."""
    n = int(chance.choice([1, 2, 3], p=[0.66, 0.24, 0.10]))
    return [_round(scene, chance, _size(chance, 72.0, 0.14, 44.0, 86.0), (0.1, 0.85), 0.0) for _ in range(n)]


def mass(scene: Scene, chance: np.random.Generator) -> list[Mask]:
    """A lobed ball above 3 cm."""
    return [_round(scene, chance, _size(chance, 120.0, 0.22, 92.0, 260.0), (0.12, 0.75), 0.25)]


def cardiomegaly(scene: Scene, _chance: np.random.Generator) -> list[Mask]:
    """The heart itself, which the anatomy has already widened."""
    return [scene.heart > 0.5]


def atelectasis(scene: Scene, chance: np.random.Generator) -> list[Mask]:
    """Plates of collapsed lung in the lower zones; the dome has already risen."""
    found = []
    for _ in range(int(chance.choice([1, 2], p=[0.7, 0.3]))):
        side = _side(chance)
        cx, cy = _spot(scene, chance, side, (0.5, 0.8), (0.35, 0.7))
        length, thick = _size(chance, 350.0, 0.2, 210.0, 460.0), _size(chance, 40.0, 0.25, 22.0, 62.0)
        angle = side * chance.normal(0.24, 0.16)
        ring = _ring(scene, (cx, cy), (length / 2, thick / 2), angle)
        inside = _lung(scene, side) * (1 - 0.7 * scene.heart)
        band = np.exp(-0.8 * ring**4).astype(np.float32) * inside
        scene.fill(band * chance.uniform(0.5, 0.75))
        found.append((ring < 1.0) & (inside > 0.5))
    return found


def effusion(scene: Scene, chance: np.random.Generator) -> list[Mask]:
    """Fluid with a meniscus that climbs the wall; one side or both."""
    sides = [-1, 1] if chance.random() < 0.35 else [_side(chance)]
    found = []
    for side in sides:
        top = 1.0 - _size(chance, 0.37, 0.4, 0.16, 0.75)
        climb = chance.uniform(0.10, 0.2)
        surface = top + climb * (1 - np.exp(-np.clip(0.98 - side * scene.u, 0, 2) / 0.22))
        water = np.clip((scene.v - surface) / 0.016 + 0.5, 0, 1) * _lung(scene, side)
        water *= side * scene.u > 0.0
        mask = (water > 0.5) & (scene.heart < 0.5)
        scene.fill(0.93 * soft(water.astype(np.float32), 3.0))
        found.append(mask)
    return found


def _patch(
    scene: Scene,
    chance: np.random.Generator,
    radii: tuple[float, float],
    v: tuple[float, float],
    rough: float,
) -> tuple[Float32[np.ndarray, "h h"], int, tuple[float, float]]:
    """An ill-defined area of one lung: 1 in the middle, 0 outside, with a ragged border."""
    side = _side(chance)
    centre = _spot(scene, chance, side, v, (0.36, 0.74))
    ring = _ring(scene, centre, radii, chance.uniform(0, np.pi))
    ring = ring + rough * soft(clouds(chance, scene.size, 60.0), 6.0)
    patch = np.clip((1.25 - ring) / 0.5, 0, 1) * _lung(scene, side) * (1 - scene.heart)
    return patch.astype(np.float32), side, centre


def infiltration(scene: Scene, chance: np.random.Generator) -> list[Mask]:
    """A faint, patchy, streaky haze without borders."""
    long = _size(chance, 106.0, 0.22, 64.0, 190.0)
    patch, _, _ = _patch(scene, chance, (long, long * chance.uniform(0.8, 1.2)), (0.25, 0.75), 0.22)
    grain = 0.5 + 0.45 * clouds(chance, scene.size, 46.0) + 0.3 * clouds(chance, scene.size, 20.0)
    scene.fill(patch * np.clip(0.24 + 0.25 * grain, 0.0, 0.7))
    return [patch > 0.35]


def pneumonia(scene: Scene, chance: np.random.Generator) -> list[Mask]:
    """A dense segment with a fluffy border in which air-filled bronchi stay dark."""
    long = _size(chance, 126.0, 0.22, 74.0, 220.0)
    patch, side, centre = _patch(scene, chance, (long, long * chance.uniform(0.75, 1.1)), (0.3, 0.85), 0.12)
    mottle = np.clip(0.85 + 0.12 * clouds(chance, scene.size, 40.0), 0, 1)
    alpha = soft(patch, 6.0) * mottle * chance.uniform(0.55, 0.7)
    scene.fill(alpha * (1 - 0.62 * soft(_bronchi(scene, chance, side, centre, long), 2.5)))
    return [patch > 0.35]


def _bronchi(
    scene: Scene, chance: np.random.Generator, side: int, centre: tuple[float, float], reach: float
) -> Float32[np.ndarray, "h h"]:
    """Two or three forked tubes through the middle of a patch, coming from the hilum."""
    hilum = scene.anatomy.hila[0 if side < 0 else 1].mean(axis=0)
    aim = np.arctan2(centre[1] - hilum[1], centre[0] - hilum[0])
    parts = []
    for turn in np.linspace(-0.5, 0.5, int(chance.integers(3, 5))):
        start = np.array(centre) - 0.75 * reach * np.array([np.cos(aim), np.sin(aim)])
        bend = aim + turn + chance.normal(0, 0.1)
        middle = start + 0.75 * reach * np.array([np.cos(bend), np.sin(bend)])
        parts.append(rods(np.stack([start, middle]), (7.0, 5.0), (1.0, 0.9)))
        for fork in (-0.45, 0.4):
            end = middle + 0.7 * reach * np.array([np.cos(bend + fork), np.sin(bend + fork)])
            parts.append(rods(np.stack([middle, end]), (5.0, 3.0), (0.9, 0.5)))
    return drawn(np.concatenate(parts), scene.size)


def consolidation(scene: Scene, chance: np.random.Generator) -> list[Mask]:
    """A homogeneous, dense part of a lobe with one straight border along a fissure."""
    side, upper = _side(chance), chance.random() < 0.5
    centre = _spot(scene, chance, side, (0.24, 0.4) if upper else (0.55, 0.75), (0.4, 0.62))
    radius = _size(chance, 132.0, 0.2, 95.0, 230.0)
    ring = _ring(scene, centre, (1.1 * radius, (1.5 if upper else 1.0) * radius))
    slope = side * chance.normal(-0.05 if upper else 0.35, 0.08)
    height = (scene.y - centre[1]) - slope * (scene.x - centre[0]) - 0.15 * radius * (1 if upper else -1)
    beyond = np.clip(0.5 - (1 if upper else -1) * height / 7.0, 0, 1)
    lobe = np.clip((1.05 - ring) / 0.16, 0, 1) * beyond * _lung(scene, side) * (1 - 0.6 * scene.heart)
    lobe = lobe.astype(np.float32)
    scene.fill(lobe * chance.uniform(0.6, 0.8))
    return [lobe > 0.4]


def edema(scene: Scene, chance: np.random.Generator) -> list[Mask]:
    """Bat wings round both hila, full vessels, and short septal lines at the wall."""
    strength, reach = chance.uniform(0.2, 0.36), chance.uniform(0.26, 0.36) * scene.anatomy.place.px
    lumps = 0.8 + 0.4 * clouds(chance, scene.size, 44.0) + 0.3 * clouds(chance, scene.size, 20.0)
    scene.vessels *= np.float32(1.35)
    found, lines = [], []
    for side in (-1, 1):
        hilum = scene.anatomy.hila[0 if side < 0 else 1].mean(axis=0)
        centre = (float(hilum[0] + side * 0.5 * reach), float(hilum[1] + 0.15 * reach))
        ring = _ring(scene, centre, (1.15 * reach, 1.5 * reach), side * 0.25)
        wing = (np.exp(-(ring**2.4)) * _lung(scene, side)).astype(np.float32)
        scene.fill(np.clip(wing * lumps * strength, 0, 0.85))
        found.append((wing > 0.36) & (scene.heart < 0.5))
        v = chance.uniform(0.55, 0.9, int(chance.integers(6, 11)))
        outer = side * (np.interp(v, [0.5, 0.62, 0.85], [0.93, 0.955, 0.985]) - 0.02)
        inner = outer - side * chance.uniform(0.07, 0.13, len(v))
        ends = np.stack([np.stack([outer, v], axis=1), np.stack([inner, v], axis=1)], axis=1)
        lines.append(
            rods(scene.anatomy.place(ends.reshape(-1, 2)).reshape(ends.shape), (2.2, 1.6), (1.0, 0.7))
        )
    scene.tissue += (
        0.10 * drawn(np.concatenate(lines), scene.size) * np.clip(scene.lungs[0] + scene.lungs[1], 0, 1)
    )
    return found


def emphysema(scene: Scene, chance: np.random.Generator) -> list[Mask]:
    """Dark, empty lungs and thin-walled bullae; the anatomy has already flattened the domes."""
    scene.air *= np.float32(chance.uniform(0.98, 1.06))
    scene.vessels *= np.float32(chance.uniform(0.5, 0.65))
    for _ in range(int(chance.integers(2, 6))):
        side, radius = _side(chance), _size(chance, 48.0, 0.3, 26.0, 90.0)
        centre = _spot(scene, chance, side, (0.08, 0.6), (0.3, 0.8))
        ring = _ring(scene, centre, (radius, radius * chance.uniform(0.8, 1.2)), chance.uniform(0, np.pi))
        inside = np.clip((1.0 - ring) * radius / 5.0, 0, 1) * _lung(scene, side)
        scene.vessels *= 1 - 0.9 * inside
        scene.tissue += (0.05 * np.exp(-(((ring - 1.0) * radius / 4.0) ** 2)) - 0.03 * inside) * _lung(
            scene, side
        )
    return [(lung > 0.5) & (scene.heart < 0.5) for lung in scene.lungs]


def fibrosis(scene: Scene, chance: np.random.Generator) -> list[Mask]:
    """A net of fine lines at both bases and along the wall."""
    net = np.exp(-((clouds(chance, scene.size, 14.0) / 0.35) ** 2))
    net += 0.8 * np.exp(-((clouds(chance, scene.size, 24.0) / 0.28) ** 2)) + 0.15
    top = chance.uniform(0.48, 0.62)
    found = []
    strength = chance.uniform(0.30, 0.42)
    for side in (-1, 1):
        rim = np.clip((side * scene.u - 0.30) / 0.35, 0.0, 1.0)
        zone = np.clip((scene.v - top) / 0.14, 0, 1) * (0.35 + 0.65 * rim)
        zone = (zone * _lung(scene, side) * (1 - scene.heart)).astype(np.float32)
        scene.fill(np.clip(zone * net * strength, 0, 0.7))
        found.append(zone > 0.45)
    return found


def pleural_thickening(scene: Scene, chance: np.random.Generator) -> list[Mask]:
    """A band along the chest wall, or a cap over the apex, with a wavy inner edge."""
    side = _side(chance)
    outline = scene.anatomy.lungs[0 if side < 0 else 1]
    cap = chance.random() < 0.35
    thick = _size(chance, 38.0, 0.2, 24.0, 60.0)
    if cap:
        middle, half, shift = 0.0, chance.uniform(0.14, 0.2), np.array([-0.4 * side, 1.3])
    else:
        middle, half, shift = (
            chance.uniform(0.4, 0.7),
            chance.uniform(0.17, 0.26),
            np.array([-1.0 * side, 0.0]),
        )
    local = _chest(scene, outline)
    bump = np.clip(1.6 * (1 - ((local[:, 1] - middle) / half) ** 2), 0.0, 1.0)
    bump *= 1 + 0.2 * np.convolve(chance.standard_normal(len(bump)), np.full(5, 0.3), mode="same")
    inner = filled(outline + thick * bump[:, None] * shift, scene.size)
    band = np.clip(_lung(scene, side) - inner, 0, 1) * (side * scene.u > 0.15)
    band = band.astype(np.float32)
    scene.fill(0.85 * soft(band, 3.0))
    return [band > 0.5]


def pneumothorax(scene: Scene, chance: np.random.Generator) -> list[Mask]:
    """Air between the wall and the lung's own edge: dark, without vessels, wide at the apex."""
    side = _side(chance)
    outline = scene.anatomy.lungs[0 if side < 0 else 1]
    gap, depth = _size(chance, 44.0, 0.25, 26.0, 85.0), chance.uniform(0.16, 0.32)
    local = _chest(scene, outline)
    gone = np.clip(1.0 - local[:, 1] / depth, 0.0, 1.0) ** 0.7
    visceral = outline + np.stack([-0.8 * side * gap * gone, 1.25 * gap * gone], axis=1)
    inner = filled(visceral, scene.size)
    zone = np.clip(_lung(scene, side) - inner, 0, 1) * (side * scene.u > 0.12)
    zone = zone.astype(np.float32)
    scene.vessels *= 1 - zone
    scene.air *= 1 + 0.16 * zone - 0.10 * inner * np.clip(1.0 - scene.v / depth, 0, 1)
    wall = (gone > 0.02) & (side * local[:, 0] > 0.17)
    line = rods(visceral, (3.0, 3.0), (1.0, 1.0))[wall[:-1] & wall[1:]]
    if len(line):
        scene.tissue += 0.15 * drawn(line, scene.size) * _lung(scene, side)
    return [zone > 0.5]


def _chest(scene: Scene, points: Float[np.ndarray, "p 2"]) -> Float[np.ndarray, "p 2"]:
    """Chest coordinates of points on the film."""
    place = scene.anatomy.place
    back = (points - place.matrix[:, 2]) @ np.linalg.inv(place.matrix[:, :2]).T
    return back / [place.half_width, place.height] + [0.0, 0.5]


def hernia(scene: Scene, chance: np.random.Generator) -> list[Mask]:
    """Stomach behind the heart: a round wall, air above, fluid below a level."""
    floor = 0.5 * sum(scene.anatomy.domes)
    radius = _size(chance, 82.0, 0.15, 60.0, 120.0)
    centre = scene.anatomy.place(
        np.array([[chance.uniform(0.0, 0.2), floor - chance.uniform(0.02, 0.08)]]), -0.5
    )[0]
    ring = _ring(scene, (float(centre[0]), float(centre[1])), (1.15 * radius, radius), chance.normal(0, 0.15))
    ring = ring + 0.07 * clouds(chance, scene.size, 70.0)
    inside = np.clip((1.0 - ring) * radius / 6.0, 0, 1)
    level = np.clip((scene.y - centre[1] + chance.uniform(-0.2, 0.3) * radius) / 7.0 + 0.5, 0, 1)
    scene.tissue += inside * (0.03 * level - 0.09 * (1 - level))
    scene.tissue += 0.055 * np.exp(-(((ring - 1.0) * radius / 6.0) ** 2))
    scene.fill((0.6 * inside * level).astype(np.float32))
    return [ring < 1.0]
