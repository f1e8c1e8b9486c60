import dataclasses

import numpy as np
import pytest
from sklearn.metrics import precision_recall_curve, roc_curve

from hilum.report.chart import GUIDE
from hilum.report.classification_charts import calibration_chart, precision_recall_chart, roc_chart

CHARTS = (roc_chart, precision_recall_chart, calibration_chart)


def curve(panel):
    """The one line that is neither a guide nor a bare band."""
    return next(line for line in panel.lines if line.tone != GUIDE and np.isfinite(line.y).any())


def test_a_panel_for_each_finding_with_both_labels(record):
    assert [panel.title for panel in roc_chart(record()).panels] == ["Mass", "Nodule"]
    assert [panel.title for panel in precision_recall_chart(record()).panels] == ["Mass", "Nodule"]
    assert len(calibration_chart(record()).panels) == 3  # one label value can be calibrated


def test_curves_are_those_of_scikit_learn(record):
    films = record()
    labels, probabilities = films.labels[:, 0], films.probabilities[:, 0]
    line = curve(roc_chart(films).panels[0])
    fall_out, recall, _ = roc_curve(labels, probabilities, drop_intermediate=False)
    np.testing.assert_allclose([line.x, line.y], [fall_out, recall])
    line = curve(precision_recall_chart(films).panels[0])
    precision, recall, _ = precision_recall_curve(labels, probabilities)
    np.testing.assert_allclose([line.x, line.y], [recall[-2::-1], precision[-2::-1]])


def test_many_points_are_thinned_and_keep_their_ends(record):
    rng = np.random.default_rng(1)
    many = record(probabilities=rng.random((5000, 3)), labels=(rng.random((5000, 3)) < 0.5).astype(float))
    line = curve(roc_chart(many).panels[0])
    assert len(line.x) == 200
    assert (line.x[0], line.x[-1], line.y[-1]) == (0.0, 1.0, 1.0)


def test_the_number_of_a_panel_is_its_score(record):
    assert [panel.note for panel in roc_chart(record()).panels] == ["0.800", "0.450"]
    assert [panel.note for panel in precision_recall_chart(record()).panels] == ["", ""]


def test_the_floor_of_precision_is_the_share_of_films_with_the_finding(record):
    films = record()
    floor = precision_recall_chart(films).panels[0].lines[0]
    np.testing.assert_allclose(floor.y, films.labels[:, 0].mean())


def test_bands_stand_under_the_curves_where_the_record_has_them(record):
    assert sum(line.band is not None for line in roc_chart(record()).panels[0].lines) == 1
    bare = dataclasses.replace(record(), curves=None)
    assert sum(line.band is not None for line in roc_chart(bare).panels[0].lines) == 0
    assert calibration_chart(bare) is None


def test_calibration_ends_where_its_numbers_do(record):
    for panel in calibration_chart(record()).panels:
        greatest = max(np.nanmax([line.x, line.y]) for line in panel.lines[1:])
        assert panel.x == panel.y
        assert greatest <= panel.x[1] <= max(1.0, 1.5 * greatest)
        assert (np.diff(panel.lines[1].x) >= 0).all()


@pytest.mark.parametrize("make", CHARTS)
def test_nothing_to_draw(make, empty):
    assert make(empty) is None
