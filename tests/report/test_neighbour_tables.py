import dataclasses

import pytest

from hilum.evaluate.protocol import NOT_APPLICABLE, Protocol, Score
from hilum.report.ledger import search
from hilum.report.neighbour_tables import (
    HIGHEST,
    MOST_TEXTS,
    beside,
    highest,
    measure_of,
    reasons_of,
    section_from,
    source_of,
    value_in_print,
)

SAME = Protocol(
    films="ChestX-ray14, test films",
    complete="112,120 of 112,120 films",
    split="official lists",
    box_source=NOT_APPLICABLE,
    map_target=NOT_APPLICABLE,
    boxes=NOT_APPLICABLE,
    denominator="pairs of a positive and a negative film",
    threshold_chosen=NOT_APPLICABLE,
    weights_data="ImageNet, then ChestX-ray14 train and validation films of this split",
    contaminated="no",
)
MEAN = Score("auroc", None, None, None, None, 0.8, 0.79, 0.81, 27_206, 0.5, SAME)
MASS = dataclasses.replace(MEAN, finding="Mass", n=1748, value=0.82)
ELSEWHERE = dataclasses.replace(MEAN, protocol=dataclasses.replace(SAME, split="random(0)"))
HEADLINE = ("cam", "dynamic(87.5)+largest")


@pytest.fixture(scope="module")
def found():
    return beside([MEAN, MASS, dataclasses.replace(MEAN, stratum="sex=F")], HEADLINE)


def test_the_same_protocol_stands_beside_with_its_difference(found):
    assert len(found.pairs) > 10
    pair = next(p for p in found.pairs if p.score is MEAN and p.number.system == "CheXNet")
    assert pair.difference == pytest.approx(0.8 - 0.775)
    assert measure_of(pair) == "AUROC, mean"
    made = section_from(found)
    assert "<td>0.775</td><td>+0.025</td>" in made
    assert "0.790\N{EN DASH}0.810" in made


def test_strata_and_other_systems_have_no_neighbours(found):
    other = dataclasses.replace(MEAN, metric="t_iou", at=0.1, method="gradcam", box_rule="x")
    assert len(beside([MEAN, MASS, other], HEADLINE).pairs) == len(found.pairs)
    assert all(pair.score.stratum is None for pair in found.pairs)


def test_findings_are_folded_away_and_means_are_not(found):
    made = section_from(found)
    open_part = made.split("<details")[0]
    assert "AUROC, mean" in open_part
    assert "AUROC, Mass" not in open_part
    assert "AUROC, Mass" in made


def test_the_highest_means_are_open_and_all_of_them_folded(found):
    means = [pair for pair in found.pairs if pair.score.finding is None]
    top = highest(means)
    values = [pair.number.value for pair in top]
    assert values == sorted((pair.number.value for pair in means), reverse=True)[:HIGHEST]
    open_part = section_from(found).split("<details")[0]
    assert open_part.count("AUROC, mean") == HIGHEST < len(means)
    assert f"All {len(means)} published means" in section_from(found)


def test_another_protocol_is_counted_with_its_reasons():
    apart = beside([ELSEWHERE], HEADLINE)
    assert not apart.pairs
    made = section_from(apart)
    assert "No published number came about" in made
    assert "random(0) here, official lists there" in made
    papers = list(apart.others)
    assert made.count("<details") == len(papers) > 2
    fields = [field for field, _, _ in reasons_of(apart.others[papers[0]])]
    assert len(fields) == len(set(fields))
    assert "split" in fields


def test_a_reason_of_many_wordings_is_cut_short():
    numbers = beside([ELSEWHERE], HEADLINE).others["Pun et al. 2021"][:1]
    many = [dataclasses.replace(numbers[0], why_not=(f"n: {n} here", "split: a")) for n in range(9)]
    lines = reasons_of(many)
    assert lines == [("n", 9, "0 here; 1 here; 2 here; 6 more wordings"), ("split", 9, "a")]
    assert MOST_TEXTS == 3


def test_a_number_in_another_unit_shows_both():
    by_unit = {value_in_print(number) for number in search(paper="WILDCAT", metric="auroc")}
    assert any("printed" in shown for shown in by_unit)
    assert value_in_print(search(["chexnet", "official"], finding="mean", metric="auroc")[0]) == "0.775"


def test_a_quoted_number_names_both_papers():
    quoted = next(n for n in search(metric="auroc") if n.whose)
    assert quoted.whose in source_of(quoted)
    assert quoted.paper in source_of(quoted)


def test_nothing_scored_nothing_beside():
    assert "No paper" in section_from(beside([], HEADLINE))
