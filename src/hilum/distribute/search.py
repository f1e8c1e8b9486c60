"""What is tried next and what is stopped: Optuna's sampler and successive halving, where they left off."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher
from ray.tune.search.optuna import OptunaSearch

from hilum.distribute.record import TrialFolder, new_trial, read_trial
from hilum.distribute.trial import EPOCHS, FIGURE, FOLDER
from hilum.recipe.space import Drawn, Space
from hilum.report import best_so_far

REPEATS = 50
"""Draws in a row that were tried before, after which the space counts as exhausted."""

DIED = "its process died, perhaps for want of memory; the same command takes it up again"


class Search(Searcher):
    """Optuna's suggestions, each with a run folder; interrupted trials come first, known ones not again.

    Args:
        space: What is drawn.
        out: Folder of the sweep.
        monitor: The validation figure.
        before: Trials of earlier commands.
        seed: Of the sampler; a continued sweep draws on from another place of it.
        ended: Called after every trial.
    """

    def __init__(
        self,
        space: Space,
        out: Path,
        monitor: str,
        before: Sequence[TrialFolder],
        seed: int,
        ended: Callable[[], None],
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        mode = mode_of(monitor)
        super().__init__(metric=FIGURE, mode=mode)
        distributions = {name: distribution_of(drawn) for name, drawn in space.drawn.items()}
        sampler = optuna.samplers.TPESampler(seed=seed + len(before))
        self._optuna = OptunaSearch(distributions, metric=FIGURE, mode=mode, sampler=sampler)
        self._known: dict[str, float | None] = {}
        self._waiting = [trial for trial in before if not trial.done]
        self._out, self._ended = out, ended
        self._of: dict[str, tuple[str, TrialFolder]] = {}
        for trial in before:
            figures = best_so_far(trial.history, monitor)
            self._known[_key(trial.values)] = figures[-1] if figures and trial.done else None
            if trial.state in ("finished", "stopped"):
                self._optuna.add_evaluated_point(dict(trial.values), figures[-1])

    def suggest(self, trial_id: str) -> Any:
        """Folder of the next trial; `Searcher.FINISHED` where the space is exhausted."""
        if self._waiting:
            trial = self._waiting.pop(0)
            self._of[trial_id] = "", trial
            return {FOLDER: str(trial.path)}
        for again in range(REPEATS):
            drawn = f"{trial_id}-{again}"
            values = self._optuna.suggest(drawn)
            if _key(values or {}) not in self._known:
                trial = new_trial(self._out, values or {})
                self._known[_key(trial.values)] = None
                self._of[trial_id] = drawn, trial
                return {FOLDER: str(trial.path)}
            figure = self._known[_key(values or {})]
            self._optuna.on_trial_complete(drawn, {} if figure is None else {FIGURE: figure})
        return Searcher.FINISHED

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Tells Optuna; a trial that neither finished nor failed was stopped, or its process died."""
        drawn, trial = self._of.pop(trial_id)
        trial, figure = read_trial(trial.path), (result or {}).get(FIGURE)
        if not trial.done and error:
            trial.save(reason=DIED)
        elif not trial.done:
            trial.save(state="stopped", reason="")
        self._known[_key(trial.values)] = figure
        if drawn:
            self._optuna.on_trial_complete(drawn, result, error)
        elif figure is not None:
            self._optuna.add_evaluated_point(dict(trial.values), figure)
        self._ended()

    def save(self, checkpoint_path: str) -> None:
        """For Ray's own record, which nobody reads: the folders are the record."""
        Path(checkpoint_path).touch()

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: see `save`."""


def halving(epochs: int, monitor: str, before: Sequence[TrialFolder]) -> TrialScheduler:
    """Stops a trial outside the best third at a tenth, three tenths, nine tenths of the epochs, at least one.

    Source: Li et al. 2020 (arXiv:1810.05934), asynchronous successive halving.

    Args:
        epochs: Of a trial that is not stopped.
        monitor: The validation figure.
        before: Trials of earlier commands, which later ones are measured by.
    """
    if epochs < 2:
        return FIFOScheduler()
    scheduler = ASHAScheduler(
        time_attr=EPOCHS,
        metric=FIGURE,
        mode=mode_of(monitor),
        max_t=epochs - 1,  # whoever came to the last epoch is not stopped
        grace_period=max(1, epochs // 10),
        reduction_factor=3,
        stop_last_trials=False,
    )
    for trial in before:
        if trial.done:
            _replayed(scheduler, trial, monitor)
    return scheduler


def _replayed(scheduler: ASHAScheduler, trial: TrialFolder, monitor: str) -> None:
    stand_in = cast(Any, SimpleNamespace(trial_id=trial.path.name))
    scheduler.on_trial_add(cast(Any, None), stand_in)
    for n, figure in enumerate(best_so_far(trial.history, monitor), start=1):
        scheduler.on_trial_result(cast(Any, None), stand_in, {EPOCHS: n, FIGURE: figure})


def distribution_of(drawn: Drawn) -> BaseDistribution:
    """The same for Optuna."""
    if drawn.choice:
        return CategoricalDistribution(drawn.choice)
    low, high = drawn.ends
    return FloatDistribution(low, high, log=drawn.log_uniform is not None)


def mode_of(monitor: str) -> str:
    """Whether the figure is to be small or large, as Ray says it."""
    return "min" if monitor == "val_loss" else "max"


def _key(values: Mapping[str, Any]) -> str:
    return repr(sorted(values.items()))
