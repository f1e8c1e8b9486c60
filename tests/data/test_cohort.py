import dataclasses
from pathlib import Path

import jaxtyping
import numpy as np
import pytest

from hilum.boxes import BoxTable, no_boxes
from hilum.data import Cohort, with_films
from hilum.errors import DataError, SplitError

FINDINGS = ("Mass", "Effusion")


def _cohort(**columns) -> Cohort:
    """Five films of three patients, a box on the second film and two on the fourth."""
    given = {
        "films": np.array(["a", "b", "c", "d", "e"]),
        "paths": np.array(["/a", "", "/c", "/d", ""]),
        "findings": FINDINGS,
        "labels": np.array([[1, 0], [0, 1], [0, 0], [1, 1], [np.nan, 0]], np.float32),
        "patient": np.array(["1", "1", "2", "3", "3"]),
        "view": np.array(["PA", "AP", "", "PA", "AP"]),
        "age": np.array([30.0, 31, np.nan, 50, 51]),
        "sex": np.array(["F", "F", "", "M", "M"]),
        "split": np.array(["train", "train", "val", "test", "test"]),
        "reference": BoxTable(
            np.array([1, 3, 3]), np.array([1, 0, 1]), np.arange(12.0).reshape(3, 4), np.full(3, np.nan)
        ),
        "frame_hw": (1024, 1024),
    }
    return Cohort(**given | columns)


def test_columns() -> None:
    cohort = _cohort()
    assert len(cohort) == 5
    assert cohort.on_disk.tolist() == [True, False, True, True, False]
    assert [cohort.side(name).tolist() for name in ("train", "val", "test")] == [[0, 1], [2], [3, 4]]
    with pytest.raises(ValueError, match="unknown side 'valid' of a split; known: train, val, test"):
        cohort.side("valid")


def test_work_on_films_needs_one() -> None:
    cohort = _cohort()
    assert with_films(cohort, Path("data")) is cohort
    with pytest.raises(DataError, match="data: none of the 5 films of the table is in it or below it"):
        with_films(_cohort(paths=np.full(5, "")), Path("data"))


@pytest.mark.parametrize("name", ["paths", "labels", "patient", "view", "age", "sex", "split"])
def test_columns_are_of_one_length(name, monkeypatch) -> None:
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as it is outside of tests
    with pytest.raises(ValueError, match=f"column {name} has 4 rows for 5 films"):
        _cohort(**{name: getattr(_cohort(), name)[:4]})


def test_labels_have_a_column_a_finding() -> None:
    with pytest.raises(ValueError, match="2 label columns for 1 findings"):
        _cohort(findings=("Mass",))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"image": np.array([1, 3, 5])}, "film 5 of 5"),
        ({"image": np.array([1, -1, 3])}, "film -1 of 5"),
        ({"finding": np.array([0, 1, 2])}, "finding 2 of 2"),
        ({"finding": np.array([-1, 1, 0])}, "finding -1 of 2"),
    ],
)
def test_boxes_are_of_films_and_findings_of_the_cohort(columns, message) -> None:
    with pytest.raises(ValueError, match=f"a reference box names {message}"):
        _cohort(reference=dataclasses.replace(_cohort().reference, **columns))


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (["train", "test", "val", "test", "test"], "1 patients .* the first is '1'"),
        (["train", "val", "val", "test", "test"], "1 patients .* the first is '1'"),
        (["train", "test", "val", "test", "val"], "2 patients .* the first is '1'"),
    ],
)
def test_a_patient_on_two_sides_is_refused(split, message) -> None:
    with pytest.raises(SplitError, match=f"{message}; a patient's films must all be on one side"):
        _cohort(split=np.array(split))


def test_films_without_a_side_leak_nothing() -> None:
    assert len(_cohort(split=np.array(["train", "", "", "", "test"])).side("train")) == 1
    with pytest.raises(SplitError):
        dataclasses.replace(_cohort(), patient=np.array([7, 7, 7, 7, 7]))


def test_the_split_hash_names_sides_and_not_the_order() -> None:
    cohort = _cohort()
    turned = cohort.rows(np.array([4, 2, 0, 1, 3]))
    assert turned.split_hash == cohort.split_hash
    others = [
        cohort.rows(np.arange(4)),
        _cohort(split=np.array(["train", "train", "train", "test", "test"])),
        _cohort(films=np.array(["a", "b", "x", "d", "e"])),
    ]
    assert len({other.split_hash for other in (cohort, *others)}) == 4


@pytest.mark.parametrize(
    ("keep", "films", "boxed"),
    [
        ([3, 1], "db", [(1, 1), (0, 0), (0, 1)]),
        (np.array([False, True, True, False, False]), "bc", [(0, 1)]),
        ([0, 2], "ac", []),
        ([-1], "e", []),
        ([], "", []),
        (np.ones(5, bool), "abcde", [(1, 1), (3, 0), (3, 1)]),
    ],
)
def test_rows_carry_their_boxes(keep, films, boxed) -> None:
    cohort = _cohort()
    some = cohort.rows(np.array(keep, int) if isinstance(keep, list) else keep)
    assert "".join(some.films) == films
    assert list(zip(some.reference.image.tolist(), some.reference.finding.tolist(), strict=True)) == boxed
    for name in ("paths", "patient", "view", "sex", "split"):
        whole = dict(zip(cohort.films, getattr(cohort, name), strict=True))
        assert getattr(some, name).tolist() == [whole[film] for film in films]
    assert some.labels.shape == (len(films), 2)
    assert (some.findings, some.frame_hw) == (cohort.findings, cohort.frame_hw)


def test_no_film() -> None:
    empty = _cohort(reference=no_boxes()).rows(np.zeros(5, bool))
    assert len(empty) == len(empty.side("train")) == 0
    assert empty.split_hash == empty.rows(np.zeros(0, int)).split_hash


def test_some_findings_in_the_order_wanted() -> None:
    cohort = _cohort().of_findings(["Effusion"])
    assert cohort.findings == ("Effusion",)
    assert cohort.labels[:, 0].tolist() == [0, 1, 0, 1, 0]
    assert (cohort.reference.image.tolist(), cohort.reference.finding.tolist()) == ([1, 3], [0, 0])
    turned = _cohort().of_findings(("Effusion", "Mass"))
    assert turned.reference.finding.tolist() == [0, 1, 0]
    np.testing.assert_array_equal(turned.labels, _cohort().labels[:, ::-1])
    assert _cohort().of_findings(()).labels.shape == (5, 0)
    with pytest.raises(ValueError, match=r"\['mass'\] are not among \['Mass', 'Effusion'\]"):
        _cohort().of_findings(("mass",))
    with pytest.raises(ValueError, match="stands twice"):
        _cohort().of_findings(("Mass", "Mass"))
