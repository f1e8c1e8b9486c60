import csv
import dataclasses

import pytest

from hilum.report.exports import LONG, TABLES, csv_of, latex_of, save_tables
from hilum.report.tables import Table, printed


def test_every_table_is_written_and_the_short_ones_for_print_too(record, tmp_path):
    save_tables(record(claims=[]), tmp_path / "tables")
    names = set(TABLES) - {"published"}  # phantoms have no neighbours
    expected = {f"{name}.csv" for name in names} | {f"{name}.tex" for name in names - set(LONG)}
    assert len(expected) == 7 + 4
    assert {path.name for path in (tmp_path / "tables").iterdir()} == expected


def test_a_table_of_findings_has_all_columns_and_the_mean_at_the_foot(record, tmp_path):
    save_tables(record(), tmp_path)
    with (tmp_path / "t_iou.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["finding"] for row in rows] == ["Mass", "Nodule", "mean"]
    assert rows[0]["T(IoU) > 0.1"] == "0.580 (0.540\N{EN DASH}0.620)"
    assert rows[1]["T(IoU) > 0.5"] == printed(0.11)
    assert rows[0]["n"] == "10"
    assert list(rows[0])[2:] == ["T(IoU) > 0.1", "T(IoU) > 0.3", "T(IoU) > 0.5"]


def test_strata_and_other_systems_stay_out(record, tmp_path):
    strange = [dataclasses.replace(s, value=0.987, method="other") for s in record().scores if s.method]
    save_tables(record(scores=[*record().scores, *strange]), tmp_path)
    assert "0.987" not in (tmp_path / "t_iou.csv").read_text()
    assert "0.660" not in (tmp_path / "auroc.csv").read_text()


def test_a_run_without_anything_has_its_empty_summary_only(empty, tmp_path):
    save_tables(empty, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"summary.csv", "summary.tex"}


@pytest.mark.parametrize(
    ("cell", "safe"),
    [("=1+1", "'=1+1"), ("+0.012", "+0.012"), ("-0.3", "-0.3"), ("@x", "'@x"), ("-", "-"), ("-x", "'-x")],
)
def test_no_cell_becomes_a_formula(cell, safe):
    assert csv_of(Table("", ("a",), [(cell,)])) == f"a\n{safe}\n"


def test_latex_reads_every_sign_as_text():
    made = latex_of(Table("50 % & more", ("a_b", "c"), [("x{y}", "1\N{EN DASH}2"), ("\\", "~^")]), "t")
    assert "\\caption{50 \\% \\& more}" in made
    assert "a\\_b & c \\\\" in made
    assert "x\\{y\\} & 1--2 \\\\" in made
    assert "\\textbackslash{} & \\textasciitilde{}\\textasciicircum{} \\\\" in made
