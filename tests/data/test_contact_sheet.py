"""The sheet shows as many films as asked for, boxes in colour, and nothing when there is nothing to show."""

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

from hilum.data import Cohort
from hilum.data.chestxray14 import load
from hilum.data.contact_sheet import contact_sheet
from hilum.data.phantom import write
from hilum.errors import DataError


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """Phantoms with boxes on some test films."""
    folder = tmp_path_factory.mktemp("phantoms")
    write(folder, films=120, size=64, seed=3)
    return load(folder)


def _sheet(cohort: Cohort, out: Path, films: int = 6, seed: int = 0) -> np.ndarray:
    contact_sheet(cohort, out, films=films, seed=seed)
    sheet = cv2.imread(str(out))
    assert sheet is not None
    return sheet


def test_a_sheet_has_a_tile_a_film_and_coloured_boxes(cohort, tmp_path) -> None:
    sheet = _sheet(cohort, tmp_path / "a.png")
    assert np.array_equal(sheet, _sheet(cohort, tmp_path / "b.png"))
    assert not np.array_equal(sheet, _sheet(cohort, tmp_path / "c.png", seed=1))
    assert sheet.shape == (4 + 2 * 294, 4 + 5 * 260, 3)
    tiles = [sheet[4:260, 4 + 260 * k : 260 + 260 * k] for k in range(5)]
    coloured = [(np.ptp(tile.astype(int), axis=2) > 60).any() for tile in tiles]
    assert coloured == [False, True, True, True, True]  # the first one is healthy


def test_boxes_are_of_their_own_films(cohort, tmp_path) -> None:
    """Without the other films, a film looks as it did among them."""
    test = cohort.rows(cohort.side("test"))
    row = int(test.reference.image[0])
    alone = _sheet(test.rows([row]), tmp_path / "alone.png", films=1)
    everyone = _sheet(test, tmp_path / "all.png", films=len(test))
    tiles = [
        everyone[top : top + 256, left : left + 256]
        for top in range(4, everyone.shape[0] - 255, 294)
        for left in range(4, everyone.shape[1] - 255, 260)
    ]
    assert sum(np.array_equal(tile, alone[4:260, 4:260]) for tile in tiles) == 1


def test_without_test_films_others_are_shown(cohort, tmp_path) -> None:
    unsided = dataclasses.replace(cohort, split=np.full(len(cohort), "", "<U5"))
    assert _sheet(unsided, tmp_path / "a.png", films=3).shape == (4 + 294, 4 + 3 * 260, 3)


def test_films_that_cannot_be_read_are_passed_over(cohort, tmp_path) -> None:
    (tmp_path / "no.png").write_text("no film")
    test = cohort.rows(cohort.side("test"))
    paths = np.full(len(test), str(tmp_path / "no.png"), dtype=object)
    ill = np.flatnonzero(test.labels.any(axis=1))[:2]
    paths[ill] = test.paths[ill]
    broken = dataclasses.replace(test, paths=paths.astype(str))
    assert _sheet(broken, tmp_path / "a.png", films=10).shape == (4 + 294, 4 + 2 * 260, 3)
    none = dataclasses.replace(test, paths=np.full(len(test), str(tmp_path / "no.png")))
    with pytest.raises(DataError, match="phantoms: no film could be read"):
        contact_sheet(none, tmp_path / "b.png", films=3, seed=0)


def test_no_film_is_refused(cohort, tmp_path) -> None:
    with pytest.raises(ValueError, match="ask for 1 or more"):
        contact_sheet(cohort, tmp_path / "a.png", films=0, seed=0)
