import math

import numpy as np
import pytest

from hilum.report.chart import Chart, Line, Panel, nice_end, span, ticks_of

X = np.array([0.0, 1.0])


@pytest.mark.parametrize("value", [0.0123, 0.5, 0.51, 1.0, 3.2, 99.0, 1e-6])
def test_an_axis_ends_closely_above_what_it_shows(value):
    assert value <= nice_end(value) * (1 + 1e-9)
    assert nice_end(value) <= 1.6 * value


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_without_a_number_an_axis_ends_at_one(value):
    assert nice_end(value) == 1.0


def test_a_span_has_room_and_leaves_out_what_is_no_number():
    assert span([np.array([1.0, np.nan, 3.0]), np.array([2.0])]) == pytest.approx((0.9, 3.1))
    assert span([np.array([2.0])]) == pytest.approx((1.9, 2.1))
    assert span([np.array([0.0])]) == (-0.5, 0.5)
    assert span([]) == span([np.array([np.nan])]) == (0.0, 1.0)


@pytest.mark.parametrize("ends", [(0.0, 1.0), (0.05, 0.73), (0.0, 0.04), (12.0, 90.0), (-0.5, 0.5)])
@pytest.mark.parametrize("most", [3, 6])
def test_ticks_are_few_and_inside(ends, most):
    ticks = ticks_of(*ends, most)
    assert 2 <= len(ticks) <= most
    assert ticks[0] >= ends[0] - 1e-9
    assert ticks[-1] <= ends[1] + 1e-9
    np.testing.assert_allclose(np.diff(ticks, 2), 0.0, atol=1e-9)


def test_a_legend_names_each_label_once():
    lines = [Line(X, X), Line(X, X, 1, "a"), Line(X, X, 2, "b")]
    panel = Panel("", lines, (0.0, 1.0), (0.0, 1.0))
    assert [line.tone for line in Chart("", [panel, panel]).legend] == [1, 2]
