"""Members' stored heatmaps in; their mean on the film, stored as those of a run are, out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int

from hilum.data.cohort import Cohort
from hilum.data.store import Progress
from hilum.ensemble import grid_over, mean_maps, scaled, squares_from
from hilum.files import demand_space
from hilum.recipe import Recipe
from hilum.study.folder import RunFolder, read_json
from hilum.study.heatmap_files import Places, maps_at, part_path, read_places, write_array, write_index
from hilum.study.members import Member, one_view

PART = 256
"""Maps a part; as many of each member are in memory at once."""


def write_maps(
    folder: RunFolder, recipe: Recipe, cohort: Cohort, members: Sequence[Member], progress: Progress
) -> None:
    """The mean of every map of which all members have one, part by part, so that memory holds one part.

    Raises:
        RunError: A member has no maps, or lacks the cohort's scale that the box rules ask for.
        DiskError: The maps would not fit.
    """
    kept = _in_common(
        [_Maps(each, read_places(each.folder, each.method, cohort, each.cohort)) for each in members]
    )
    first, input_hw = kept[0].places, recipe.data.geometry.input_hw
    affine = np.zeros((len(cohort), 2, 3))
    affine[first.image] = first.affine
    if not one_view(members):
        height, width = cohort.frame_hw
        affine[:] = [[width / input_hw[1], 0.0, 0.0], [0.0, height / input_hw[0], 0.0]]
    view = squares_from(affine[first.image], input_hw)
    hw = grid_over([each.hw for each in kept], [each.view for each in kept], view)
    method, pairs = recipe.explain.methods[0], np.column_stack([first.image, first.finding])
    demand_space(folder.path, 4 * hw[0] * hw[1] * len(pairs))
    starts = range(0, len(pairs), PART)
    for part, start in enumerate(starts):
        rows = np.arange(start, min(start + PART, len(pairs)))
        if len(members) == 1:
            mean = kept[0].raw(rows)
        else:
            own = [each.unit(rows, recipe, cohort.findings) for each in kept]
            mean = mean_maps(own, [each.view[rows] for each in kept], view[rows], hw)
        write_array(part_path(folder, method, part), mean)
        progress(int(rows[-1]) + 1, len(pairs))
    write_index(folder, method, cohort, [pairs[start : start + PART] for start in starts], affine)


@dataclass(frozen=True)
class _Maps:
    """Maps of one member, of the films and findings that all members have, and where they lie.

    Attributes:
        member: Whose.
        places: One a row.
    """

    member: Member
    places: Places

    @property
    def view(self) -> Float64[np.ndarray, "k 2 3"]:
        """What each covers."""
        return squares_from(self.places.affine, self.member.recipe.data.geometry.input_hw)

    @property
    def hw(self) -> tuple[int, int]:
        """Height and width of all of them, in nodes."""
        height, width = self.raw(np.arange(len(self.places.image))[:1]).shape[1:]
        return height, width

    def raw(self, rows: Int[np.ndarray, " r"]) -> Float32[np.ndarray, "r u v"]:
        """Some of them, as the network gave them."""
        return maps_at(self.member.folder, self.member.method, self.places.rows(rows))

    def unit(
        self, rows: Int[np.ndarray, " r"], recipe: Recipe, findings: Sequence[str]
    ) -> Float64[np.ndarray, "r u v"]:
        """The same in [0, 1]: of the film, or of the member's own cohort where the rule has such a scale.

        Raises:
            RunError: The member's boxes were made without a cohort's scale, which is then not known.
        """
        ranges = None
        if recipe.localize.scale == "cohort":
            folder = self.member.folder
            known = read_json(folder.demand(folder.ranges, "localize"))
            column = [known["findings"].index(finding) for finding in findings]
            ranges = np.array(known["low_high"][self.member.method], float)[column][self.places.finding[rows]]
        return scaled(self.raw(rows), recipe.localize.signed, ranges)


def _in_common(kept: Sequence[_Maps]) -> list[_Maps]:
    """The maps of pairs of film and finding of which all members have one, in one order."""
    row_of = [
        {pair: row for row, pair in enumerate(zip(p.image.tolist(), p.finding.tolist(), strict=True))}
        for p in (each.places for each in kept)
    ]
    pairs = sorted(set(row_of[0]).intersection(*row_of[1:]))
    rows = [np.array([rows[pair] for pair in pairs], np.int64) for rows in row_of]
    return [_Maps(each.member, each.places.rows(keep)) for each, keep in zip(kept, rows, strict=True)]
