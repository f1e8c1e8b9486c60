"""Heatmaps of films and findings as columns, also of those without a reference box."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int


@dataclass(frozen=True)
class PairMaps:
    """One heatmap a row.

    Attributes:
        maps: Raw maps, each over the whole network input; NaN for one that is missing.
        image: Row of the film in its cohort.
        finding: Column of the finding.
        affine: From pixels of the network's input to the reference frame.
        probability: Of that finding on that film.
    """

    maps: Float32[np.ndarray, "m h w"]
    image: Int[np.ndarray, " m"]
    finding: Int[np.ndarray, " m"]
    affine: Float[np.ndarray, "m 2 3"]
    probability: Float[np.ndarray, " m"]

    def __post_init__(self) -> None:
        """Refuses columns of unequal length, and a pair that stands twice."""
        columns = (self.maps, self.image, self.finding, self.affine, self.probability)
        if len({len(column) for column in columns}) != 1:
            raise ValueError(f"columns of maps must be of one length, not {[len(c) for c in columns]}")
        pairs, count = np.unique(np.stack([self.image, self.finding]), axis=1, return_counts=True)
        if (count > 1).any():
            film, finding = pairs[:, count > 1][:, 0]
            raise ValueError(f"film {film} has {count.max()} maps of finding {finding}; one is right")

    def __len__(self) -> int:
        return len(self.maps)

    def rows(self, keep: Int[np.ndarray, " r"]) -> "PairMaps":
        """The named rows."""
        return PairMaps(
            self.maps[keep],
            self.image[keep],
            self.finding[keep],
            self.affine[keep],
            self.probability[keep],
        )

    def of(self, wanted: Bool[np.ndarray, "n f"]) -> "PairMaps":
        """The maps of the marked films and findings.

        Raises:
            ValueError: A marked pair has no map.
        """
        there = np.zeros(wanted.shape, bool)
        there[self.image, self.finding] = True
        missing = np.argwhere(wanted & ~there)
        if len(missing):
            film, finding = missing[0]
            raise ValueError(
                f"{len(missing)} of {int(wanted.sum())} wanted pairs have no heatmap, "
                f"the first is film {film}, finding {finding}"
            )
        return self.rows(np.flatnonzero(wanted[self.image, self.finding]))
