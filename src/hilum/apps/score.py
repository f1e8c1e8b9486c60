"""`hilum score`: a run, or predictions that were made elsewhere, with the tables of a data folder."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from hilum.apps.options import AUTO, Dataset, Json, Quiet, dataset_named, printed
from hilum.errors import UsageError

if TYPE_CHECKING:
    from hilum.study.adopt import Adopted


def score(
    run: Annotated[Path | None, Parameter(help="A run folder; or leave it out and give --data.")] = None,
    *,
    data: Annotated[Path | None, Parameter(help="Folder with the tables; films need not be there.")] = None,
    probabilities: Annotated[
        Path | None,
        Parameter(help="CSV of films, with a column a finding, prob_ or not."),
    ] = None,
    boxes: Annotated[
        Path | None, Parameter(help="CSV of film, finding, x, y, w, h, or COCO json, or a list as the NIH's.")
    ] = None,
    frame: Annotated[
        float | None, Parameter(help="Side in px of the square in which the boxes are given; the data's own.")
    ] = None,
    heatmaps: Annotated[
        Path | None, Parameter(help="Folder of IMAGE.npz keyed by finding, or FINDING/IMAGE.npy or .png.")
    ] = None,
    out: Annotated[Path | None, Parameter(help="Folder for scores and page.")] = None,
    split: Annotated[Literal["all", "test"], Parameter(help="test: films of the data's test list.")] = "all",
    dataset: Dataset = AUTO,
    quiet: Quiet = False,
    json_: Json = False,
) -> int:
    """Score a run, or predictions that were made elsewhere; loads no torch."""
    if (run is None) == (data is None):
        raise UsageError("give either a run folder or --data with predictions, not both and not neither")
    if run is not None:
        foreign = {"--probabilities": probabilities, "--boxes": boxes, "--heatmaps": heatmaps, "--out": out}
        given = [name for name, value in foreign.items() if value is not None]
        if given:
            raise UsageError(f"{given[0]} belongs to --data, not to a run folder")
        _score_run(run, quiet=quiet or json_)
        if json_:
            printed(json.loads((run / "scores.json").read_text(encoding="utf-8")))
        return 0
    if data is None:  # never: one of the two is given
        return UsageError.exit_code
    from hilum.apps.progress import Shown
    from hilum.study.adopt import Predictions, adopt

    with Shown(quiet=quiet or json_) as show:
        found = adopt(
            data,
            Predictions(probabilities, boxes, heatmaps, frame),
            dataset=dataset_named(data, dataset),
            only_test=split == "test",
            progress=show("score"),
        )
    return _adopted(found, out, as_json=json_)


def _score_run(run: Path, *, quiet: bool) -> None:
    from hilum.apps.progress import Shown
    from hilum.study import stage

    with Shown(quiet=quiet) as show:
        stage("score", run, show)


def _adopted(found: "Adopted", out: Path | None, *, as_json: bool) -> int:
    """Writes the page; prints the table or the JSON, and warnings on the other stream."""
    from hilum.evaluate import json_from
    from hilum.report import summary_from, text_table
    from hilum.study.adopt import write

    for warning in found.warnings:
        print(f"hilum: {warning}", file=sys.stderr)  # noqa: T201
    page = None if out is None else write(found, out)
    if as_json:
        printed(json_from(found.scores))
        return 0
    table = text_table(summary_from(found.scores, found.headline or ("", "")))
    printed(table + (f"\n\nreport: {page}" if page else "") + "\nFor research, not for diagnosis.")
    return 0
