"""Chance -> which findings a film shows together."""

import numpy as np

from hilum.data.phantom.patient import Film, Patient
from hilum.findings import CHESTXRAY14

NORMAL_SHARE = 0.5
"""Share of films without a finding, about as in ChestX-ray14 (60,361 of 112,120)."""

_HOW_MANY = (0.34, 0.34, 0.20, 0.12)  # 1 to 4 findings on an abnormal film

# How often a finding is the first on an abnormal film. Flatter than in life, where a hernia is on one
# film in 500: a small cohort must hold some of each.
_WEIGHTS = {
    "Atelectasis": 1.1,
    "Cardiomegaly": 0.9,
    "Effusion": 1.2,
    "Infiltration": 1.3,
    "Mass": 1.0,
    "Nodule": 1.2,
    "Pneumonia": 1.0,
    "Pneumothorax": 1.0,
    "Consolidation": 1.0,
    "Edema": 0.8,
    "Emphysema": 0.8,
    "Fibrosis": 0.9,
    "Pleural_Thickening": 1.0,
    "Hernia": 0.7,
}

# Pairs that come together more often than by chance, as in the tables of ChestX-ray14.
_TOGETHER = {
    ("Atelectasis", "Effusion"): 2.2,
    ("Effusion", "Cardiomegaly"): 1.6,
    ("Effusion", "Infiltration"): 1.5,
    ("Effusion", "Consolidation"): 1.6,
    ("Effusion", "Edema"): 1.8,
    ("Cardiomegaly", "Edema"): 2.0,
    ("Infiltration", "Atelectasis"): 1.4,
    ("Infiltration", "Pneumonia"): 1.4,
    ("Mass", "Nodule"): 1.6,
    ("Emphysema", "Pneumothorax"): 1.8,
    ("Fibrosis", "Pleural_Thickening"): 1.8,
}

# Pairs that no reader could tell apart on one film, or that undo each other.
_APART = (
    ("Edema", "Emphysema"),
    ("Edema", "Fibrosis"),
    ("Cardiomegaly", "Emphysema"),
    ("Emphysema", "Fibrosis"),
)


def _table() -> tuple[np.ndarray, np.ndarray]:
    place = {name: k for k, name in enumerate(CHESTXRAY14)}
    weights = np.array([_WEIGHTS[name] for name in CHESTXRAY14])
    pairs = np.ones((len(CHESTXRAY14), len(CHESTXRAY14)))
    for (first, second), factor in _TOGETHER.items():
        pairs[place[first], place[second]] = pairs[place[second], place[first]] = factor
    for first, second in _APART:
        pairs[place[first], place[second]] = pairs[place[second], place[first]] = 0.0
    np.fill_diagonal(pairs, 0.0)
    return weights, pairs


def findings_of(person: Patient, film: Film, chance: np.random.Generator) -> tuple[int, ...]:
    """Which findings the film shows, as rising positions in the label set; empty for a healthy chest.

    View, sex and age matter a little, so that they alone tell almost nothing.
    """
    weights, pairs = _table()
    ill = 1 - NORMAL_SHARE + 0.05 * (film.view == "AP") - 0.02 + 0.001 * (film.age - 50)
    if chance.random() >= ill:
        return ()
    old, bedside = 1 + 0.004 * (film.age - 50), 1.15 if film.view == "AP" else 0.92
    for name, factor in (
        ("Cardiomegaly", old),
        ("Emphysema", old),
        ("Fibrosis", old),
        ("Hernia", old * (1.1 if person.sex == "F" else 0.92)),
        ("Edema", bedside),
        ("Effusion", bedside),
        ("Consolidation", bedside),
    ):
        weights[CHESTXRAY14.index(name)] *= factor
    found: list[int] = []
    for _ in range(1 + int(chance.choice(4, p=_HOW_MANY))):
        odds = weights * np.prod(pairs[found], axis=0)
        found.append(int(chance.choice(len(odds), p=odds / odds.sum())))
    return tuple(sorted(found))
