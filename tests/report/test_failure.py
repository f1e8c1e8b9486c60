import csv
import io
from collections import Counter

import numpy as np
import pytest

from hilum.report.exports import csv_of
from hilum.report.failure import (
    FALSE_CALL,
    KINDS,
    LIT,
    MISSED,
    NEGATIVE,
    NO_OVERLAP,
    PICTURES,
    TOO_BIG,
    WRONG_PLACE,
    cases_from,
    failures_table,
    kind_of,
    picked,
    query_of,
    section_from,
)
from hilum.report.record import Case

REFERENCE = [[20.0, 20.0, 40.0, 40.0]]


@pytest.mark.parametrize(
    ("predicted", "probability", "kind"),
    [
        (REFERENCE, 0.6, ""),
        (REFERENCE, 0.4, MISSED),
        ([], 0.6, MISSED),
        ([[60, 60, 80, 80]], 0.6, WRONG_PLACE),
        ([[38, 38, 58, 58]], 0.6, WRONG_PLACE),
        ([[0, 0, 60, 60]], 0.6, TOO_BIG),
        ([[0, 0, 200, 200]], 0.6, TOO_BIG),
        ([[28, 20, 48, 40]], 0.6, ""),
        ([[20, 20, 26, 40]], 0.6, ""),  # too small is found
        ([[60, 60, 80, 80], [20, 20, 40, 38]], 0.6, ""),
    ],
)
def test_how_an_entry_fails(example, predicted, probability, kind):
    boxes = np.array(predicted, float).reshape(-1, 4)
    made = example(predicted=boxes, reference=np.array(REFERENCE), probability=probability)
    assert kind_of(made, 0.5) == kind


def test_without_a_cut_every_entry_counts_as_called(example):
    made = example(predicted=np.array(REFERENCE), reference=np.array(REFERENCE), probability=0.0)
    assert kind_of(made, np.nan) == ""


@pytest.fixture
def cases(example):
    """Two findings, four films: a and b normal, c with the first finding, d without labels."""
    labels = np.array([[0.0, 0.0], [0.0, 0.0], [1.0, 0.0], [np.nan, np.nan]])
    probabilities = np.array([[0.9, 0.1], [0.5, 0.7], [0.8, 0.6], [0.9, 0.9]])
    entry = example(
        name="c", finding="Mass", probability=0.8, predicted=np.array([[60.0, 60.0, 80.0, 80.0]]), iou=0.0
    )
    return cases_from(np.array(["a", "b", "c", "d"]), ("Mass", "Nodule"), probabilities, labels, CUT, [entry])


CUT = np.array([0.5, np.nan])


def test_every_call_on_a_film_without_the_finding_is_a_case(example):
    labels = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    probabilities = np.array([[0.5, 0.4], [0.9, 0.9], [0.9, 0.2]])
    cut = np.array([0.5, 0.3])
    found = cases_from(np.array(["a", "b", "c"]), ("Mass", "Nodule"), probabilities, labels, cut, [])
    seen = [(case.kind, case.film, case.finding) for case in found]
    assert seen == [(LIT, "a", "Mass"), (LIT, "a", "Nodule"), (FALSE_CALL, "b", "Mass")]


def test_a_film_of_unknown_labels_is_neither_normal_nor_a_false_call(cases):
    assert [(case.kind, case.film) for case in cases] == [(WRONG_PLACE, "c"), (LIT, "a"), (LIT, "b")]


def test_the_two_groups_of_the_reader_study(cases, example):
    assert Counter(map(query_of, cases)) == {NEGATIVE: 2, NO_OVERLAP: 1}
    near = example(predicted=np.array([[89.0, 49.0, 99.0, 60.0]]), iou=0.0)
    assert query_of(Case(WRONG_PLACE, "", "", 0.7, 0.5, 0.0, near)) == ""
    none = example(predicted=np.zeros((0, 4)), iou=0.0)
    assert query_of(Case(MISSED, "", "", 0.7, 0.5, 0.0, none)) == NO_OVERLAP
    assert query_of(Case(MISSED, "", "", 0.4, 0.5, 0.0, none)) == ""


def test_pictures_go_round_the_findings():
    made = [Case(LIT, str(n), "Mass", 0.9 - n / 100, 0.5, np.nan) for n in range(9)]
    made += [Case(LIT, "x", "Nodule", 0.6, 0.5, np.nan), Case(MISSED, "y", "Mass", 0.1, 0.5, np.nan)]
    assert [case.film for case in picked(made, LIT)] == ["0", "x", "1", "2", "3", "4"]
    assert len(picked(made, LIT)) == PICTURES
    assert picked(made, TOO_BIG) == []


def test_the_section_counts_and_shows(cases):
    made = section_from(cases)
    for kind in KINDS:
        assert f">{kind}</th>" in made
    assert "<td>2</td>" in made.split(">normal film lit</th>")[1].split("</tr>")[0]
    assert made.count("<figure") == 1  # only the entry has a picture
    assert "IoU 0.00 · probability 0.80, cut 0.50" in made
    assert "No failure" in section_from([])


def test_the_file_has_room_for_a_comment(cases):
    rows = list(csv.DictReader(io.StringIO(csv_of(failures_table(cases)))))
    assert len(rows) == len(cases) == 3
    assert {row["comment"] for row in rows} == {""}
    assert [row["iou"] for row in rows] == ["0.000", "", ""]
    assert rows[1]["query"] == NEGATIVE
    assert failures_table([]) is None
