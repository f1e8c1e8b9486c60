import dataclasses

import numpy as np

from hilum.evaluate.operating_point import RATES
from hilum.report.curves import POINTS
from hilum.report.operating_tables import WORDS, operating_table, section_from
from hilum.report.tables import printed


def test_each_point_is_explained_and_the_first_is_open(record):
    films = record()
    made = section_from(films.curves, films.findings)
    assert set(WORDS) == set(POINTS)
    assert made.count("<details") == 3
    assert made.count('open="open"') == 1
    assert made.index('open="open"') < made.index("sensitivity(0.9):")


def test_cut_rates_and_intervals_stand_in_the_table(record):
    films = record()
    point, rates = films.curves.points[0]
    row = section_from(films.curves, films.findings).split(">Mass</th>")[1].split("</tr>")[0]
    assert f"{point.cut[0]:.3f}" in row
    for value, low in zip(rates.value[:, 0], rates.low[:, 0], strict=True):
        assert printed(float(value)) in row
        assert np.isnan(low) or printed(float(low)) in row


def test_a_point_that_is_not_there_says_why(record):
    curves = record().curves
    point, rates = curves.points[0]
    none = dataclasses.replace(point, cut=np.full(3, np.nan), missing=("one label value only",) * 3)
    nothing = dataclasses.replace(rates, value=np.full_like(rates.value, np.nan))
    made = section_from(dataclasses.replace(curves, points=[(none, nothing)]), record().findings)
    assert made.count("one label value only") == 3
    assert made.count("no cut, or no film") == 3 * len(RATES)


def test_the_file_has_a_line_for_each_point_finding_and_rate(record):
    films = record()
    made = operating_table(films.curves, films.findings)
    assert len(made.rows) == 3 * 3 * len(RATES)
    assert {len(row) for row in made.rows} == {len(made.header)}
    assert made.rows[0][:4] == ("youden", "Mass", f"{films.curves.points[0][0].cut[0]:.4f}", "sensitivity")


def test_without_validation_films_there_is_no_point(empty):
    assert "No validation films" in section_from(empty.curves, empty.findings)
    assert operating_table(None, ()) is None
