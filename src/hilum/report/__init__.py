"""Scores in; tables, figures and one HTML page that needs nothing but itself out.

A run tells all it has to say in a `RunRecord`. `page_from` writes the page, `save_figures` the figures for a
paper, `csv_from` every number, and `summary_from` with `text_table` the table that ends a run. Whatever comes
from data is escaped; the same record always gives the same bytes.
"""

from hilum.report.figures import save_figures
from hilum.report.page import page_from
from hilum.report.record import Example, RunRecord
from hilum.report.tables import SummaryRow, csv_from, summary_from, text_table

__all__ = [
    "Example",
    "RunRecord",
    "SummaryRow",
    "csv_from",
    "page_from",
    "save_figures",
    "summary_from",
    "text_table",
]
