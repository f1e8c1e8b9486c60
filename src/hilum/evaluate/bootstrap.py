"""Patient-level bootstrap: scores of whole cohorts redrawn patient by patient, and 95 % intervals from them.

Films and box entries of one patient resemble each other, so patients are drawn, with replacement and
as many as there are, and each film weighs as often as its patient was drawn.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Int, Shaped

from hilum.evaluate.classification import known

DRAWS_AT_ONCE = 128
"""Draws whose weights stand in memory together where they are multiplied as a matrix."""


def auroc_draws(
    probabilities: Float[np.ndarray, "n f"],
    labels: Float[np.ndarray, "n f"],
    patient: Shaped[np.ndarray, " n"],
    n_draws: int,
    rng: np.random.Generator,
) -> Float[np.ndarray, "draws f"]:
    """AUROC of each finding in each redrawn cohort; see `ranking_draws`."""
    from hilum.evaluate.bootstrap_kernels import weight_blocks

    names, row_of = np.unique(patient, return_inverse=True)
    blocks = weight_blocks(_picks(len(names), n_draws, rng), len(names))
    return _aurocs(probabilities, known(probabilities, labels), row_of.astype(np.int32), blocks, n_draws)


def ranking_draws(
    probabilities: Float[np.ndarray, "n f"],
    labels: Float[np.ndarray, "n f"],
    patient: Shaped[np.ndarray, " n"],
    n_draws: int,
    rng: np.random.Generator,
) -> tuple[Float[np.ndarray, "draws f"], Float[np.ndarray, "draws f"]]:
    """AUROC and average precision of each finding in each redrawn cohort, exact with ties.

    All findings of a draw see the same patients, so a mean over findings can be taken draw by draw;
    two systems given equal generators see the same patients too.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 8 (whole units drawn).

    Args:
        probabilities: A film with NaN is left out of that finding.
        labels: 1, 0, or NaN for a film that is left out of that finding.
        patient: Patient of each film.
        n_draws: How often the cohort is redrawn.
        rng: Source of the draws.

    Returns:
        Two tables, NaN where a draw holds one label value only.
    """
    from hilum.evaluate.bootstrap_kernels import weight_blocks

    labels = known(probabilities, labels)
    names, row_of = np.unique(patient, return_inverse=True)
    row_of = row_of.astype(np.int32)
    blocks = weight_blocks(_picks(len(names), n_draws, rng), len(names))
    aurocs = _aurocs(probabilities, labels, row_of, blocks, n_draws)
    return aurocs, _precisions(probabilities, labels, row_of, blocks, n_draws)


def sum_draws(
    values: Float[np.ndarray, "n c"],
    patient: Shaped[np.ndarray, " n"],
    n_draws: int,
    rng: np.random.Generator,
) -> Float[np.ndarray, "draws c"]:
    """Sum of each column over the rows in each redrawn cohort; counts, rates and gaps are made of these.

    Args:
        values: One row a film or entry, without NaN.
        patient: Patient of each row.
        n_draws: How often the cohort is redrawn.
        rng: Source of the draws; one in an equal state draws the same patients as `ranking_draws`.
    """
    names, row_of = np.unique(patient, return_inverse=True)
    order = np.argsort(row_of, kind="stable")
    first = np.searchsorted(row_of[order], np.arange(len(names)))
    return _drawn_sums(np.add.reduceat(values[order], first, axis=0) if len(names) else values, n_draws, rng)


def mean_draws(
    values: Float[np.ndarray, "k c"],
    group: Int[np.ndarray, " k"],
    patient: Shaped[np.ndarray, " k"],
    n_draws: int,
    rng: np.random.Generator,
) -> Float[np.ndarray, "draws g c"]:
    """Mean of each column over the entries of each group in each redrawn cohort.

    The mean over the groups axis is the macro mean of a draw. One group for all entries gives micro means.

    Args:
        values: One row a box entry, one column a statistic; without NaN.
        group: Group of each entry, numbered from 0 without gaps.
        patient: Patient of each entry.
        n_draws: How often the patients that have entries are redrawn.
        rng: Source of the draws.

    Returns:
        Means; NaN for a group of which a draw holds no entry. No groups where there are no entries.
    """
    if not len(values):
        return np.zeros((n_draws, 0, values.shape[1]))
    names, row_of = np.unique(patient, return_inverse=True)
    n_groups = int(group.max()) + 1
    sums = np.zeros((len(names), n_groups, values.shape[1] + 1))
    np.add.at(sums, (row_of, group), np.concatenate([values, np.ones((len(values), 1))], axis=1))
    drawn = _drawn_sums(sums.reshape(len(names), -1), n_draws, rng).reshape(n_draws, n_groups, -1)
    count = drawn[..., -1:]
    return np.divide(drawn[..., :-1], count, out=np.full_like(drawn[..., :-1], np.nan), where=count > 0)


def interval(draws: Float[np.ndarray, "draws c"]) -> tuple[Float[np.ndarray, " c"], Float[np.ndarray, " c"]]:
    """The 2.5th and 97.5th percentile of each column.

    Returns:
        Lower and upper ends, from the draws that are not NaN; NaN where fewer than half are left.

    Example:
        >>> [end.round(2).tolist() for end in interval(np.linspace(0.0, 1.0, 101)[:, None])]
        [[0.02], [0.98]]
    """
    low, high = np.full((2, draws.shape[1]), np.nan)
    for column, values in enumerate(draws.T):
        values = values[~np.isnan(values)]
        if len(values) and 2 * len(values) >= len(draws):
            low[column], high[column] = np.percentile(values, (2.5, 97.5))
    return low, high


def drawn_weights(
    n_patients: int, n_draws: int, rng: np.random.Generator
) -> Iterator[Int[np.ndarray, "some p"]]:
    """How often each patient stands in each redrawn cohort, `DRAWS_AT_ONCE` draws at a time."""
    picks = _picks(n_patients, n_draws, rng)
    for first in range(0, n_draws, DRAWS_AT_ONCE):
        some = picks[first : first + DRAWS_AT_ONCE]
        cells = some + n_patients * np.arange(len(some))[:, None]
        yield np.bincount(cells.ravel(), minlength=len(some) * n_patients).reshape(len(some), n_patients)


def _aurocs(
    probabilities: np.ndarray, labels: np.ndarray, row_of: np.ndarray, blocks: np.ndarray, n_draws: int
) -> Float[np.ndarray, "draws f"]:
    """One less the share of pairs in the wrong order, counted by positives that pass negatives."""
    from hilum.evaluate.bootstrap_kernels import pair_sums

    values = np.full((n_draws, labels.shape[1]), np.nan)
    for column, truth in enumerate(labels.T):
        (negative, descent), (positive, descent_positive) = (
            _falling(probabilities[:, column], np.flatnonzero(truth == label)) for label in (0, 1)
        )
        above = np.searchsorted(descent, descent_positive, "left")
        with_ties = np.searchsorted(descent, descent_positive, "right")
        tied = with_ties > above
        events = np.concatenate([above, with_ties[tied]])
        order = np.argsort(events, kind="stable")
        who = row_of[np.concatenate([positive, positive[tied]])[order]]
        times = np.concatenate([2 - tied, np.ones(tied.sum(), np.int64)])[order]
        sums = pair_sums(row_of[negative], who, events[order], times.astype(np.int32), blocks)
        n_positive, n_negative, wrong = sums[:, :n_draws]
        pairs = n_negative * n_positive
        both = pairs > 0
        values[both, column] = (pairs[both] - wrong[both]) / pairs[both]
    return values


def _falling(probability: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows in falling order of probability, and their negated probabilities, which rise."""
    descent = -probability[rows]
    order = np.argsort(descent)
    return rows[order], descent[order]


