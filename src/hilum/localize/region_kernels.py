"""Boxes of the components of a bilinearly enlarged map, without building it; compiled.

The mask within one cell falls into pieces, mostly one. Pieces that touch are joined to components; `reach`,
of `REACH`, says whether corners of pixels count. Only pieces are handled one by one; their rows are handled
as vectors.
"""

from collections import namedtuple

import numpy as np

from hilum.jit import compiled
from hilum.localize.component import ALL, HULL, LARGEST_BOX
from hilum.localize.percentile_kernels import order_statistic
from hilum.localize.scale import EPSILON
from hilum.localize.surface_kernels import above, surface_of, value, whole_vectors

Pieces = namedtuple("Pieces", ("parent", "n_pixels", "box", "first", "peak", "keep"))
"""Columns, one row a piece: parent, pixels, box, first pixel (row, column) and greatest value; roots kept."""

Cuts = namedtuple("Cuts", ("high", "closed", "percentile", "own", "fixed", "component", "reach", "min_area"))
"""Columns, one row a cut: upper end, included; whether the lower end is included, whether it is a percentile,
whether it counts in the map's own unit; whether the peak counts in the range that is given; component rule;
reach; least area of a component in square pixels of the frame."""


@compiled
def room_for(n):
    """Columns for so many pieces; pages that nobody writes to cost nothing."""
    return Pieces(
        np.empty(n, np.int32),
        np.empty(n, np.int32),
        np.empty((n, 4), np.int32),
        np.empty((n, 2), np.int32),
        np.empty(n),
        np.empty(n, np.int32),
    )


@compiled
def _root(parent, piece):
    while parent[piece] != piece:
        parent[piece] = parent[parent[piece]]
        piece = parent[piece]
    return piece


@compiled
def _join(parent, one, other):
    """Makes two pieces one component; its root is the piece that was found first."""
    p, q = _root(parent, one), _root(parent, other)
    parent[max(p, q)] = min(p, q)


@compiled
def _record(pieces, n, row, start, end):
    """Notes a new piece that begins with one interval."""
    pieces.parent[n] = n
    pieces.n_pixels[n] = end - start
    pieces.first[n, 0], pieces.first[n, 1] = row, start
    pieces.box[n, 0], pieces.box[n, 1], pieces.box[n, 2], pieces.box[n, 3] = start, row, end, row + 1
    pieces.peak[n] = -np.inf


@compiled
def _split(pieces, n, top, height, rows, reach):
    """Parts the rows of one cell into pieces, names each row's piece, and returns the new count of pieces."""
    n -= 1
    for row in range(height):
        start, end = rows[0, row], rows[1, row]
        if start >= end:
            continue
        filled = row > 0 and rows[0, row - 1] < rows[1, row - 1]
        if filled and start < rows[1, row - 1] + reach and rows[0, row - 1] < end + reach:
            pieces.n_pixels[n] += end - start
            pieces.box[n, 0], pieces.box[n, 2] = min(pieces.box[n, 0], start), max(pieces.box[n, 2], end)
            pieces.box[n, 3] = top + row + 1
        else:
            n += 1
            _record(pieces, n, top + row, start, end)
        rows[2, row] = n
    return n + 1


@compiled
def _join_sideways(parent, room, gx, edge, height, once, reach):
    """Joins the pieces of a cell with those of the cell before it, across their edge."""
    left, right = gx - 1, gx
    for row in range(height):
        if room[left, 1, row] != edge or room[left, 0, row] == edge:
            continue
        for other in range(max(row - reach, 0), min(row + reach + 1, height)):
            if room[right, 0, other] == edge and room[right, 1, other] > edge:
                _join(parent, room[left, 2, row], room[right, 2, other])
                if once:
                    return


@compiled
def _join_downwards(parent, upper, n_upper, lower, n_lower, reach):
    """Joins the pieces of two neighbouring rows of pixels; both are lists of start, end and piece."""
    i, j = 0, 0
    while i < n_upper and j < n_lower:
        if lower[j, 0] < upper[i, 1] + reach and upper[i, 0] < lower[j, 1] + reach:
            _join(parent, upper[i, 2], lower[j, 2])
        if upper[i, 1] < lower[j, 1]:
            i += 1
        else:
            j += 1


@compiled
def _find_peaks(pieces, surface, gy, gx, band, rows):
    """Raises each piece's peak to the greatest pixel it has in a cell.

    Climbing within a cell never leaves a mask that is open above, so there the first and last row suffice.
    """
    heatmap, y, x = surface.heatmap, surface.y, surface.x
    top, height = y.start[gy], y.start[gy + 1] - y.start[gy]
    for row in range(0, height, 1 if band else max(height - 1, 1)):
        if rows[0, row] < rows[1, row]:
            left = value(heatmap, y, x, gy, gx, top + row, rows[0, row])
            right = value(heatmap, y, x, gy, gx, top + row, rows[1, row] - 1)
            piece = rows[2, row]
            pieces.peak[piece] = max(pieces.peak[piece], left, right)


