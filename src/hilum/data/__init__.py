"""What is on disk -> `Cohort` (who, labels, boxes), `PixelStore` (films as one array), geometry."""

from hilum.data import chestxray14
from hilum.data.cohort import Cohort

DATASETS = {"chestxray14": chestxray14.load}
"""Readers by the name that a recipe gives under `[data] dataset`."""

__all__ = ["DATASETS", "Cohort"]
