"""Pick an entry from a table by name, or say which names exist; read `name(1, 2)` and bind it."""

import difflib
import inspect
import math
import re
from collections.abc import Callable, Mapping
from typing import TypeVar, get_args

Entry = TypeVar("Entry")
Made = TypeVar("Made")

_WORD = re.compile(r"[A-Za-z_][\w+]*", re.ASCII)
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


def call_from(text: str) -> tuple[str, tuple[float | str, ...]]:
    """Name, numbers and words of a call written as text.

    Raises:
        ValueError: The text is not `name` or `name(number or word, ...)`.

    Example:
        >>> call_from("static_band(60, 180)")
        ('static_band', (60.0, 180.0))
        >>> call_from("rsna(keep)")
        ('rsna', ('keep',))
        >>> call_from("otsu")
        ('otsu', ())
    """
    match = _CALL.fullmatch(text)
    if match is None:
        raise ValueError(f"cannot read {text!r}; write it as name or name(number, ...)")
    name, inside = match.groups()
    parts = [part.strip() for part in inside.split(",")] if inside and inside.strip() else []
    return name, tuple(_argument(part, text) for part in parts)


def call(
    table: Mapping[str, Callable[..., Made]], text: str, kind: str, n_given: int = 0
) -> Callable[..., Made]:
    """The function that a call written as text names, with the call's arguments bound.

    Args:
        table: Functions by name.
        text: As "official(0.125)"; arguments with a default may be left out.
        kind: What the table holds, for messages.
        n_given: How many arguments come first and are given later.

    Raises:
        ValueError: No such function, too few or too many arguments, or a word that it does not know.

    Example:
        >>> call({"times": lambda x, factor: x * factor}, "times(3)", "operation", n_given=1)(2)
        6.0
    """
    name, arguments = call_from(text)
    function = pick(table, name, kind)
    wanted = list(inspect.signature(function).parameters.values())[n_given:]
    n_least = sum(parameter.default is parameter.empty for parameter in wanted)
    right = f"{name}({', '.join(parameter.name for parameter in wanted)})" if wanted else name
    if not n_least <= len(arguments) <= len(wanted):
        what = "words or numbers" if any(get_args(each.annotation) for each in wanted) else "numbers"
        raise ValueError(f"{kind} {text!r} has {len(arguments)} {what}; write {right}")
    for argument, parameter in zip(arguments, wanted, strict=False):
        words = get_args(parameter.annotation)  # of a Literal
        if words and argument not in words:
            raise ValueError(f"{kind} {text!r}: {parameter.name} is one of {', '.join(words)}")
        if not words and isinstance(argument, str):
            raise ValueError(f"{kind} {text!r}: {parameter.name} is a number; write {right}")
    return lambda *given: function(*given, *arguments)


def whole(number: float, name: str) -> int:
    """A whole number of at least 1, of an argument that `call` gave as a float.

    Raises:
        ValueError: It is none.

    Example:
        >>> whole(0.5, "samples")
        Traceback (most recent call last):
        ValueError: samples is 0.5; it must be a whole number of at least 1
    """
    if number < 1 or number != int(number):
        raise ValueError(f"{name} is {number:g}; it must be a whole number of at least 1")
    return int(number)


def _argument(part: str, text: str) -> float | str:
    if _WORD.fullmatch(part) and part not in ("nan", "inf", "infinity"):
        return part
    try:
        number = float(part)
    except ValueError:
        raise ValueError(f"cannot read the numbers of {text!r}; write name(number, ...)") from None
    if not math.isfinite(number):
        raise ValueError(f"the numbers of {text!r} must be finite")
    return number
