"""Grids: one recipe run under several settings, each cell an ordinary run."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from pydantic import ValidationError

from hilum.errors import UsageError
from hilum.recipe.laying import flat, lay
from hilum.recipe.sections import Recipe, changed


def cells_over(recipe: Recipe, axes: Mapping[str, Sequence[Any]]) -> dict[str, Recipe]:
    """The runs of a recipe's grid by the name of their folder, each under all combinations of further values.

    Args:
        recipe: With or without a grid.
        axes: Values by dotted key; a key that the grid has as well takes its place.

    Raises:
        UsageError: An unknown key, or a cell that is no recipe.

    Returns:
        Recipes without a grid; the name of each says what differs: "backbone=resnet18,seed=1".
    """
    made = {}
    for grid in recipe.grid or ({},):
        table = {**flat(grid), **axes}
        for values in product(*table.values()):
            settings = dict(zip(table, values, strict=True))
            made[name_of(settings)] = at(recipe, settings)
    return made


def alone(recipe: Recipe) -> Recipe:
    """The recipe without its grid: one run."""
    return recipe.model_copy(update={"grid": ()})


def at(recipe: Recipe, settings: Mapping[str, Any]) -> Recipe:
    """The recipe under settings, without its grid.

    Raises:
        UsageError: It is none then.
    """
    content = {**recipe.model_dump(exclude_none=True), "grid": []}
    for dotted, value in settings.items():
        if dotted.partition(".")[0] not in content or not lay(content, dotted, value):
            raise UsageError(f"a grid over {dotted!r}: no such setting; write section.key, as training.seed")
    try:
        return changed(content)
    except ValidationError as error:
        raise UsageError(f"grid cell {name_of(settings)}: {error.errors()[0]['msg']}") from error


def name_of(settings: Mapping[str, Any]) -> str:
    """A folder's name from what makes the cell.

    Example:
        >>> name_of({"model.name": "wildcat(4, 0.1)", "training.seed": 1})
        'name=wildcat(4,0.1),seed=1'
    """
    parts = (f"{key.rpartition('.')[2]}={value}" for key, value in settings.items())
    return re.sub(r"[^\w.,=()+-]", "", ",".join(parts)) or "run"


def axes_from(pairs: Sequence[str]) -> dict[str, list[Any]]:
    """Axes from text: "training.seed=0,1,2", or a TOML list for values with commas.

    Raises:
        UsageError: A pair is not KEY=VALUES.

    Example:
        >>> axes_from(["training.seed=0,1", "model.name=average_pooling,pcam"])
        {'training.seed': [0, 1], 'model.name': ['average_pooling', 'pcam']}
    """
    axes = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not text or "." not in key:
            raise UsageError(f"cannot read {pair!r}; write section.key=VALUE,VALUE, as training.seed=0,1,2")
        inside = text if text.lstrip().startswith("[") else f"[{text}]"
        try:
            axes[key] = tomllib.loads(f"values = {inside}")["values"]
        except tomllib.TOMLDecodeError:
            axes[key] = [part.strip() for part in text.split(",")]
    return axes
