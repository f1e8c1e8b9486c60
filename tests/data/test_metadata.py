import math

import numpy as np
import pytest

from hilum.boxes import no_boxes
from hilum.data import Cohort
from hilum.data.metadata import N_METADATA, MetadataScaling, fit_scaling, metadata_from


def _cohort(age=(), view=(), sex=()) -> Cohort:
    n = max(len(age), len(view), len(sex))
    return Cohort(
        films=np.arange(n).astype(str),
        paths=np.full(n, "there"),
        findings=(),
        labels=np.zeros((n, 0), np.float32),
        patient=np.arange(n),
        view=np.array(view or ["PA"] * n, "<U2"),
        age=np.array(age or [50.0] * n, float),
        sex=np.array(sex or ["F"] * n, "<U1"),
        split=np.full(n, "train"),
        reference=no_boxes(),
        frame_hw=(1024, 1024),
    )


@pytest.mark.parametrize(
    ("ages", "expected"),
    [
        ([20, 40, 90], (20, 90, 40)),
        ([math.nan, 20, 40, math.nan, 90, 94], (20, 94, 65)),
        ([33], (33, 33, 33)),
        ([math.nan], (0, 100, 50)),
        ([], (0, 100, 50)),
    ],
)
def test_scaling_is_of_known_ages(ages, expected) -> None:
    assert fit_scaling(_cohort(age=ages)) == MetadataScaling(*map(float, expected))


def test_three_numbers_a_film() -> None:
    cohort = _cohort(
        age=[20.0, 40.0, 100.0, 10.0, math.nan],
        view=["PA", "AP", "", "PA", "AP"],
        sex=["M", "F", "", "F", "M"],
    )
    numbers = metadata_from(cohort, MetadataScaling(20.0, 60.0, 30.0))
    assert numbers.dtype == np.float32
    assert numbers.tolist() == [
        [0, 0, 0],
        [1, 0.5, 1],
        [0.5, 1, 0.5],  # older than any in training
        [0, 0, 1],  # younger
        [1, 0.25, 0],  # of unknown age: the median
    ]


def test_one_age_only_divides_by_a_year() -> None:
    numbers = metadata_from(_cohort(age=[33.0, 33.5, 40.0]), MetadataScaling(33.0, 33.0, 33.0))
    assert numbers[:, 1].tolist() == [0, 0.5, 1]


def test_unknown_everything_is_the_middle() -> None:
    cohort = _cohort(age=[math.nan], view=[""], sex=[""])
    assert metadata_from(cohort, fit_scaling(cohort)).tolist() == [[0.5, 0.5, 0.5]]


def test_no_film() -> None:
    assert metadata_from(_cohort(), fit_scaling(_cohort())).shape == (0, N_METADATA)
    assert N_METADATA == 3
