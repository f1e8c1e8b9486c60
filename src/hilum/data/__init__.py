"""What is on disk -> `Cohort` (who, labels, boxes), `PixelStore` (films as one array), geometry."""

from collections.abc import Callable
from pathlib import Path

from hilum.data import chestxray14, chexpert, manifest, rsna
from hilum.data.cohort import Cohort, with_films
from hilum.errors import DataError
from hilum.lookup import call

DATASETS = {
    "chestxray14": chestxray14.load,
    "chexpert": chexpert.load,
    "manifest": manifest.load,
    "rsna": rsna.load,
}
"""Readers by the name that a recipe gives under `[data] dataset`, as "rsna(keep)"."""

MARKS = {
    "chestxray14": chestxray14.IMAGE_TABLES,
    "chexpert": tuple(chexpert.SIDES)[:1],
    "manifest": (manifest.TABLE,),
    "rsna": (rsna.LABEL_TABLE,),
}
"""The tables by which each reader's layout is known."""

__all__ = ["DATASETS", "MARKS", "Cohort", "dataset_from", "dataset_in", "with_films"]


def dataset_in(folder: Path) -> str:
    """Name of the reader whose tables lie in a folder.

    Raises:
        DataError: No such folder, no such tables in it, or those of several.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; it should hold the tables and the films")
    names = [name for name, tables in MARKS.items() if any((folder / table).is_file() for table in tables)]
    if len(names) == 1:
        return names[0]
    found = f"tables of {' and of '.join(names)} are in it; name one" if names else "no table that is known"
    tables = ", ".join(table for tables in MARKS.values() for table in tables)
    raise DataError(f"{folder}: {found} (known: {tables})")


def dataset_from(text: str) -> Callable[[Path], Cohort]:
    """The reader written as text, a function of the folder.

    Raises:
        ValueError: No such reader, or an option that it does not have.
    """
    return call(DATASETS, text, "dataset", n_given=1)
