"""Who trains, who validates, who is tested; whole patients only."""

import dataclasses

import numpy as np

from hilum.data.cohort import Cohort


def with_validation(cohort: Cohort, share: float, seed: int) -> Cohort:
    """The official split with a share of the training patients set aside for validation.

    Args:
        cohort: With sides "train" and "test".
        share: Share of the training patients, in (0, 1).
        seed: Decides which patients; at least one is set aside and at least one goes on training.

    Raises:
        ValueError: The share is not in (0, 1).
    """
    if not 0 < share < 1:
        raise ValueError(f"validation share {share} must lie between 0 and 1")
    patients = np.unique(cohort.patient[cohort.split == "train"])
    order = np.random.Generator(np.random.Philox(seed)).permutation(len(patients))
    n_chosen = min(max(1, round(share * len(patients))), len(patients) - 1)
    chosen = patients[order[: max(n_chosen, 0)]]
    split = cohort.split.copy()
    split[(split == "train") & np.isin(cohort.patient, chosen)] = "val"
    name = f"{cohort.split_name}; {share:g} of the training patients for validation, seed {seed}"
    return dataclasses.replace(cohort, split=split, split_name=name)


def random_patients(cohort: Cohort, seed: int) -> Cohort:
    """70 % of the patients train, 10 % validate, 20 % are tested.

    Source: Rajpurkar et al. 2017 (arXiv:1711.05225), who split ChestX-ray14 so.
    """
    patients = np.unique(cohort.patient)
    order = np.random.Generator(np.random.Philox(seed)).permutation(len(patients))
    n_test = round(0.2 * len(patients))
    n_val = round(0.125 * (len(patients) - n_test))
    side = np.full(len(patients), "train", dtype="<U5")
    side[order[:n_test]] = "test"
    side[order[n_test : n_test + n_val]] = "val"
    split = side[np.searchsorted(patients, cohort.patient)]
    return dataclasses.replace(cohort, split=split, split_name=f"random 70/10/20 by patient, seed {seed}")
