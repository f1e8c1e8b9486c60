"""The page of a grid: what chooses, what failed, what is pooled."""

import math

import pytest

from hilum.report import Cell, GridRecord, PooledRow, csv_of, grid_page, grid_tables

HISTORY = [{"epoch": 0.0, "val_auroc": 0.6, "val_loss": 0.5, "seconds": 2.0}]
BETTER = [{"epoch": 0.0, "val_auroc": 0.7, "val_loss": 0.6, "seconds": 4.0}]
FAILED = Cell("rate=9", {"training.learning_rate": 9.0}, (), (), "diverged <b>")


def _record(monitor: str = "val_auroc", pooled: tuple[PooledRow, ...] = ()) -> GridRecord:
    cells = [
        Cell("rate=1", {"training.learning_rate": 1.0}, (), HISTORY, ""),
        Cell("rate=2", {"training.learning_rate": 2.0}, (), BETTER, ""),
        FAILED,
    ]
    return GridRecord("Title", monitor, cells, pooled)


@pytest.mark.parametrize(("monitor", "chosen"), [("val_auroc", "rate=2"), ("val_loss", "rate=1")])
def test_validation_chooses(monitor: str, chosen: str) -> None:
    record = _record(monitor)
    assert record.chosen == chosen
    assert f"✓ {chosen}" in grid_page(record)


def test_nothing_is_chosen_where_all_failed() -> None:
    assert GridRecord("Title", "val_auroc", [FAILED], ()).chosen == ""


def test_a_failed_cell_says_why_and_is_escaped() -> None:
    page = grid_page(_record())
    assert "diverged &lt;b&gt;" in page
    assert "1 of 3 cells failed" in page


def test_tables_have_a_line_a_cell() -> None:
    tables = grid_tables(_record())
    assert list(tables) == ["grid"]
    lines = csv_of(tables["grid"]).splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("cell,training.learning_rate,epochs,seconds_an_epoch,val_auroc,chosen,")
    assert lines[2].startswith("rate=2,2.0,1,4,0.7,true,")
    assert lines[3].endswith("diverged <b>")


def test_pooled_rows_show_means_and_the_table_has_all() -> None:
    row = ("run", "training.seed", "same test films", "t_iou", 0.1)
    pooled = (
        PooledRow(*row, None, 0.5, 0.1, 0.4, 0.6, 3),
        PooledRow(*row, "Mass", 0.25, math.nan, math.nan, math.nan, 3),
    )
    record = _record(pooled=pooled)
    assert len(grid_tables(record)["pooled"].rows) == 2
    page = grid_page(record)
    assert "0.400 to 0.600" in page
    assert "0.250" not in page
