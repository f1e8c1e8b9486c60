"""`hilum grid`: every cell of a recipe's grid, each an ordinary run."""

from typing import Annotated

from cyclopts import Parameter

from hilum.apps.options import (
    Changes,
    Data,
    Json,
    Out,
    Quiet,
    RecipeName,
    aligned,
    changes_from,
    failed,
    printed,
)


def grid(
    recipe: RecipeName,
    *,
    data: Data,
    out: Out,
    over: Annotated[
        list[str],
        Parameter(negative="", help="Values of a key, as training.seed=0,1,2; more than the grid has."),
    ] = [],  # noqa: B006 - cyclopts reads it, nothing changes it
    set_: Changes = [],  # noqa: B006
    quiet: Quiet = False,
    json_: Json = False,
) -> int:
    """Run every cell of a recipe's grid, or several seeds, and set the runs side by side."""
    from hilum.apps.progress import Shown
    from hilum.recipe import axes_from
    from hilum.report import grid_tables, named
    from hilum.study.grid import grid as run_grid

    with Shown(quiet=quiet or json_) as show:
        record = run_grid(recipe, data, out, axes_from(over), changes_from(set_), show)
    tables = {
        name: [dict(zip(table.header, row, strict=True)) for row in table.rows]
        for name, table in grid_tables(record).items()
    }
    if json_:
        printed(tables)
    else:
        columns = ("cell", record.monitor, named("auroc"), named("t_iou", 0.1), named("hit_rate"))
        lines = [[row.get(name, "") for name in columns] for row in tables["grid"]]
        printed(
            f"{aligned([columns, *lines])}\n\nbest {record.monitor}: {record.chosen or 'none'}\n"
            f"page: {out / 'grid.html'}\nFor research, not for diagnosis."
        )
    return failed({cell.name: cell.error for cell in record.cells if cell.error}, "see grid.csv")
