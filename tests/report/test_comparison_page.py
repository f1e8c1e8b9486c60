import csv
import dataclasses
import io
import re

import numpy as np
import pytest

from hilum.evaluate.comparison import Difference, holm
from hilum.report.comparison_page import (
    Comparison,
    Pairing,
    comparison_page,
    corrected,
    differences_table,
    headline_score,
    refusals,
    same_films,
)
from hilum.report.exports import csv_of
from hilum.report.page import BANNER

CLEAN = {"complete": "40 of 40 films", "split_hash": "abc", "box_source": "phantom", "contaminated": "no"}


def difference(*p):
    value = np.array([0.1, np.nan, -0.2])
    return Difference((None, "Mass", "Nodule"), value, value - 0.05, value + 0.05, np.array(p), (0, 0, 0))


@pytest.fixture
def runs(record, scores):
    stated = [
        dataclasses.replace(
            s,
            protocol=dataclasses.replace(
                s.protocol,
                **CLEAN,
                map_target="entry",
                boxes="largest",
                threshold_chosen="before",
                resampler="area",
                map_size="frame",
                map_scale="relu",
                weights_data="none",
            ),
        )
        for s in scores
    ]
    one = record(scores=stated)
    other = [dataclasses.replace(s, value=s.value / 2, low=s.low / 2) for s in stated]
    settings = {"model": {"name": "average_pooling", "backbone": "resnet50"}}
    return {"one": one, "two": record(scores=other, settings=settings)}


@pytest.fixture
def comparison(runs):
    pairs = [
        Pairing("one", "two", "auroc", None, difference(0.01, np.nan, 0.04)),
        Pairing("one", "two", "t_iou", 0.1, difference(0.5, np.nan, 0.001)),
    ]
    return Comparison(runs, pairs, ("three less one: other films.",))


def test_the_page_stands_alone_with_all_its_parts(comparison):
    page = comparison_page(comparison)
    assert BANNER in page
    assert page == comparison_page(comparison)
    for name in ("results", "differences", "recipes", "losses", "films"):
        assert f'<section id="{name}"' in page
    assert "three less one: other films." in page
    assert "<script" not in page
    assert not re.search(r"url\(|src=|@import", page)


def test_each_run_has_its_column(comparison):
    results = comparison_page(comparison).split('id="results"')[1].split("</section>")[0]
    row = results.split(">mean AUROC</th>")[1].split("</tr>")[0]
    assert "0.700" in row
    assert "0.350" in row
    assert "Left out" not in results


def test_what_may_not_stand_together_is_left_out_with_its_reason(runs):
    elsewhere = [
        dataclasses.replace(s, protocol=dataclasses.replace(s.protocol, split_hash="xyz"))
        for s in runs["two"].scores
    ]
    runs["two"] = dataclasses.replace(runs["two"], scores=elsewhere)
    results = comparison_page(Comparison(runs, [], [])).split('id="results"')[1].split("</section>")[0]
    row = results.split(">mean AUROC</th>")[1].split("</tr>")[0]
    assert "0.700" in row
    assert "0.350" not in row
    assert results.count("two: split_hash: &#x27;abc&#x27; against &#x27;xyz&#x27;") == 1


def test_systems_may_differ_in_what_they_are(runs):
    first = headline_score(runs["one"], "auroc", None)
    other = dataclasses.replace(
        first, protocol=dataclasses.replace(first.protocol, resampler="bicubic", map_size="input")
    )
    assert refusals(first, other) == []
    seen = dataclasses.replace(
        first, protocol=dataclasses.replace(first.protocol, contaminated="possibly: x")
    )
    assert len(refusals(first, seen)) == 1


def test_only_the_headline_speaks_for_a_run(runs):
    score = headline_score(runs["one"], "t_iou", 0.3)
    assert (score.method, score.box_rule) == runs["one"].headline
    assert (score.finding, score.stratum) == (None, None)
    assert headline_score(runs["one"], "t_iou", 0.35) is None


def test_holm_corrects_over_all_pairs_of_one_measure():
    pairs = [
        Pairing("a", "b", "auroc", None, difference(0.01, np.nan, 0.04)),
        Pairing("a", "b", "t_iou", 0.1, difference(0.02, 0.02, 0.02)),
        Pairing("a", "c", "auroc", None, difference(0.03, 0.2, np.nan)),
    ]
    made = corrected(pairs)
    expected = holm(np.array([0.01, np.nan, 0.04, 0.03, 0.2, np.nan]))
    np.testing.assert_array_equal(np.concatenate([made[0], made[2]]), expected)
    np.testing.assert_array_equal(made[1], holm(np.full(3, 0.02)))
    assert corrected([]) == []


def test_a_difference_shows_interval_and_both_p(comparison):
    part = comparison_page(comparison).split('id="differences"')[1].split("</section>")[0]
    line = part.split("T(IoU) &gt; 0.1: two less one")[2].split(">Nodule</th>")[1].split("</tr>")[0]
    for words in ("-0.200", "-0.250 to -0.150", "0.001", 'class="sure">0.002'):
        assert words in line
    assert part.count('class="sure"') == 3  # 0.02 and 0.04 of AUROC, 0.002 of T(IoU)


def test_the_file_has_every_difference(comparison):
    rows = list(csv.DictReader(io.StringIO(csv_of(differences_table(comparison)))))
    assert len(rows) == 6
    assert rows[0]["finding"] == "mean"
    assert (rows[0]["difference"], rows[0]["p"], rows[0]["p_holm"]) == ("0.100", "0.0100", "0.0200")
    assert differences_table(Comparison({}, [], [])) is None


def test_the_films_are_those_that_all_runs_have_and_differ_on(example):
    first = [example(name=name, iou=0.5) for name in "abcd"]
    second = [example(name=name, iou=iou) for name, iou in zip("bcd", (0.4, 0.9, 0.5), strict=True)]
    rows = same_films([first, second])
    assert [[e.name for e in row] for row in rows] == [["c", "c"], ["b", "b"]]
    assert [row[1].iou for row in rows] == [0.9, 0.4]
    assert same_films([first, [example(name="a", heatmap=None)]]) == []
    assert same_films([]) == []


def test_only_settings_that_differ_are_shown(comparison):
    part = comparison_page(comparison).split('id="recipes"')[1].split("</section>")[0]
    assert ">model.backbone</th>" in part
    assert "resnet50" in part
    assert "model.name" not in part


def test_two_empty_runs_have_a_page(empty):
    page = comparison_page(Comparison({"a": empty, "b": empty}, [], []))
    assert "No film has a heatmap in every run." in page
    assert "No run holds a record of training." in page
