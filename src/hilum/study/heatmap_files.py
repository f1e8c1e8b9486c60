"""Heatmaps on disk: parts of raw float32 maps, and an index that says whose each row is."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64, Int

from hilum.data.cohort import Cohort
from hilum.errors import RunError
from hilum.files import whole
from hilum.study.folder import RunFolder, read_csv, write_csv


@dataclass(frozen=True)
class StoredMaps:
    """Heatmaps of one method, one a row.

    Attributes:
        maps: Raw, at map resolution.
        image: Row of the film in its cohort.
        finding: Column of the finding.
        affine: From network input to frame, in px.
    """

    maps: Float32[np.ndarray, "k u v"]
    image: Int[np.ndarray, " k"]
    finding: Int[np.ndarray, " k"]
    affine: Float64[np.ndarray, "k 2 3"]

    def rows(self, keep: Int[np.ndarray, " r"]) -> "StoredMaps":
        """The named rows."""
        return StoredMaps(self.maps[keep], self.image[keep], self.finding[keep], self.affine[keep])


@dataclass(frozen=True)
class Places:
    """Where the heatmaps of one method lie, one a row.

    Attributes:
        part: Number of the file.
        row: Row inside it.
        image: Row of the film in its cohort.
        finding: Column of the finding.
        affine: From network input to frame, in px.
    """

    part: Int[np.ndarray, " k"]
    row: Int[np.ndarray, " k"]
    image: Int[np.ndarray, " k"]
    finding: Int[np.ndarray, " k"]
    affine: Float64[np.ndarray, "k 2 3"]

    def rows(self, keep: Int[np.ndarray, " r"]) -> "Places":
        """The named rows."""
        whose = self.image[keep], self.finding[keep], self.affine[keep]
        return Places(self.part[keep], self.row[keep], *whose)


def part_path(folder: RunFolder, method: str, part: int) -> Path:
    """File of one part."""
    return folder.heatmaps / method / f"part-{part:05d}.npy"


def write_array(path: Path, array: np.ndarray) -> None:
    """A whole .npy file or nothing."""
    with whole(path) as temporary, temporary.open("wb") as stream:
        np.save(stream, array)


def write_index(
    folder: RunFolder,
    method: str,
    cohort: Cohort,
    pairs: list[Int[np.ndarray, "_ 2"]],
    affine: Float64[np.ndarray, "n 2 3"],
) -> None:
    """One line a map; `pairs` holds (film row, finding column) part by part, `affine` is of each film."""
    rows = (
        (
            cohort.films[image],
            part,
            row,
            cohort.findings[finding],
            " ".join(map(repr, affine[image].ravel().tolist())),
        )
        for part, inside in enumerate(pairs)
        for row, (image, finding) in enumerate(inside.tolist())
    )
    write_csv(folder.heatmaps / method / "index.csv", ("image", "part", "row", "finding", "affine"), rows)


def read_places(folder: RunFolder, method: str, cohort: Cohort, whole: Cohort | None = None) -> Places:
    """Where all maps of one method lie.

    Args:
        folder: The run.
        method: Heatmap method.
        cohort: Whose rows and findings the maps are given.
        whole: All films and findings of the run, where `cohort` has some; maps of the others are left out.

    Raises:
        RunError: They were not made, or are of films that the run does not have.
    """
    index = read_csv(folder.demand(folder.heatmaps / method / "index.csv", "explain"))
    row_of = {film: row for row, film in enumerate(cohort.films.tolist())}
    column_of = {finding: column for column, finding in enumerate(cohort.findings)}
    if whole is not None:
        films, findings = set(whole.films.tolist()) - set(row_of), set(whole.findings) - set(column_of)
        index = [line for line in index if line["image"] not in films and line["finding"] not in findings]
    if any(line["image"] not in row_of or line["finding"] not in column_of for line in index):
        raise RunError(f"{folder.heatmaps / method}: maps of other films than the data folder holds")
    affine = [[float(number) for number in line["affine"].split()] for line in index]
    return Places(
        np.array([int(line["part"]) for line in index], np.int64),
        np.array([int(line["row"]) for line in index], np.int64),
        np.array([row_of[line["image"]] for line in index], np.int64),
        np.array([column_of[line["finding"]] for line in index], np.int64),
        np.array(affine, float).reshape(-1, 2, 3),
    )


def maps_at(folder: RunFolder, method: str, places: Places) -> Float32[np.ndarray, "k u v"]:
    """The maps that lie there; no others are loaded."""
    parts = dict.fromkeys(places.part.tolist())
    arrays = {part: np.load(part_path(folder, method, part), mmap_mode="r") for part in parts}
    maps = [arrays[part][row] for part, row in zip(places.part.tolist(), places.row.tolist(), strict=True)]
    return np.stack(maps) if maps else np.zeros((0, 1, 1), np.float32)


def read_maps(folder: RunFolder, method: str, cohort: Cohort, whole: Cohort | None = None) -> StoredMaps:
    """All maps of one method; see `read_places`.

    Raises:
        RunError: They were not made, or are of films that the run does not have.
    """
    places = read_places(folder, method, cohort, whole)
    return StoredMaps(maps_at(folder, method, places), places.image, places.finding, places.affine)
