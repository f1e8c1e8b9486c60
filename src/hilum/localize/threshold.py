"""Thresholds by name: which part of a heatmap's range belongs to the mask.

Levels count 0 to 255, as the papers do: v = 255 times the map in [0, 1], never rounded to whole numbers.
Rounding it leaves fewer than a fifth of the boxes as they are.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from hilum.lookup import call


@dataclass(frozen=True)
class Cut:
    """One mask: the pixels of the map above `low` and not above `high`.

    Attributes:
        low: Lower end: in the unit of the map scaled to [0, 1], or a percentile of it; unused for Otsu.
        high: Upper end, in the unit of the map scaled to [0, 1]; included.
        closed: Whether the lower end is included too.
        of: What `low` counts in: "unit", "percentile" or "otsu".
    """

    low: float
    high: float = math.inf
    closed: bool = False
    of: str = "unit"


def static_band(low: float, high: float) -> tuple[Cut, ...]:
    """Pixels with low <= v <= high; the hottest are left out, so that a component may be a ring.

    Source: Gascoigne-Burns and Katsigiannis 2021, section II-E, with [60, 180] and [180, 255].
    """
    if not 0 <= low <= high <= 255:
        raise ValueError(f"static_band({low:g}, {high:g}): the ends must rise and lie in 0 to 255")
    return (Cut(low / 255, high / 255, closed=True),)


def level(low: float) -> tuple[Cut, ...]:
    """Pixels with v >= low."""
    if not 0 <= low <= 255:
        raise ValueError(f"level({low:g}): the level must lie in 0 to 255")
    return (Cut(low / 255, closed=True),)


def two_level(low: float, high: float) -> tuple[Cut, ...]:
    """Pixels with v >= low and, as a second mask, those with v >= high; each gives its own boxes.

    Source: Wang et al., CVPR 2017 (arXiv:1705.02315), "Bounding Box Generation", with 60 and 180.
    """
    if not 0 <= low < high <= 255:
        raise ValueError(f"two_level({low:g}, {high:g}): the levels must rise and lie in 0 to 255")
    return level(low) + level(high)


def dynamic(percentile: float) -> tuple[Cut, ...]:
    """Pixels above a percentile of all pixels of the enlarged map; v > 0 where that percentile is 0.

    The percentile interpolates linearly between neighbouring pixels, as numpy's does.

    Source: Gascoigne-Burns and Katsigiannis 2021, section II-E; 87.5 is its choice (section III-C).
    """
    if not 0 < percentile < 100:
        raise ValueError(f"dynamic({percentile:g}): the percentile must lie between 0 and 100, as 87.5 does")
    return (Cut(percentile, of="percentile"),)


def fraction(low: float) -> tuple[Cut, ...]:
    """Pixels above a fraction of the maximum, of the map scaled to [0, 1].

    Source: Guan et al. 2018 (arXiv:1801.09927), section 3.2, with 0.7.
    """
    if not 0 <= low < 1:
        raise ValueError(f"fraction({low:g}): the fraction must be at least 0 and below 1, as 0.7 is")
    return (Cut(low),)


def otsu() -> tuple[Cut, ...]:
    """Pixels above the level that best parts the map in two, from a histogram of 256 bins.

    Source: Otsu 1979. The level is the centre of its bin, as in scikit-image.
    """
    return (Cut(math.nan, of="otsu"),)


def otsu_level(unit: Float[np.ndarray, "h w"]) -> float:
    """Otsu's level of an enlarged map in [0, 1].

    Source: Otsu 1979, the between-class variance: n_0 n_1 (m_0 - m_1)^2 of the two sides is greatest.
    A flat map has no second side: its one value.

    Example:
        >>> round(otsu_level(np.array([[0.0, 0.1, 0.9, 1.0]])), 3)
        0.1
    """
    if unit.min() == unit.max():
        return float(unit.max())
    counts, edges = np.histogram(unit, 256)
    centres = (edges[:-1] + edges[1:]) / 2
    below, above = np.cumsum(counts), counts.sum() - np.cumsum(counts)
    weighted = np.cumsum(counts * centres)
    # never 0 / 0: the first and the last bin hold the least and the greatest pixel
    mean_below = weighted[:-1] / below[:-1]
    mean_above = (weighted[-1] - weighted[:-1]) / above[:-1]
    between = below[:-1] * above[:-1] * (mean_below - mean_above) ** 2
    return float(centres[between.argmax()])


THRESHOLDS: dict[str, Callable[..., tuple[Cut, ...]]] = {
    "dynamic": dynamic,
    "fraction": fraction,
    "level": level,
    "otsu": otsu,
    "static_band": static_band,
    "two_level": two_level,
}


DETECTOR = "detector"
"""What stands for a threshold where boxes come from a detector and not from a heatmap: it makes no mask."""


@lru_cache(maxsize=256)  # a recipe has few, and reading one takes as long as boxing a small map
def cuts_from(threshold: str) -> tuple[Cut, ...]:
    """The masks that a threshold written as text makes; none for `DETECTOR`.

    Raises:
        ValueError: No such threshold, too few or too many numbers, or a number out of its range.

    Example:
        >>> cuts_from("fraction(0.7)")
        (Cut(low=0.7, high=inf, closed=False, of='unit'),)
        >>> cuts_from("dynamic")
        Traceback (most recent call last):
        ValueError: threshold 'dynamic' has 0 numbers; write dynamic(percentile)
    """
    return () if threshold == DETECTOR else call(THRESHOLDS, threshold, "threshold")()
