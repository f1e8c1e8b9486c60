import dataclasses
import json

import numpy as np
import pytest

from hilum.evaluate.protocol import (
    NOT_APPLICABLE,
    UNKNOWN,
    Protocol,
    Score,
    differences,
    json_from,
    scores_from_json,
)

FIELDS = [field.name for field in dataclasses.fields(Protocol)]
FULL = Protocol(**dict.fromkeys(FIELDS, "stated"))
NAN = np.nan


def _score(**changes) -> Score:
    score = Score("t_iou", 0.1, "Mass", "cam", "otsu+largest", 0.5, 0.4, 0.6, 9, 0.1, FULL, {"random": 0.1})
    return dataclasses.replace(score, **changes)


def test_unknown_never_agrees() -> None:
    assert differences(FULL, FULL) == []
    assert differences(Protocol(), Protocol()) == FIELDS


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_counts(name) -> None:
    for value in ("another", UNKNOWN, NOT_APPLICABLE):
        assert differences(FULL, dataclasses.replace(FULL, **{name: value})) == [name]
    without = dataclasses.replace(FULL, **{name: NOT_APPLICABLE})
    assert differences(without, without) == []


def test_nothing_is_an_empty_table() -> None:
    assert json_from([]) == {"scores": [], "strata": []}
    assert scores_from_json(json_from([])) == []


def test_there_and_back() -> None:
    scores = [_score(), _score(finding=None), _score(stratum="sex=F", draws_left_out=3)]
    content = json_from(scores)
    assert [len(content[part]) for part in ("scores", "strata")] == [2, 1]
    assert "stratum" not in content["scores"][0]
    assert scores_from_json(json.loads(json.dumps(content))) == scores


def test_nan_never_reaches_json() -> None:
    score = _score(
        value=NAN, low=NAN, high=np.inf, floor=np.float64(NAN), floors={"random": NAN, "whole": 0.2}
    )
    text = json.dumps(json_from([score]), allow_nan=False)
    (row,) = json.loads(text)["scores"]
    assert [row[name] for name in ("value", "low", "high", "floor")] == [None] * 4
    assert row["floors"] == {"random": None, "whole": 0.2}
    (back,) = scores_from_json(json.loads(text))
    assert np.isnan([back.value, back.low, back.high, back.floor, back.floors["random"]]).all()
