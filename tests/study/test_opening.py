"""Sides of the split do not depend on which films were downloaded, and what cannot be read is left out."""

import shutil

import numpy as np
import pytest

from hilum.errors import DataError
from hilum.recipe import load
from hilum.study.opening import decode, open_films


def test_a_partial_download_keeps_every_film_on_its_side(phantoms, tiny_recipe, tmp_path) -> None:
    settings = load(str(tiny_recipe)).data
    whole = open_films(phantoms, settings)
    data = tmp_path / "data"
    shutil.copytree(phantoms, data)
    for path in sorted((data / "images").iterdir())[::3]:
        path.unlink()
    part = open_films(data, settings)
    sides = dict(zip(whole.cohort.films.tolist(), whole.cohort.split.tolist(), strict=True))
    assert 40 < len(part.cohort) < 80
    assert all(sides[film] == side for film, side in zip(part.cohort.films, part.cohort.split, strict=True))
    assert (whole.partial, part.partial) == (False, True)
    assert part.complete == f"{len(part.cohort)} of 80 films"
    assert part.listed_by_split == whole.listed_by_split


def test_a_random_split_is_by_patient_and_by_its_seed(phantoms, tiny_recipe) -> None:
    def split(seed: int) -> np.ndarray:
        changes = {"data.split": "'random'", "data.split_seed": str(seed)}
        return open_films(phantoms, load(str(tiny_recipe), changes).data).cohort.split

    assert np.array_equal(split(1), split(1))
    assert not np.array_equal(split(1), split(2))


def test_films_that_cannot_be_read_leave_the_cohort(phantoms, tiny_recipe, tmp_path) -> None:
    settings = load(str(tiny_recipe)).data
    data = tmp_path / "data"
    shutil.copytree(phantoms, data)
    bad = sorted((data / "images").iterdir())[4]
    bad.write_bytes(b"GIF89a")
    films, pixels = decode(open_films(data, settings), settings)
    assert list(pixels.failures) == [bad.name]
    assert bad.name not in films.cohort.films
    assert len(films.cohort) == 79
    film = films.cohort.films[10]
    assert pixels.store.films[pixels.rows[10]] == film


def test_a_side_without_a_film_is_refused(phantoms, tiny_recipe, tmp_path) -> None:
    settings = load(str(tiny_recipe)).data
    data = tmp_path / "data"
    shutil.copytree(phantoms, data)
    for name in (data / "test_list.txt").read_text().split():
        (data / "images" / name).unlink()
    with pytest.raises(DataError, match="no readable film is on the test side"):
        decode(open_films(data, settings), settings)