@compiled
def _cell(pieces, n, surface, gy, gx, low, high, reach, rows):
    """Finds the pieces of one cell; returns the new count of pieces.

    `rows` holds, of each row, the first column, the last + 1 and the piece; two more rows are scratch.
    """
    y, x, slack = surface.y, surface.x, surface.slack
    least, most = surface.cell_min[gy, gx], surface.cell_max[gy, gx]
    top, height = y.start[gy], y.start[gy + 1] - y.start[gy]
    if least > low + slack and most < high - slack:
        first, last = x.start[gx], x.start[gx + 1]
        for row in range(height):
            rows[0, row], rows[1, row], rows[2, row] = first, last, n
        _record(pieces, n, top, first, last)
        pieces.n_pixels[n], pieces.box[n, 3], pieces.peak[n] = height * (last - first), top + height, most
        return n + 1
    above(surface, gy, gx, low, rows, 0)
    if most > high - slack:
        above(surface, gy, gx, high, rows, 3)
        for row in range(height):  # both intervals end at the same edge of the cell
            if rows[4, row] == rows[1, row]:
                rows[1, row] = rows[3, row]
            else:
                rows[0, row] = rows[4, row]
    more = _split(pieces, n, top, height, rows, reach)
    if more > n:
        _find_peaks(pieces, surface, gy, gx, np.isfinite(high), rows)
    return more


@compiled
def _list_row(row, n_pieces, room, touching):
    """Lists start, end and piece of the intervals in one row of a row of cells; returns their count."""
    n = 0
    for gx in range(len(n_pieces)):
        if n_pieces[gx] and room[gx, 0, row] < room[gx, 1, row]:
            touching[n, 0], touching[n, 1], touching[n, 2] = (
                room[gx, 0, row],
                room[gx, 1, row],
                room[gx, 2, row],
            )
            n += 1
    return n


@compiled
def _find_pieces(pieces, surface, low, high, reach):
    """Finds and joins all pieces of the mask above `low` and not above `high`; returns their count."""
    y, x, slack = surface.y, surface.x, surface.slack
    n_cells = len(x.node)
    room = np.empty((n_cells, 5, whole_vectors(np.max(np.diff(y.start)))), np.int32)
    upper, lower = np.empty((n_cells, 3), np.int32), np.empty((n_cells, 3), np.int32)
    n_pieces = np.zeros(n_cells, np.int32)
    n, n_upper = 0, 0
    for gy in range(len(y.node)):
        height = y.start[gy + 1] - y.start[gy]
        for gx in range(n_cells):
            before = n
            if surface.cell_max[gy, gx] >= low - slack and surface.cell_min[gy, gx] <= high + slack:
                n = _cell(pieces, n, surface, gy, gx, low, high, reach, room[gx])
            n_pieces[gx] = n - before
            if gx and n_pieces[gx] and n_pieces[gx - 1]:
                once = n_pieces[gx] == 1 and n_pieces[gx - 1] == 1
                _join_sideways(pieces.parent, room, gx, x.start[gx], height, once, reach)
        n_lower = _list_row(0, n_pieces, room, lower)
        _join_downwards(pieces.parent, upper, n_upper, lower, n_lower, reach)
        n_upper = _list_row(height - 1, n_pieces, room, upper)
    return n


@compiled
def _merge(pieces, n):
    """Adds each piece to the root of its component."""
    parent, box, first = pieces.parent, pieces.box, pieces.first
    for piece in range(n):
        root = parent[parent[piece]]  # a parent comes before its pieces, so it already names its root
        parent[piece] = root
        if root == piece:
            continue
        pieces.n_pixels[root] += pieces.n_pixels[piece]
        pieces.peak[root] = max(pieces.peak[root], pieces.peak[piece])
        _widen(box, root, piece)
        if (first[piece, 0], first[piece, 1]) < (first[root, 0], first[root, 1]):
            first[root] = first[piece]


@compiled
def _widen(box, one, other):
    box[one, 0] = min(box[one, 0], box[other, 0])
    box[one, 1] = min(box[one, 1], box[other, 1])
    box[one, 2] = max(box[one, 2], box[other, 2])
    box[one, 3] = max(box[one, 3], box[other, 3])


