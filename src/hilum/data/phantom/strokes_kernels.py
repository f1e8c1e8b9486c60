"""Machine code that draws round rods (vessels, ribs, wires) as the beam would see them."""

import math

import numpy as np

from hilum.jit import compiled


@compiled
def strokes(layer: np.ndarray, rods: np.ndarray, shell: float) -> None:
    """Draws tapered rods into a layer, keeping the larger value where they meet.

    Args:
        layer: Float32 picture, changed in place.
        rods: One row a rod: x0, y0, x1, y1, radius0, radius1 in pixels, strength at both ends.
        shell: 0 for a full rod, up to 1 for a hollow one with a thin wall (bone).
    """
    height, width = layer.shape
    for k in range(len(rods)):
        x0, y0, x1, y1 = rods[k, 0], rods[k, 1], rods[k, 2], rods[k, 3]
        r0, r1, s0, s1 = rods[k, 4], rods[k, 5], rods[k, 6], rods[k, 7]
        reach = max(r0, r1, 0.75) + 0.5
        left, right = max(0, int(min(x0, x1) - reach)), min(width - 1, int(max(x0, x1) + reach + 1))
        top, bottom = max(0, int(min(y0, y1) - reach)), min(height - 1, int(max(y0, y1) + reach + 1))
        dx, dy = x1 - x0, y1 - y0
        length2 = dx * dx + dy * dy + 1e-6
        for y in range(top, bottom + 1):
            for x in range(left, right + 1):
                t = ((x - x0) * dx + (y - y0) * dy) / length2
                t = min(1.0, max(0.0, t))
                ex, ey = x - x0 - t * dx, y - y0 - t * dy
                radius = r0 + (r1 - r0) * t
                # A rod thinner than a pixel is drawn a pixel wide and as much fainter.
                drawn = max(radius, 0.75) + 0.25
                u2 = (ex * ex + ey * ey) / (drawn * drawn)
                if u2 >= 1.0:
                    continue
                value = math.sqrt(1.0 - u2)
                if shell > 0.0 and u2 < 0.64:
                    value -= shell * math.sqrt(0.64 - u2)
                value *= (s0 + (s1 - s0) * t) * min(1.0, radius / 0.75)
                if value > layer[y, x]:
                    layer[y, x] = value
