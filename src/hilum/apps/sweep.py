"""`hilum sweep`: a search over a recipe's settings, each trial an ordinary run."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from hilum.apps.options import Changes, Data, Json, Quiet, aligned, changes_from, failed, printed


def sweep(
    recipe: str,
    *,
    space: Annotated[str, Parameter(help="What is searched: pun, sorkhei, wildcat, or a .toml file.")],
    data: Data,
    out: Annotated[Path, Parameter(env_var="HILUM_OUT", help="Folder of the sweep; one in it goes on.")],
    trials: Annotated[int, Parameter(help="In all, those of earlier commands among them.")] = 20,
    at_once: Annotated[int, Parameter(help="Trials at the same time; they share cores and GPUs.")] = 1,
    address: Annotated[str, Parameter(help="Of a Ray cluster; without it this machine, on loopback.")] = "",
    seed: Annotated[int, Parameter(help="Decides what is drawn.")] = 0,
    set_: Changes = [],  # noqa: B006 - cyclopts reads it, nothing changes it
    quiet: Quiet = False,
    json_: Json = False,
) -> int:
    """Search a recipe's settings: train many runs, stop bad ones early, choose on validation films.

    Parameters
    ----------
    recipe
        Name of a shipped recipe (see `hilum recipes`) or a .toml file.
    """
    from hilum.apps.progress import Shown
    from hilum.distribute.sweep import sweep as run_sweep
    from hilum.report import search_table

    with Shown(quiet=quiet or json_) as show:
        record = run_sweep(
            recipe,
            space,
            data,
            out,
            trials=trials,
            at_once=at_once,
            address=address,
            seed=seed,
            changes=changes_from(set_),
            show=show,
        )
    table = search_table(record)
    rows = [dict(zip(table.header, row, strict=True)) for row in table.rows]
    if json_:
        printed(rows)
    else:
        columns = ("trial", "state", "epochs", record.monitor, "seconds")
        lines = [[row[name] for name in columns] for row in rows]
        best = f"best {record.monitor}: {record.chosen or 'none'}"
        printed(
            f"{aligned([columns, *lines])}\n\n{best}\npage: {out / 'sweep.html'}\n"
            "For research, not for diagnosis."
        )
    return failed({row["trial"]: row["reason"] for row in rows if row["reason"]}, "see sweep.csv")
