"""Findings come together as in life, and view, sex and age alone tell almost nothing."""

import warnings

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from hilum.data.phantom.canvas import generator
from hilum.data.phantom.occurrence import findings_of
from hilum.data.phantom.patient import film_of, patient_of
from hilum.findings import CHESTXRAY14

N = 2400


@pytest.fixture(scope="module")
def population() -> tuple[np.ndarray, np.ndarray]:
    """Labels (films, findings), and age, sex, view (films, 3)."""
    labels, known = np.zeros((N, len(CHESTXRAY14)), bool), np.zeros((N, 3))
    for k in range(N):
        person, film = patient_of(0, k), film_of(0, k, 0)
        labels[k, list(findings_of(person, film, generator(0, k, 0, 2)))] = True
        known[k] = (film.age - 50) / 20, person.sex == "F", film.view == "AP"
    return labels, known


def _column(labels: np.ndarray, name: str) -> np.ndarray:
    return labels[:, CHESTXRAY14.index(name)]


def test_half_of_the_films_are_healthy_and_no_finding_is_rare(population) -> None:
    labels, _ = population
    assert (labels.sum(axis=1) == 0).mean() == pytest.approx(0.5, abs=0.04)
    assert labels.mean(axis=0).min() > 0.03
    assert labels.mean(axis=0).max() < 0.2
    assert labels.sum(axis=1).max() >= 4


@pytest.mark.parametrize(
    "pair", [("Fibrosis", "Pleural_Thickening"), ("Cardiomegaly", "Edema"), ("Emphysema", "Pneumothorax")]
)
def test_pairs_of_life_come_together(population, pair: tuple[str, str]) -> None:
    labels = population[0][population[0].any(axis=1)]
    one, other = (_column(labels, name) for name in pair)
    assert (one & other).mean() > 1.15 * one.mean() * other.mean()


@pytest.mark.parametrize("pair", [("Edema", "Emphysema"), ("Cardiomegaly", "Emphysema")])
def test_pairs_that_undo_each_other_never_do(population, pair: tuple[str, str]) -> None:
    assert not (_column(population[0], pair[0]) & _column(population[0], pair[1])).any()


def test_metadata_alone_stays_below_0_65(population) -> None:
    labels, known = population
    half, aurocs = N // 2, []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for column in labels.T:
            model = LogisticRegression().fit(known[:half], column[:half])
            aurocs.append(roc_auc_score(column[half:], model.predict_proba(known[half:])[:, 1]))
    assert np.mean(aurocs) < 0.6
    assert max(aurocs) < 0.68
