"""Recipes from shipped names, files and text; a mistake is named with file, section and key."""

import difflib
import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from hilum.errors import RecipeError
from hilum.recipe.laying import lay
from hilum.recipe.section import Section
from hilum.recipe.sections import Recipe, changed

SHIPPED = Path(__file__).parents[1] / "recipes"
"""The folder is the registry."""


def shipped() -> dict[str, Path]:
    """Recipes that come with the package, by name."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.toml"))}


def load(recipe: str, changes: Mapping[str, str] | None = None) -> Recipe:
    """A recipe by its shipped name or its file, with changes laid over it.

    Environment variables such as HILUM_TRAINING_EPOCHS change a key too; `changes` come after them.

    Args:
        recipe: "small", or a path that ends in .toml.
        changes: TOML values as text by dotted key: {"training.epochs": "2"}.

    Raises:
        RecipeError: No such recipe, no TOML, an unknown key, or a value of a wrong kind; names file,
            section and key.
    """
    known = shipped()
    path = Path(recipe)
    if path.suffix == ".toml":
        if not path.is_file():
            raise RecipeError(f"{path}: no such recipe file")
    elif recipe in known:
        path = known[recipe]
    else:
        near = difflib.get_close_matches(recipe, known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise RecipeError(
            f"unknown recipe {recipe!r}; {hint}shipped: {', '.join(known)}; or give a .toml file"
        )
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: not TOML: {error}") from error
    return _validated(content, str(path), {**_environment(), **(changes or {})})


def parse(text: str, name: str) -> Recipe:
    """A recipe from its text, for the record of a run; nothing is laid over it."""
    try:
        return _validated(tomllib.loads(text), name, {})
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{name}: not TOML: {error}") from error


def toml_from(recipe: Recipe) -> str:
    """A recipe as TOML with every default written out, but for keys that say nothing when left out."""
    parts = []
    for section, settings in recipe.model_dump().items():
        several = isinstance(settings, tuple)
        for each in settings if several else (settings,):
            said = ((key, value) for key, value in each.items() if value not in (None, {}))
            lines = [f"{_toml_key(key)} = {_toml_value(value)}" for key, value in said]
            parts.append("\n".join([f"[[{section}]]" if several else f"[{section}]", *lines]))
    return "\n\n".join(parts) + "\n"


def _toml_key(key: str) -> str:
    return key if re.fullmatch(r"[\w-]+", key, re.ASCII) else json.dumps(key)


def _toml_value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_toml_value, value)) + "]"
    if isinstance(value, dict):
        said = ((_toml_key(key), each) for key, each in value.items() if each is not None)
        inside = (f"{key} = {_toml_value(each)}" for key, each in said)
        return "{" + ", ".join(inside) + "}"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'"{escaped}"'
    return repr(value)


def _environment() -> dict[str, str]:
    """HILUM_<SECTION>_<KEY> of every section, as changes."""
    changes = {}
    for name, value in os.environ.items():
        for section in Recipe.model_fields:
            prefix = f"HILUM_{section.upper()}_"
            if name.startswith(prefix):
                changes[f"{section}.{name.removeprefix(prefix).lower()}"] = value
    return changes


def _validated(content: dict[str, Any], name: str, changes: Mapping[str, str]) -> Recipe:
    for dotted, text in changes.items():
        if not lay(content, dotted, _value(text)):
            raise RecipeError(
                f"{name}: cannot set {dotted!r}; write section.key=value, as training.epochs=2, or of a "
                "further stage that it has then.1.epochs=2"
            )
    try:
        return changed(content) if changes else Recipe.model_validate(content)
    except ValidationError as error:
        dotted = ".".join(map(str, error.errors()[0]["loc"][:2]))
        source = f"{name}, with {dotted}={changes[dotted]} laid over it" if dotted in changes else name
        raise RecipeError(f"{source}: {_explained(error)}") from error


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _explained(error: ValidationError) -> str:
    """The first complaint, with section and key, and the nearest key that exists."""
    first = error.errors()[0]
    place = [str(part) for part in first["loc"]]
    where = f"[{place[0]}] {'.'.join(place[1:])}".strip() if place else "recipe"
    if first["type"] == "extra_forbidden":
        fields = _keys(place[0]) if len(place) > 1 else list(Recipe.model_fields)
        near = difflib.get_close_matches(place[-1], fields, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(fields)}"
        return f"{where}: unknown {'key' if len(place) > 1 else 'section'}; {hint}"
    if first["type"] == "missing":
        return f"{where}: missing"
    if "ctx" in first and "error" in first["ctx"]:  # our own words, which already say what was found
        return f"{where}: {first['ctx']['error']}"
    return f"{where}: {first['msg']}, found {first['input']!r}"


def _keys(section: str) -> list[str]:
    annotation = Recipe.model_fields[section].annotation
    settings = get_args(annotation)[0] if get_args(annotation) else annotation
    return list(settings.model_fields) if isinstance(settings, type) and issubclass(settings, Section) else []
