"""Who trains, who validates, who is tested; whole patients only.

Every split of the papers is here, but for those that part images and not patients (Guan et al. 2018):
a `Cohort` with one patient on two sides is refused.
"""

import dataclasses
import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Int, Shaped

from hilum.data.cohort import Cohort
from hilum.findings import NO_FINDING
from hilum.lookup import call

Side = Shaped[np.ndarray, " n"]


def official(cohort: Cohort, seed: int, validation: float = 0.125) -> Cohort:
    """The official sides, with a share of the training patients drawn for validation.

    Args:
        cohort: With sides "train" and "test".
        seed: Decides which patients; at least one is drawn and at least one goes on training.
        validation: Share of the training patients, in (0, 1).

    Raises:
        ValueError: The share is not in (0, 1), or the cohort has no official sides.
    """
    _demand_shares(validation=validation)
    _demand_sides(cohort)
    patients = np.unique(cohort.patient[cohort.split == "train"])
    n_chosen = min(max(1, round(validation * len(patients))), len(patients) - 1)
    chosen = patients[_order(len(patients), seed)[: max(n_chosen, 0)]]
    name = f"{cohort.split_name}; {validation:g} of the training patients for validation, seed {seed}"
    return _validating(cohort, np.isin(cohort.patient, chosen), name)


def official_lines(cohort: Cohort, _seed: int, validation: float = 0.125) -> Cohort:
    """The official sides, with the last lines of the training list for validation; it takes no seed.

    A patient whose lines the cut would part goes on training whole. On ChestX-ray14 the cut parts
    nobody: 75,708 films train and 10,816 validate.

    Source: the code of Sorkhei et al. 2019, which trains on the first 87.5 % of the lines; its text
    draws the validation films at random instead.
    """
    _demand_shares(validation=validation)
    _demand_sides(cohort)
    train = np.flatnonzero(cohort.split == "train")
    train = train[np.argsort(cohort.films[train])]  # the list is in the order of the films' names
    n_train = math.floor((1 - validation) * len(train))
    kept = np.isin(cohort.patient, cohort.patient[train[:n_train]])
    name = f"{cohort.split_name}; the last {validation:g} of the training list for validation"
    return _validating(cohort, ~kept, name)


def official_shuffled(cohort: Cohort, seed: int, validation: float = 0.05) -> Cohort:
    """The official sides, with validation patients drawn as scikit-learn's GroupShuffleSplit draws them.

    With a share of 0.05 and seed 42, ChestX-ray14 of 2020 gives 82,257 films for training and 4,267
    for validation.

    Source: the code of Pun et al. 2021, who print 82,736 and 3,788 films.
    """
    _demand_shares(validation=validation)
    _demand_sides(cohort)
    patients = np.unique(cohort.patient[cohort.split == "train"])
    if np.strings.isdigit(patients.astype(str)).all():  # scikit-learn was given numbers
        patients = patients[np.argsort(patients.astype(np.int64))]
    order = np.random.RandomState(seed).permutation(len(patients))
    chosen = patients[order[: math.ceil(validation * len(patients))]]
    name = f"{cohort.split_name}; {validation:g} of the training patients by GroupShuffleSplit, seed {seed}"
    return _validating(cohort, np.isin(cohort.patient, chosen), name)


def abnormal(cohort: Cohort, seed: int, n_normal: float = 5000, validation: float = 0.2) -> Cohort:
    """All official training films with a finding, and some without; a share of their patients validates.

    Source: D'Souza et al. 2022, who take about 5,000 films without a finding and part 80 : 20.

    Raises:
        ValueError: A share that is none, or fewer films without a finding than are asked for.
    """
    _demand_shares(validation=validation)
    _demand_sides(cohort)
    diseases = [column for column, name in enumerate(cohort.findings) if name != NO_FINDING]
    ill = (cohort.labels[:, diseases] == 1).any(axis=1)
    normal = np.flatnonzero((cohort.split == "train") & ~ill)
    if not (n_normal == int(n_normal) and 0 <= n_normal <= len(normal)):
        raise ValueError(f"{n_normal:g} films without a finding where {len(normal)} are listed for training")
    drawn = normal[_order(len(normal), seed)[: int(n_normal)]]
    split = cohort.split.copy()
    split[normal] = ""
    split[drawn] = "train"
    name = f"{cohort.split_name}; films with a finding and {n_normal:g} without"
    return official(dataclasses.replace(cohort, split=split, split_name=name), seed, validation)


