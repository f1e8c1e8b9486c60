"""The run folder: the record of a run, as files that are whole or absent."""

import csv
import io
import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from hilum.boxes import BoxTable
from hilum.data.cohort import Cohort
from hilum.errors import RunError
from hilum.files import write_text

STATED = ("hilum", "numpy", "numba", "opencv-python-headless", "torch", "timm", "pytorch-lightning")


@dataclass(frozen=True)
class RunFolder:
    """Where everything of one run lies.

    Attributes:
        path: The folder.
    """

    path: Path

    @property
    def recipe(self) -> Path:
        """The resolved recipe."""
        return self.path / "recipe.toml"

    @property
    def record(self) -> Path:
        """Versions, random seeds and hashes."""
        return self.path / "run.json"

    @property
    def checkpoints(self) -> Path:
        """State from which training continues."""
        return self.path / "checkpoints"

    @property
    def weights(self) -> Path:
        """Weights of the best epoch."""
        return self.path / "weights.safetensors"

    @property
    def ranges(self) -> Path:
        """The cohort's scale of each finding, where a box rule has one."""
        return self.path / "ranges.json"

    @property
    def history(self) -> Path:
        """One record an epoch."""
        return self.path / "history.jsonl"

    @property
    def tensorboard(self) -> Path:
        """The same for TensorBoard."""
        return self.path / "tensorboard"

    @property
    def probabilities(self) -> Path:
        """Of every validation and test film."""
        return self.path / "probabilities.csv"

    def branch_probabilities(self, branch: str) -> Path:
        """The same of what one network of several would say alone."""
        return self.path / f"probabilities-{branch}.csv"

    @property
    def branches(self) -> list[str]:
        """Names of the networks of which there are such probabilities."""
        found = self.path.glob(f"{self.branch_probabilities('*').name}")
        return sorted(path.stem.removeprefix("probabilities-") for path in found)

    def probability_part(self, part: int) -> Path:
        """Probabilities of one part of the films, from which the table is put together."""
        return self.path / "probabilities" / f"part-{part:05d}.npy"

    @property
    def heatmaps(self) -> Path:
        """One folder a method."""
        return self.path / "heatmaps"

    @property
    def detections(self) -> Path:
        """Boxes that a detector makes by itself, of every film that it read, as its parts are."""
        return self.heatmaps / "detector" / "boxes.csv"

    @property
    def boxes(self) -> Path:
        """Predicted boxes of every method and box rule."""
        return self.path / "boxes.csv"

    @property
    def scores(self) -> Path:
        """Every score with its protocol."""
        return self.path / "scores.json"

    @property
    def report(self) -> Path:
        """The page."""
        return self.path / "report.html"

    @property
    def failures(self) -> Path:
        """Films that could not be read."""
        return self.path / "failures.csv"

    def demand(self, path: Path, stage: str) -> Path:
        """A file that an earlier stage writes.

        Raises:
            RunError: It is not there; names the stage to run first.
        """
        if not path.exists():
            raise RunError(f"{self.path}: {path.name} is missing; run `hilum {stage} {self.path}` first")
        return path


def versions() -> dict[str, str]:
    """Versions of hilum, what it computes with, and the commit of a development clone."""
    found = {"python": sys.version.split()[0]}
    for name in STATED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    try:
        command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
        found["commit"] = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        pass  # installed from a package: there is no commit to state
    return found


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A whole CSV file; a cell that a spreadsheet would take for a formula is quoted with an apostrophe."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in rows)
    write_text(path, stream.getvalue())


def _cell(value: object) -> object:
    if isinstance(value, (float, np.floating)):
        return "" if np.isnan(value) else repr(round(float(value), 7))
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@"):
        return "'" + value
    return value


def read_csv(path: Path) -> list[dict[str, str]]:
    """Rows by column name."""
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def read_probabilities(folder: RunFolder, cohort: Cohort, branch: str = "") -> Float[np.ndarray, "n f"]:
    """Probabilities row by row of a cohort, of the model or of a branch; NaN for films that were not scored.

    Raises:
        RunError: The file is missing or has other findings.
    """
    path = folder.branch_probabilities(branch) if branch else folder.probabilities
    folder.demand(path, "explain")
    values = np.full((len(cohort), len(cohort.findings)), np.nan)
    row_of = {film: row for row, film in enumerate(cohort.films.tolist())}
    for line in read_csv(path):
        if line["image"] not in row_of or not set(cohort.findings) <= set(line):
            raise RunError(f"{path}: of other films or findings than {folder.recipe}")
        values[row_of[line["image"]]] = [float(line[finding]) for finding in cohort.findings]
    return values


def write_boxes(path: Path, cohort: Cohort, boxes: dict[tuple[str, str], BoxTable]) -> None:
    """Boxes by (method, box rule) in one table, in the cohort's reference frame."""
    header = ("image", "finding", "x_min", "y_min", "x_max", "y_max", "score", "method", "box_rule")
    rows = (
        (cohort.films[image], cohort.findings[finding], *xyxy.tolist(), score, method, rule)
        for (method, rule), table in boxes.items()
        for image, finding, xyxy, score in zip(
            table.image, table.finding, table.xyxy, table.score, strict=True
        )
    )
    write_csv(path, header, rows)


def read_boxes(
    folder: RunFolder, cohort: Cohort, whole: Cohort | None = None
) -> dict[tuple[str, str], BoxTable]:
    """The predicted boxes of a run by method and box rule; see `boxes_in`.

    Raises:
        RunError: They were not made, or are of films that the run does not have.
    """
    return boxes_in(folder.demand(folder.boxes, "localize"), cohort, whole)


def boxes_in(path: Path, cohort: Cohort, whole: Cohort | None = None) -> dict[tuple[str, str], BoxTable]:
    """The inverse of `write_boxes`.

    Args:
        path: What it wrote.
        cohort: Whose rows and findings the boxes are given.
        whole: All films of the run, where `cohort` is a part; boxes of the others are left out.

    Raises:
        RunError: They are of films that the run does not have.
    """
    row_of = {film: row for row, film in enumerate(cohort.films.tolist())}
    others = set() if whole is None else set(whole.films.tolist()) - set(row_of)
    column_of = {finding: column for column, finding in enumerate(cohort.findings)}
    grouped: dict[tuple[str, str], list[tuple[int, int, list[float], float]]] = {}
    for line in read_csv(path):
        if line["image"] in others:
            continue
        if line["image"] not in row_of or line["finding"] not in column_of:
            raise RunError(f"{path}: boxes of other films or findings than the run's: {line['image']}")
        corners = [float(line[name]) for name in ("x_min", "y_min", "x_max", "y_max")]
        entry = (row_of[line["image"]], column_of[line["finding"]], corners, float(line["score"]))
        grouped.setdefault((line["method"], line["box_rule"]), []).append(entry)
    return {
        key: BoxTable(
            np.array([entry[0] for entry in entries], np.int64),
            np.array([entry[1] for entry in entries], np.int64),
            np.array([entry[2] for entry in entries], float),
            np.array([entry[3] for entry in entries], float),
        )
        for key, entries in grouped.items()
    }


def write_json(path: Path, content: Any) -> None:
    """JSON without NaN, whole or absent."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """What `write_json` wrote."""
    return json.loads(path.read_text(encoding="utf-8"))
