"""A healthy chest looks like one; filling takes air away."""

import numpy as np
from tests.data.phantom.conftest import SIZE, healthy

from hilum.data.phantom.patient import film_of, patient_of
from hilum.data.phantom.scene import developed


def _film(patient: int, extra: float = 0.0) -> np.ndarray:
    person, film = patient_of(0, patient), film_of(0, patient, 0)
    things = np.full((SIZE, SIZE), extra, np.float32)
    return developed(healthy(patient), person, film, things, np.random.default_rng(0))


def test_lungs_are_dark_heart_and_abdomen_bright() -> None:
    for patient in range(20):
        scene, film = healthy(patient), _film(patient)
        lungs = film[(scene.lungs[0] + scene.lungs[1] > 0.5) & (scene.air > 0.5)].mean()
        assert film[scene.heart > 0.9].mean() > lungs + 20
        abdomen = film[(scene.v > 1.1) & (np.abs(scene.u) < 0.6)]
        assert not len(abdomen) or abdomen.mean() > lungs + 20


def test_films_use_the_grey_scale_and_differ_from_patient_to_patient() -> None:
    films = [_film(patient) for patient in range(12)]
    assert all(np.ptp(film) > 120 for film in films)
    alike = np.corrcoef([film.ravel().astype(float) for film in films]) - np.eye(12)
    assert alike.max() < 0.99


def test_what_is_filled_becomes_brighter() -> None:
    scene = healthy(3)
    person, film = patient_of(0, 3), film_of(0, 3, 0)
    nothing = np.zeros((SIZE, SIZE), np.float32)
    before = developed(scene, person, film, nothing, np.random.default_rng(0)).astype(float)
    spot = np.zeros((SIZE, SIZE), np.float32)
    rows, columns = np.nonzero(scene.air > 0.8)
    spot[rows[len(rows) // 2] - 4 :, columns[len(columns) // 2] - 4 :][:9, :9] = 1
    scene.fill(spot)
    after = developed(scene, person, film, nothing, np.random.default_rng(0)).astype(float)
    inside = spot > 0
    assert (after - before)[inside].mean() > 20
    assert np.abs(after - before)[~inside].mean() < 5
    assert np.all(scene.air[inside] == 0)
    assert film.scale > 0
