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
    reasons_apart,
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
    unstated = [name for name in FIELDS if name not in ("gate", "hit_rule")]  # these two rarely apply
    assert differences(Protocol(), Protocol()) == unstated


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_counts(name) -> None:
    for value in ("another", UNKNOWN, NOT_APPLICABLE):
        assert differences(FULL, dataclasses.replace(FULL, **{name: value})) == [name]
    without = dataclasses.replace(FULL, **{name: NOT_APPLICABLE})
    assert differences(without, without) == []


CLEAN = dataclasses.replace(FULL, contaminated="no")


def test_what_is_compared_may_differ() -> None:
    first = _score(protocol=CLEAN)
    second = _score(protocol=CLEAN, method="gradcam", box_rule="dynamic(87.5)+largest", value=0.9, n=12)
    assert reasons_apart(first, second) == reasons_apart(first, first) == []


@pytest.mark.parametrize(
    ("first", "second", "reasons"),
    [
        ({"metric": "t_iobb"}, {}, ["metric: 't_iobb' against 't_iou'"]),
        ({}, {"at": 0.3}, ["at: 0.1 against 0.3"]),
        ({}, {"finding": None}, ["finding: 'Mass' against none"]),
        ({"stratum": "sex=F"}, {}, ["stratum: 'sex=F' against none"]),
        ({"split": "official"}, {"split": "random"}, ["split: 'official' against 'random'"]),
        ({"split": UNKNOWN}, {}, ["split: not stated for the first"]),
        ({}, {"split": UNKNOWN}, ["split: not stated for the second"]),
        ({"gate": "label"}, {"gate": "score"}, ["gate: 'label' against 'score'"]),
        (
            {"split": UNKNOWN},
            {"films": "another", "split": UNKNOWN},
            ["films: 'stated' against 'another'", "split: not stated for the first and the second"],
        ),
        ({"contaminated": UNKNOWN}, {}, ["the first's weights may have seen the scored films: unknown"]),
        (
            {},
            {"contaminated": "possibly: its split is lost"},
            ["the second's weights may have seen the scored films: possibly: its split is lost"],
        ),
        (
            {"contaminated": "possibly: a"},
            {"contaminated": "possibly: a"},
            ["the first's and the second's weights may have seen the scored films: possibly: a"],
        ),
        (
            {"contaminated": "possibly: a"},
            {"contaminated": UNKNOWN},
            ["the first's and the second's weights may have seen the scored films: possibly: a; unknown"],
        ),
    ],
)
def test_every_reason_in_words(first, second, reasons) -> None:
    scores = []
    for changes in (first, second):
        stated = {name: value for name, value in changes.items() if name in FIELDS}
        others = {name: value for name, value in changes.items() if name not in FIELDS}
        scores.append(_score(protocol=dataclasses.replace(CLEAN, **stated), **others))
    assert reasons_apart(*scores) == reasons


def test_a_file_from_before_a_field_was_there_reads_back_as_unknown() -> None:
    (row,) = json_from([_score(protocol=CLEAN)])["scores"]
    del row["protocol"]["contaminated"]
    (back,) = scores_from_json({"scores": [row], "strata": []})
    assert back.protocol.contaminated == UNKNOWN
    assert len(reasons_apart(back, back)) == 1


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
