"""Columns of numbers by finding in, `Score` rows out."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from hilum.evaluate.bootstrap import interval
from hilum.evaluate.metric import ALL_METRICS
from hilum.evaluate.protocol import Protocol, Score

MIN_BEHIND = 5
"""Below so many positives, negatives or box entries a value stands without an interval."""


def scores_from(
    template: Score,
    names: Sequence[str | None],
    values: Float[np.ndarray, " f"],
    draws: Float[np.ndarray, "draws f"],
    floors: Mapping[str, Float[np.ndarray, " f"]],
    n: Int[np.ndarray, " f"],
    enough: Bool[np.ndarray, " f"],
) -> Iterator[Score]:
    """One score for each name.

    Args:
        template: Carries what all of them share.
        names: Findings; None for a mean over findings.
        values: The numbers; NaN where undefined.
        draws: The same numbers in each redrawn cohort.
        floors: The same numbers for each floor; the first is the one printed beside the value. May be empty.
        n: Positives or box entries behind each number.
        enough: Where an interval may be given.
    """
    low, high = interval(draws)
    left_out = np.isnan(draws).sum(axis=0)
    for column, name in enumerate(names):
        inner = bool(enough[column]) and not np.isnan(values[column])
        of_name = {floor: float(numbers[column]) for floor, numbers in floors.items()}
        yield dataclasses.replace(
            template,
            finding=name,
            value=float(values[column]),
            low=float(low[column]) if inner else np.nan,
            high=float(high[column]) if inner else np.nan,
            n=int(n[column]),
            floor=next(iter(of_name.values()), np.nan),
            floors=of_name,
            draws_left_out=int(left_out[column]),
        )


def template(
    metric: str,
    protocol: Protocol,
    *,
    at: float | None = None,
    method: str | None = None,
    box_rule: str | None = None,
    stratum: str | None = None,
) -> Score:
    """A score without its numbers; the protocol's denominator is the metric's."""
    nan = np.nan
    protocol = dataclasses.replace(protocol, denominator=ALL_METRICS[metric].denominator)
    return Score(metric, at, None, method, box_rule, nan, nan, nan, 0, nan, protocol, stratum=stratum)


def mean_first(values: Float[np.ndarray, "*b f"], chosen: Bool[np.ndarray, " f"]) -> np.ndarray:
    """The values with the unweighted mean of the chosen ones set before them on the last axis.

    A NaN among the chosen makes the mean NaN, and so does choosing none.

    Example:
        >>> mean_first(np.array([1.0, 3.0, np.nan]), np.array([True, True, False]))
        array([ 2.,  1.,  3., nan])
    """
    count = chosen.sum()
    total = values[..., chosen].sum(axis=-1, keepdims=True)
    return np.concatenate([total / count if count else np.full_like(total, np.nan), values], axis=-1)


def several_patients(
    rows: Bool[np.ndarray, "n f"], patient: Shaped[np.ndarray, " n"]
) -> Bool[np.ndarray, " f"]:
    """Whether the marked rows of each column are at least `MIN_BEHIND`, of at least two patients."""
    whose = [patient[column] for column in rows.T]
    return np.array([len(who) >= MIN_BEHIND and bool((who != who[0]).any()) for who in whose], bool)
