"""A table of films as columns: who, what was said of them, on which side of the split, with which boxes."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, Shaped

from hilum.boxes import BoxTable
from hilum.errors import DataError, SplitError
from hilum.files import digest
from hilum.findings import positions

SPLITS = ("train", "val", "test")


def with_films(cohort: "Cohort", folder: Path) -> "Cohort":
    """The cohort, for work that looks at films; its tables alone are enough to score predictions.

    Raises:
        DataError: None of its films is on disk.
    """
    if not cohort.on_disk.any():
        raise DataError(f"{folder}: none of the {len(cohort):,} films of the table is in it or below it")
    return cohort


@dataclass(frozen=True)
class Cohort:
    """Films, their labels and their reference boxes.

    Attributes:
        films: Name of each film, unique.
        paths: File of each film; empty where the film is not on disk.
        findings: Names of the label columns, in order.
        labels: 1 present, 0 absent, NaN not mentioned or uncertain.
        patient: Patient of each film.
        view: "PA" or "AP"; empty where unknown.
        age: Years; NaN where unknown.
        sex: "F" or "M"; empty where unknown.
        split: "train", "val" or "test"; empty before a split was made.
        reference: Radiologists' (or the phantom's true) boxes.
        frame_hw: Height and width of the frame in which the boxes lie, in px.
        source: Which set of films this is: "ChestX-ray14", "phantoms".
        box_release: Which box list this is; empty without boxes.
        split_name: How the split was made, in words.
        tables: SHA-256 of every table read, by file name.
        mended: One line for every row that had to be mended.
        chosen: One line for every choice between copies of films, and for every kind of row left out.
    """

    films: Shaped[np.ndarray, " n"]
    paths: Shaped[np.ndarray, " n"]
    findings: tuple[str, ...]
    labels: Float[np.ndarray, "n f"]
    patient: Shaped[np.ndarray, " n"]
    view: Shaped[np.ndarray, " n"]
    age: Float[np.ndarray, " n"]
    sex: Shaped[np.ndarray, " n"]
    split: Shaped[np.ndarray, " n"]
    reference: BoxTable
    frame_hw: tuple[int, int]
    source: str = ""
    box_release: str = ""
    split_name: str = ""
    tables: dict[str, str] = field(default_factory=dict)
    mended: tuple[str, ...] = ()
    chosen: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuses columns that do not fit together, and a patient on two sides of the split."""
        n = len(self.films)
        for name in ("paths", "labels", "patient", "view", "age", "sex", "split"):
            if len(getattr(self, name)) != n:
                raise ValueError(f"column {name} has {len(getattr(self, name))} rows for {n} films")
        if self.labels.shape[1] != len(self.findings):
            raise ValueError(f"{self.labels.shape[1]} label columns for {len(self.findings)} findings")
        named = (("film", self.reference.image, n), ("finding", self.reference.finding, len(self.findings)))
        for what, numbers, n_known in named:
            unknown = numbers[(numbers < 0) | (numbers >= n_known)]
            if len(unknown):
                raise ValueError(f"a reference box names {what} {unknown[0]} of {n_known}")
        self._refuse_shared_patients()

    def _refuse_shared_patients(self) -> None:
        pairs = np.unique(np.stack([self.patient.astype(str), self.split.astype(str)]), axis=1)
        patients, n_sides = np.unique(pairs[0][pairs[1] != ""], return_counts=True)
        if (n_sides > 1).any():
            first = str(patients[n_sides > 1][0])
            raise SplitError(
                f"{(n_sides > 1).sum()} patients stand on two sides of the split, the first is {first!r}; "
                "a patient's films must all be on one side"
            )

    def __len__(self) -> int:
        return len(self.films)

    @property
    def split_hash(self) -> str:
        """Identifies which film is on which side, whatever the order of the rows."""
        order = np.argsort(self.films)
        return digest(*(f"{self.films[row]}:{self.split[row]}" for row in order))

    @property
    def on_disk(self) -> Shaped[np.ndarray, " n"]:
        """Mask of the films whose file is there."""
        return self.paths != ""

    def side(self, name: str) -> Int[np.ndarray, " r"]:
        """Rows of one side of the split.

        Raises:
            ValueError: No such side.
        """
        if name not in SPLITS:
            raise ValueError(f"unknown side {name!r} of a split; known: {', '.join(SPLITS)}")
        return np.flatnonzero(self.split == name)

    def of_findings(self, wanted: Sequence[str]) -> "Cohort":
        """The same films with some label columns, in the order wanted, and the boxes of these findings.

        Raises:
            ValueError: A finding that is not labelled here, or one wanted twice.
        """
        columns = positions(wanted, self.findings)
        if len(set(columns)) != len(columns):
            raise ValueError(f"a finding stands twice in {list(wanted)}")
        new_column = np.full(len(self.findings), -1)
        new_column[columns] = np.arange(len(columns))
        boxes = self.reference.rows(new_column[self.reference.finding] >= 0)
        return dataclasses.replace(
            self,
            findings=tuple(self.findings[column] for column in columns),
            labels=self.labels[:, columns],
            reference=dataclasses.replace(boxes, finding=new_column[boxes.finding]),
        )

    def rows(self, keep: Sequence[int] | np.ndarray) -> "Cohort":
        """A smaller cohort of the named rows, with their boxes renumbered."""
        index = np.arange(len(self))[np.asarray(keep)]
        new_row = np.full(len(self), -1)
        new_row[index] = np.arange(len(index))
        boxes = self.reference.rows(new_row[self.reference.image] >= 0)
        columns = ("films", "paths", "labels", "patient", "view", "age", "sex", "split")
        return dataclasses.replace(
            self,
            reference=dataclasses.replace(boxes, image=new_row[boxes.image]),
            **{name: getattr(self, name)[index] for name in columns},
        )
