import dataclasses
import math
import re

import pytest

from hilum.report.score_tables import (
    DASH,
    auroc_table,
    bar_of,
    floors_table,
    grid,
    interval_of,
    means_table,
    value_of,
)
from hilum.report.tables import SummaryRow

NAN = math.nan


def row(value=0.7, low=0.6, high=0.8, n=20, floor=0.5, metric="t_iou"):
    return SummaryRow("x", metric, value, low, high, n, floor)


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        (row(), "0.700"),
        (row(value=0.5, low=0.4), "≤ floor 0.500"),
        (row(value=0.2, low=0.1), "≤ floor 0.200"),
        (row(low=0.45), "≈ floor 0.700"),
        (row(value=NAN), DASH),
        (row(floor=NAN), "0.700"),
    ],
)
def test_a_value_that_does_not_clearly_beat_its_floor_is_marked(score, expected):
    assert re.sub("<[^>]+>", "", value_of(score)) == expected


@pytest.mark.parametrize(
    ("score", "reason"),
    [
        (row(value=NAN, metric="auroc"), "undefined: one label value only"),
        (row(value=NAN, n=0), "undefined: no reference box"),
    ],
)
def test_an_undefined_value_says_why(score, reason):
    assert f'title="{reason}"' in value_of(score)


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        (row(), f"0.600{DASH}0.800"),
        (row(low=NAN, high=NAN, n=4), "n &lt; 5"),
        (row(low=NAN, high=NAN, n=40), "no interval"),
        (row(value=NAN, low=NAN, high=NAN, n=0), DASH),
    ],
)
def test_interval_or_why_there_is_none(score, expected):
    assert re.sub("<[^>]+>", "", interval_of(score)) == expected


def test_bar_places_dot_whisker_and_floor_on_one_scale():
    made = bar_of(row(value=0.5, low=0.25, high=0.75, floor=0.0), 0.0, 1.0)
    assert 'cx="50.00%"' in made
    assert 'x1="27.00%" x2="73.00%"' in made
    assert 'x1="4.00%" x2="4.00%"' in made
    assert 'cx="96.00%"' in bar_of(row(value=7.0))
    assert "circle" not in bar_of(row(value=NAN))


def test_auroc_table_has_every_finding_its_floors_and_the_mean_at_the_foot(scores):
    made = auroc_table([s for s in scores if s.stratum is None])
    assert made.count('scope="row"') == 4
    assert "floor: chance" in made
    assert "floor: view alone" in made
    assert re.search(r"<tfoot><tr><th scope=\"row\">mean over findings</th>.*0\.700", made)


def test_means_table_has_a_row_for_each_system(scores):
    made = means_table("x", [s for s in scores if s.metric == "t_iou"])
    assert made.count('scope="row"') == 4
    assert made.count('scope="col"') == 4
    assert "floor 0.100 throughout" in made
    assert "not computed" not in made


def test_a_floor_that_differs_stands_in_every_cell(scores):
    chosen = [
        s for s in scores if s.metric == "t_iou" and s.at == 0.1 and s.method == "cam" and not s.stratum
    ]
    chosen = [s for s in chosen if s.box_rule == chosen[0].box_rule]
    other = [*chosen[1:], dataclasses.replace(chosen[0], floor=0.2)]
    assert "floor 0.100 throughout" in grid("x", chosen, lambda s: "c")
    assert grid("x", chosen, lambda s: "c").count(">floor ") == 0
    assert grid("x", other, lambda s: "c").count(">floor ") == 3
    assert "floor 0.200" in grid("x", other, lambda s: "c")


def test_n_moves_into_the_cells_where_a_row_has_several(scores):
    chosen = [s for s in scores if s.metric == "auroc" and s.stratum is None]
    fewer = [dataclasses.replace(s, n=s.n // 2, stratum="sex=F") for s in chosen]
    assert "n = " not in grid("x", chosen, lambda s: s.stratum or "all")
    assert "n = 15" in grid("x", [*chosen, *fewer], lambda s: s.stratum or "all")


def test_floors_table_shows_every_floor(scores):
    made = floors_table("x", [s for s in scores if s.method == "cam" and s.box_rule and s.metric == "t_iobb"])
    assert "random map" in made
    assert "class mean box" in made
    assert "0.300" in made
