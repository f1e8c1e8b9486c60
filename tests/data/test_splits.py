import dataclasses

import numpy as np
import pytest
from sklearn.model_selection import GroupShuffleSplit

from hilum.boxes import BoxTable, no_boxes
from hilum.data import Cohort
from hilum.data.splits import (
    abnormal,
    boxed,
    given,
    official,
    official_lines,
    official_shuffled,
    random,
    split_from,
)

N = 600
SIDES = ("train", "val", "test")


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
    split = official(cohort, 3, share)
    sides = {side: _patients(split, side) for side in SIDES}
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
@pytest.mark.parametrize("make", [official, official_lines, official_shuffled])
def test_a_share_is_a_share(make, share) -> None:
    with pytest.raises(ValueError, match=r"validation share .* must lie between 0 and 1"):
        make(_cohort(), 0, share)


def test_too_few_patients_go_on_training() -> None:
    for n, n_val in ((0, 0), (3, 0), (6, 1)):
        split = official(_cohort(n), 0, 0.9)
        assert len(_patients(split, "val")) == n_val
    nobody = official(_cohort(9, n_test=9), 0, 0.5)
    assert len(nobody.side("val")) == 0


def test_the_last_lines_of_the_list_validate_in_the_order_of_names() -> None:
    cohort = _cohort(90, n_test=30)
    order = np.random.default_rng(0).permutation(90)
    split = official_lines(cohort.rows(order), 0, 0.25)
    assert sorted(split.films[split.side("val")]) == cohort.films[45:60].tolist()
    assert split.split_name == "official lists; the last 0.25 of the training list for validation"
    assert split.split_hash == official_lines(cohort, 1, 0.25).split_hash  # it takes no seed


def test_a_patient_at_the_cut_trains_whole() -> None:
    split = official_lines(_cohort(90, n_test=30), 0, 0.26)  # the cut falls after line 44, of patient 15
    assert split.films[split.side("val")].tolist() == split.films[45:60].tolist()


def test_groups_are_shuffled_as_scikit_learn_does() -> None:
    cohort = _cohort(300, n_test=60)
    patient = np.array([f"{97 + row // 3}" for row in range(300)])  # 97 ... 196: numbers, not words, in order
    split = official_shuffled(dataclasses.replace(cohort, patient=patient), 42, 0.05)
    theirs = GroupShuffleSplit(n_splits=1, test_size=0.05, random_state=42)
    ((_, validation),) = theirs.split(np.zeros(240), groups=patient[:240].astype(int))
    np.testing.assert_array_equal(split.side("val"), validation)
    assert split.split_name.endswith("by GroupShuffleSplit, seed 42")


def _labelled(n: int = N) -> Cohort:
    """Every fifth film has the finding; the "No Finding" of the others is no disease."""
    ill = np.arange(n) % 5 == 0
    labels = np.stack([ill, ~ill], axis=1).astype(np.float32)
    return dataclasses.replace(_cohort(n, 150), findings=("Mass", "No Finding"), labels=labels)


def test_all_with_a_finding_and_some_without() -> None:
    cohort = _labelled()
    split = abnormal(cohort, 0, 40.0, 0.2)
    used = np.isin(split.split, ("train", "val"))
    ill = cohort.labels[:, 0] == 1
    official_train = cohort.split == "train"
    assert (used[ill & official_train]).all()
    assert used[~ill].sum() == 40
    np.testing.assert_array_equal(split.side("test"), cohort.side("test"))
    patients = {side: _patients(split, side) for side in ("train", "val")}
    assert len(patients["val"]) == round(0.2 * len(patients["train"] | patients["val"]))
    assert split.split_name.startswith("official lists; films with a finding and 40 without; 0.2 of the")
    drawn = {abnormal(cohort, seed, 40.0).split_hash for seed in range(3)}
    assert len(drawn) == 3


@pytest.mark.parametrize("n_normal", [361.0, -1.0, 2.5])
def test_more_films_without_a_finding_than_there_are(n_normal) -> None:
    with pytest.raises(ValueError, match=r"films without a finding where 360 are listed for training"):
        abnormal(_labelled(), 0, n_normal)


@pytest.mark.parametrize(
    ("shares", "n_patients", "name"),
    [((), (140, 20, 40), "70/10/20"), ((0.8, 0.1), (160, 20, 20), "80/10/10")],
)
def test_random_patients(shares, n_patients, name) -> None:
    split = random(_cohort(n_test=150), 0, *shares)
    sides = {side: _patients(split, side) for side in SIDES}
    assert tuple(map(len, sides.values())) == n_patients
    assert len(set.union(*sides.values())) == 200
    assert split.split_name == f"random {name} by patient, seed 0"
    assert len(random(_cohort(0), 0)) == 0


