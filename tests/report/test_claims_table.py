"""What a page prints of a judged claim: verdict, figure with interval, or the reason why there is none."""

import csv
import io

import numpy as np
import pytest

from hilum.evaluate.claims import CLAIMS, Verdict, unjudged
from hilum.report import Comparison, comparison_page, page_from, save_tables
from hilum.report.claims_table import FIGURES, claims_table, section_from, sections_of
from hilum.report.exports import csv_of
from hilum.report.record import JudgedClaim


def _claim(kind="better", verdict=None, **changes):
    found = verdict or Verdict("holds", 0.1, 0.02, 0.2, 1)
    values = {"text": "a < b", "kind": kind, "metric": "t_iou", "at": 0.1, "expected": "", "verdict": found}
    return JudgedClaim(**{**values, **changes})


def test_every_kind_has_a_figure() -> None:
    assert set(FIGURES) == set(CLAIMS)


@pytest.mark.parametrize(
    ("kind", "numbers", "words"),
    [
        ("better", (0.1, 0.02, 0.2, 1), ("least difference: ", "+0.100", "+0.020 to +0.200")),
        ("better", (0.0, -0.0001, 0.2, 6), ("least difference of 6: ", "+0.000", "+0.000 to +0.200")),
        ("similar(0.02)", (-0.1, -0.2, 0.0, 1), ("greatest difference: ", "-0.100", "-0.200 to +0.000")),
        ("at_least(10)", (11.0, 9.0, 13.0, 14), ("pairs above of 14: ", ">11<", "9 to 13")),
        ("ratio(0.4, 0.6)", (0.5, 0.4, 0.7, 2), ("ratio: ", ">0.500<", "0.400 to 0.700")),
        ("more_spread", (0.5, 0.4, 0.7, 12), ("difference of ranges: ", "+0.500")),
    ],
)
def test_a_figure(kind: str, numbers, words) -> None:
    page = section_from([_claim(kind, Verdict("holds", *numbers))])
    for word in ("T(IoU) &gt; 0.1, ", *words, "<b>holds</b>", "a &lt; b"):
        assert word in page


def test_a_claim_without_a_figure_says_why() -> None:
    page = section_from([_claim(verdict=unjudged("needs a run of 'A & B'"), expected="0.4 > 0.3")])
    for words in ("undecided", "needs a run of &#x27;A &amp; B&#x27;", "0.4 &gt; 0.3"):
        assert words in page
    assert "nan" not in page


def test_the_table_for_papers() -> None:
    assert claims_table([]) is None
    made = claims_table([_claim(), _claim(verdict=unjudged("no boxes"), expected="0.4")])
    assert made is not None
    first, second = csv.DictReader(io.StringIO(csv_of(made)))
    assert (first["measure"], first["verdict"], first["low"]) == ("T(IoU) > 0.1", "holds", "0.020")
    assert (second["value"], second["reason"], second["expected"]) == ("-", "no boxes", "0.4")


def test_only_a_run_with_claims_has_the_section(record, tmp_path) -> None:
    assert 'id="claims"' not in page_from(record(claims=[]))
    assert 'id="claims"' in page_from(record(claims=[_claim()]))
    save_tables(record(claims=[_claim()]), tmp_path)
    assert (tmp_path / "claims.csv").is_file()
    assert not (tmp_path / "claims.tex").exists()
    save_tables(record(claims=[]), tmp_path / "without")
    assert not (tmp_path / "without" / "claims.csv").exists()


def test_runs_side_by_side(record) -> None:
    runs = {"one": record(), "two": record()}
    both = {"one": [_claim()], "two": []}
    page = comparison_page(Comparison(runs, [], [], both))
    assert "Claims of the paper behind one" in page
    assert "behind two" not in page
    assert 'id="claims"' not in comparison_page(Comparison(runs, [], [], {"one": [], "two": []}))
    assert "behind" not in sections_of({"one": []})
    assert np.isnan(unjudged("x").value)