@compiled
def _choose(pieces, n, component, pixel_area, min_area):
    """Puts the roots of the components that a rule keeps into `keep`; of equals the first one read.

    Components of less than `min_area` are as if they were not there.
    """
    box, first, keep = pieces.box, pieces.first, pieces.keep
    n_kept, best = 0, 0
    for piece in range(n):
        if pieces.parent[piece] != piece or pieces.n_pixels[piece] * pixel_area < min_area:
            continue
        size = np.int64(pieces.n_pixels[piece])
        if component == LARGEST_BOX:
            size = np.int64(box[piece, 2] - box[piece, 0]) * (box[piece, 3] - box[piece, 1])
        if component == ALL or n_kept == 0:
            keep[n_kept], best = piece, size
            n_kept += 1
        elif component == HULL:
            _widen(box, keep[0], piece)
            pieces.peak[keep[0]] = max(pieces.peak[keep[0]], pieces.peak[piece])
        else:
            earlier = (first[piece, 0], first[piece, 1]) < (first[keep[0], 0], first[keep[0], 1])
            if size > best or (size == best and earlier):
                keep[0], best = piece, size
    return n_kept


@compiled
def _twice(array):
    """The array with room for as much again."""
    longer = np.empty((2 * len(array), array.shape[1]), array.dtype)
    longer[: len(array)] = array
    return longer


@compiled
def _ends(surface, cuts, c, low, origin, span):
    """The levels between which a cut's mask lies: above the first, not above the second.

    The map counts as clipped to [0, 1], which matters where 0 and 1 are not its own minimum and maximum.
    """
    top = origin + cuts.high[c] * span if cuts.high[c] < 1 else np.inf
    if cuts.percentile[c]:
        return order_statistic(surface, low), top
    if not cuts.closed[c]:
        return origin + low * span, top
    return np.nextafter(origin + low * span, -np.inf) if low > 0 else -np.inf, top


@compiled
def regions(heatmaps, y, x, cuts, lows, ranges, pixel_area):
    """Boxes of every heatmap under every cut, in the order of heatmaps and cuts.

    Args:
        heatmaps: Maps (k, h, w) in double precision; what should count as 0 is already 0.
        y: Axis of the enlarged rows.
        x: Axis of the enlarged columns.
        cuts: Columns of `Cuts`.
        lows: Lower ends (k, c) of the cuts, in the unit of the map scaled to [0, 1], or percentiles.
        ranges: Values (k, 2) that a fixed scale takes to 0 and 1.
        pixel_area: Of a pixel of the enlarged map (k,), in square pixels of the frame.

    Returns:
        Rows of map, cut, box in pixels of the enlarged map, and greatest value of the scaled map in the
        component; nothing for a flat map or an empty mask.
    """
    pieces = room_for(y.start[-1] * len(x.node))
    found, n_found = np.empty((64, 7)), 0
    for k in range(len(heatmaps)):
        surface = surface_of(heatmaps[k], y, x)
        smallest, largest = surface.cell_min.min(), surface.cell_max.max()
        if not largest > smallest:
            continue
        own = smallest, largest - smallest + EPSILON
        given = ranges[k, 0], ranges[k, 1] - ranges[k, 0] + EPSILON
        for c in range(len(cuts.high)):
            origin, span = own if cuts.own[c] else given
            low, high = _ends(surface, cuts, c, lows[k, c], origin, span)
            n = _find_pieces(pieces, surface, low, high, cuts.reach[c])
            _merge(pieces, n)
            n_kept = _choose(pieces, n, cuts.component[c], pixel_area[k], cuts.min_area[c])
            while n_found + n_kept > len(found):
                found = _twice(found)
            origin, span = given if cuts.fixed[c] else own
            for root in pieces.keep[:n_kept]:
                found[n_found, 0], found[n_found, 1] = k, c
                found[n_found, 2:6] = pieces.box[root]
                found[n_found, 6] = min(max((pieces.peak[root] - origin) / span, 0.0), 1.0)
                n_found += 1
    return found[:n_found].copy()


@compiled
def peak_pixels(heatmaps, y, x):
    """Map, row and column of every pixel at which an enlarged map takes its maximum; none of a flat one."""
    found, n_found = np.empty((64, 3), np.int64), 0
    rows = np.empty((2, whole_vectors(np.max(np.diff(y.start)))), np.int32)
    for k in range(len(heatmaps)):
        surface = surface_of(heatmaps[k], y, x)
        largest = surface.cell_max.max()
        if largest <= surface.cell_min.min():
            continue
        below = np.nextafter(largest, -np.inf)
        for gy, gx in np.argwhere(surface.cell_max >= largest - surface.slack):
            above(surface, gy, gx, below, rows, 0)
            for row in range(y.start[gy + 1] - y.start[gy]):
                for column in range(rows[0, row], rows[1, row]):
                    if n_found == len(found):
                        found = _twice(found)
                    found[n_found, 0], found[n_found, 1], found[n_found, 2] = k, y.start[gy] + row, column
                    n_found += 1
    return found[:n_found].copy()
