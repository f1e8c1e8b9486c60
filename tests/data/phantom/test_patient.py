"""People are repeatable, differ from each other, and bedside films differ from those of the department."""

from dataclasses import replace

import numpy as np

from hilum.data.phantom.patient import film_of, patient_of


def test_a_number_is_a_person() -> None:
    patient_of.cache_clear()
    first = patient_of(3, 11)
    patient_of.cache_clear()
    again = patient_of(3, 11)
    assert np.array_equal(first.shape, again.shape)
    assert np.array_equal(first.trees[0], again.trees[0])
    assert first.age == again.age


def test_no_two_people_share_an_outline() -> None:
    shapes = np.array([patient_of(seed, k).shape for seed in (0, 1) for k in range(60)])
    distance = np.linalg.norm(shapes[:, None] - shapes[None], axis=2) + 99 * np.eye(len(shapes))
    assert distance.min() > 3


def test_population_has_both_sexes_all_ages_and_both_views() -> None:
    people = [patient_of(0, k) for k in range(150)]
    films = [film_of(0, k, 0) for k in range(150)]
    assert 0.35 < np.mean([person.sex == "F" for person in people]) < 0.55
    ages = [person.age for person in people]
    assert (min(ages) >= 18, max(ages) <= 90, np.std(ages) > 12) == (True, True, True)
    assert 0.3 < np.mean([film.view == "AP" for film in films]) < 0.5
    assert all(person.breast[0] == 0 for person in people if person.sex == "M")


def test_bedside_films_are_shallower_larger_and_flatter() -> None:
    films = [film_of(0, k, 0) for k in range(200)]
    for name in ("inspiration", "scale", "contrast"):
        ap, pa = (np.mean([getattr(f, name) for f in films if f.view == view]) for view in ("AP", "PA"))
        assert (ap > pa) == (name == "scale")


def test_a_patient_grows_older_from_film_to_film() -> None:
    ages = [film_of(0, 5, film).age for film in range(6)]
    assert ages == sorted(ages)
    assert ages[-1] > ages[0]


def test_films_of_one_patient_differ() -> None:
    films = [replace(film_of(0, 5, film), view="PA", age=50) for film in range(3)]
    assert films[0] != films[1] != films[2]
