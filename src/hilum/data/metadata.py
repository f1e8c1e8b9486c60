"""View, age and sex of each film as three numbers, scaled as on the training films."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from hilum.data.cohort import Cohort

N_METADATA = 3


@dataclass(frozen=True)
class MetadataScaling:
    """What the training films say of age.

    Attributes:
        youngest: Least age, in years; becomes 0.
        oldest: Greatest age, in years; becomes 1.
        median: Stands in for an unknown age, in years.
    """

    youngest: float
    oldest: float
    median: float


def fit_scaling(training: Cohort) -> MetadataScaling:
    """The scaling of a cohort's known ages; without any, ages all become 0.5."""
    known = training.age[np.isfinite(training.age)]
    if not len(known):
        return MetadataScaling(0.0, 100.0, 50.0)
    return MetadataScaling(float(known.min()), float(known.max()), float(np.median(known)))


def metadata_from(cohort: Cohort, scaling: MetadataScaling) -> Float32[np.ndarray, "n 3"]:
    """View (PA 0, AP 1), age in [0, 1] and sex (M 0, F 1); 0.5 where view or sex is unknown.

    Source: Baltruschat et al. 2019 (R38LM) feed these three; the scaling is as Gascoigne-Burns and
    Katsigiannis cite it.
    """
    age = np.where(np.isfinite(cohort.age), cohort.age, scaling.median)
    span = max(scaling.oldest - scaling.youngest, 1.0)
    columns = [
        np.select([cohort.view == "PA", cohort.view == "AP"], [0.0, 1.0], 0.5),
        np.clip((age - scaling.youngest) / span, 0.0, 1.0),
        np.select([cohort.sex == "M", cohort.sex == "F"], [0.0, 1.0], 0.5),
    ]
    return np.stack(columns, axis=1).astype(np.float32)
