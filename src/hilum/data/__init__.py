"""What is on disk -> `Cohort` (who, labels, boxes), `PixelStore` (films as one array), geometry."""

from collections.abc import Callable
from pathlib import Path

from hilum.data import chestxray14, chexpert, manifest, rsna
from hilum.data.cohort import Cohort
from hilum.lookup import call

DATASETS = {
    "chestxray14": chestxray14.load,
    "chexpert": chexpert.load,
    "manifest": manifest.load,
    "rsna": rsna.load,
}
"""Readers by the name that a recipe gives under `[data] dataset`, as "rsna(keep)"."""

__all__ = ["DATASETS", "Cohort", "dataset_from"]


def dataset_from(text: str) -> Callable[[Path], Cohort]:
    """The reader written as text, a function of the folder.

    Raises:
        ValueError: No such reader, or an option that it does not have.
    """
    return call(DATASETS, text, "dataset", n_given=1)
