"""Two systems, or several seeds of one, on the same films: what differs, and what is luck.

Both systems see the same redrawn patients, so what is hard about a cohort falls out of their difference.
There is no DeLong test: it takes films as independent, and films of one patient are not.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hilum.data.cohort import Cohort
from hilum.evaluate.bootstrap import auroc_draws, interval, mean_draws
from hilum.evaluate.classification import auroc
from hilum.evaluate.summary import mean_first


@dataclass(frozen=True)
class Difference:
    """Second less first; the mean over findings stands before the findings.

    Attributes:
        names: None for the mean over findings, then the findings.
        value: NaN where undefined for one of the systems.
        low: Lower end of the 95 % interval over redrawn patients.
        high: Upper end.
        p: Two-sided bootstrap p; see `p_from`.
        draws_left_out: Redrawn cohorts in which it is undefined.
    """

    names: tuple[str | None, ...]
    value: Float[np.ndarray, " c"]
    low: Float[np.ndarray, " c"]
    high: Float[np.ndarray, " c"]
    p: Float[np.ndarray, " c"]
    draws_left_out: tuple[int, ...]


@dataclass(frozen=True)
class Pooled:
    """Several seeds of one system.

    Attributes:
        mean: Over the seeds.
        spread: Standard deviation over the seeds, with one less than their number below the line; NaN for
            one seed.
        low: Lower end of the 95 % interval of the mean, patients and seeds redrawn.
        high: Upper end.
        n_seeds: How many.
    """

    mean: Float[np.ndarray, " c"]
    spread: Float[np.ndarray, " c"]
    low: Float[np.ndarray, " c"]
    high: Float[np.ndarray, " c"]
    n_seeds: int


def auroc_difference(
    first: Cohort,
    first_probabilities: Float[np.ndarray, "n f"],
    second: Cohort,
    second_probabilities: Float[np.ndarray, "m g"],
    n_draws: int,
    rng: np.random.Generator,
) -> Difference:
    """AUROC of the second system less that of the first, by finding and as mean over findings.

    A film for which one system has no probability is left out of that finding for both.

    Args:
        first: Films and labels that the first system was scored on.
        first_probabilities: In the order of `first`.
        second: The same for the second system; the order of films must be the same too.
        second_probabilities: In the order of `second`.
        n_draws: How often the cohort is redrawn; the least p is 2 / (draws + 1).
        rng: Source of the draws.

    Raises:
        ValueError: The two were scored on other films, findings, patients or labels.
    """
    refuse_others(first, second)
    missing = np.isnan(first_probabilities) | np.isnan(second_probabilities)
    labels = np.where(missing, np.nan, first.labels)
    systems = first_probabilities, second_probabilities
    values = [auroc(probabilities, labels) for probabilities in systems]
    state = rng.bit_generator.state
    draws = []
    for probabilities in systems:
        rng.bit_generator.state = state  # the same patients for both
        draws.append(auroc_draws(probabilities, labels, first.patient, n_draws, rng))
    return _difference(first.findings, values[1] - values[0], draws[1] - draws[0])


def mean_difference(
    first: Cohort,
    first_values: Float[np.ndarray, " k"],
    second: Cohort,
    second_values: Float[np.ndarray, " m"],
    n_draws: int,
    rng: np.random.Generator,
) -> Difference:
    """Mean of a statistic of box entries (a success, an IoU, a hit) of the second system less the first.

    Args:
        first: Films and reference boxes that the first system was scored on.
        first_values: One number for each reference box, without NaN.
        second: The same for the second system.
        second_values: One number for each reference box, without NaN.
        n_draws: How often the patients that have entries are redrawn.
        rng: Source of the draws.

    Raises:
        ValueError: The two were scored on other films, findings, patients, labels or boxes.
    """
    refuse_others(first, second)
    present, group = np.unique(first.reference.finding, return_inverse=True)
    gained = (second_values - first_values)[:, None]
    patient = first.patient[first.reference.image]
    draws = mean_draws(gained, group, patient, n_draws, rng)[:, :, 0]
    values = np.bincount(group, gained[:, 0]) / np.bincount(group) if len(group) else np.zeros(0)
    return _difference(tuple(first.findings[place] for place in present), values, draws)


def p_from(draws: Float[np.ndarray, "draws c"]) -> Float[np.ndarray, " c"]:
    """Two-sided p of differences being 0, from their redrawn values.

    p = 2 (1 + min(a, b)) / (1 + n), at most 1; of n defined draws, a are at most 0 and b at least 0. The 1
    counts the cohort itself as a draw, so that p is never 0. It is the percentile interval turned round:
    p below 0.05 where the 95 % interval does not hold 0, up to one draw.

    Source: Davison and Hinkley, Bootstrap Methods and their Application, 1997, chapter 4 for the 1, section
    5.5 for tests and intervals turned into one another.

    Returns:
        NaN where fewer than half of the draws are defined.

    Example:
        >>> p_from(np.array([[0.2, 0.0], [0.1, 0.0], [0.3, 0.0]]))
        array([0.5, 1. ])
    """
    defined = ~np.isnan(draws)
    n = defined.sum(axis=0)
    fewer = np.minimum((draws <= 0).sum(axis=0), (draws >= 0).sum(axis=0))
    p = np.minimum(2 * (1 + fewer) / (1 + n), 1.0)
    return np.where((n > 0) & (2 * n >= len(draws)), p, np.nan)


def holm(p: Float[np.ndarray, " c"]) -> Float[np.ndarray, " c"]:
    """The p of a family, corrected so that one false alarm among them all is as rare as p says.

    Source: Holm, Scandinavian Journal of Statistics 1979.

    Returns:
        At most 1, in the order given; NaN stays NaN and does not count as a test.

    Example:
        >>> holm(np.array([0.01, 0.04, 0.03, np.nan]))
        array([0.03, 0.06, 0.06,  nan])
    """
    order = np.argsort(p)  # NaN last
    n = int((~np.isnan(p)).sum())
    corrected = np.full_like(p, np.nan)
    corrected[order[:n]] = np.minimum(np.maximum.accumulate(p[order[:n]] * np.arange(n, 0, -1)), 1.0)
    return corrected


def pooled(
    values: Float[np.ndarray, "s c"], draws: Float[np.ndarray, "s draws c"], rng: np.random.Generator
) -> Pooled:
    """Mean and spread of a score over seeds, with an interval that holds for new patients and new seeds.

    In each draw the patients are redrawn, the same for all seeds, and of s seeds s are drawn with
    replacement. Drawn so, their mean scatters too little by sqrt((s - 1) / s), much for few seeds; its
    distance from the mean of all seeds is stretched by the inverse.

    Source: Rao and Wu, Journal of the American Statistical Association 1988, for the stretching.

    Args:
        values: The score of each seed.
        draws: The score of each seed in each redrawn cohort, from generators in equal states.
        rng: Source of the draws of seeds.

    Returns:
        One seed has no spread, and an interval over patients alone.

    Example:
        >>> of_seeds = pooled(np.array([[0.8], [0.84]]), np.ones((2, 9, 1)), np.random.default_rng(0))
        >>> of_seeds.mean.round(3), of_seeds.spread.round(3)
        (array([0.82]), array([0.028]))
    """
    n_seeds, n_draws, _ = draws.shape
    if not n_seeds or len(values) != n_seeds:
        raise ValueError(
            f"{len(values)} values and draws of {n_seeds} seeds; there must be one of each a seed"
        )
    picked = rng.integers(0, n_seeds, (n_seeds, n_draws))
    centre = draws.mean(axis=0)
    drawn = draws[picked, np.arange(n_draws)].mean(axis=0)
    stretch = np.sqrt(n_seeds / max(n_seeds - 1, 1))
    low, high = interval(centre + stretch * (drawn - centre))
    spread = values.std(axis=0, ddof=1) if n_seeds > 1 else np.full(values.shape[1], np.nan)
    return Pooled(values.mean(axis=0), spread, low, high, n_seeds)


def refuse_others(first: Cohort, second: Cohort) -> None:
    """Both must be the same films in the same order, with the same labels and boxes.

    Raises:
        ValueError: They are not; says in what they differ first.
    """
    pairs = {
        "findings": (np.array(first.findings), np.array(second.findings)),
        "films": (first.films, second.films),
        "patients": (first.patient, second.patient),
        "labels": (first.labels, second.labels),
        "box entries": (_entries(first), _entries(second)),
    }
    for what, (ours, theirs) in pairs.items():
        if ours.shape != theirs.shape:
            sizes = " and ".join(str(len(side)) for side in (ours, theirs))
            raise ValueError(f"the systems were scored on {sizes} {what}; they must be the same")
        other = ~((ours == theirs) | ((ours != ours) & (theirs != theirs)))  # NaN equals NaN
        if other.any():
            row = int(np.argwhere(other)[0, 0])
            raise ValueError(
                f"the systems were scored on other {what}: row {row} is {ours[row]} in one, {theirs[row]} in "
                "the other; they must be the same, in the same order"
            )


def _difference(
    findings: tuple[str, ...], values: Float[np.ndarray, " f"], draws: Float[np.ndarray, "draws f"]
) -> Difference:
    defined = ~np.isnan(values)
    values, draws = mean_first(values, defined), mean_first(draws, defined)
    low, high = interval(draws)
    left_out = tuple(np.isnan(draws).sum(axis=0).tolist())
    return Difference((None, *findings), values, low, high, p_from(draws), left_out)


def _entries(cohort: Cohort) -> Float[np.ndarray, "k 6"]:
    boxes = cohort.reference
    return np.column_stack([boxes.image, boxes.finding, boxes.xyxy]).astype(float)
