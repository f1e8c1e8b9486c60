"""What several commands share: their options, and how they print."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from hilum.errors import RecipeError, UsageError

if TYPE_CHECKING:
    from hilum.study import Outcome

Quiet = Annotated[
    bool, Parameter(name="--quiet", negative="", env_var="HILUM_QUIET", help="Show no progress.")
]
Json = Annotated[
    bool, Parameter(name="--json", negative="", help="Print the result as JSON and nothing else.")
]
Changes = Annotated[
    list[str],
    Parameter(
        name="--set",
        negative="",
        help="Change a key of the recipe, as training.epochs=2. HILUM_TRAINING_EPOCHS=2 does the same.",
    ),
]
RecipeName = Annotated[str, Parameter(help="Name of a shipped recipe (see `hilum recipes`) or a .toml file.")]
Out = Annotated[
    Path, Parameter(env_var="HILUM_OUT", help="Folder of the run or the runs; what is in it is continued.")
]
Data = Annotated[Path, Parameter(env_var="HILUM_DATA", help="Folder with the tables and the films.")]
AUTO = "auto"
SOME_FAILED = 3
Dataset = Annotated[
    str,
    Parameter(
        help="Layout of the folder: chestxray14, chexpert, manifest, rsna, or rsna(keep) and the like; "
        "auto tells it by the tables there."
    ),
]


def changes_from(pairs: Sequence[str]) -> dict[str, str]:
    """Keys and values of `--set`.

    Raises:
        RecipeError: One is not KEY=VALUE.
    """
    wrong = [pair for pair in pairs if "=" not in pair]
    if wrong:
        raise RecipeError(f"--set {wrong[0]!r}; write section.key=value, as training.epochs=2")
    return {key.strip(): value for key, _, value in (pair.partition("=") for pair in pairs)}


def dataset_named(folder: Path, dataset: str) -> str:
    """The reader of a folder, told by its tables unless it was named."""
    from hilum.data import dataset_from, dataset_in

    name = dataset_in(folder) if dataset == AUTO else dataset
    try:
        dataset_from(name)
    except ValueError as error:
        raise UsageError(str(error)) from error
    return name


def failed(failures: Mapping[str, str], what: str = "see failures.csv") -> int:
    """Names what failed, films or runs; 3 where there are any."""
    for name, reason in list(failures.items())[:10]:
        print(f"hilum: skipped {name}: {reason}", file=sys.stderr)  # noqa: T201
    if len(failures) > 10:
        print(f"hilum: skipped {len(failures)} in all; {what}", file=sys.stderr)  # noqa: T201
    return SOME_FAILED if failures else 0


def printed(result: Any) -> None:
    """A text as it is, anything else as JSON."""
    print(result if isinstance(result, str) else json.dumps(result, indent=1))  # noqa: T201


def told(outcome: "Outcome", *, as_json: bool) -> int:
    """Prints the table that ends a run, and where the page lies; 3 where films could not be read."""
    from hilum.report import text_table

    page = outcome.folder.report
    if as_json:
        printed(json.loads(outcome.folder.scores.read_text(encoding="utf-8")))
    else:
        printed(f"{text_table(outcome.summary)}\n\nreport: {page}\nFor research, not for diagnosis.")
    return failed(outcome.failures)


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Lines of cells as text, every column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = ([cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines)
    return "\n".join("  ".join(line).rstrip() for line in padded)
