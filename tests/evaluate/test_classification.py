import numpy as np
import pytest

from hilum.evaluate.classification import auroc, average_precision

NAN = np.nan


@pytest.mark.parametrize(
    ("probabilities", "labels", "area", "precision"),
    [
        ([], [], NAN, NAN),  # nothing
        ([0.9, 0.8, 0.2, 0.1], [1, 1, 0, 0], 1.0, 1.0),  # in order
        ([0.1, 0.2, 0.8, 0.9], [1, 1, 0, 0], 0.0, (1 / 3 + 2 / 4) / 2),  # upside down
        ([0.5, 0.5, 0.5, 0.5], [1, 0, 0, 0], 0.5, 0.25),  # all tied
        ([0.9, 0.5, 0.5, 0.1], [1, 1, 0, 0], 3.5 / 4, (1 + 2 / 3) / 2),  # one tie of four pairs
        (
            [0.7, 0.5, 0.5, 0.5, 0.2],
            [0, 1, 1, 0, 1],
            (0.5 + 0.5 + 0) / 6,
            (2 * 2 / 4 + 3 / 5) / 3,
        ),  # mixed tie
        ([0.9, 0.8], [1, 1], NAN, NAN),  # one value only
        ([0.9, 0.8], [0, 0], NAN, NAN),
        ([0.9, 0.8, 0.1], [1, NAN, 0], 1.0, 1.0),  # a film of unknown label is left out
        ([0.9, NAN, 0.1], [1, 0, 0], 1.0, 1.0),  # and one without a probability
        ([0.9, NAN], [1, 0], NAN, NAN),  # which may leave one value only
    ],
)
def test_hand_worked(probabilities, labels, area, precision) -> None:
    columns = np.array(probabilities, float)[:, None], np.array(labels, float)[:, None]
    np.testing.assert_allclose(auroc(*columns), [area], atol=1e-15)
    np.testing.assert_allclose(average_precision(*columns), [precision], atol=1e-15)


def test_each_finding_for_itself() -> None:
    probabilities = np.array([[0.9, 0.9, 0.9], [0.1, 0.1, 0.1]])
    labels = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    np.testing.assert_array_equal(auroc(probabilities, labels), [1.0, 0.0, NAN])


def test_an_odd_label_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a label is -1.0; labels are 1, 0 or NaN"):
        auroc(np.zeros((2, 1)), np.array([[-1.0], [1.0]]))


def test_tables_of_unequal_shape_are_refused() -> None:
    with pytest.raises((ValueError, TypeError)):  # the shape checker of the tests may come first
        auroc(np.zeros((2, 1)), np.zeros((3, 1)))
