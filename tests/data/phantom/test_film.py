"""One phantom: the same arguments give the same film, and what is said of it is true of its pixels."""

import numpy as np
import pytest

from hilum.data.phantom.film import REGIONS, Phantom, draw
from hilum.findings import CHESTXRAY14

SIZE = 96


@pytest.fixture(scope="module")
def films() -> list[Phantom]:
    return [draw(0, patient, film, SIZE) for patient in range(30) for film in range(2)]


def test_drawing_depends_on_nothing_but_its_arguments(films: list[Phantom]) -> None:
    again = draw(0, 7, 1, SIZE)
    before = films[15]
    assert np.array_equal(again.image, before.image)
    assert np.array_equal(again.masks, before.masks)
    assert np.array_equal(again.boxes, before.boxes)
    assert not np.array_equal(draw(1, 7, 1, SIZE).image, before.image)


def test_labels_masks_and_boxes_agree(films: list[Phantom]) -> None:
    for film in films:
        assert set(film.findings.tolist()) == set(np.flatnonzero(film.labels).tolist())
        assert np.array_equal(film.masks.any(axis=(1, 2)), film.labels > 0)
        for finding in set(film.findings.tolist()):
            hulls = film.boxes[film.findings == finding] * SIZE / 1024
            rows, columns = np.nonzero(film.masks[finding])
            assert columns.min() == pytest.approx(hulls[:, 0].min())
            assert rows.max() + 1 == pytest.approx(hulls[:, 3].max())
        assert (film.boxes[:, 2:] > film.boxes[:, :2]).all()
        assert ((film.boxes >= 0) & (film.boxes <= 1024)).all()


def test_regions_are_named_and_lie_where_they_should(films: list[Phantom]) -> None:
    assert REGIONS == ("lungs", "heart", "hila", "clavicles")
    for film in films:
        lungs, heart, hila, clavicles = film.regions
        assert not (lungs & heart).mean() > 0.02
        assert lungs.mean() > 0.08
        assert hila.any()
        assert np.argwhere(clavicles).mean(axis=0)[0] < np.argwhere(heart).mean(axis=0)[0]


def test_films_of_a_patient_look_more_alike_than_films_of_two(films: list[Phantom]) -> None:
    lungs = np.array([film.regions[0].ravel() for film in films], float)
    alike = np.corrcoef(lungs)
    own = np.mean([alike[2 * k, 2 * k + 1] for k in range(30)])
    other = np.mean([alike[2 * k, 2 * k + 3] for k in range(28)])
    assert own > other


def test_a_larger_film_is_the_same_chest() -> None:
    small, large = draw(0, 4, 0, 64), draw(0, 4, 0, 256)
    assert np.array_equal(small.labels, large.labels)
    assert small.boxes == pytest.approx(large.boxes, abs=40)
    shrunk = large.image.reshape(64, 4, 64, 4).mean(axis=(1, 3))
    assert np.corrcoef(shrunk.ravel(), small.image.ravel())[0, 1] > 0.97


def test_every_finding_is_drawn_by_something(films: list[Phantom]) -> None:
    assert np.sum([film.labels for film in films], axis=0).min() > 0
    assert len(films[0].labels) == len(CHESTXRAY14)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [((0, 0, 0, 32), "32 px"), ((0, 0, 0, 2048), "2048 px"), ((-1, 0, 0, 64), "counted from 0")],
)
def test_what_cannot_be_drawn_is_refused(arguments: tuple[int, int, int, int], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        draw(*arguments)