def _precisions(
    probabilities: np.ndarray, labels: np.ndarray, row_of: np.ndarray, blocks: np.ndarray, n_draws: int
) -> Float[np.ndarray, "draws f"]:
    from hilum.evaluate.bootstrap_kernels import precision_sums

    values = np.full((n_draws, labels.shape[1]), np.nan)
    for column, truth in enumerate(labels.T):
        rows, descent = _falling(probabilities[:, column], np.flatnonzero(~np.isnan(truth)))
        tied = np.zeros(len(rows), bool)
        tied[1:] = descent[1:] == descent[:-1]
        sums = precision_sums(row_of[rows], truth[rows] == 1, tied, blocks)
        n_positive, n_negative, precision = sums[:, :n_draws]
        both = (n_positive > 0) & (n_negative > 0)
        values[both, column] = precision[both] / n_positive[both]
    return values


def _drawn_sums(
    sums: Float[np.ndarray, "p c"], n_draws: int, rng: np.random.Generator
) -> Float[np.ndarray, "draws c"]:
    """Patients' sums weighed by how often each was drawn."""
    drawn = [some.astype(float) @ sums for some in drawn_weights(len(sums), n_draws, rng)]
    return np.concatenate(drawn) if drawn else np.zeros((n_draws, sums.shape[1]))


def _picks(n_patients: int, n_draws: int, rng: np.random.Generator) -> Int[np.ndarray, "draws picks"]:
    return rng.integers(0, max(n_patients, 1), (n_draws, n_patients), dtype=np.int32)
