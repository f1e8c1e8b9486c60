"""A patient, a film and what illness changed -> outlines and rods in the 1024 frame."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hilum.data.phantom.canvas import curve, rods
from hilum.data.phantom.patient import Film, Patient

_WALL_V = np.array([-0.05, 0.02, 0.08, 0.20, 0.40, 0.62, 0.85, 1.0, 1.4])
_WALL_U = np.array([0.30, 0.52, 0.67, 0.82, 0.92, 0.975, 1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Changes:
    """What findings do to the anatomy itself.

    Attributes:
        heart: Factor of the heart's width.
        raised: How far the right and the left dome stand higher, as a fraction of the lung.
        flat: 0 for usual domes, 1 for a chest blown up by emphysema.
    """

    heart: float = 1.0
    raised: tuple[float, float] = (0.0, 0.0)
    flat: float = 0.0


@dataclass(frozen=True)
class Place:
    """Where a point of the chest lies on the film.

    Chest coordinates: u is 0 at the midline, -1 and 1 at the inner chest wall of the patient's right and left
    (left and right on the film); v is 0 at the apex of the lungs and 1 at the costophrenic angle. `px` is how
    many pixels of the 1024 frame one unit of u takes.
    """

    half_width: float
    height: float
    twist: float
    matrix: Float[np.ndarray, "2 3"]
    px: float

    def __call__(self, uv: Float[np.ndarray, "p 2"], front: float = 0.0) -> Float[np.ndarray, "p 2"]:
        """Points of the 1024 frame; `front` is 1 for what lies before the axis of turning, -1 behind."""
        u, v = uv[:, 0], uv[:, 1]
        x = (u + 0.07 * self.twist * (front + 0.4 * np.maximum(1 - u * u, 0))) * self.half_width
        y = (v - 0.5) * self.height
        (a, b, left), (c, d, top) = self.matrix.tolist()
        points = np.empty_like(uv, dtype=np.float64)
        points[:, 0] = a * x + b * y + left
        points[:, 1] = c * x + d * y + top
        return points


@dataclass(frozen=True)
class Anatomy:
    """Outlines of one film, in pixels of the 1024 frame; of pairs, the patient's right comes first.

    Attributes:
        place: From chest coordinates to the film.
        lungs: Air on both sides, up to the spine.
        domes: The part of each lung's outline that is diaphragm.
        heart: Outline of the heart without the great vessels.
        vessels_root: Outline of the mediastinum above the heart, with the aortic knob.
        body: Outline of the skin.
        clavicles: Rods of both.
        ribs: Rods of the hinder and of the front parts.
        scapulae: Outlines.
        trees: Rods of the vessels, both lungs together.
        hila: Outlines of both.
        spine: Rods of the vertebral bodies.
        breasts: Outlines; empty in men.
        trachea: Rods of the windpipe and the main bronchi.
    """

    place: Place
    lungs: tuple[Float[np.ndarray, "p 2"], Float[np.ndarray, "q 2"]]
    domes: tuple[float, float]
    heart: Float[np.ndarray, "p3 2"]
    vessels_root: Float[np.ndarray, "p4 2"]
    body: Float[np.ndarray, "p5 2"]
    clavicles: Float[np.ndarray, "r1 8"]
    clavicle_outlines: tuple[Float[np.ndarray, "p6 2"], ...]
    ribs: tuple[Float[np.ndarray, "r2 8"], Float[np.ndarray, "r3 8"]]
    scapulae: tuple[Float[np.ndarray, "p7 2"], ...]
    humeri: Float[np.ndarray, "r4 8"]
    trees: Float[np.ndarray, "r5 8"]
    hila: tuple[Float[np.ndarray, "p8 2"], Float[np.ndarray, "p9 2"]]
    spine: Float[np.ndarray, "r6 8"]
    breasts: tuple[Float[np.ndarray, "p10 2"], ...]
    trachea: Float[np.ndarray, "r7 8"]


def anatomy_of(person: Patient, film: Film, changes: Changes) -> Anatomy:
    """Everything that will be drawn of the healthy parts, at its place on this film."""
    place = _place(person, film, changes)
    domes = tuple(
        min(dome - raised - 0.03 * (film.view == "AP") + (0.96 - dome) * 0.85 * changes.flat, 0.96)
        for dome, raised in zip(person.domes, changes.raised, strict=True)
    )
    ap = film.view == "AP"
    heart = person.heart * changes.heart * (1 - 0.1 * changes.flat)
    if changes.heart == 1.0:  # an enlarged heart has its own width; a healthy one looks wider when shallow
        heart = min(heart * (1.05 if ap else 1.0) * (1 - 0.03 * film.inspiration), 1.16)
    return Anatomy(
        place=place,
        lungs=(place(_lung(person, -1, domes[0])), place(_lung(person, 1, domes[1]))),
        domes=(domes[0], domes[1]),
        heart=place(_heart(person, heart, 0.5 * (domes[0] + domes[1])), 0.8),
        vessels_root=place(_root(person), 0.3),
        body=place(_body(person, ap)),
        clavicles=_clavicles(place, person, ap),
        clavicle_outlines=_clavicle_outlines(place, person, ap),
        ribs=_ribs(place, person),
        scapulae=tuple(place(_scapula(side, ap, person)) for side in (-1, 1)),
        humeri=_humeri(place, ap),
        trees=_trees(place, person),
        hila=(place(_hilum(-1), 0.1), place(_hilum(1), 0.1)),
        spine=_spine(place, person),
        breasts=_breasts(place, person),
        trachea=_trachea(place),
    )


def _place(person: Patient, film: Film, changes: Changes) -> Place:
    c, s = np.cos(film.angle) * film.scale, np.sin(film.angle) * film.scale
    centre = np.array([512.0 + film.shift[0], 478.0 + film.shift[1]])
    matrix = np.array([[c, -s, centre[0]], [s, c, centre[1]]])
    height = person.height * (1 + 0.055 * film.inspiration) * (1 + 0.07 * changes.flat)
    half_width = person.half_width * (1 + 0.02 * changes.flat)
    return Place(half_width, height, film.twist, matrix, half_width * film.scale)


def _lung(person: Patient, side: int, dome: float) -> Float[np.ndarray, "p 2"]:
    """Outline in chest coordinates: apex, wall, costophrenic angle, dome, mediastinal border."""
    own = person.shape[0:6] * 0.012
    top = 0.02 * person.kyphosis
    points = np.array(
        [
            [0.36, top],
            [0.54, 0.03 + top],
            [0.69, 0.10 + own[0]],
            [0.825, 0.22],
            [0.925 + own[1], 0.40],
            [0.975, 0.62 + own[2]],
            [1.0, 0.84],
            [1.0, 0.99],
            [1.0, 0.99],
            [0.94, dome + 0.6 * (1 - dome)],
            [0.80, dome + 0.2 * (1 - dome)],
            [0.55 + own[3], dome],
            [0.36, dome + 0.012],
            [0.20, dome + 0.03],
            [0.09, dome + 0.04],
            [0.09, dome + 0.04],
            [0.085, 0.6],
            [0.085, 0.35],
            [0.10, 0.16],
            [0.20, 0.05 + top],
        ]
    )
    return curve(points * [side, 1.0])


def _heart(person: Patient, size: float, floor: float) -> Float[np.ndarray, "p 2"]:
    own = person.shape[6:14] * 0.012
    right = np.array([[-0.12, -0.44], [-0.17, -0.36], [-0.205 + own[0], -0.24], [-0.21, -0.12], [-0.16, 0.0]])
    below = np.array([[0.0, 0.05], [0.25, 0.075], [0.46, 0.07 + own[1]], [0.585, 0.03]])
    left = np.array(
        [[0.62, -0.05], [0.575, -0.15], [0.46 + own[2], -0.27], [0.32 + own[3], -0.365], [0.19, -0.43]]
    )
    points = np.concatenate([right, below, left, [[0.0, -0.47]]])
    tall = 1 + 0.35 * (size - 1)
    return curve((points - [0.05, 0.0]) * [size, tall] + [0.05, floor + 0.03])


def _root(person: Patient) -> Float[np.ndarray, "p 2"]:
    """Mediastinum from the neck to the heart: superior vena cava right, knob and pulmonary trunk left."""
    knob = 0.055 + 0.075 * person.aorta
    own = person.shape[14:18] * 0.008
    wide = 0.012 * person.build
    right = [
        [-0.13 - wide, 0.62],
        [-0.15 - wide + own[0], 0.45],
        [-0.145 - wide, 0.30],
        [-0.125, 0.14],
        [-0.15, -0.1],
    ]
    neck = [[-0.15, -0.5], [0.15, -0.5], [0.14, -0.1], [0.11, 0.1]]
    left = [
        [0.115, 0.19],
        [0.13 + 0.5 * knob, 0.225],
        [0.135 + knob, 0.27],
        [0.13 + 0.6 * knob, 0.325],
        [0.165 + own[1], 0.37],
        [0.205 + own[2], 0.43],
        [0.2, 0.5],
        [0.16, 0.62],
    ]
    return curve(np.array(right + neck + left))


def _body(person: Patient, ap: bool) -> Float[np.ndarray, "p 2"]:
    """Skin: neck, shoulders, arms hanging (AP) or turned away (PA), flanks."""
    thick = 0.22 + 0.09 * person.build
    arm = 1.72 if ap else 1.66
    half = np.array(
        [
            [0.26 + 0.03 * person.build, -0.6],
            [0.27 + 0.03 * person.build, -0.2],
            [0.42, -0.135],
            [0.85, -0.09 - 0.03 * ap],
            [1.22, -0.04 - 0.05 * ap],
            [arm, 0.12],
            [arm + 0.16, 0.55],
            [arm + 0.2, 0.8],
            [arm - 0.16, 0.8],
            [arm - 0.24, 0.5],
            [1.12 + thick, 0.33],
            [1.05 + thick, 0.5],
            [1.0 + thick, 0.75],
            [1.0 + thick + 0.05 * person.build, 1.3],
            [1.0 + thick, 1.8],
        ]
    )
    return curve(np.concatenate([half, half[::-1] * [-1, 1]]), 4)


def _clavicle(side: int, person: Patient, ap: bool) -> Float[np.ndarray, "p 2"]:
    rise = 0.09 + 0.02 * person.shape[18] + 0.03 * ap
    points = np.array(
        [[0.12, 0.115], [0.3, 0.105], [0.52, 0.07 - 0.4 * rise], [0.78, 0.05 - rise], [1.12, 0.03 - rise]]
    )
    return curve(points * [side, 1.0], closed=False)


def _clavicles(place: Place, person: Patient, ap: bool) -> Float[np.ndarray, "r 8"]:
    radius = 0.046 * place.px
    return np.concatenate(
        [
            rods(place(_clavicle(side, person, ap), 1.0), (1.25 * radius, radius), (0.7, 1.0))
            for side in (-1, 1)
        ]
    )


def _clavicle_outlines(place: Place, person: Patient, ap: bool) -> tuple[Float[np.ndarray, "p 2"], ...]:
    found = []
    for side in (-1, 1):
        line = place(_clavicle(side, person, ap), 1.0)
        thick = np.array([0.0, 0.042 * place.px])
        found.append(np.concatenate([line - thick, (line + thick)[::-1]]))
    return tuple(found)


def _ribs(place: Place, person: Patient) -> tuple[Float[np.ndarray, "r 8"], Float[np.ndarray, "s 8"]]:
    """Ten pairs: the hinder part runs out and slightly down, the front part back in and down."""
    pitch, slope, phase = person.ribs
    number, t = np.arange(10.0)[:, None], np.linspace(0.0, 1.0, 12)[None]
    start_v = -0.05 + pitch * number + 0.2 * phase
    end_v = start_v + 0.10 + slope * np.minimum(number / 4 + 0.35, 1.0)
    wall = np.interp(end_v, _WALL_V, _WALL_U) + 0.025
    u = 0.09 + (wall - 0.09) * np.sin(t * np.pi / 2)
    v = start_v - 0.035 * np.sin(np.pi * np.minimum(t * 1.5, 1.0)) + (end_v - start_v) * t**2
    front_u = wall - (wall - 0.36 - 0.02 * number) * np.sin(t * np.pi / 2) ** 1.5
    front_v = end_v + (0.15 + 0.012 * number) * t
    radius = 0.034 * place.px
    hinder = _both_sides(place, u, v, -1.0)
    front = _both_sides(place, front_u[:7], front_v[:7], 1.0)
    return (
        rods(hinder, (0.85 * radius, radius), (0.7, 1.0)),
        rods(front, (radius, 1.25 * radius), (1.0, 0.35)),
    )


def _both_sides(
    place: Place, u: Float[np.ndarray, "l p"], v: Float[np.ndarray, "l p"], front: float
) -> Float[np.ndarray, "m p 2"]:
    """Lines and their mirror images on the film."""
    uv = np.stack([np.concatenate([-u, u]), np.concatenate([v, v])], axis=-1)
    return place(uv.reshape(-1, 2), front).reshape(uv.shape)


def _scapula(side: int, ap: bool, person: Patient) -> Float[np.ndarray, "p 2"]:
    inner = (0.74 if ap else 0.98) + 0.03 * person.shape[19]
    points = [
        [inner, 0.06],
        [inner - 0.02, 0.2],
        [inner + 0.1, 0.47],
        [inner + 0.2, 0.4],
        [1.3, 0.15],
        [1.35, 0.0],
        [1.2, -0.03],
    ]
    return curve(np.array(points) * [side, 1.0])


def _humeri(place: Place, ap: bool) -> Float[np.ndarray, "r 8"]:
    found = []
    for side in (-1, 1):
        head = 1.42 if ap else 1.36
        points = place(
            np.array([[head, 0.05], [head + 0.03, 0.12], [head + 0.12, 0.3], [head + 0.2, 0.75]])
            * [side, 1.0]
        )
        found.append(rods(points, (0.13 * place.px, 0.06 * place.px), (1.0, 0.8)))
    return np.concatenate(found)


def _trees(place: Place, person: Patient) -> Float[np.ndarray, "r 8"]:
    found = []
    for side, tree in zip((-1, 1), person.trees, strict=True):
        own = tree.copy()
        own[:, 0:2] = place(tree[:, 0:2] * [side, 1.0])
        own[:, 2:4] = place(tree[:, 2:4] * [side, 1.0])
        own[:, 4:6] *= place.px
        found.append(own)
    return np.concatenate(found)


def _hilum(side: int) -> Float[np.ndarray, "p 2"]:
    middle = 0.44 if side < 0 else 0.41
    points = [[0.13, -0.10], [0.24, -0.085], [0.31, 0.0], [0.28, 0.10], [0.2, 0.14], [0.12, 0.11]]
    return curve((np.array(points) + np.array([0.0, middle])) * [side, 1.0])


def _spine(place: Place, person: Patient) -> Float[np.ndarray, "r 8"]:
    """Vertebral bodies one below the other, with gaps for the discs."""
    v = np.arange(-0.3, 1.5, 0.088)[:, None] + np.array([0.0, 0.05])
    u = 0.02 * person.shape[20] * np.sin(3 * v)
    ends = place(np.stack([u, v], axis=-1).reshape(-1, 2), -0.6).reshape(-1, 2, 2)
    radius = 0.095 * place.px
    return rods(ends, (radius, radius), (1.0, 1.0))


def _breasts(place: Place, person: Patient) -> tuple[Float[np.ndarray, "p 2"], ...]:
    size, height, apart = person.breast
    if size == 0:
        return ()
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    wide, tall = 0.34 + 0.08 * size, 0.13 + 0.09 * size
    ring = np.stack([wide * np.cos(turn), tall * np.sin(turn) * np.where(np.sin(turn) > 0, 1.0, 1.7)], axis=1)
    return tuple(place((ring + np.array([apart, height])) * [side, 1.0], 1.0) for side in (-1, 1))


def _trachea(place: Place) -> Float[np.ndarray, "r 8"]:
    pipe = place(np.array([[0.0, -0.5], [0.0, 0.0], [0.015, 0.2], [0.025, 0.335]]), 0.3)
    right = place(np.array([[0.02, 0.33], [-0.08, 0.40], [-0.16, 0.45]]))
    left = place(np.array([[0.02, 0.33], [0.11, 0.385], [0.2, 0.42]]))
    radius = 0.058 * place.px
    return np.concatenate(
        [
            rods(pipe, (radius, radius), (1.0, 0.8)),
            rods(right, (0.7 * radius, 0.5 * radius), (0.7, 0.4)),
            rods(left, (0.6 * radius, 0.45 * radius), (0.6, 0.35)),
        ]
    )
