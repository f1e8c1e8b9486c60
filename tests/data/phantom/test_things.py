"""Wires, rings, folds and letters: there, more of them at the bedside, and small."""

from dataclasses import replace

import numpy as np
from tests.data.phantom.conftest import SIZE, healthy

from hilum.data.phantom.patient import film_of, patient_of
from hilum.data.phantom.things import stamped, things


def _density(view: str) -> list[np.ndarray]:
    found = []
    for patient in range(40):
        film = replace(film_of(0, patient, 0), view=view)
        found.append(things(healthy(patient), patient_of(0, patient), film, np.random.default_rng(patient)))
    return found


def test_bedside_films_carry_more() -> None:
    bedside, department = _density("AP"), _density("PA")
    assert np.mean([layer.any() for layer in bedside]) > np.mean([layer.any() for layer in department])
    assert np.mean([layer.sum() for layer in bedside]) > 2 * np.mean([layer.sum() for layer in department])
    assert max(layer.max() for layer in bedside) < 0.5


def test_the_letter_is_small_and_in_an_upper_corner() -> None:
    for k in range(30):
        plain = np.full((SIZE, SIZE), 60, np.uint8)
        rows, columns = np.nonzero(stamped(plain, np.random.default_rng(k)) > 100)
        assert 0 < len(rows) < 0.02 * SIZE**2
        assert rows.max() < 0.25 * SIZE
        assert columns.max() < 0.25 * SIZE or columns.min() > 0.75 * SIZE
