"""`hilum ledger`: a table for people, JSON for machines, and why a number is not recomputed."""

import json
from collections import Counter

import pytest

from hilum.apps.cli import main
from hilum.report.ledger import numbers


def told(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    with pytest.raises(SystemExit) as ended:
        main(["ledger", *arguments])
    out, err = capsys.readouterr()
    assert ended.value.code == code, err
    return out if code == 0 else err


def test_a_line_for_each_number_and_the_notes_below(capsys: pytest.CaptureFixture[str]) -> None:
    out = told(capsys, "0.723", "--paper", "gascoigne", "--metric", "t_iobb")
    head, line, *below = out.splitlines()
    assert head.split()[:2] == ["paper", "table"]
    assert line.split()[-4:] == ["0.723", "0.7277", "wang-chestxray8", "wang-0.723"]
    assert line.index("0.7277") == head.index("read as")
    assert [text.split(":")[0] for text in below if text] == ["wang-chestxray8", "wang-0.723", "numbers"]


def test_the_true_finding_stands_beside_the_printed_head(capsys: pytest.CaptureFixture[str]) -> None:
    out = told(capsys, "0.9178", "--finding", "hernia")
    assert "0.9178   under Pneumothorax  pun-columns" in out
    assert out.endswith("numbers: 1\n")


def test_numbers_in_other_units_are_read_in_hilums(capsys: pytest.CaptureFixture[str]) -> None:
    assert "54.84    0.5484" in told(capsys, "54.84")
    assert "23,536,718\n" in told(capsys, "parameters", "ResNet-50", "23,5")
    assert ">99%     nan" in told(capsys, "MNIST")


def test_nothing_found_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, "no", "such", "words") == "numbers: 0\n"
    assert told(capsys, "no-such-word", "--coverage") == "numbers: 0\n"
    assert json.loads(told(capsys, "no-such-word", "--json")) == {"numbers": [], "notes": {}}


def test_json_holds_everything(capsys: pytest.CaptureFixture[str]) -> None:
    content = json.loads(told(capsys, "--json", "--coverage"), parse_constant=pytest.fail)
    assert len(content["numbers"]) == len(numbers())
    assert {name for number in content["numbers"] for name in number["notes"]} == set(content["notes"])
    first = next(number for number in content["numbers"] if number["system"] == "ResNet-50 on ChestX-ray14")
    assert first["protocol"]["box_source"] == "BBox_List_2017"
    assert (first["state"], first["because"]) == ("recipe", "wang2017 cam two_level(60, 180)+all")


def test_coverage_ends_with_counts_that_add_up(capsys: pytest.CaptureFixture[str]) -> None:
    out = told(capsys, "--coverage")
    *lines, last = out.split("\n\n")
    assert last == "numbers: 2,206\n"
    assert len(lines[0].splitlines()) == 1 + 2206
    (_, *papers, total) = lines[1].splitlines()
    counts = [[int(count) for count in line.split()[-4:]] for line in papers]
    assert [sum(column) for column in zip(*counts, strict=True)] == [
        int(count) for count in total.split()[-4:]
    ]
    printed = Counter(number.paper for number in numbers())
    assert {line.split("  ")[0]: sum(row) for line, row in zip(papers, counts, strict=True)} == printed
    assert "  recipe: chexnet\n" in lines[0]
    assert "  never: time on one Tesla P100\n" in lines[0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--metric", "aurock"], "did you mean 'auroc'"),
        (["--finding", "hernias"], "did you mean 'hernia'"),
        (["--paper", "irvin"], "unknown paper 'irvin'; known: Wang et al. 2017"),
        (["--papers", "irvin"], "--paper"),
    ],
)
def test_mistakes_are_named(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    assert said in told(capsys, *arguments, code=2)
