import csv
import dataclasses
import io
import math

import pytest

from hilum.evaluate.protocol import Protocol, Score
from hilum.report.tables import (
    CSV_COLUMNS,
    SUMMARY,
    SummaryRow,
    csv_from,
    named,
    standing,
    summary_from,
    text_table,
)

HEADLINE = ("cam", "dynamic(87.5), largest")
NAN = math.nan


def test_summary_takes_the_means_of_the_headline_and_of_no_other_system(scores):
    foreign = [dataclasses.replace(s, value=0.99) for s in scores if s.method == "gradcam"]
    strata = [s for s in scores if s.stratum is not None]
    mine = [s for s in scores if s.method != "gradcam" and s.stratum is None]
    rows = summary_from([*strata, *foreign, *mine], HEADLINE)
    assert [row.label for row in rows] == [label for label, _, _ in SUMMARY]
    assert [round(row.value, 6) for row in rows] == [0.7, 0.51, 0.31, 0.11, 0.51, 0.52]
    assert [row.n for row in rows] == [60, 14, 14, 14, 14, 14]
    assert [row.floor for row in rows] == [0.5, 0.1, 0.1, 0.1, 0.1, 0.11]
    assert rows[1].low == pytest.approx(0.47)
    assert rows[1].high == pytest.approx(0.55)


def test_summary_of_nothing_has_every_row_and_no_number():
    rows = summary_from([], HEADLINE)
    assert len(rows) == len(SUMMARY) == 6
    assert all(math.isnan(row.value) and math.isnan(row.floor) and row.n == 0 for row in rows)
    assert "nan" not in text_table(rows)


@pytest.mark.parametrize(
    ("value", "low", "high", "floor", "expected"),
    [
        (0.7, 0.6, 0.8, 0.5, "above"),
        (0.7, 0.5, 0.8, 0.5, "unsure"),
        (0.5, 0.4, 0.6, 0.5, "below"),
        (0.3, 0.2, 0.4, 0.5, "below"),
        (0.7, NAN, NAN, 0.5, "above"),
        (NAN, NAN, NAN, 0.5, "unknown"),
        (0.7, 0.6, 0.8, NAN, "unknown"),
    ],
)
def test_standing(value, low, high, floor, expected):
    assert standing(SummaryRow("x", "auroc", value, low, high, 10, floor)) == expected


def test_text_marks_what_does_not_beat_its_floor_and_aligns():
    rows = [
        SummaryRow("mean AUROC", "auroc", 0.8, 0.7, 0.9, 40, 0.5),
        SummaryRow("T(IoU) > 0.1", "t_iou", 0.1, 0.05, 0.2, 1200, 0.152),
        SummaryRow("T(IoU) > 0.3", "t_iou", 0.2, 0.1, 0.3, 12, 0.152),
        SummaryRow("pointing hit rate", "hit_rate", 0.5, NAN, NAN, 4, 0.1),
    ]
    head, *lines = text_table(rows).splitlines()
    assert [line.endswith("not above its floor") for line in lines] == [False, True, False, False]
    assert [line.endswith("interval holds the floor") for line in lines] == [False, False, True, False]
    assert "n < 5" in lines[3]
    end = head.index("floor") + len("floor")
    assert [line[:end].split()[-1] for line in lines] == ["0.500", "0.152", "0.152", "0.100"]


def test_csv_gives_every_number_back(scores):
    odd = Score("auroc", None, 'a "b", c', None, None, 1 / 3, NAN, NAN, 3, 0.5, Protocol(), draws_left_out=7)
    lines = list(csv.DictReader(io.StringIO(csv_from([*scores, odd]))))
    assert len(lines) == len(scores) + 1
    assert tuple(lines[0]) == CSV_COLUMNS
    for line, score in zip(lines, [*scores, odd], strict=True):
        assert line["finding"] == (score.finding or "mean")
        assert line["metric"] == score.metric
        for name in ("at", "value", "low", "high", "floor"):
            number = getattr(score, name)
            undefined = number is None or math.isnan(number)
            assert line[name] == "" if undefined else float(line[name]) == number
        assert int(line["n"]) == score.n
        assert (line["method"], line["box_rule"]) == (score.method or "", score.box_rule or "")
        assert line["stratum"] == (score.stratum or "")
    assert lines[-1]["draws_left_out"] == "7"


def test_csv_of_nothing_is_its_head():
    assert csv_from([]) == ",".join(CSV_COLUMNS) + "\n"


@pytest.mark.parametrize(
    ("metric", "at", "expected"),
    [
        ("auroc", None, "AUROC"),
        ("t_iobb", 0.25, "T(IoBB) > 0.25"),
        ("mean_iou_micro", None, "mean IoU (micro)"),
    ],
)
def test_named(metric, at, expected):
    assert named(metric, at) == expected


@pytest.mark.parametrize(
    ("value", "high", "expected"), [(0.2, 0.3, "above"), (0.2, 0.6, "unsure"), (0.5, 0.6, "below")]
)
def test_a_count_of_mistakes_must_lie_below_its_floor(value, high, expected):
    assert standing(SummaryRow("x", "false_positives_iou", value, 0.1, high, 10, 0.5)) == expected


@pytest.mark.parametrize(
    ("metric", "at", "title"),
    [
        ("t_iobb", 0.25, "T(IoBB) > 0.25"),
        ("froc", 0.5, "FROC sensitivity at FP a film 0.5"),
        ("auroc", None, "AUROC"),
    ],
)
def test_a_metric_is_named_with_its_own_sign(metric, at, title):
    assert named(metric, at) == title
