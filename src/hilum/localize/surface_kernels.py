"""Pixels of a bilinearly enlarged map that exceed a level, without building the map; compiled.

The pixels between the same four nodes of the map form a cell. Along one row of a cell the values rise, fall
or stand still, so those above a level reach from one edge of the cell to a place that has a closed form.
Where rounding might matter, the pixels beside that place are evaluated: the result is the built map's.
"""

from collections import namedtuple

import numpy as np

from hilum.jit import compiled

Surface = namedtuple("Surface", ("heatmap", "y", "x", "cell_min", "cell_max", "slack"))
"""A map, its axes, what its cells span, and by how much a pixel may leave that span through rounding."""


@compiled
def whole_vectors(n):
    """The next multiple of 16: loops over so many rows have no slow remainder; what they add is not read."""
    return (n + 15) // 16 * 16


@compiled
def corners(heatmap, y, x, gy, gx):
    """The four nodes round a cell: upper left, upper right, lower left, lower right."""
    top, bottom, left, right = y.node[gy], y.after[gy], x.node[gx], x.after[gx]
    return heatmap[top, left], heatmap[top, right], heatmap[bottom, left], heatmap[bottom, right]


@compiled
def value(heatmap, y, x, gy, gx, row, column):
    """One pixel of the enlarged map, by the same arithmetic as `above`."""
    a0, b0, a1, b1 = corners(heatmap, y, x, gy, gx)
    a = a0 + (a1 - a0) * y.part[row]
    d = b0 + (b1 - b0) * y.part[row] - a
    return a + d * ((column + 0.5) * x.step - 0.5 - x.node[gx])


@compiled
def surface_of(heatmap, y, x):
    """A map with its axes and the least and greatest pixel of each cell, which are at its corners."""
    cell_min, cell_max = np.empty((len(y.node), len(x.node))), np.empty((len(y.node), len(x.node)))
    for gy in range(len(y.node)):
        for gx in range(len(x.node)):
            least, most = np.inf, -np.inf
            for row in (y.start[gy], y.start[gy + 1] - 1):
                for column in (x.start[gx], x.start[gx + 1] - 1):
                    v = value(heatmap, y, x, gy, gx, row, column)
                    least, most = min(least, v), max(most, v)
            cell_min[gy, gx] = least
            cell_max[gy, gx] = most
    return Surface(heatmap, y, x, cell_min, cell_max, 1e-15 * np.abs(heatmap).max())


@compiled
def above(surface, gy, gx, level, rows, at):
    """Fills in, for each row of a cell, from where to where its pixels exceed a level.

    `rows` holds the first column and the last + 1 at `at` and `at + 1`. An interval is empty, or it ends at
    an edge of the cell; an empty one stands at the edge that it would end at.
    """
    a0, b0, a1, b1 = corners(surface.heatmap, surface.y, surface.x, gy, gx)
    part, inverse = surface.y.part, 1.0 / surface.x.step
    top, height = surface.y.start[gy], surface.y.start[gy + 1] - surface.y.start[gy]
    low, high = float(surface.x.start[gx]), float(surface.x.start[gx + 1])
    shift = (surface.x.node[gx] + 0.5) * inverse + 0.5
    doubtful = 16 * surface.slack * inverse
    unsure = 0
    for row in range(whole_vectors(height)):  # free of branches, so that it runs on vectors of rows
        a = a0 + (a1 - a0) * part[top + row]
        d = b0 + (b1 - b0) * part[top + row] - a
        place = np.divide(level - a, d) * inverse + shift
        edge = np.floor(place)
        gap = 0.5 - abs(place - edge - 0.5)  # to the nearest pixel; rounding may decide where it is tiny
        unsure |= (gap * abs(d) < doubtful) | (gap < 1e-9)
        edge = edge if edge < high else high  # also where a row stands still at the level itself
        edge = edge if edge > low else low
        rows[at, row] = low if d < 0 else edge
        rows[at + 1, row] = edge if d < 0 else high
    if unsure:
        _settle(surface, gy, gx, level, rows, at)


@compiled
def _settle(surface, gy, gx, level, rows, at):
    """Moves each edge, pixel by pixel, to where the values say it is."""
    a0, b0, a1, b1 = corners(surface.heatmap, surface.y, surface.x, gy, gx)
    node, step = surface.x.node[gx], surface.x.step
    first, last = surface.x.start[gx], surface.x.start[gx + 1]
    for row in range(surface.y.start[gy + 1] - surface.y.start[gy]):
        part = surface.y.part[surface.y.start[gy] + row]
        a = a0 + (a1 - a0) * part
        d = b0 + (b1 - b0) * part - a
        falls = d < 0
        edge = rows[at + 1, row] if falls else rows[at, row]
        while edge < last and (a + d * ((edge + 0.5) * step - 0.5 - node) > level) == falls:
            edge += 1
        while edge > first and (a + d * ((edge - 0.5) * step - 0.5 - node) > level) != falls:
            edge -= 1
        rows[at, row] = first if falls else edge
        rows[at + 1, row] = edge if falls else last
