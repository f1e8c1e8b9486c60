import dataclasses

import numpy as np
import pytest

from hilum.boxes import no_boxes
from hilum.data import Cohort
from hilum.data.splits import random_patients, with_validation

N = 600


def _cohort(n: int = N, n_test: int = 0) -> Cohort:
    """Films of about a third as many patients; the last films are the test side."""
    patient = np.array([f"{90_001 + row // 3}" for row in range(n)])
    return Cohort(
        films=np.array([f"{row:08d}.png" for row in range(n)]),
        paths=np.full(n, "there"),
        findings=("Mass",),
        labels=np.zeros((n, 1), np.float32),
        patient=patient,
        view=np.full(n, "PA"),
        age=np.full(n, 50.0),
        sex=np.full(n, "F"),
        split=np.array(["train"] * (n - n_test) + ["test"] * n_test, "<U5"),
        reference=no_boxes(),
        frame_hw=(1024, 1024),
        split_name="official lists",
    )


def _patients(cohort: Cohort, side: str) -> set[str]:
    return set(cohort.patient[cohort.side(side)].tolist())


@pytest.mark.parametrize(("share", "n_patients"), [(0.1, 15), (0.5, 75), (0.001, 1), (0.9999, 149)])
def test_a_share_of_the_training_patients_validates(share, n_patients) -> None:
    cohort = _cohort(n_test=150)
    split = with_validation(cohort, share, seed=3)
    sides = {side: _patients(split, side) for side in ("train", "val", "test")}
    assert {side: len(patients) for side, patients in sides.items()} == {
        "train": 150 - n_patients,
        "val": n_patients,
        "test": 50,
    }
    assert not sides["train"] & sides["val"]
    assert len(split.side("val")) == 3 * n_patients
    np.testing.assert_array_equal(split.side("test"), cohort.side("test"))
    assert split.split_name == f"official lists; {share:g} of the training patients for validation, seed 3"
    assert cohort.split_name == "official lists"
    assert len(cohort.side("val")) == 0


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, 1.5, float("nan")])
def test_a_share_is_a_share(share) -> None:
    with pytest.raises(ValueError, match=r"validation share .* must lie between 0 and 1"):
        with_validation(_cohort(), share, seed=0)


def test_too_few_patients_go_on_training() -> None:
    for n, n_val in ((0, 0), (3, 0), (6, 1)):
        split = with_validation(_cohort(n), 0.9, seed=0)
        assert len(_patients(split, "val")) == n_val
    nobody = with_validation(_cohort(9, n_test=9), 0.5, seed=0)
    assert len(nobody.side("val")) == 0


def test_random_patients() -> None:
    split = random_patients(_cohort(n_test=150), seed=0)
    sides = {side: _patients(split, side) for side in ("train", "val", "test")}
    assert {side: len(patients) for side, patients in sides.items()} == {"train": 140, "val": 20, "test": 40}
    assert len(set.union(*sides.values())) == 200
    assert split.split_name == "random 70/10/20 by patient, seed 0"
    assert len(random_patients(_cohort(0), seed=0)) == 0


@pytest.mark.parametrize("make", [random_patients, lambda cohort, seed: with_validation(cohort, 0.3, seed)])
def test_a_seed_names_a_split(make) -> None:
    cohort = _cohort()
    hashes = [make(cohort, seed).split_hash for seed in (0, 0, 1, 2)]
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 3
    order = np.random.default_rng(0).permutation(N)
    assert make(cohort.rows(order), 0).split_hash == hashes[0]


@pytest.mark.parametrize("make", [random_patients, lambda cohort, seed: with_validation(cohort, 0.3, seed)])
def test_every_patient_has_the_same_chance(make) -> None:
    cohort = _cohort(90)
    times = sum((make(cohort, seed).split == "train").astype(int) for seed in range(200))
    mean = times.mean()
    assert np.abs(times - mean).max() < 5 * np.sqrt(200 * (mean / 200) * (1 - mean / 200))


def test_films_without_a_side_get_none_from_validation() -> None:
    cohort = _cohort(9)
    unsided = dataclasses.replace(cohort, split=np.array([""] * 9, "<U5"))
    assert (with_validation(unsided, 0.5, 0).split == "").all()
