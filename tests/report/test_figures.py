import dataclasses

import matplotlib as mpl
import numpy as np
import pytest
from sklearn.metrics import roc_curve

from hilum.report.figures import FIGURES, auroc_figure, roc_points, save_figures, svg_of, training_figure


def test_every_figure_becomes_three_whole_files(record, tmp_path):
    save_figures(record(), tmp_path / "figures")
    expected = {f"{name}.{kind}" for name in FIGURES for kind in ("png", "svg", "pdf")}
    assert len(expected) == 12
    assert {file.name for file in (tmp_path / "figures").iterdir()} == expected
    for file in (tmp_path / "figures").iterdir():
        start = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[file.suffix[1:]]
        assert file.read_bytes().startswith(start)


def test_same_record_same_bytes(record, empty, tmp_path):
    short = dataclasses.replace(empty, history=record().history)
    for folder in ("a", "b"):
        save_figures(short, tmp_path / folder)
    for kind in ("png", "svg", "pdf"):
        name = f"training.{kind}"
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), kind


def test_nothing_to_draw_writes_nothing(empty, tmp_path):
    save_figures(empty, tmp_path / "figures")
    assert not (tmp_path / "figures").exists()


def test_drawing_leaves_the_settings_of_the_process_alone(record):
    before = dict(mpl.rcParams)
    svg_of(auroc_figure, record())
    assert dict(mpl.rcParams) == before


def test_a_dollar_sign_in_a_finding_is_no_formula(record, scores):
    odd = [dataclasses.replace(s, finding="$a_{$") for s in scores if s.metric == "auroc"]
    assert svg_of(auroc_figure, record(scores=odd)) is not None


def test_auroc_figure_has_the_mean_last_and_a_dot_for_each_finding(record):
    figure = auroc_figure(record())
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == ["mean", "Pleural Thickening", "Nodule", "Mass"]
    dots = [line.get_xdata()[0] for line in figure.axes[0].lines if line.get_marker() in "oD"]
    np.testing.assert_allclose(dots, [0.7, np.nan, 0.45, 0.8])


def test_training_without_validation_draws_the_rest(record):
    figure = training_figure(
        record(history=[{"epoch": 1, "train_loss": 0.5}, {"epoch": 2, "train_loss": 0.4}])
    )
    assert [len(axes.lines) for axes in figure.axes] == [1, 0]


def test_roc_points_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    labels = (rng.random(200) < 0.3).astype(float)
    probabilities = np.round(rng.random(200) + 0.3 * labels, 2)
    fall_out, recall = roc_points(probabilities, labels)
    expected = roc_curve(labels, probabilities, drop_intermediate=False)
    np.testing.assert_allclose(fall_out, expected[0])
    np.testing.assert_allclose(recall, expected[1])


def test_roc_points_leave_out_films_without_label_and_are_thinned():
    labels = np.array([0.0, 1.0, np.nan])
    fall_out, recall = roc_points(np.array([0.1, 0.9, 0.5]), labels)
    assert (fall_out.tolist(), recall.tolist()) == ([0.0, 0.0, 1.0], [0.0, 1.0, 1.0])
    rng = np.random.default_rng(1)
    many = roc_points(rng.random(5000), (rng.random(5000) < 0.5).astype(float))[0]
    assert len(many) == 250
    assert (many[0], many[-1]) == (0.0, 1.0)


@pytest.mark.parametrize("labels", [[], [0.0, 0.0], [1.0, np.nan]])
def test_no_curve_for_one_label_value(labels):
    assert roc_points(np.zeros(len(labels)), np.array(labels, dtype=float)) is None
