"""Percentiles of the pixels of a bilinearly enlarged map, without building it; compiled.

Only counts are needed. Two levels with the wanted pixel between them are drawn together until few pixels lie
between; these are collected, and the wanted one is selected: the exact pixel, not an estimate.
"""

import numpy as np

from hilum.jit import compiled
from hilum.localize.surface_kernels import above, value, whole_vectors

N_CANDIDATES = 4096
"""So few pixels are selected among."""

N_SECANTS = 12
"""Steps that trust the count to fall smoothly; where many pixels are equal it does not."""


@compiled
def _count(surface, level, rows):
    """How many pixels exceed a level; `rows` is scratch."""
    _, y, x, cell_min, cell_max, slack = surface
    n_above = 0
    for gy in range(len(y.node)):
        n_rows = y.start[gy + 1] - y.start[gy]
        for gx in range(len(x.node)):
            if cell_max[gy, gx] < level - slack:
                continue
            if cell_min[gy, gx] > level + slack:
                n_above += n_rows * (x.start[gx + 1] - x.start[gx])
                continue
            above(surface, gy, gx, level, rows, 0)
            for row in range(n_rows):
                n_above += rows[1, row] - rows[0, row]
    return n_above


@compiled
def _collect(surface, low, high, rows, found):
    """Fills `found` with pixels above `low` and not above `high`, as many as there is room for."""
    heatmap, y, x, cell_min, cell_max, slack = surface
    n_found = 0
    for gy in range(len(y.node)):
        for gx in range(len(x.node)):
            if cell_max[gy, gx] < low - slack or cell_min[gy, gx] > high + slack:
                continue
            above(surface, gy, gx, low, rows, 0)
            above(surface, gy, gx, high, rows, 2)
            for row in range(y.start[gy + 1] - y.start[gy]):
                n_more = rows[1, row] - rows[0, row] - (rows[3, row] - rows[2, row])
                begin = rows[0, row] if rows[1, row] == rows[3, row] else rows[3, row]
                for column in range(begin, begin + min(n_more, len(found) - n_found)):
                    found[n_found] = value(heatmap, y, x, gy, gx, y.start[gy] + row, column)
                    n_found += 1


@compiled
def order_statistic(surface, percentile):
    """The pixel at or just below a percentile, counted as numpy does; what exceeds it exceeds the percentile.

    numpy interpolates between this pixel and the next greater one, and no pixel lies between the two.
    The two levels are drawn together by secants of the count, halved at an end that stays where it is
    (regula falsi, Illinois), then by pixels from between them, of which a plateau has many.
    """
    y = surface.y
    n_pixels = y.start[-1] * surface.x.start[-1]
    n_wanted = n_pixels - 1 - int(np.floor((n_pixels - 1) * (percentile / 100)))  # above the one sought
    found = np.empty(N_CANDIDATES)
    rows = np.empty((4, whole_vectors(np.max(np.diff(y.start)))), np.int32)
    low, high = surface.cell_min.min() - surface.slack, surface.cell_max.max() + surface.slack
    n_low, n_high = n_pixels, 0  # the one sought is above low and not above high
    f_low, f_high = float(n_low - n_wanted), n_high - n_wanted - 0.5  # of opposite signs, never 0
    step = 0
    while n_low - n_high > N_CANDIDATES:
        if np.nextafter(high, -np.inf) <= low:
            return high
        if step < N_SECANTS:
            level = (low * f_high - high * f_low) / (f_high - f_low)
        else:
            _collect(surface, low, high, rows, found)
            level = np.partition(found, N_CANDIDATES // 2)[N_CANDIDATES // 2]
        level = min(max(level, np.nextafter(low, np.inf)), np.nextafter(high, -np.inf))
        n_above = _count(surface, level, rows)
        if n_above > n_wanted:
            low, n_low, f_low, f_high = level, n_above, float(n_above - n_wanted), 0.5 * f_high
        else:
            high, n_high, f_high, f_low = level, n_above, n_above - n_wanted - 0.5, 0.5 * f_low
        step += 1
    _collect(surface, low, high, rows, found)
    rank = n_low - 1 - n_wanted
    return np.partition(found[: n_low - n_high], rank)[rank]
