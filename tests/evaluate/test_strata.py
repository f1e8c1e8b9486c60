import dataclasses

import numpy as np

from hilum.boxes import BoxTable
from hilum.evaluate.strata import entry_strata, film_strata


def test_films_by_sex_view_and_age(cohort_of) -> None:
    cohort = dataclasses.replace(
        cohort_of(5),
        sex=np.array(["F", "M", "", "F", "M"]),
        view=np.array(["PA", "AP", "PA", "", "AP"]),
        age=np.array([39.9, 40.0, 59.9, 60.0, np.nan]),
    )
    rows = {name: np.flatnonzero(mask).tolist() for name, mask in film_strata(cohort).items()}
    assert rows == {
        "sex=F": [0, 3],
        "sex=M": [1, 4],
        "view=PA": [0, 2],
        "view=AP": [1, 4],
        "age<40": [0],
        "age 40-60": [1, 2],
        "age>=60": [3],
    }


def test_entries_by_size_sex_view_and_age(cohort_of) -> None:
    side = np.sqrt([0.009, 0.01, 0.049, 0.051]) * 64
    xyxy = np.stack([np.zeros(4), np.zeros(4), side, side], axis=1)
    reference = BoxTable(np.array([0, 1, 1, 2]), np.zeros(4, int), xyxy, np.full(4, np.nan))
    cohort = dataclasses.replace(
        cohort_of(3),
        reference=reference,
        sex=np.array(["F", "M", ""]),
        view=np.array(["PA", "", "AP"]),
        age=np.array([60.0, 20.0, np.nan]),
    )
    rows = {name: np.flatnonzero(mask).tolist() for name, mask in entry_strata(cohort).items()}
    assert rows == {
        "size<1%": [0],
        "size 1-5%": [1, 2],
        "size>=5%": [3],
        "sex=F": [0],
        "sex=M": [1, 2],
        "view=PA": [0],
        "view=AP": [3],
        "age<40": [1, 2],
        "age 40-60": [],
        "age>=60": [0],
    }
