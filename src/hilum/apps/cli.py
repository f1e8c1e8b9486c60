"""The command line. Heavy imports stand inside the commands, so that help comes at once."""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, CycloptsError, Parameter

from hilum import __version__
from hilum.apps.ensemble import ensemble
from hilum.apps.grid import grid
from hilum.apps.ledger import ledger
from hilum.apps.options import (
    AUTO,
    Changes,
    Data,
    Dataset,
    Json,
    Out,
    Quiet,
    RecipeName,
    aligned,
    changes_from,
    dataset_named,
    failed,
    printed,
    told,
)
from hilum.apps.score import score
from hilum.apps.sweep import sweep
from hilum.apps.weights import weights
from hilum.errors import HilumError, UsageError

if TYPE_CHECKING:
    from hilum.data import Cohort

app = App(
    name="hilum",
    help="Findings, heatmaps, boxes and scores for chest radiographs. For research, not for diagnosis.",
    version=__version__,
    help_format="plaintext",  # markdown would cost a third of the time that help takes
    help_epilogue="Exit codes: 0 ok, 1 failure, 2 usage, 3 some inputs failed, 4 bad data, 130/143 stopped.",
)
data_app = App(name="data", help="Look at films on disk, make phantoms, decode films.")
app.command(data_app)
app.command(ensemble)
app.command(grid)
app.command(ledger)
app.command(score)
app.command(sweep)
app.command(weights)

Run = Annotated[Path, Parameter(help="A run folder.")]


@app.command
def study(
    recipe: RecipeName,
    *,
    data: Data,
    out: Out,
    set_: Changes = [],  # noqa: B006 - cyclopts reads it, nothing changes it
    quiet: Quiet = False,
    json_: Json = False,
) -> int:
    """Run a recipe end to end: train, explain, localize, score, report."""
    from hilum.apps.progress import Shown
    from hilum.study import study as run_study

    with Shown(quiet=quiet or json_) as show:
        outcome = run_study(recipe, data, out, changes_from(set_), show)
    return told(outcome, as_json=json_)


@app.command
def recipes(*, json_: Json = False) -> int:
    """List the shipped recipes."""
    from hilum.recipe import load, shipped

    found = {name: load(name).report.description for name in shipped()}
    width = max(map(len, found))
    printed(found if json_ else "\n".join(f"{name:{width}}  {text}" for name, text in found.items()))
    return 0


@app.command
def train(run: Run, *, quiet: Quiet = False) -> int:
    """Train the network of a run, or go on training it."""
    return _stage("train", run, quiet=quiet)


@app.command
def explain(
    run: Run,
    *,
    findings: Annotated[
        str, Parameter(help="'boxed': where there is a reference box. 'all': all.")
    ] = "boxed",
    quiet: Quiet = False,
) -> int:
    """Make probabilities and heatmaps of a trained run."""
    if findings not in ("boxed", "all"):
        raise UsageError(f"--findings {findings!r}; it is 'boxed' or 'all'")
    return _stage("explain", run, quiet=quiet, all_findings=findings == "all")


@app.command
def localize(run: Run, *, quiet: Quiet = False) -> int:
    """Turn the heatmaps of a run into boxes."""
    return _stage("localize", run, quiet=quiet)


@app.command
def report(run: Run, *, quiet: Quiet = False, json_: Json = False) -> int:
    """Write the page and the figures of a scored run."""
    from hilum.apps.progress import Shown
    from hilum.study import stage

    with Shown(quiet=quiet or json_) as show:
        outcome = stage("report", run, show)
    return told(outcome, as_json=json_)


@app.command
def compare(
    *runs: Path,
    out: Annotated[Path, Parameter(help="Folder for the page and the table of differences.")],
    quiet: Quiet = False,
) -> int:
    """Set scored runs on the same films side by side, with paired differences.

    Parameters
    ----------
    runs
        Two run folders or more.
    """
    from hilum.apps.progress import Shown
    from hilum.report import differences_table
    from hilum.study.compare import compare as compare_runs

    with Shown(quiet=quiet) as show:
        made = differences_table(compare_runs(runs, out, show("read runs")))
    table = "no two of these runs can be compared; the page says why"
    if made is not None:
        table = aligned([made.header, *(row for row in made.rows if row[3] == "mean")])
    printed(f"{table}\n\npage: {out / 'compared.html'}\nFor research, not for diagnosis.")
    return 0


