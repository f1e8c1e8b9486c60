"""The ledger holds every printed number, finds them, and lets a score stand only beside what fits it."""

import dataclasses
import math
import re
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from hilum.evaluate import ALL_METRICS, METRICS, Protocol, Score
from hilum.evaluate.protocol import NOT_APPLICABLE, UNKNOWN
from hilum.findings import CHESTXRAY14
from hilum.report.ledger import (
    N_ENTRIES,
    N_POSITIVE,
    PAPERS,
    TITLES,
    as_plain,
    finding_of,
    neighbours,
    notes,
    numbers,
    search,
    titled,
)

ROOT = Path(__file__).parents[2]
GASCOIGNE = "Gascoigne-Burns and Katsigiannis 2021"

PRINTED = {  # how many numbers each table prints, and their sum, counted in the papers
    (GASCOIGNE, "I"): (90, "69.519"),
    (GASCOIGNE, "II"): (126, "25.392"),
    (GASCOIGNE, "III"): (126, "26.493"),
    (GASCOIGNE, "IV"): (90, "19.434"),
    (GASCOIGNE, "V"): (90, "20.964"),
    (GASCOIGNE, "VI"): (45, "25.026"),
    (GASCOIGNE, "VII"): (45, "26.521"),
    ("Pun et al. 2021", "I"): (405, "310.1312"),
    ("Pun et al. 2021", "II"): (270, "204.4490"),
    ("Pun et al. 2021", "III"): (81, "5.67874"),
    ("Pun et al. 2021", "text"): (6, "2.9876"),  # and ">99%"
    ("WILDCAT on RSNA", "1"): (103, "5002.04"),
    ("D'Souza et al. 2022", "1"): (105, "81.912"),
    ("D'Souza et al. 2022", "2"): (48, "18.376"),
    ("D'Souza et al. 2022", "3"): (48, "25.453"),
    ("D'Souza et al. 2022", "4"): (8, "86297670.19"),
    ("Sorkhei et al. 2019", "1"): (56, "43.1313"),
    ("Sorkhei et al. 2019", "2"): (32, "10.7436"),
    ("Sorkhei et al. 2019", "3"): (32, "21.7940"),
    ("Sorkhei et al. 2019", "4"): (32, "7.2326"),
    ("Sorkhei et al. 2019", "5"): (32, "4.8861"),
    ("Sorkhei et al. 2019", "6"): (32, "18.4145"),
    ("Sorkhei et al. 2019", "7"): (32, "13.1708"),
    ("Wang et al. 2017", "4"): (80, None),
    ("Wang et al. 2017", "7"): (112, None),
    ("Wang et al. 2017", "19"): (80, None),
}


def test_every_printed_number_is_there_as_it_was_printed() -> None:
    count, total = Counter(), Counter()
    for number in numbers():
        table = number.paper, number.table
        count[table] += 1
        if number.printed != ">99%":
            total[table] += Decimal(number.printed.replace(",", ""))
    assert count == {table: n for table, (n, _) in PRINTED.items()}
    wanted = {table: Decimal(each) for table, (_, each) in PRINTED.items() if each is not None}
    assert {table: total[table] for table in wanted} == wanted
    assert sum(count[table] for table in wanted) == 1934


def test_no_number_stands_twice() -> None:
    places = [(n.paper, n.table, n.whose, n.system, n.setting, n.metric, n.at, n.finding) for n in numbers()]
    assert [place for place, n in Counter(places).items() if n > 1] == []
    assert len(set(numbers())) == 2206


def test_a_value_differs_from_print_only_with_a_note() -> None:
    changed = []
    for number in numbers():
        scale = 100 if number.paper == "WILDCAT on RSNA" else 1
        if number.printed == ">99%":
            assert math.isnan(number.value)
        elif not math.isclose(float(number.printed.replace(",", "")) / scale, number.value, abs_tol=1e-9):
            assert number.notes, number
            changed.append((number.printed, number.value))
    assert sorted(changed) == [
        ("0.628", 0.629),
        ("0.6652", 0.665),
        ("0.707", 0.7003),
        ("0.723", 0.7277),
        ("0.738", 0.7451),
        ("0.746", 0.7451),
        ("0.7980", 0.803),
    ]


