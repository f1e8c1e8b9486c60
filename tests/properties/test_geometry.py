"""What holds for every affine: there and back, composition, and pixels that go where boxes go."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hilum.boxes import moved
from hilum.data.geometry import (
    Augmentation,
    Geometry,
    augmented,
    composed,
    input_to_store,
    inverted,
    store_to_frame,
)
from hilum.models import network_input

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A busy machine is no failure."""

sides = st.integers(1, 512)
geometries = st.builds(
    lambda sides, fit: Geometry(*sorted(sides), fit),
    st.tuples(sides, sides, sides),
    st.sampled_from(["stretch", "pad"]),
)
frames = st.tuples(st.integers(1, 4000), st.integers(1, 4000))
UNTURNED = st.builds(
    Augmentation,
    flip=st.sampled_from([0.0, 0.5, 1.0]),
    area=st.tuples(st.floats(0.05, 1), st.floats(0.05, 1)).map(sorted).map(tuple),
    aspect=st.tuples(st.floats(0.5, 1), st.floats(1, 2)),
)
TURNED = st.builds(
    Augmentation,
    flip=st.sampled_from([0.0, 1.0]),
    rotate_degrees=st.floats(0, 180),
    area=st.tuples(st.floats(0.05, 0.5), st.floats(0.5, 1)),
)
IDENTITY = np.eye(2, 3)


def _drawn(geometry, augmentation, frame_hw, seed) -> np.ndarray:
    """From network input to the frame, which is the film's own."""
    to_frame = store_to_frame(geometry, np.array([frame_hw] * 3), frame_hw)
    return composed(to_frame, augmented(geometry, augmentation, seed, 0, np.arange(3)))


@PATIENT
@given(geometries, TURNED, frames, st.integers(0, 2**32))
def test_there_and_back_is_the_identity(geometry, augmentation, frame_hw, seed) -> None:
    affine = _drawn(geometry, augmentation, frame_hw, seed)
    for around in (composed(inverted(affine), affine), composed(affine, inverted(affine))):
        np.testing.assert_allclose(around, [IDENTITY] * 3, atol=1e-7)
    np.testing.assert_allclose(inverted(inverted(affine)), affine, atol=1e-7)


@PATIENT
@given(geometries, TURNED, UNTURNED, frames, st.integers(0, 2**32))
def test_a_composed_affine_is_undone_in_reverse(geometry, first, second, frame_hw, seed) -> None:
    outer, inner = _drawn(geometry, first, frame_hw, seed), _drawn(geometry, second, frame_hw, seed + 1)
    both = composed(outer, inner)
    np.testing.assert_allclose(
        inverted(both), composed(inverted(inner), inverted(outer)), rtol=1e-7, atol=1e-7
    )


boxes = st.tuples(*[st.floats(0, 1)] * 4).map(
    lambda part: [min(part[0], part[2]), min(part[1], part[3]), max(part[0], part[2]), max(part[1], part[3])]
)


def _in_frame(box, frame_hw) -> np.ndarray:
    """A box given in shares of the frame, once for each of the three affines."""
    height, width = frame_hw
    return np.array([box] * 3) * [width, height, width, height]


@PATIENT
@given(geometries, UNTURNED, frames, st.integers(0, 2**32), boxes)
def test_boxes_come_back_to_where_they_were(geometry, augmentation, frame_hw, seed, box) -> None:
    affine, xyxy = _drawn(geometry, augmentation, frame_hw, seed), _in_frame(box, frame_hw)
    there = moved(xyxy, inverted(affine))
    assert (there[:, :2] <= there[:, 2:]).all()  # a flip exchanges the corners
    np.testing.assert_allclose(moved(there, affine), xyxy, atol=1e-7 * max(frame_hw))


@PATIENT
@given(geometries, TURNED, frames, st.integers(0, 2**32), boxes)
def test_a_turned_box_comes_back_as_a_hull(geometry, augmentation, frame_hw, seed, box) -> None:
    affine, xyxy = _drawn(geometry, augmentation, frame_hw, seed), _in_frame(box, frame_hw)
    hull, slack = moved(moved(xyxy, inverted(affine)), affine), 1e-7 * max(frame_hw)
    assert (hull[:, :2] <= xyxy[:, :2] + slack).all()
    assert (hull[:, 2:] >= xyxy[:, 2:] - slack).all()


STORE = 96


def _film(centres: np.ndarray) -> np.ndarray:
    """One round soft blob a film, its centre at x, y in pixel edges."""
    place = np.arange(STORE) + 0.5
    x, y = centres[:, 0, None, None], centres[:, 1, None, None]
    distance = (place[None, None, :] - x) ** 2 + (place[None, :, None] - y) ** 2
    return np.round(255 * np.exp(-distance / (2 * 4.0**2))).astype(np.uint8)


def _centre_of_mass(images: torch.Tensor) -> np.ndarray:
    weight = (images * 0.229 + 0.485)[:, 0].numpy().astype(float)  # undo the first channel's normalisation
    weight = weight * (weight > 0.02)
    rows, columns = (np.arange(side) + 0.5 for side in weight.shape[1:])
    total = weight.sum(axis=(1, 2))
    return np.stack(
        [(weight * columns).sum(axis=(1, 2)) / total, (weight * rows[:, None]).sum(axis=(1, 2)) / total],
        axis=1,
    )


def _placed_blobs(affine: np.ndarray, geometry: Geometry) -> tuple[np.ndarray, np.ndarray]:
    """Where blobs are found in the input, and where the inverted affine says they are."""
    middle = geometry.input_px * np.array([0.4, 0.55])
    centres = np.einsum("nij,j->ni", affine[:, :, :2], middle) + affine[:, :, 2]
    images = network_input(
        torch.from_numpy(_film(centres)), torch.from_numpy(affine).float(), geometry.input_hw
    )
    back = inverted(affine)
    expected = np.einsum("nij,nj->ni", back[:, :, :2], centres) + back[:, :, 2]
    np.testing.assert_allclose(expected, [middle] * len(affine), atol=1e-6)
    return _centre_of_mass(images), expected


@settings(PATIENT, max_examples=40)
@given(
    st.sampled_from([Geometry(64, 64, STORE), Geometry(64, 72, STORE), Geometry(STORE, STORE, STORE)]),
    st.sampled_from([0.0, 1.0]),
    st.floats(0, 30),
    st.floats(0.5, 1.0),
    st.integers(0, 2**32),
)
def test_pixels_go_where_the_affine_says(geometry, flip, degrees, area, seed) -> None:
    augmentation = Augmentation(flip, degrees, (area, 1.0), (0.8, 1.25))
    affine = augmented(geometry, augmentation, seed, 0, np.arange(4))
    assert (np.linalg.det(affine[:, :, :2]) < 0).all() == bool(flip)
    found, expected = _placed_blobs(affine, geometry)
    np.testing.assert_allclose(found, expected, atol=0.1)


@pytest.mark.parametrize("geometry", [Geometry(64, 64, STORE), Geometry(64, 80, STORE)])
def test_pixels_of_a_scored_film_go_where_the_affine_says(geometry) -> None:
    found, expected = _placed_blobs(input_to_store(geometry, 2), geometry)
    np.testing.assert_allclose(found, expected, atol=0.05)
