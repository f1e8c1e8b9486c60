"""A recipe's content by section and key, and one value laid over it."""

from typing import Any

Grid = dict[str, dict[str, Any]]
"""Values by section and key."""


def flat(settings: Grid) -> dict[str, Any]:
    """The same by dotted key; a section that is no table stays as it is.

    Example:
        >>> flat({"training": {"seed": [0, 1]}})
        {'training.seed': [0, 1]}
    """
    return {
        f"{section}.{key}": value
        for section, keys in settings.items()
        if isinstance(keys, dict)
        for key, value in keys.items()
    }


def lay(content: dict[str, Any], dotted: str, value: Any) -> bool:
    """Lays a value over a recipe's content, under section.key, or then.NUMBER.key for a stage of training.

    Returns:
        Whether there was such a place.
    """
    section, _, key = dotted.partition(".")
    inside = content.setdefault(section, {})
    if section == "then":
        number, _, key = key.partition(".")
        stages = [dict(stage) for stage in inside]
        if not (number.isdecimal() and 1 <= int(number) <= len(stages) and key):
            return False
        stages[int(number) - 1][key] = value
        content[section] = stages
    elif isinstance(inside, dict) and key:
        content[section] = {**inside, key: value}
    else:
        return False
    return True
