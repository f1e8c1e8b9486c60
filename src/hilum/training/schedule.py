"""The learning rate, and when to stop, as pure functions of where training is and what validation said.

Pure, so that a run continued after a kill takes the very steps an unbroken one takes.
"""

import math
from collections.abc import Callable, Sequence


def constant(_progress: float, _history: Sequence[float]) -> float:
    """The learning rate as given."""
    return 1.0


def one_cycle(progress: float, _history: Sequence[float]) -> float:
    """Up from 1/25 along a cosine over the first 30 % of training, down to nothing over the rest.

    Source: Smith and Topin 2017 (arXiv:1708.07120); the cosine form is the common one.

    Example:
        >>> [round(one_cycle(share, []), 3) for share in (0.0, 0.3, 1.0)]
        [0.04, 1.0, 0.0]
    """
    rise = 0.3
    if progress < rise:
        return 1.0 - (1.0 - 1 / 25) * (1 + math.cos(math.pi * progress / rise)) / 2
    return (1 + math.cos(math.pi * (progress - rise) / (1 - rise))) / 2


def plateau(patience: int, factor: float) -> Callable[[float, Sequence[float]], float]:
    """Multiplies by `factor` each time `patience` epochs have passed without a better validation figure.

    Example:
        >>> plateau(2, 0.1)(0.0, [0.7, 0.6, 0.6])
        0.1
    """

    def scale(_progress: float, history: Sequence[float]) -> float:
        cuts, best, waited = 0, -math.inf, 0
        for figure in history:
            best, waited = (figure, 0) if figure > best else (best, waited + 1)
            if waited == patience:
                cuts, waited = cuts + 1, 0
        return factor**cuts

    return scale


def should_stop(history: Sequence[float], patience: int) -> bool:
    """Whether `patience` epochs have passed since the best validation figure; greater is better.

    Example:
        >>> should_stop([0.6, 0.7, 0.7, 0.69], patience=2)
        True
    """
    return bool(history) and len(history) - 1 - best_epoch(history) >= patience


def best_epoch(history: Sequence[float]) -> int:
    """The first epoch that reached the greatest figure, counted from 0; NaN is never the best.

    Example:
        >>> best_epoch([0.6, 0.7, 0.7])
        1
    """
    figures = [-math.inf if math.isnan(figure) else figure for figure in history]
    return max(range(len(figures)), key=lambda epoch: (figures[epoch], -epoch))
