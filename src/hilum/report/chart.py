"""A figure as plain values: panels, and in them lines with bands, drawn alike in the page and on paper."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

GUIDE = -1
"""The tone of what is no result: diagonals, floors, marks."""

N_TONES = 6
N_DASHES = 3

Points = Float[np.ndarray, " p"]


@dataclass(frozen=True)
class Line:
    """One line of a panel.

    Attributes:
        x: NaN breaks the line.
        y: As many.
        tone: Place among the colours; `GUIDE` for what is no result.
        label: In the legend; empty for none.
        band: Lower and upper end of the 95 % interval at each x.
        dashes: 0 for a whole line, 1 for a dashed and 2 for a dotted one.
        dots: Whether each point gets a dot.
        joined: Whether a stroke joins the points; where not, a band is a whisker at each.
        heavy: Whether it is the line that matters.
    """

    x: Points
    y: Points
    tone: int = 0
    label: str = ""
    band: tuple[Points, Points] | None = None
    dashes: int = 0
    dots: bool = False
    joined: bool = True
    heavy: bool = False


@dataclass(frozen=True)
class Panel:
    """One pair of axes.

    Attributes:
        title: Over it.
        lines: In it; later ones lie on top.
        x: Ends of the x axis.
        y: Ends of the y axis.
        x_label: What the x axis shows.
        y_label: What the y axis shows.
        note: A number or two, at the right of the title.
        ticks: Places and words of the x axis, where they are not plain numbers.
        marks: Places of upright strokes, with a word each.
    """

    title: str
    lines: Sequence[Line]
    x: tuple[float, float]
    y: tuple[float, float]
    x_label: str = ""
    y_label: str = ""
    note: str = ""
    ticks: Sequence[tuple[float, str]] = ()
    marks: Sequence[tuple[float, str]] = ()


@dataclass(frozen=True)
class Chart:
    """A figure.

    Attributes:
        caption: What it shows, without a full stop.
        panels: In reading order.
        small: Whether it is many small panels, one a finding, or a few large ones.
        note_name: What the notes of its panels are; where there is room, before each.
    """

    caption: str
    panels: Sequence[Panel] = field(default_factory=tuple)
    small: bool = False
    note_name: str = ""

    @property
    def legend(self) -> list[Line]:
        """The first line of each label."""
        found: dict[str, Line] = {}
        for panel in self.panels:
            for line in panel.lines:
                if line.label:
                    found.setdefault(line.label, line)
        return list(found.values())


def nice_end(greatest: float) -> float:
    """The least round number that is not below a number; 1 for what is no number.

    Example:
        >>> nice_end(0.031), nice_end(0.5), nice_end(7.0)
        (0.04, 0.5, 8.0)
    """
    if not np.isfinite(greatest) or greatest <= 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(greatest))
    step = next(
        step for step in (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if step * power >= greatest * (1 - 1e-9)
    )
    return float(f"{step * power:.6g}")


def span(values: Sequence[Float[np.ndarray, " _"]]) -> tuple[float, float]:
    """Lowest and highest finite value with a little room, for the ends of an axis; 0 and 1 for none.

    Example:
        >>> span([np.array([1.0, np.nan]), np.array([2.0])])
        (0.95, 2.05)
    """
    every = np.concatenate([np.zeros(0), *values])
    every = every[np.isfinite(every)]
    if not len(every):
        return 0.0, 1.0
    low, high = float(every.min()), float(every.max())
    room = 0.05 * (high - low) or 0.05 * abs(high) or 0.5
    return low - room, high + room


def ticks_of(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers between two ends, at most `most` of them and a step apart.

    Example:
        >>> ticks_of(0.0, 1.0), ticks_of(0.0, 1.0, 3)
        ([0.0, 0.25, 0.5, 0.75, 1.0], [0.0, 0.5, 1.0])
    """
    power = 10.0 ** np.floor(np.log10((high - low) / most))
    for step in (1, 2, 2.5, 5, 10, 20, 50):
        first = np.ceil(low / (step * power) - 1e-9)
        last = np.floor(high / (step * power) + 1e-9)
        if last - first + 1 <= most:
            return [float(f"{n * step * power:.10g}") for n in np.arange(first, last + 1) + 0.0]
    return []
