import re

import pytest

from hilum import errors
from hilum.errors import HilumError

KINDS = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, HilumError) and kind is not HilumError
}
EXIT_CODES = {
    "UsageError": 2,
    "DataError": 4,
    "FilmError": 4,
    "TableError": 4,
    "SplitError": 4,
    "StoreError": 4,
    "RecipeError": 2,
    "WeightsError": 1,
    "RunError": 1,
    "DiskError": 1,
    "TrainingError": 1,
}


def test_exit_codes() -> None:
    assert {name: kind.exit_code for name, kind in KINDS.items()} == EXIT_CODES
    assert HilumError.exit_code == 1


def test_codes_are_names_of_their_own() -> None:
    codes = [kind.code for kind in (HilumError, *KINDS.values())]
    assert len(codes) == len(set(codes)) == 12
    assert [kind.code + "error" for kind in KINDS.values()] == [name.lower() for name in KINDS]


@pytest.mark.parametrize("name", KINDS)
def test_the_tree_at_the_top_is_the_tree(name) -> None:
    lines = (errors.__doc__ or "").splitlines()
    line = next(line for line in lines if re.search(rf"\+-- {name}\b", line))
    parent = "HilumError" if line.startswith(" +--") else "DataError"
    assert KINDS[name].__base__ is getattr(errors, parent)
