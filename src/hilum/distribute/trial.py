"""One trial, on whatever machine it runs: an ordinary run folder whose training tells Ray of every epoch."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hilum import recipe as recipes
from hilum.distribute.record import TrialFolder, read_trial
from hilum.errors import HilumError, TrainingError
from hilum.recipe.space import parsed, under
from hilum.report import best_so_far
from hilum.study.run import run_recipe

FIGURE, EPOCHS, FOLDER = "figure", "epochs", "folder"


@dataclass(frozen=True)
class Job:
    """What all trials of a sweep share.

    Attributes:
        recipe: As TOML.
        space: As TOML.
        data: Folder with tables and films; the same path on every machine.
    """

    recipe: str
    space: str
    data: str

    def of(self, values: Mapping[str, Any]) -> recipes.Recipe:
        """The recipe of one trial.

        Raises:
            UsageError: The values make none.
        """
        recipe = recipes.parse(self.recipe, "the recipe of the sweep")
        return under(recipe, parsed(self.space, "the space of the sweep").settings(values))


def run_trial(config: Mapping[str, Any], job: Job) -> None:
    """Trains in the folder of `config`; Ray stops it between epochs, in `tune.report`, with all on disk.

    Raises:
        HilumError: The trial failed; why is in its folder.
    """
    trial = read_trial(Path(config[FOLDER]))
    try:
        _train(trial, job)
    except HilumError as error:
        trial.save(state="failed", reason=f"{error.code}: {error}")
        raise
    trial.save(state="finished", reason="")


def _train(trial: TrialFolder, job: Job) -> None:
    from ray import tune

    recipe, n_told = job.of(trial.values), 0

    def told(history: Sequence[Mapping[str, Any]]) -> None:
        nonlocal n_told
        for n, figure in enumerate(best_so_far(history, recipe.training.monitor), start=1):
            if n > n_told:
                n_told = n
                if not math.isnan(figure):
                    tune.report({FIGURE: figure, EPOCHS: n})

    run_recipe(recipe, Path(job.data), trial.path, names=("train",), told=told)
    told(trial.history)  # of training that had ended before
    if math.isnan(trial.told.figure(recipe.training.monitor)):
        raise TrainingError(
            f"{trial.path}: no {recipe.training.monitor} in any epoch; the validation films need "
            "findings that some of them have and others have not"
        )
