"""`hilum ensemble`: several finished runs as one."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from hilum.apps.options import Json, Quiet, told


def ensemble(
    *runs: Path,
    out: Annotated[Path, Parameter(help="Folder of the ensemble, a run folder like its members'.")],
    average: Annotated[
        Literal["probabilities", "logits"], Parameter(help="What of the members is averaged.")
    ] = "probabilities",
    quiet: Quiet = False,
    json_: Json = False,
) -> int:
    """Average finished runs on the same films and split, of whatever recipes; localize, score, report.

    Parameters
    ----------
    runs
        Run folders that are explained.
    """
    from hilum.apps.progress import Shown
    from hilum.study.ensemble import ensemble as made_of

    with Shown(quiet=quiet or json_) as show:
        outcome = made_of(runs, out, average, show)
    return told(outcome, as_json=json_)
