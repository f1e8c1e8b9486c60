"""Films, labels and a model -> trained weights."""

from hilum.training.batches import FilmSet
from hilum.training.fit import fit

__all__ = ["FilmSet", "fit"]
