import numpy as np
import pytest

from hilum.report.chart import GUIDE
from hilum.report.localisation_charts import localisation_chart


def test_a_line_for_each_method_and_rule_with_the_headline_heavy(record):
    chart = localisation_chart(record())
    assert [panel.title for panel in chart.panels] == ["T(IoU)", "T(IoBB)"]
    lines = [line for line in chart.panels[0].lines if line.tone != GUIDE]
    assert len(lines) == 4
    assert [line.label for line in lines if line.heavy] == ["cam, dynamic(87.5), largest"]
    assert [line.label for line in lines if line.band is not None] == ["cam, dynamic(87.5), largest"]
    np.testing.assert_allclose(lines[0].x, [0.1, 0.3, 0.5])
    np.testing.assert_allclose(lines[0].y, [0.51, 0.31, 0.11])


def test_the_floor_of_the_headline_is_a_guide(record):
    guides = [line for line in localisation_chart(record()).panels[0].lines if line.tone == GUIDE]
    assert len(guides) == 1
    np.testing.assert_allclose(guides[0].y, 0.1)


def test_the_axis_holds_value_and_interval(record):
    top = localisation_chart(record()).panels[0].y[1]
    assert top == pytest.approx(0.6)


def test_without_localisation_nothing_is_drawn(empty):
    assert localisation_chart(empty) is None
