import re

import numpy as np

from hilum.report.chart import GUIDE, Chart, Line, Panel
from hilum.report.inline import chart_from

X = np.array([0.0, 0.5, 1.0])
UNIT = (0.0, 1.0)


def drawn(*lines, **more):
    return chart_from(Chart("What it shows", [Panel("Mass", list(lines), UNIT, UNIT, "recall", **more)]))


def test_nothing_is_drawn_of_nothing():
    assert chart_from(None) == chart_from(Chart("empty")) == ""


def test_the_ends_of_a_line_stand_at_the_ends_of_the_axes():
    path = re.search(r'd="(M[^"]+)"', drawn(Line(UNIT_ARRAY, UNIT_ARRAY)))[1]
    assert path == "M48.0 238.0L430.0 24.0"


UNIT_ARRAY = np.array(UNIT)


def test_a_nan_breaks_the_line_and_the_band():
    y = np.array([0.1, np.nan, 0.3, 0.4])
    x = np.array([0.0, 0.3, 0.6, 1.0])
    made = drawn(Line(x, y, band=(y, y + 0.1)))
    band, line = re.findall(r'd="([^"]+)"', made)
    assert line.count("M") == 2
    assert band.count("M") == band.count("Z") == 2
    assert "nan" not in made


def test_a_band_stays_inside_its_axes():
    band = re.search(r'd="([^"]+)Z"', drawn(Line(X, X, band=(X - 5, X + 5))))[1]
    heights = [float(point.split()[1]) for point in re.split("[ML]", band)[1:]]
    assert (min(heights), max(heights)) == (24.0, 238.0)


def test_lone_points_get_dots_and_whiskers_but_no_stroke():
    made = drawn(Line(X, X, label="bins", band=(X, X), dots=True, joined=False))
    assert made.count("<circle") == 4  # three points and the legend's
    assert 'class="whisker tone0 dash0"' in made
    assert 'class="line' not in made


def test_what_is_no_result_looks_so_and_the_headline_is_heavy():
    made = drawn(Line(X, X, GUIDE, dashes=2), Line(X, X, 7, heavy=True))
    assert 'class="line guide dash2"' in made
    assert 'class="line tone1 dash0 heavy"' in made


def test_words_are_there_and_escaped():
    made = drawn(Line(X, X, label="<b>"), note="0.812", ticks=[(0.5, "half")], marks=[(0.5, "used & kept")])
    for words in ("What it shows.", "Mass", "recall", "0.812", "half", "used &amp; kept", "&lt;b&gt;"):
        assert words in made
    assert 'aria-label="Mass, 0.812"' in made
