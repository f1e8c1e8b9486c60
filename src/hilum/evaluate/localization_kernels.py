"""Compiled loop of the pointing floors: every maximum of every map against every entry."""

import numpy as np

from hilum.jit import compiled


@compiled
def counts_inside(entries, row, xy, n_rows):
    """How many maxima of each map lie in each entry, edges inside, as (entries, maps)."""
    counts = np.zeros((entries.shape[0], n_rows))
    for entry in range(entries.shape[0]):
        left, top, right, bottom = entries[entry]
        for point in range(xy.shape[0]):
            x, y = xy[point]
            if left <= x <= right and top <= y <= bottom:
                counts[entry, row[point]] += 1.0
    return counts
