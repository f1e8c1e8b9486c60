"""Which published number is recomputed by which recipe."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hilum.recipe.grid import name_of
from hilum.recipe.laying import flat
from hilum.recipe.reading import parse, shipped
from hilum.report.ledger import Published

STATES = ("recipe", "no recipe yet", "quoted", "never")
"""What may be said of recomputing a published number."""


@dataclass(frozen=True)
class Covered:
    """Whether a published number is recomputed.

    Attributes:
        number: The number.
        state: One of `STATES`.
        because: The recipe with its cell, method and box rule; the system that has none; whose it is; why
            never.
    """

    number: Published
    state: str
    because: str


def covered(found: Sequence[Published]) -> list[Covered]:
    """For each number the shipped recipe that recomputes it, or why there is none."""
    by_recipe = {}
    for name, path in shipped().items():
        for cells in parse(path.read_text(encoding="utf-8"), str(path)).published:
            cell = name_of(flat(cells.where)) if cells.where else ""
            over = f"over {cells.over}" if cells.over else ""
            if cells.members:
                cell = f"ensemble of {', '.join(cells.members)}"
            parts = (name, cell, over, cells.branch, cells.method, cells.box_rule)
            rows = " ".join(part for part in parts if part)
            by_recipe |= dict.fromkeys(cells.numbers, rows)
    return [Covered(number, *_state(number, by_recipe)) for number in found]


def _state(number: Published, by_recipe: Mapping[Published, str]) -> tuple[str, str]:
    if number in by_recipe:
        return "recipe", by_recipe[number]
    if number.whose:
        return "quoted", number.whose
    return ("never", number.never) if number.never else ("no recipe yet", number.system)