def test_every_name_is_known_and_used() -> None:
    assert {n.metric for n in numbers()} | set(ALL_METRICS) == set(TITLES)
    assert {n.finding for n in numbers()} == {None, *CHESTXRAY14}
    assert {name for n in numbers() for name in n.notes} == set(notes())
    assert {n.paper for n in numbers()} == set(PAPERS.values())
    headed = {n.printed_as for n in numbers() if n.printed_as}
    assert headed == {"T(IoU)", "T(IoBB)"} | set(CHESTXRAY14) - {"Atelectasis", "Cardiomegaly"}
    for note in notes().values():
        assert {n.paper for n in numbers() if note.name in n.notes} == {note.paper}


def test_no_metric_of_a_score_has_a_denominator_of_its_own_in_the_ledger() -> None:
    """Words that fit no score by a slip of the pen would silently forbid every comparison."""
    for number in numbers():
        words = number.protocol.denominator
        if number.metric in ALL_METRICS and words not in (UNKNOWN, NOT_APPLICABLE) and "five" not in words:
            assert words == ALL_METRICS[number.metric].denominator


def test_counts_are_those_of_the_tables() -> None:
    page = (ROOT / "docs" / "chestxray14.md").read_text()
    for finding in CHESTXRAY14:
        (cells,) = re.findall(rf"^\| {finding} \| .* \| ([\d,]+) \|$", page, flags=re.M)
        assert int(cells.replace(",", "")) == N_POSITIVE[finding]
    told = page.split("all of them on the test list: ")[1].split(".\n")[0]
    assert ", ".join(f"{name} {n}" for name, n in N_ENTRIES.items()) == told
    assert sum(N_ENTRIES.values()) == 984


