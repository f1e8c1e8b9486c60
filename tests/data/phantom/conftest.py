"""Phantoms that several tests look at."""

from pathlib import Path

import numpy as np
import pytest

from hilum.data.phantom.anatomy import Changes, anatomy_of
from hilum.data.phantom.film import LESIONS
from hilum.data.phantom.patient import film_of, patient_of
from hilum.data.phantom.scene import Scene, opened

SIZE = 128


def healthy(patient: int, changes: Changes | None = None, size: int = SIZE) -> Scene:
    """The chest of one patient before anything is drawn on it."""
    person, film = patient_of(0, patient), film_of(0, patient, 0)
    return opened(anatomy_of(person, film, changes or Changes()), film, size)


@pytest.fixture(scope="session")
def lesion_masks() -> dict[str, list[list[np.ndarray]]]:
    """Masks of each finding, drawn alone on 30 chests."""
    masks: dict[str, list[list[np.ndarray]]] = {name: [] for name in LESIONS}
    for patient in range(30):
        for name, paint in LESIONS.items():
            changes = Changes(heart=1.3) if name == "Cardiomegaly" else Changes()
            masks[name].append(paint(healthy(patient, changes), np.random.default_rng(patient)))
    return masks


@pytest.fixture(scope="session")
def cohort_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """400 small films in the NIH layout."""
    from hilum.data.phantom import write

    folder = tmp_path_factory.mktemp("phantom_cohort")
    write(folder, films=400, size=64, seed=3)
    return folder
