"""Claims and printed cells that cannot be are refused with the reason."""

import pytest
from pydantic import ValidationError

from hilum.recipe.compared import Claim, PublishedCells


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"metric": "t_iou"}, "taken at one of"),
        ({"at": 0.1}, "has no T"),
        ({"metric": "t_iou", "at": 0.1, "first": [{"branch": "global"}]}, "of no branch"),
        ({"kind": "bigger"}, "bigger"),
        ({"first": []}, "at least 1"),
    ],
)
def test_a_claim_that_cannot_be_judged(changes: dict, words: str) -> None:
    good = {"text": "so", "metric": "auroc", "first": [{"branch": "global"}], "second": [{}]}
    Claim.model_validate(good)
    with pytest.raises(ValidationError, match=words):
        Claim.model_validate({**good, **changes})


def test_cells_find_the_numbers_of_the_paper_itself() -> None:
    cells = PublishedCells(paper="D'Souza et al. 2022", table="4", system="MultiRes-ResNet-50", setting="")
    assert {number.metric for number in cells.numbers} == {"parameters"}
    assert PublishedCells(paper="Nobody", table="1", system="", setting="").numbers == []
