"""Scores in; tables, figures and one HTML page that needs nothing but itself out.

A run tells all it has to say in a `RunRecord`. `page_from` writes the page, `save_figures` and `save_tables`
figures and tables for a paper, `csv_from` every number, and `summary_from` with `text_table` the table that
ends a run. `curves_from`, `swept` and `cases_from` work out what a record holds beside its scores. Whatever
comes from data is escaped; the same record always gives the same bytes.
"""

from hilum.report.comparison_page import Comparison, Pairing, comparison_page, differences_table
from hilum.report.curves import Curves, curves_from
from hilum.report.exports import csv_of, latex_of, save_tables
from hilum.report.failure import cases_from
from hilum.report.figures import save_figures
from hilum.report.grid_page import Cell, GridRecord, PooledRow, grid_page, grid_tables
from hilum.report.page import page_from
from hilum.report.record import Case, Example, JudgedClaim, RunRecord
from hilum.report.search_page import (
    Searched,
    SearchRecord,
    Trial,
    best_so_far,
    search_page,
    search_table,
)
from hilum.report.sweep import Sweep, swept
from hilum.report.tables import SummaryRow, csv_from, named, summary_from, text_table

__all__ = [
    "Case",
    "Cell",
    "Comparison",
    "Curves",
    "Example",
    "GridRecord",
    "JudgedClaim",
    "Pairing",
    "PooledRow",
    "RunRecord",
    "SearchRecord",
    "Searched",
    "SummaryRow",
    "Sweep",
    "Trial",
    "best_so_far",
    "cases_from",
    "comparison_page",
    "csv_from",
    "csv_of",
    "curves_from",
    "differences_table",
    "grid_page",
    "grid_tables",
    "latex_of",
    "named",
    "page_from",
    "save_figures",
    "save_tables",
    "search_page",
    "search_table",
    "summary_from",
    "swept",
    "text_table",
]