@pytest.mark.parametrize("shares", [(0.9, 0.1), (0.0, 0.1), (0.5, 0.6)])
def test_shares_that_leave_nobody(shares) -> None:
    with pytest.raises(ValueError, match="must lie between 0 and 1"):
        random(_cohort(), 0, *shares)


def test_the_sides_that_the_data_names() -> None:
    cohort = _cohort(9)
    named = dataclasses.replace(cohort, split=np.repeat(["train", "val", "test"], 3).astype("<U5"))
    assert given(named, 0) is named
    with pytest.raises(ValueError, match="no film on side 'val'"):
        given(_cohort(n_test=150), 0)


DRAWN = [
    random,
    lambda cohort, seed: official(cohort, seed, 0.3),
    lambda cohort, seed: official_shuffled(cohort, seed, 0.3),
]


@pytest.mark.parametrize("make", DRAWN)
def test_a_seed_names_a_split(make) -> None:
    cohort = _cohort()
    hashes = [make(cohort, seed).split_hash for seed in (0, 0, 1, 2)]
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 3
    order = np.random.default_rng(0).permutation(N)
    assert make(cohort.rows(order), 0).split_hash == hashes[0]


@pytest.mark.parametrize("make", DRAWN)
def test_every_patient_has_the_same_chance(make) -> None:
    cohort = _cohort(90)
    times = sum((make(cohort, seed).split == "train").astype(int) for seed in range(200))
    mean = times.mean()
    assert np.abs(times - mean).max() < 5 * np.sqrt(200 * (mean / 200) * (1 - mean / 200))


@pytest.mark.parametrize("make", [official, official_lines, official_shuffled, abnormal, boxed])
def test_data_without_official_sides_says_so(make) -> None:
    unsided = dataclasses.replace(_cohort(9), split=np.array([""] * 9, "<U5"))
    with pytest.raises(ValueError, match=r"has no official sides; take the split random\(\.\.\.\)"):
        make(unsided, 0)


def _boxed_cohort() -> Cohort:
    """Of 50 tested patients the first 20 have a box, each on the second of three films."""
    image = np.arange(450, 510, 3) + 1
    nothing = np.zeros(20)
    boxes = BoxTable(image, np.zeros(20, np.int64), np.tile([0.0, 0.0, 9.0, 9.0], (20, 1)), nothing)
    return dataclasses.replace(_cohort(n_test=150), reference=boxes)


@pytest.mark.parametrize(("share", "n_moved"), [(0.8, 16), (0.25, 5), (0.001, 1), (0.999, 19)])
def test_boxed_patients_move_to_training_with_all_their_films(share, n_moved) -> None:
    cohort = _boxed_cohort()
    split, plain = boxed(cohort, 4, share, 0.2), official(cohort, 4, 0.2)
    moved = _patients(split, "train") & _patients(plain, "test")
    assert len(moved) == n_moved
    assert moved <= set(cohort.patient[cohort.reference.image].tolist())
    changed = np.flatnonzero(split.split != plain.split)
    assert len(changed) == 3 * n_moved
    assert (split.split[changed] == "train").all()
    assert len(_patients(split, "test")) == 50 - n_moved
    assert f"{share:g} of the tested patients with boxes train, seed 4" in split.split_name
    if 1 < n_moved < 19:
        assert moved != _patients(boxed(cohort, 5, share, 0.2), "train") & _patients(plain, "test")


def test_boxed_patients_are_needed() -> None:
    with pytest.raises(ValueError, match="0 tested patients have boxes"):
        boxed(_cohort(n_test=150), 0)
    with pytest.raises(ValueError, match="boxed share 1 must lie"):
        boxed(_boxed_cohort(), 0, 1.0)


def test_boxes_of_the_real_list_are_parted_by_patient(real) -> None:
    split = split_from("boxed(0.8, 0.125)")(real, 42)
    of_box = split.split[real.reference.image]
    whose = [set(real.patient[real.reference.image[of_box == side]].tolist()) for side in ("train", "test")]
    assert not whose[0] & whose[1]
    assert len(whose[0]) / len(whose[0] | whose[1]) == pytest.approx(0.8, abs=0.002)
    assert (of_box != "val").all()


@pytest.mark.parametrize(
    ("text", "n_train", "n_val"),
    [
        ("official(0.125)", None, None),
        ("official_lines(0.125)", 75_708, 10_816),
        ("official_shuffled(0.05)", 82_257, 4_267),
        ("abnormal(5000, 0.2)", None, None),
    ],
)
def test_the_carvings_of_the_papers_on_the_real_lists(real, text, n_train, n_val) -> None:
    split = split_from(text)(real, 42)
    n_used = len(split.side("train")) + len(split.side("val"))
    assert n_used == (41_024 if text.startswith("abnormal") else 86_524)
    assert len(split.side("test")) == 25_596
    if n_train:
        assert (len(split.side("train")), len(split.side("val"))) == (n_train, n_val)
