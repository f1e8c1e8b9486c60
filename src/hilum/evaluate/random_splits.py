"""Box statistics of several random splits in; scores pooled over the splits out, as printed and clean.

All boxes of ChestX-ray14 lie on films of the published test list. A random split puts most of these films on
its training side, so that a model scored on all boxes is scored on films that it was trained on.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float

from hilum.data.cohort import Cohort
from hilum.evaluate.localization import COLUMNS
from hilum.evaluate.localization_score import EntryTable, scores_of_table
from hilum.evaluate.protocol import Protocol, Score


def pooled_scores(
    cohort: Cohort,
    values: Sequence[Float[np.ndarray, "k c"]],
    of_floors: Mapping[str, Float[np.ndarray, "k c"]],
    tested: Bool[np.ndarray, "s n"],
    *,
    method: str,
    box_rule: str,
    protocol: Protocol,
    n_draws: int,
    rng: np.random.Generator,
) -> tuple[list[Score], list[Score]]:
    """Localisation scores over several random splits, on all boxes and on each split's test films alone.

    Source: Gascoigne-Burns and Katsigiannis 2021, tables III and V: every printed number is a whole number
    of successes over five times the finding's entries, so that all boxes count for each of the five models.

    Args:
        cohort: All films with boxes, whatever their side of a split.
        values: For each split's model the `statistics` of all entries of the cohort.
        of_floors: The same for each floor, the random one first; a floor is that of every split.
        tested: Which films are on the test side of each split.
        method: Heatmap method, as tables print it.
        box_rule: Box rule, as tables print it.
        protocol: What all splits share.
        n_draws: Bootstrap draws behind each interval; a patient's entries go together over all splits.
        rng: Source of the draws.

    Returns:
        As printed, over all entries of all splits, with a protocol that calls them contaminated unless every
        film is on every test side; and clean, over the test entries of each split. A finding that is on no
        test side has no clean score. n counts an entry once for each split that scores it.

    Raises:
        ValueError: The splits of `values` and `tested` differ in number.
    """
    if len(values) != len(tested):
        raise ValueError(f"{len(values)} tables of statistics for {len(tested)} splits")
    if not len(values) or not len(cohort.reference):
        return [], []
    n = len(cohort.reference)
    is_clean = tested[:, cohort.reference.image].ravel()
    seed = int(rng.integers(2**63))
    table = EntryTable(
        entry=np.tile(np.arange(n), len(values)),
        columns=COLUMNS,
        values=np.concatenate(values),
        floors={name: np.tile(floor, (len(values), 1)) for name, floor in of_floors.items()},
        box_rule=box_rule,
        protocol=protocol,
    )
    seen = (
        f"{(~is_clean).sum()} of {len(is_clean)} scored entries are on films outside their split's test side"
    )
    parts = []
    for name, keep in (("all boxes for every model", is_clean | True), ("test patients only", is_clean)):
        stain = f"possibly: {seen}" if not is_clean[keep].all() else protocol.contaminated
        shown = dataclasses.replace(
            protocol, split=f"{protocol.split}; {len(values)} splits pooled, {name}", contaminated=stain
        )
        part, rows = dataclasses.replace(table, protocol=shown), np.flatnonzero(keep)
        scored = scores_of_table(cohort, rows, part, method, None, n_draws, seed) if len(rows) else ()
        parts.append(list(scored))
    return parts[0], parts[1]
