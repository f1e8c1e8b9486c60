"""Parts of a cohort that are scored on their own: sex, view, age and lesion size."""

import numpy as np
from jaxtyping import Bool, Float

from hilum.boxes import area
from hilum.data.cohort import Cohort


def film_strata(cohort: Cohort) -> dict[str, Bool[np.ndarray, " n"]]:
    """Masks of films by name; a film of unknown sex, view or age is in none of that kind."""
    return {**_sex_and_view(cohort), **_ages(cohort.age)}


def entry_strata(cohort: Cohort) -> dict[str, Bool[np.ndarray, " k"]]:
    """Masks of reference entries by name: size of the box as a share of the film's frame, sex, view, age."""
    share = area(cohort.reference.xyxy) / (cohort.frame_hw[0] * cohort.frame_hw[1])
    sizes = {
        "size<1%": share < 0.01,
        "size 1-5%": (share >= 0.01) & (share < 0.05),
        "size>=5%": share >= 0.05,
    }
    films = {name: mask[cohort.reference.image] for name, mask in film_strata(cohort).items()}
    return {**sizes, **films}


def _sex_and_view(cohort: Cohort) -> dict[str, np.ndarray]:
    return {
        "sex=F": cohort.sex == "F",
        "sex=M": cohort.sex == "M",
        "view=PA": cohort.view == "PA",
        "view=AP": cohort.view == "AP",
    }


def _ages(years: Float[np.ndarray, " n"]) -> dict[str, np.ndarray]:
    return {"age<40": years < 40, "age 40-60": (years >= 40) & (years < 60), "age>=60": years >= 60}
