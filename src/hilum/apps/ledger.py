"""`hilum ledger`: published numbers as a table, and which recipe recomputes them."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from hilum.apps.options import aligned, printed
from hilum.errors import UsageError

if TYPE_CHECKING:
    from hilum.recipe import Covered
    from hilum.report.ledger import Note, Published

Line = Sequence[str]
HEAD = ("paper", "table", "system", "setting", "metric", "finding", "printed", "read as")


def ledger(
    *words: str,
    paper: Annotated[str, Parameter(show_default=False, help="Part of a citation: sorkhei, 2022.")] = "",
    finding: Annotated[str, Parameter(show_default=False, help="A finding of ChestX-ray14, or mean.")] = "",
    metric: Annotated[str, Parameter(show_default=False, help="auroc, t_iou, t_iobb and the like.")] = "",
    coverage: Annotated[
        bool,
        Parameter(
            negative="", show_default=False, help="Say which recipe recomputes each number, or why none does."
        ),
    ] = False,
    json_: Annotated[
        bool,
        Parameter(
            name="--json", negative="", show_default=False, help="Print the result as JSON and nothing else."
        ),
    ] = False,
) -> int:
    """Show published numbers, what is wrong with some of them, and which recipe recomputes them.

    Parameters
    ----------
    words
        Each must stand somewhere in the number's line; all numbers without words.
    """
    from hilum.report.ledger import search

    try:
        found = search(words, paper=paper, finding=finding, metric=metric)
    except ValueError as error:
        raise UsageError(str(error)) from error
    states = _covered(found) if coverage else None
    printed(_as_json(found, states) if json_ else _as_text(found, states))
    return 0


def _covered(found: "Sequence[Published]") -> "Sequence[Covered]":
    from hilum.recipe import covered

    return covered(found)


def _as_json(found: "Sequence[Published]", states: "Sequence[Covered] | None") -> str:
    from hilum.report.ledger import as_plain

    plain = [as_plain(number) for number in found]
    if states is not None:
        plain = [
            line | {"state": each.state, "because": each.because}
            for line, each in zip(plain, states, strict=True)
        ]
    result = {"numbers": plain, "notes": {note.name: vars(note) for note in _notes(found)}}
    return json.dumps(result, indent=1)


def _as_text(found: "Sequence[Published]", states: "Sequence[Covered] | None") -> str:
    if not found:
        return "numbers: 0"
    if states is None:
        last, ends = "note", [" ".join(number.notes) for number in found]
        below = [
            f"{n.name}: {n.paper}, table {n.table}: {n.printed}. Read: {n.reading}." for n in _notes(found)
        ]
    else:
        last, ends = "recomputed", [f"{each.state}: {each.because}" for each in states]
        below = [_counts(states)]
    lines = [(*_cells(number), end) for number, end in zip(found, ends, strict=True)]
    return "\n\n".join([aligned([(*HEAD, last), *lines]), *below, f"numbers: {len(found):,}"])


def _cells(number: "Published") -> Line:
    from hilum.report.ledger import finding_of, titled

    system = f"{number.system} ({number.whose})" if number.whose else number.system
    same = number.printed.replace(",", "")
    read = "" if _is(same, number.value) else f"{number.value:.4g}"
    if number.printed_as:
        read = f"{read} under {number.printed_as}".strip()
    return (
        number.paper,
        number.table,
        system,
        number.setting,
        titled(number),
        finding_of(number),
        number.printed,
        read,
    )


def _is(printed: str, value: float) -> bool:
    try:
        return float(printed) == value
    except ValueError:  # ">99%"
        return False


def _counts(states: "Sequence[Covered]") -> str:
    from hilum.recipe import STATES

    counted = Counter((each.number.paper, each.state) for each in states)
    papers = list(dict.fromkeys(each.number.paper for each in states))
    lines = [[paper, *(str(counted[paper, state]) for state in STATES)] for paper in papers]
    total = ["all", *(str(sum(counted[paper, state] for paper in papers)) for state in STATES)]
    return aligned([["paper", *STATES], *lines, total])


def _notes(found: "Sequence[Published]") -> "list[Note]":
    from hilum.report.ledger import notes

    named = {name for number in found for name in number.notes}
    return [note for name, note in notes().items() if name in named]