@pytest.mark.parametrize(
    ("words", "conditions", "n"),
    [
        ((), {}, 2206),
        (("no such word",), {}, 0),
        (("CHEXNET", "official"), {"metric": "auroc"}, 15),
        ((), {"paper": "sorkhei"}, 248),
        ((), {"paper": "2021", "finding": "mean", "metric": "auroc"}, 55),
        ((), {"finding": "infiltrate", "metric": "t_iou", "paper": "Wang"}, 7),
        ((), {"finding": "pleural thickening"}, 62),
        ((), {"system": "wildcat"}, 24),
        (("0.723",), {}, 5),
    ],
)
def test_search_meets_every_condition(words: tuple[str, ...], conditions: dict[str, str], n: int) -> None:
    assert len(search(words, **conditions)) == n


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        ({"metric": "t_io"}, "did you mean 't_iou'"),
        ({"finding": "Nodules"}, "did you mean 'nodule'"),
        ({"paper": "Irvin"}, "known: Wang et al. 2017"),
    ],
)
def test_what_the_ledger_does_not_know_is_refused(conditions: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        search(**conditions)


def test_what_is_of_no_film_has_no_finding() -> None:
    apart = [n for n in numbers() if not finding_of(n)]
    assert Counter(n.metric for n in apart) == {"parameters": 4, "milliseconds_a_film": 4, "auroc": 1}
    assert titled(apart[-1]) == "parameters"
    assert as_plain(next(n for n in apart if n.metric == "auroc"))["value"] is None


IMAGE = Protocol(
    films="ChestX-ray14, test films",
    complete="112,120 of 112,120 films",
    split="official lists; 0.125 of the training patients for validation, seed 0",
    split_hash="599040f15bd509a1",
    box_source=NOT_APPLICABLE,
    map_target=NOT_APPLICABLE,
    boxes=NOT_APPLICABLE,
    denominator=METRICS["auroc"].denominator,
    threshold_chosen=NOT_APPLICABLE,
    resampler="any",
    map_size=NOT_APPLICABLE,
    map_scale=NOT_APPLICABLE,
    weights_data="ImageNet, then ChestX-ray14 train and validation films of this split",
)
BOXED = dataclasses.replace(
    IMAGE,
    box_source="BBox_List_2017",
    map_target="reference finding",
    boxes="largest",
    denominator=METRICS["t_iou"].denominator,
    threshold_chosen="by the paper, on the boxes it scores",
    map_size="input",
    map_scale="signed, min-max",
)


def score(metric: str = "auroc", protocol: Protocol = IMAGE, **changes: object) -> Score:
    boxed = metric != "auroc"
    at = 0.1 if boxed else None
    n = sum((N_ENTRIES if boxed else N_POSITIVE).values())
    nan = math.nan
    method, rule = ("cam", "dynamic(87.5)+largest") if boxed else (None, None)
    made = Score(metric, at, None, method, rule, 0.8, nan, nan, n, nan, protocol)
    return dataclasses.replace(made, **changes)


def comparable(of: Score) -> list[tuple[str, str, float]]:
    return [(n.number.whose, n.number.system, n.number.value) for n in neighbours(of) if not n.why_not]


def test_an_auroc_stands_beside_those_of_the_official_list() -> None:
    found = comparable(score())
    assert len(found) == 47  # of Pun et al. 40, of D'Souza et al. 4, of Gascoigne-Burns 2, of Wang et al. 1
    assert ("", "CheXNet", 0.775) in found
    assert ("", "R38LM", 0.776) in found
    assert [each for each in found if each[0]] == [("Wang et al. 2017", "ResNet-50 on ChestX-ray14", 0.7451)]
    of_hernia = comparable(score(finding="Hernia", n=86))
    assert ("", "ResNet-34 baseline", 0.9266) in of_hernia
    assert ("", "AG-CNN ResNet-50", 0.9178) in of_hernia  # printed under Pneumothorax


def test_boxes_stand_beside_boxes_made_by_the_same_protocol() -> None:
    assert comparable(score("t_iou", BOXED)) == [("", "R38LM", 0.521), ("", "CheXNet", 0.404)]
    nodule = score("t_iou", BOXED, finding="Nodule", n=79)
    assert comparable(nodule) == [("", "R38LM", 0.0), ("", "CheXNet", 0.0)]
    hull = dataclasses.replace(
        BOXED,
        boxes="hull",
        denominator=METRICS["mean_iou_micro"].denominator,
        threshold_chosen="fixed before any box was scored",
    )
    assert len(comparable(score("mean_iou_micro", hull, at=None))) == 9


@pytest.mark.parametrize("metric", ["auroc", "t_iou"])
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {
                "films": "phantoms, test films",
                "weights_data": "ImageNet, then phantoms train and validation films of this split",
            },
            "films scored: phantoms, test films here, ChestX-ray14, test films there",
        ),
        ({"complete": "593 of 112,120 films"}, "share of that list: 593 of 112,120 films here"),
        ({"split": "random 70/10/20 by patient, seed 0"}, "split: random 70/10/20 by patient, seed 0 here"),
        ({"split": UNKNOWN}, "split: unknown here, official lists there"),
        ({"denominator": UNKNOWN}, "successes divided by: unknown here"),
        ({"weights_data": UNKNOWN}, "images behind the weights: unknown here"),
        (
            {
                "weights_data": "unknown (other.safetensors), then ChestX-ray14 train and validation films "
                "of this split"
            },
            "images behind the weights: unknown (other.safetensors)",
        ),
        ({"weights_data": "ChestX-ray14, all films"}, "ChestX-ray14, all films here, no film scored there"),
    ],
)
def test_what_does_not_fit_stands_beside_nothing(metric: str, changes: dict[str, str], said: str) -> None:
    protocol = dataclasses.replace(IMAGE if metric == "auroc" else BOXED, **changes)
    found = neighbours(score(metric, protocol))
    assert found
    assert all(each.why_not for each in found)
    fits = [each for each in found if each.number.system == "CheXNet" and each.number.value in (0.775, 0.404)]
    assert [said in reason for each in fits for reason in each.why_not] == [True]


def test_weights_that_saw_the_films_stand_not_even_beside_such_weights() -> None:
    (guan, *_) = (n.protocol for n in search(["Guan"], paper="pun"))
    protocol = dataclasses.replace(IMAGE, split=guan.split, weights_data=guan.weights_data)
    reasons = {each.number.whose: each.why_not for each in neighbours(score(protocol=protocol))}
    saw = "ImageNet, then ChestX-ray14 films, patients of the test films among them"
    assert reasons["Guan et al. 2018"] == (f"images behind the weights: {saw} here, {saw} there",)
    assert all(reasons.values())