def boxed(cohort: Cohort, seed: int, share: float = 0.8, validation: float = 0.125) -> Cohort:
    """As `official`, but a share of the tested patients with boxes trains, with all their films.

    The boxes of ChestX-ray14 lie on test films alone, so that nothing can be learnt from them otherwise.

    Source: Li et al., CVPR 2018 (arXiv:1711.06373), section 4.2, who train on 80 % of the boxes. Differs from
    the paper: whole patients move, and the other films keep the sides of the official lists.

    Args:
        cohort: With sides "train" and "test".
        seed: Decides which patients train and which validate.
        share: Of the tested patients with a box, in (0, 1).
        validation: Share of the official training patients, in (0, 1).

    Raises:
        ValueError: A share that is not in (0, 1), no official sides, or fewer than two tested patients with
            boxes.
    """
    _demand_shares(boxed=share)
    made = official(cohort, seed, validation)
    reference = cohort.reference.image[made.split[cohort.reference.image] == "test"]
    patients = np.unique(cohort.patient[reference])
    if len(patients) < 2:
        raise ValueError(f"{len(patients)} tested patients have boxes; boxed({share:g}) needs two or more")
    n_moved = min(max(1, round(share * len(patients))), len(patients) - 1)
    moved = np.isin(cohort.patient, patients[_order(len(patients), seed)[:n_moved]])
    split = made.split.copy()
    split[moved] = "train"
    name = f"{made.split_name}; {share:g} of the tested patients with boxes train, seed {seed}"
    return dataclasses.replace(made, split=split, split_name=name)


def random(cohort: Cohort, seed: int, train: float = 0.7, validation: float = 0.1) -> Cohort:
    """Shares of all patients train and validate, the rest are tested.

    Source: 70/10/20 is Rajpurkar et al. 2017 (arXiv:1711.05225); 80/10/10 is used on RSNA Pneumonia.

    Raises:
        ValueError: Shares that are none, or that leave nobody to be tested.
    """
    _demand_shares(train=train, validation=validation, test=1 - train - validation)
    patients = np.unique(cohort.patient)
    order = _order(len(patients), seed)
    n_test = round((1 - train - validation) * len(patients))
    n_val = round(validation / (train + validation) * (len(patients) - n_test))
    side = np.full(len(patients), "train", dtype="<U5")
    side[order[:n_test]] = "test"
    side[order[n_test : n_test + n_val]] = "val"
    shares = "/".join(f"{100 * share:.3g}" for share in (train, validation, 1 - train - validation))
    split = side[np.searchsorted(patients, cohort.patient)]
    return dataclasses.replace(cohort, split=split, split_name=f"random {shares} by patient, seed {seed}")


def given(cohort: Cohort, _seed: int) -> Cohort:
    """The sides that the data itself names, validation included; it takes no seed.

    Raises:
        ValueError: The data names no films for a side.
    """
    empty = [side for side in ("train", "val", "test") if not (cohort.split == side).any()]
    if empty:
        raise ValueError(f"the data puts no film on side {empty[0]!r}; take another split")
    return cohort


SPLITS = {
    "abnormal": abnormal,
    "boxed": boxed,
    "given": given,
    "official": official,
    "official_lines": official_lines,
    "official_shuffled": official_shuffled,
    "random": random,
}
"""Splits by the name that a recipe gives under `[data] split`, as "official(0.125)"."""


def split_from(text: str) -> Callable[[Cohort, int], Cohort]:
    """The split written as text, a function of cohort and seed.

    Raises:
        ValueError: No such split, or too few or too many numbers.
    """
    return call(SPLITS, text, "split", n_given=2)


def _validating(cohort: Cohort, chosen: Bool[np.ndarray, " n"], name: str) -> Cohort:
    split = cohort.split.copy()
    split[(split == "train") & chosen] = "val"
    return dataclasses.replace(cohort, split=split, split_name=name)


def _order(n: int, seed: int) -> Int[np.ndarray, " n"]:
    return np.random.Generator(np.random.Philox(seed)).permutation(n)


def _demand_shares(**shares: float) -> None:
    for name, share in shares.items():
        if not 0 < share < 1:
            raise ValueError(f"{name} share {share:g} must lie between 0 and 1")


def _demand_sides(cohort: Cohort) -> None:
    if len(cohort) and not (cohort.split != "").any():
        raise ValueError(f"{cohort.source or 'the cohort'} has no official sides; take the split random(...)")
