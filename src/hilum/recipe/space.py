"""What a sweep may change in a recipe: values by dotted key, from a TOML file, checked before any work."""

import difflib
import string
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, model_validator

from hilum.errors import RecipeError, UsageError
from hilum.recipe.grid import at
from hilum.recipe.section import Section
from hilum.recipe.sections import Recipe

SPACES = Path(__file__).parents[1] / "spaces"
"""The folder is the registry."""

FORMAT = "format"


class Drawn(Section):
    """Where one value is drawn from: one of several, a range, or a range of exponents."""

    choice: Annotated[tuple[bool | int | float | str, ...] | None, Field(min_length=1)] = None
    uniform: tuple[float, float] | None = None
    log_uniform: tuple[float, float] | None = None

    @model_validator(mode="after")
    def _one(self) -> "Drawn":
        if len(self.model_dump(exclude_none=True)) != 1:
            raise ValueError(f"state exactly one of {', '.join(Drawn.model_fields)}")
        low, high = self.uniform or self.log_uniform or (0.0, 1.0)
        if not low < high or (self.log_uniform and low <= 0):
            raise ValueError("a range is [low, high] with low < high, above 0 where it is of exponents")
        return self

    @property
    def ends(self) -> tuple[Any, ...]:
        """Every choice, or both ends of the range: what is tried on the recipe before any work."""
        return self.choice or self.uniform or self.log_uniform or ()


@dataclass(frozen=True)
class Space:
    """What a sweep draws, and which settings of a recipe that makes.

    Attributes:
        text: The file, as it was read.
        drawn: Where each value comes from, by its name: a dotted key, or key.name for a part of a text.
        formats: Texts with {name} in them, by dotted key.
    """

    text: str
    drawn: Mapping[str, Drawn]
    formats: Mapping[str, str]

    def settings(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Settings by dotted key, from one value for each name.

        Example:
            >>> space = parsed('model.name = {format = "wildcat({k})", k = {choice = [1, 4]}}', "it")
            >>> space.settings({"model.name.k": 4})
            {'model.name': 'wildcat(4)'}
        """
        made = {key: value for key, value in values.items() if key.rpartition(".")[0] not in self.formats}
        for key, text in self.formats.items():
            inside = {name: _short(values[f"{key}.{name}"]) for name in _names(text)}
            made[key] = text.format(**inside)
        return made


def spaces() -> dict[str, Path]:
    """Spaces that come with the package, by name."""
    return {path.stem: path for path in sorted(SPACES.glob("*.toml"))}


def load_space(space: str) -> Space:
    """A space by its shipped name or its file.

    Raises:
        RecipeError: No such space, no TOML, an unknown kind of range, or a wrong one; names file and key.
    """
    known, path = spaces(), Path(space)
    if path.suffix == ".toml":
        if not path.is_file():
            raise RecipeError(f"{path}: no such file of a space")
    elif space in known:
        path = known[space]
    else:
        near = difflib.get_close_matches(space, known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise RecipeError(f"unknown space {space!r}; {hint}shipped: {', '.join(known)}; or give a .toml file")
    try:
        return parsed(path.read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path}: not TOML: {error}") from error


def parsed(text: str, name: str) -> Space:
    """A space from its text; `name` is for messages.

    Raises:
        RecipeError: See `load_space`.
    """
    try:
        content = dict(_flat(tomllib.loads(text)))
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{name}: not TOML: {error}") from error
    drawn, formats = {}, {}
    for key, table in content.items():
        if "." not in key or not isinstance(table, dict):
            raise RecipeError(
                f"{name}: {key}: write section.key = {{ choice = [...] }}, as training.learning_rate = "
                "{ log_uniform = [1e-5, 1e-3] }"
            )
        if FORMAT not in table:
            drawn[key] = _drawn(table, f"{name}: {key}")
            continue
        formats[key] = str(table[FORMAT])
        parts = {part: inside for part, inside in table.items() if part != FORMAT}
        if set(parts) != set(_names(formats[key])) or not all(isinstance(p, dict) for p in parts.values()):
            raise RecipeError(
                f"{name}: {key}: {formats[key]!r} wants a range for each of "
                f"{', '.join(_names(formats[key])) or 'its {names}'}, found {', '.join(parts) or 'none'}"
            )
        drawn |= {f"{key}.{part}": _drawn(inside, f"{name}: {key}.{part}") for part, inside in parts.items()}
    if not drawn:
        raise RecipeError(f"{name}: nothing to draw; write training.learning_rate = {{ choice = [...] }}")
    return Space(text, drawn, formats)


def under(recipe: Recipe, settings: Mapping[str, Any]) -> Recipe:
    """The recipe under settings by dotted key; training.part_rates.global is an entry of a table.

    Raises:
        UsageError: It is none then.
    """
    laid: dict[str, Any] = {}
    for dotted, value in settings.items():
        section, key, *inner = dotted.split(".")
        if section == "then" or not inner:
            laid[dotted] = value
            continue
        table = getattr(getattr(recipe, section, None), key, None)
        if not isinstance(table, dict) or len(inner) > 1:
            raise UsageError(f"{dotted!r}: no such setting; write section.key, as training.learning_rate")
        laid[f"{section}.{key}"] = {**table, **laid.get(f"{section}.{key}", {}), inner[0]: value}
    return at(recipe, laid)


def demand_fitting(recipe: Recipe, space: Space) -> None:
    """Lays every choice and every end of a range over the recipe, one after the other.

    Raises:
        UsageError: One of them makes no recipe; names the key.
    """
    first = {name: drawn.ends[0] for name, drawn in space.drawn.items()}
    for name, drawn in space.drawn.items():
        for value in drawn.ends:
            try:
                under(recipe, space.settings({**first, name: value}))
            except UsageError as error:
                raise UsageError(f"space: {name} = {value!r} does not fit the recipe: {error}") from error


def _flat(content: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Tables by dotted key, however the dots were written: quoted, bare or as [section]."""
    for key, inside in content.items():
        dotted = f"{before}{key}"
        whole = not isinstance(inside, dict) or FORMAT in inside
        if whole or not any(isinstance(each, dict) for each in inside.values()):
            yield dotted, inside
        else:
            yield from _flat(inside, f"{dotted}.")


def _drawn(table: Mapping[str, Any], where: str) -> Drawn:
    unknown = [key for key in table if key not in Drawn.model_fields]
    if unknown:
        known = [*Drawn.model_fields, FORMAT]
        near = difflib.get_close_matches(unknown[0], known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise RecipeError(f"{where}: unknown kind {unknown[0]!r}; {hint}known: {', '.join(known)}")
    try:
        return Drawn.model_validate(dict(table))
    except ValidationError as error:
        first = error.errors()[0]
        words = first.get("ctx", {}).get("error", first["msg"])
        raise RecipeError(f"{where}: {words}, found {dict(table)}") from error


def _names(text: str) -> list[str]:
    return [name for _, name, _, _ in string.Formatter().parse(text) if name]


def _short(value: Any) -> str:
    """A number as a recipe would write it; drawn ones would have 17 digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