@data_app.command
def check(
    folder: Path,
    *,
    dataset: Dataset = AUTO,
    json_: Json = False,
) -> int:
    """Say which films are there, which are missing, how often each finding occurs, what had to be mended.

    Parameters
    ----------
    folder
        Holds the tables; films may lie in any folder below it.
    """
    from hilum.data.census import census_from, text_from

    census = census_from(_cohort(folder, dataset))
    printed(census if json_ else text_from(census))
    return 0


@data_app.command
def sheet(
    folder: Path,
    *,
    out: Annotated[Path, Parameter(help="The PNG to write; it shows the films, so keep it with them.")],
    films: Annotated[int, Parameter(help="Films on the sheet.")] = 15,
    seed: Annotated[int, Parameter(help="Decides which films.")] = 0,
    dataset: Dataset = AUTO,
) -> int:
    """Draw a contact sheet: some films with their findings and reference boxes.

    Parameters
    ----------
    folder
        Holds the tables and the films.
    """
    from hilum.data.contact_sheet import contact_sheet

    if films < 1:
        raise UsageError(f"--films {films}; at least 1")
    contact_sheet(_cohort(folder, dataset), out, films=films, seed=seed)
    printed(str(out))
    return 0


@data_app.command
def phantom(
    out: Path,
    *,
    films: Annotated[int, Parameter(help="Films, of all patients together.")] = 2000,
    size: Annotated[int, Parameter(help="Side of every film, in px.")] = 256,
    seed: Annotated[int, Parameter(help="Decides every film.")] = 0,
    quiet: Quiet = False,
) -> int:
    """Make synthetic chests with every finding drawn and its box and mask known, in the NIH layout.

    Parameters
    ----------
    out
        Folder to make, or to complete after a kill.
    """
    from hilum.apps.progress import Shown
    from hilum.data.phantom import write

    if films < 1 or not 64 <= size <= 1024:
        raise UsageError(f"--films {films} --size {size}; at least 1 film of 64 to 1024 px")
    with Shown(quiet=quiet) as show:
        write(
            out,
            films=films,
            size=size,
            seed=seed,
            workers=os.cpu_count() or 1,
            progress=show("draw phantoms"),
        )
    return 0


@data_app.command
def store(
    folder: Path,
    *,
    size: Annotated[int, Parameter(help="Side of the stored films, in px.")] = 256,
    fit: Annotated[
        Literal["stretch", "pad"], Parameter(help="How films that are not square become so.")
    ] = "stretch",
    dataset: Dataset = AUTO,
    verify: Annotated[bool, Parameter(negative="", help="Compare every film with its checksum.")] = False,
    quiet: Quiet = False,
) -> int:
    """Decode all films once into the cache (HILUM_CACHE, else ~/.cache/hilum) and print where they lie.

    Parameters
    ----------
    folder
        Holds the tables and the films.
    """
    from hilum.apps.progress import Shown
    from hilum.data import store as stores

    cohort = _cohort(folder, dataset)
    with Shown(quiet=quiet) as show:
        built = stores.build(cohort.rows(cohort.on_disk), size, show("decode films"), fit=fit)
    if verify:
        stores.verify(built)
    printed(str(built.folder))
    return failed(built.failures)


def _cohort(folder: Path, dataset: str) -> "Cohort":
    from hilum.data import dataset_from, with_films

    return with_films(dataset_from(dataset_named(folder, dataset))(folder), folder)


def _stage(name: str, run: Path, *, quiet: bool, all_findings: bool = False) -> int:
    from hilum.apps.progress import Shown
    from hilum.study import stage

    with Shown(quiet=quiet) as show:
        return failed(stage(name, run, show, all_findings=all_findings).failures)


class _Stopped(BaseException):
    """A signal that ends the program; not an Exception, so that nothing on the way swallows it."""


def _stop(number: int, _frame: FrameType | None) -> None:
    raise _Stopped(number)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one command and exits with its code."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    try:
        code = app(arguments, exit_on_error=False, print_error=True, result_action="return_value")
        sys.stdout.flush()
    except CycloptsError:
        code = UsageError.exit_code
    except HilumError as error:
        print(f"hilum: {error.code}: {error}", file=sys.stderr)  # noqa: T201
        code = error.exit_code
    except BrokenPipeError:  # whoever read the output has seen enough, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 128 + signal.SIGPIPE
    except _Stopped as stopped:
        print("hilum: stopped; the same command continues", file=sys.stderr)  # noqa: T201
        code = 128 + int(stopped.args[0])
    sys.exit(code)
