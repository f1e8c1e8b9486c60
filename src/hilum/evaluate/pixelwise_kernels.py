"""Compiled loop over the pixels of a map in falling order: areas under precision and recall."""

import numpy as np

from hilum.jit import compiled


@compiled
def areas(order, tied, masks, trapezoid):
    """Area under the precision and recall curve of one map against each mask.

    Args:
        order: Pixels by falling value.
        tied: Whether a pixel, in that order, equals the one before.
        masks: True inside the reference, one flat row a mask.
        trapezoid: Whether to join the points by straight lines, from precision 1 at recall 0.

    Returns:
        Areas; NaN for a mask without a pixel.
    """
    n_pixels = order.shape[0]
    found = np.full(masks.shape[0], np.nan)
    for one in range(masks.shape[0]):
        mask = masks[one]
        hits, area = 0, 0.0
        before, precision_before = 0, 1.0
        for place in range(n_pixels):
            hits += mask[order[place]]
            last = place + 1 == n_pixels or not tied[place + 1]
            if last and (hits > before or trapezoid):
                precision = hits / (place + 1)
                if trapezoid:
                    area += (hits - before) * (precision + precision_before) / 2
                else:
                    area += (hits - before) * precision
                before, precision_before = hits, precision
        if hits > 0:
            found[one] = area / hits
    return found
