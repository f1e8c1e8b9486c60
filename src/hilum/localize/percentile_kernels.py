"""Percentiles of the pixels of a bilinearly enlarged map, without building it; compiled.

Only counts are needed. A quick estimate of the count brackets the level, the pixels in the bracket are
collected, the others only counted, and the wanted one is selected: the exact pixel, not an estimate.
"""

import numpy as np

from hilum.jit import compiled
from hilum.localize.surface_kernels import above, corners, value, whole_vectors

N_CANDIDATES = 4096
"""Pixels that are selected among; a bracket with more, as on a plateau, is halved first."""


@compiled
def _estimate(surface, level, n_sampled):
    """About how many pixels exceed a level, from some rows of each cell; decides speed, never the result."""
    heatmap, y, x, cell_min, cell_max, _ = surface
    total = 0.0
    for gy in range(len(y.node)):
        n_rows = y.start[gy + 1] - y.start[gy]
        first_part = y.part[y.start[gy]] - 0.5 * y.step
        row_step = n_rows * y.step / n_sampled
        for gx in range(len(x.node)):
            if cell_max[gy, gx] <= level:
                continue
            n_columns = x.start[gx + 1] - x.start[gx]
            if cell_min[gy, gx] > level:
                total += n_rows * n_columns
                continue
            a0, b0, a1, b1 = corners(heatmap, y, x, gy, gx)
            left = x.part[x.start[gx]] - 0.5 * x.step
            width = n_columns * x.step
            scale = 65536.0 / width  # whole numbers can be added in any order, hence on vectors
            length = 0
            for k in range(n_sampled):
                part = first_part + (k + 0.5) * row_step
                a = a0 + (a1 - a0) * part
                d = b0 + (b1 - b0) * part - a
                reach = np.divide(level - a, d) - left
                reach = reach if reach < width else width
                reach = reach if reach > 0.0 else 0.0
                length += np.int32((reach if d < 0 else width - reach) * scale)
            total += length / 65536.0 * n_columns * n_rows / n_sampled
    return total


@compiled
def _guess(surface, n_above):
    """A level that about so many pixels exceed, and how far from it the exact one may lie.

    Regula falsi with the Illinois halving, on the estimated count; then one step on a better estimate.
    """
    n_pixels = surface.y.start[-1] * surface.x.start[-1]
    low, high = surface.cell_min.min(), surface.cell_max.max()
    f_low, f_high = float(n_pixels - n_above), -float(n_above)
    level, f, before, f_before = high, f_high, low, f_low
    for _ in range(24):
        if abs(f) < n_pixels / 1024:
            break
        before, f_before = level, f
        level = (low * f_high - high * f_low) / (f_high - f_low)
        f = _estimate(surface, level, 8) - n_above
        if f > 0:
            low, f_low, f_high = level, f, 0.5 * f_high
        else:
            high, f_high, f_low = level, f, 0.5 * f_low
    rise = abs(f - f_before)
    width = abs(level - before) / rise if rise > 0 else 0.0
    level += (_estimate(surface, level, 64) - n_above) * width
    return level, (32 + n_pixels / 4096) * width


@compiled
def _tally(surface, low, high, found, rows):
    """How many pixels exceed `high`, and how many more `low`; collects these while there is room."""
    _, y, x, cell_min, cell_max, slack = surface
    n_above, n_inside, n_found = 0, 0, 0
    for gy in range(len(y.node)):
        n_rows = y.start[gy + 1] - y.start[gy]
        for gx in range(len(x.node)):
            if cell_max[gy, gx] < low - slack:
                continue
            if cell_min[gy, gx] > high + slack:
                n_above += n_rows * (x.start[gx + 1] - x.start[gx])
                continue
            above(surface, gy, gx, low, rows, 0)
            above(surface, gy, gx, high, rows, 2)
            n_low, n_high = 0, 0
            for row in range(n_rows):
                n_low += rows[1, row] - rows[0, row]
                n_high += rows[3, row] - rows[2, row]
            n_above += n_high
            if n_low > n_high:
                n_inside += n_low - n_high
                n_found = _collect(surface, gy, gx, rows, found, n_found)
    return n_above, n_inside


@compiled
def _collect(surface, gy, gx, rows, found, n_found):
    """Adds the pixels of a cell in the first intervals but not in the second, while there is room."""
    heatmap, y, x = surface.heatmap, surface.y, surface.x
    for row in range(y.start[gy + 1] - y.start[gy]):
        n_more = rows[1, row] - rows[0, row] - (rows[3, row] - rows[2, row])
        if n_more > 0:
            begin = rows[0, row] if rows[1, row] == rows[3, row] else rows[3, row]
            for column in range(begin, min(begin + n_more, begin + len(found) - n_found)):
                found[n_found] = value(heatmap, y, x, gy, gx, y.start[gy] + row, column)
                n_found += 1
    return n_found


@compiled
def _ranked(values, rank):
    """The value of a rank, 0 the least, by quickselect; reorders the values."""
    low, high = 0, len(values) - 1
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if j < rank < i:
            break
        low, high = (low, j) if rank <= j else (i, high)
    return values[rank]


@compiled
def order_statistic(surface, percentile):
    """The pixel at or just below a percentile, counted as numpy does; what exceeds it exceeds the percentile.

    numpy interpolates between this pixel and the next greater one, and no pixel lies between the two.
    """
    y, slack = surface.y, surface.slack
    n_pixels = y.start[-1] * surface.x.start[-1]
    n_above = n_pixels - 1 - int(np.floor((n_pixels - 1) * (percentile / 100)))
    found = np.empty(N_CANDIDATES)
    rows = np.empty((4, whole_vectors(np.max(np.diff(y.start)))), np.int32)
    floor, ceiling = surface.cell_min.min() - slack, surface.cell_max.max() + slack
    level, width = _guess(surface, n_above)
    width = max(width, 1e-12 * (ceiling - floor))
    low, high = max(floor, level - width), min(ceiling, level + width)
    halving = False
    while True:
        above_high, inside = _tally(surface, low, high, found, rows)
        if above_high <= n_above < above_high + inside:
            floor, ceiling = low, high
            if inside <= N_CANDIDATES:
                rank = inside - 1 - (n_above - above_high)
                return _ranked(found[:inside], rank)
            if np.nextafter(ceiling, -np.inf) <= floor:
                return ceiling
            pivot = _ranked(found, N_CANDIDATES // 2)
            low, high, halving = np.nextafter(pivot, -np.inf), pivot, True
            continue
        if above_high > n_above:
            floor = high
        else:
            ceiling = low
        if inside:  # how dense the pixels lie there says where the wanted one is
            level = high + (above_high - n_above) * (high - low) / inside
        level, width = min(max(level, floor), ceiling), 4 * width
        low, high = (floor, ceiling) if halving else (max(floor, level - width), min(ceiling, level + width))
        halving = False
