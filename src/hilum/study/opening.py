"""A data folder and a recipe -> the films of this run, on their sides, decoded."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int

from hilum.data import Cohort, dataset_from, with_films
from hilum.data.splits import split_from
from hilum.data.store import PixelStore, Progress, build, silent
from hilum.errors import DataError, RecipeError
from hilum.recipe import DataSettings


@dataclass(frozen=True)
class Films:
    """The films of a run.

    Attributes:
        cohort: Those on disk and readable, on their sides.
        n_listed: Films in the data's table, on disk or not.
        listed_by_split: The same by side.
        n_listed_boxes: Reference boxes in the data's list.
    """

    cohort: Cohort
    n_listed: int
    listed_by_split: dict[str, int]
    n_listed_boxes: int

    @property
    def complete(self) -> str:
        """How many of the listed films are here, for the protocol and the page."""
        return f"{len(self.cohort):,} of {self.n_listed:,} films"

    @property
    def partial(self) -> bool:
        """Whether films of the table are missing."""
        return len(self.cohort) < self.n_listed


@dataclass(frozen=True)
class Pixels:
    """The pixels of a run's films.

    Attributes:
        store: Holds them.
        rows: Row in the store of each film of the cohort.
        failures: Films on disk that could not be read, with the reason.
    """

    store: PixelStore
    rows: Int[np.ndarray, " n"]
    failures: dict[str, str]


def open_films(data: Path, settings: DataSettings) -> Films:
    """Reads the tables and makes the split; sides are drawn over all listed films, then those on disk kept.

    So a film stands on the same side whatever part of the data was downloaded.

    Raises:
        DataError: The folder cannot be used; see its kinds.
        RecipeError: The recipe's split or findings do not suit this data.
    """
    listed = with_films(dataset_from(settings.dataset)(data), data)
    try:
        listed = split_from(settings.split)(listed, settings.split_seed)
        if settings.findings:
            listed = listed.of_findings(settings.findings)
    except ValueError as error:
        raise RecipeError(f"[data] on {data}: {error}") from error
    by_split = {side: len(listed.side(side)) for side in ("train", "val", "test")}
    return Films(listed.rows(listed.on_disk), len(listed), by_split, len(listed.reference))


def decode(films: Films, settings: DataSettings, progress: Progress = silent) -> tuple[Films, Pixels]:
    """The pixel store of the films; those that cannot be read leave the cohort and are listed.

    Raises:
        DataError: A side of the split has no readable film.
    """
    store = build(films.cohort, settings.store_px, progress, fit=settings.fit)
    readable = np.flatnonzero([film not in store.failures for film in films.cohort.films])
    kept = dataclasses.replace(films, cohort=films.cohort.rows(readable))
    for side in ("train", "val", "test"):
        if not len(kept.cohort.side(side)):
            raise DataError(f"no readable film is on the {side} side of the split; more films are needed")
    return kept, Pixels(store, readable, store.failures)
