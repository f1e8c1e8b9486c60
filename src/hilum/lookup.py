"""Pick an entry from a table by name, or say which names exist; read `name(1, 2)`."""

import difflib
import math
import re
from collections.abc import Mapping
from typing import TypeVar

Entry = TypeVar("Entry")

_CALL = re.compile(r"\s*([A-Za-z_][\w+-]*)\s*(?:\(([^()]*)\))?\s*")


def pick(table: Mapping[str, Entry], name: str, kind: str) -> Entry:
    """The entry called `name`.

    Args:
        table: Entries by name.
        name: What was asked for.
        kind: What the table holds, for the message: "heatmap method".

    Raises:
        ValueError: No such name; the message gives the nearest one and all of them.

    Example:
        >>> pick({"cam": 1, "gradcam": 2}, "gradcamm", "heatmap method")
        Traceback (most recent call last):
        ValueError: unknown heatmap method 'gradcamm'; did you mean 'gradcam'? known: cam, gradcam
    """
    if name in table:
        return table[name]
    near = difflib.get_close_matches(name, table, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise ValueError(f"unknown {kind} {name!r}; {hint}known: {', '.join(sorted(table))}")


def call_from(text: str) -> tuple[str, tuple[float, ...]]:
    """Name and numbers of a call written as text.

    Raises:
        ValueError: The text is not `name` or `name(number, ...)`.

    Example:
        >>> call_from("static_band(60, 180)")
        ('static_band', (60.0, 180.0))
        >>> call_from("otsu")
        ('otsu', ())
    """
    match = _CALL.fullmatch(text)
    if match is None:
        raise ValueError(f"cannot read {text!r}; write it as name or name(number, ...)")
    name, inside = match.groups()
    try:
        numbers = tuple(float(part) for part in inside.split(",")) if inside and inside.strip() else ()
    except ValueError:
        raise ValueError(f"cannot read the numbers of {text!r}; write name(number, ...)") from None
    if not all(map(math.isfinite, numbers)):
        raise ValueError(f"the numbers of {text!r} must be finite")
    return name, numbers