def test_unknown_does_not_even_agree_with_unknown() -> None:
    protocol = dataclasses.replace(BOXED, boxes="any", map_target=UNKNOWN, threshold_chosen=UNKNOWN)
    found = neighbours(score("t_iobb", protocol, finding="Mass", n=85))
    (dsouza,) = [each for each in found if each.number.system == "MultiRes-ResNet-50"]
    assert dsouza.why_not == (
        "heatmap scored: unknown here, unknown there",
        "threshold chosen on: unknown here, unknown there",
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"boxes": "any"}, "predicted boxes an entry: any here, one there"),
        ({"box_source": "phantom BBox_List_2017"}, "reference boxes: phantom BBox_List_2017 here"),
        ({"map_target": "predicted finding"}, "heatmap scored: predicted finding here"),
        ({"threshold_chosen": "fixed before any box was scored"}, "threshold chosen on: fixed before"),
        ({"threshold_chosen": UNKNOWN}, "threshold chosen on: unknown here"),
    ],
)
def test_boxes_made_otherwise_stand_beside_nothing(changes: dict[str, str], said: str) -> None:
    found = neighbours(score("t_iou", dataclasses.replace(BOXED, **changes)))
    assert all(each.why_not for each in found)
    (chexnet,) = [each for each in found if each.number.system == "CheXNet" and each.number.value == 0.404]
    assert len(chexnet.why_not) == 1
    assert chexnet.why_not[0].startswith(said)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"value": math.nan}, "the score is undefined"),
        ({"stratum": "view=AP"}, "films: only view=AP here, all there"),
        ({"n": 555}, "n: 555 here, 27,206 there"),
    ],
)
def test_a_part_of_a_score_stands_beside_nothing(changes: dict[str, object], said: str) -> None:
    found = neighbours(score(**changes))
    assert all(said in each.why_not for each in found)


def test_the_box_rule_and_the_network_input_belong_to_the_system() -> None:
    other = dataclasses.replace(BOXED, boxes="largest_box", map_size="frame", resampler="another")
    assert len(comparable(score("t_iou", other))) == 2


def test_a_number_under_the_wrong_head_is_told() -> None:
    found = neighbours(score("t_iobb", BOXED, at=0.5, finding="Nodule", n=79))
    told = {each.number.value: each.why_not[0] for each in found if "Sorkhei" in each.number.paper}
    assert told[0.6184] == "metric: T(IoBB) here, T(share of reference box) there"


@pytest.mark.parametrize(
    ("metric", "changes", "boxes", "unstated"),
    [
        ("t_iou_mixed", {"at": 0.3, "finding": "Nodule", "n": 76}, "largest_box", ["threshold chosen on"]),
        (
            "false_positives_a_film_iobb",
            {"finding": "Mass", "n": 880},
            "any",
            ["heatmap scored", "threshold chosen on"],
        ),
    ],
)
def test_what_is_as_printed_is_apart_only_by_what_the_paper_leaves_out(
    metric: str, changes: dict[str, object], boxes: str, unstated: list[str]
) -> None:
    protocol = dataclasses.replace(BOXED, boxes=boxes, denominator=ALL_METRICS[metric].denominator)
    found = [each for each in neighbours(score(metric, protocol, **changes)) if not each.number.whose]
    assert len(found) in (3, 6)
    for each in found:
        assert [reason.partition(":")[0] for reason in each.why_not] == unstated
    entries = neighbours(score(metric, protocol, **changes | {"n": 984}))
    assert all(each.why_not[-1].startswith("n: 984 here") for each in entries if not each.number.whose)


def test_a_number_quoted_thrice_stands_once() -> None:
    found = neighbours(score("t_iou", BOXED))
    assert len(found) == len({(each.number.whose, each.number.value, each.number.system) for each in found})
    assert [each.number.paper for each in neighbours(score("t_iou", BOXED, finding="Mass", n=85))].count(
        "Wang et al. 2017"
    ) == 1


def test_what_nobody_prints_has_no_neighbours() -> None:
    assert neighbours(score("t_iou", BOXED, at=0.15)) == []
    assert neighbours(score("hit_rate", BOXED, at=None)) == []


def test_every_error_is_on_the_page() -> None:
    page = (ROOT / "docs" / "ledger.md").read_text()
    for note in notes().values():
        assert f"| {note.paper} | {note.table} | {note.printed} | {note.reading} |" in page
