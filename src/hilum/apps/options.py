"""What several commands share: their options, and how they print."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from hilum.errors import UsageError

Quiet = Annotated[
    bool, Parameter(name="--quiet", negative="", env_var="HILUM_QUIET", help="Show no progress.")
]
Json = Annotated[
    bool, Parameter(name="--json", negative="", help="Print the result as JSON and nothing else.")
]
AUTO = "auto"
Dataset = Annotated[
    str,
    Parameter(
        help="Layout of the folder: chestxray14, chexpert, manifest, rsna, or rsna(keep) and the like; "
        "auto tells it by the tables there."
    ),
]


def dataset_named(folder: Path, dataset: str) -> str:
    """The reader of a folder, told by its tables unless it was named."""
    from hilum.data import dataset_from, dataset_in

    name = dataset_in(folder) if dataset == AUTO else dataset
    try:
        dataset_from(name)
    except ValueError as error:
        raise UsageError(str(error)) from error
    return name


def printed(result: Any) -> None:
    """A text as it is, anything else as JSON."""
    print(result if isinstance(result, str) else json.dumps(result, indent=1))  # noqa: T201


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Lines of cells as text, every column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = ([cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines)
    return "\n".join("  ".join(line).rstrip() for line in padded)
