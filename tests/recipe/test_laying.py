"""Values laid over a recipe's content: by section and key, or by the number of a stage."""

import pytest

from hilum.recipe.laying import flat, lay


def test_a_value_comes_under_its_section_and_key() -> None:
    content = {"training": {"epochs": 3}}
    assert lay(content, "training.epochs", 4)
    assert lay(content, "model.name", "pcam")
    assert content == {"training": {"epochs": 4}, "model": {"name": "pcam"}}


def test_a_stage_is_meant_by_its_number_and_the_given_one_is_left_alone() -> None:
    stages = [{"epochs": 1}, {"epochs": 2}]
    content = {"then": stages}
    assert lay(content, "then.2.epochs", 9)
    assert content["then"] == [{"epochs": 1}, {"epochs": 9}]
    assert stages[1] == {"epochs": 2}


@pytest.mark.parametrize(
    "dotted", ["training", "then.3.epochs", "then.0.epochs", "then.x.epochs", "then.1", "grid.a"]
)
def test_where_there_is_no_such_place_nothing_is_laid(dotted: str) -> None:
    content = {"then": [{"epochs": 1}, {}], "training": {}, "grid": [{}]}
    assert not lay(content, dotted, 1)


def test_flat_leaves_what_is_no_table() -> None:
    assert flat({"a": {"b": [1]}, "c": [2]}) == {"a.b": [1]}
    assert flat({}) == {}
