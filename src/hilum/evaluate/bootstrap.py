"""Patient-level bootstrap: scores of whole cohorts redrawn patient by patient, and 95 % intervals from them.

Films and box entries of one patient resemble each other, so patients are drawn, with replacement and
as many as there are, and each film weighs as often as its patient was drawn.
"""

import numpy as np
from jaxtyping import Float, Int, Shaped

from hilum.evaluate.classification import known


def auroc_draws(
    probabilities: Float[np.ndarray, "n f"],
    labels: Float[np.ndarray, "n f"],
    patient: Shaped[np.ndarray, " n"],
    n_draws: int,
    rng: np.random.Generator,
) -> Float[np.ndarray, "draws f"]:
    """AUROC of each finding in each redrawn cohort; see `ranking_draws`."""
    return ranking_draws(probabilities, labels, patient, n_draws, rng)[0]


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
    from hilum.evaluate.bootstrap_kernels import ranked_sums, weight_blocks

    labels = known(probabilities, labels)
    names, row_of = np.unique(patient, return_inverse=True)
    blocks = weight_blocks(_picks(len(names), n_draws, rng), len(names))
    aurocs, precisions = np.full((2, n_draws, labels.shape[1]), np.nan)
    for column in range(labels.shape[1]):
        rows = np.flatnonzero(~np.isnan(labels[:, column]))
        rows = rows[np.argsort(-probabilities[rows, column])]
        ranked = probabilities[rows, column]
        tied = np.zeros(len(rows), bool)
        tied[1:] = ranked[1:] == ranked[:-1]
        sums = ranked_sums(row_of[rows].astype(np.int32), labels[rows, column] == 1, tied, blocks)
        positive, negative, wrong, precision = sums[:, :n_draws]
        both = (positive > 0) & (negative > 0)
        pairs = positive[both] * negative[both]
        aurocs[both, column] = (pairs - wrong[both]) / pairs
        precisions[both, column] = precision[both] / positive[both]
    return aurocs, precisions


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
    weights = np.zeros((n_draws, len(names)))
    picks = _picks(len(names), n_draws, rng)
    np.add.at(weights, (np.arange(n_draws)[:, None], picks), 1.0)
    sums = np.zeros((len(names), n_groups, values.shape[1] + 1))
    np.add.at(sums, (row_of, group), np.concatenate([values, np.ones((len(values), 1))], axis=1))
    drawn = (weights @ sums.reshape(len(names), -1)).reshape(n_draws, n_groups, -1)
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


def _picks(n_patients: int, n_draws: int, rng: np.random.Generator) -> Int[np.ndarray, "draws picks"]:
    return rng.integers(0, max(n_patients, 1), (n_draws, n_patients), dtype=np.int32)
