"""The learning rate, and when to stop, as pure functions of where training is and what validation said.

Pure, so that a run continued after a kill takes the very steps an unbroken one takes.
"""

import math
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from hilum.lookup import call, whole

Schedule = Callable[[float, int, Sequence[float]], float]
"""Share of all steps taken, epochs begun, validation figures so far -> factor of the learning rate."""


def constant(_progress: float, _epoch: int, _history: Sequence[float]) -> float:
    """The learning rate as given."""
    return 1.0


def one_cycle(progress: float, _epoch: int, _history: Sequence[float]) -> float:
    """Up from 1/25 along a cosine over the first 30 % of training, down to nothing over the rest.

    Source: Smith and Topin 2017 (arXiv:1708.07120); the cosine form is the common one.

    Example:
        >>> [round(one_cycle(share, 0, []), 3) for share in (0.0, 0.3, 1.0)]
        [0.04, 1.0, 0.0]
    """
    rise = 0.3
    if progress < rise:
        return 1.0 - (1.0 - 1 / 25) * (1 + math.cos(math.pi * progress / rise)) / 2
    return (1 + math.cos(math.pi * (progress - rise) / (1 - rise))) / 2


def plateau(
    _progress: float, _epoch: int, history: Sequence[float], patience: float = 20.0, factor: float = 0.1
) -> float:
    """Multiplies by `factor` each time `patience` epochs have passed without a better validation figure.

    Example:
        >>> plateau(0.0, 3, [0.7, 0.6, 0.6], patience=2.0)
        0.1
    """
    wait, cuts, best, waited = whole(patience, "patience of a plateau"), 0, -math.inf, 0
    for figure in history:
        best, waited = (figure, 0) if figure > best else (best, waited + 1)
        if waited == wait:
            cuts, waited = cuts + 1, 0
    return factor**cuts


def step(
    _progress: float, epoch: int, _history: Sequence[float], every: float = 20.0, factor: float = 0.1
) -> float:
    """Multiplies by `factor` after every `every` epochs.

    Example:
        >>> [step(0.0, epoch, [], every=2.0) for epoch in (0, 1, 2)]
        [1.0, 1.0, 0.1]
    """
    return factor ** (epoch // whole(every, "epochs of a step"))


SCHEDULES: dict[str, Callable[..., float]] = {
    "constant": constant,
    "one_cycle": one_cycle,
    "plateau": plateau,
    "step": step,
}
"""Learning rates by the name that a recipe gives under `[training] schedule`: "plateau(20, 0.1)"."""


def schedule_from(text: str, warmup: float = 0.0) -> Schedule:
    """The schedule written as text, rising from 0 along a line over the first share of all steps.

    Raises:
        ValueError: No such schedule, or numbers that it cannot have.
    """
    scale = call(SCHEDULES, text, "schedule", n_given=3)
    scale(0.0, 0, [])  # so that numbers it cannot have are refused now

    def warmed(progress: float, epoch: int, history: Sequence[float]) -> float:
        return scale(progress, epoch, history) * (min(progress / warmup, 1.0) if warmup else 1.0)

    return warmed


class Unfrozen(NamedTuple):
    """What learns in an epoch.

    Attributes:
        n_blocks: So many blocks, the one nearest the logits first.
        factor: Of the learning rate.
        since: The epoch from which the optimiser's state and the schedule count.
    """

    n_blocks: int
    factor: float = 1.0
    since: int = 0


def gradual(
    n_blocks: int,
    epoch: int,
    epochs: float = 4.0,
    factor: float = 1.0,
    state: Literal["kept", "fresh"] = "kept",
) -> Unfrozen:
    """Only the block nearest the logits for some epochs; then one more each epoch, at a lower rate.

    With "fresh" the optimiser and the schedule begin anew with every block, as the code of Pun et al. 2021.

    Source: Howard and Ruder 2018 (arXiv:1801.06146), section 3.3; with the wait and the cut, Pun et al. 2021.

    Example:
        >>> [tuple(gradual(3, epoch, 2.0, 0.2, "fresh")) for epoch in (1, 2, 3, 4)]
        [(1, 1.0, 0), (2, 0.2, 2), (3, 0.2, 3), (3, 0.2, 3)]
    """
    wait = whole(epochs, "epochs of gradual unfreezing")
    if epoch < wait:
        return Unfrozen(1)
    last = max(wait, wait + n_blocks - 2)
    return Unfrozen(min(2 + epoch - wait, n_blocks), factor, min(epoch, last) if state == "fresh" else 0)


def at_once(n_blocks: int, _epoch: int) -> Unfrozen:
    """All blocks from the first epoch on."""
    return Unfrozen(n_blocks)


UNFREEZING: dict[str, Callable[..., Unfrozen]] = {"at_once": at_once, "gradual": gradual}
"""Which blocks learn, from blocks and epoch, by the name under `[training] unfreezing`, with its numbers."""


def unfreezing_from(text: str) -> Callable[[int, int], Unfrozen]:
    """The unfreezing written as text.

    Raises:
        ValueError: No such one, or numbers that it cannot have.
    """
    unfreeze = call(UNFREEZING, text, "unfreezing", n_given=2)
    unfreeze(1, 0)
    return unfreeze


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
