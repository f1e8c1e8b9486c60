import dataclasses

import matplotlib as mpl
import numpy as np

from hilum.report.chart import GUIDE, Chart, Line, Panel
from hilum.report.figures import CHARTS, FIGURES, GREY, auroc_figure, figure_from, save_figures


def test_every_figure_becomes_three_whole_files(record, tmp_path):
    save_figures(record(), tmp_path / "figures")
    expected = {f"{name}.{kind}" for name in FIGURES for kind in ("png", "svg", "pdf")}
    assert len(expected) == 21
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


def test_drawing_leaves_the_settings_of_the_process_alone(empty, scores, tmp_path):
    before = dict(mpl.rcParams)
    save_figures(dataclasses.replace(empty, scores=scores), tmp_path)
    assert dict(mpl.rcParams) == before


def test_a_dollar_sign_in_a_finding_is_no_formula(empty, scores, tmp_path):
    odd = [dataclasses.replace(s, finding="$a_{$") for s in scores if s.metric == "auroc"]
    save_figures(dataclasses.replace(empty, scores=odd), tmp_path)
    assert (tmp_path / "auroc.svg").is_file()


def test_auroc_figure_has_the_mean_last_and_a_dot_for_each_finding(record):
    figure = auroc_figure(record())
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == ["mean", "Pleural Thickening", "Nodule", "Mass"]
    dots = [line.get_xdata()[0] for line in figure.axes[0].lines if line.get_marker() in "oD"]
    np.testing.assert_allclose(dots, [0.7, np.nan, 0.45, 0.8])


def test_every_chart_of_the_page_is_a_figure_too(record, empty):
    assert set(CHARTS) == set(FIGURES) - {"auroc"}
    assert all(draw(record()) is not None for draw in FIGURES.values())
    assert all(draw(empty) is None for draw in FIGURES.values())


def test_a_chart_becomes_axes_with_its_lines_bands_and_marks():
    x = np.array([0.0, 1.0])
    lines = [
        Line(x, x, GUIDE),
        Line(x, x, 1, "one", band=(x, x), heavy=True),
        Line(x, x, 2, "two", band=(x, x), joined=False, dots=True),
    ]
    panel = Panel("A", lines, (0.0, 1.0), (0.0, 2.0), "x", "y", ticks=[(0.5, "half")], marks=[(0.5, "here")])
    figure = figure_from(Chart("", [panel]))
    axes = figure.axes[0]
    assert [line.get_color() for line in axes.lines[:1]] == [GREY]
    assert [line.get_linestyle() for line in axes.lines[:3]] == ["-", "-", "None"]
    assert len(axes.collections) == 2  # a band and whiskers
    assert axes.get_ylim() == (0.0, 2.0)
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["half"]
    assert [text.get_text() for text in axes.texts] == ["here"]
    assert [text.get_text() for text in figure.legends[0].texts] == ["one", "two"]


def test_small_panels_share_their_words_and_leave_no_empty_axes():
    panels = [Panel(str(n), [], (0.0, 1.0), (0.0, 1.0), "x", "y") for n in range(7)]
    figure = figure_from(Chart("", panels, small=True))
    assert [axes.axison for axes in figure.axes] == [True] * 7 + [False] * 3
    assert {axes.get_xlabel() for axes in figure.axes} == {""}
    assert figure.get_supxlabel() == "x"


def test_a_panels_number_says_what_it_is_on_paper():
    panels = [Panel("Mass", [], (0.0, 1.0), (0.0, 1.0), note="0.812"), Panel("B", [], (0.0, 1.0), (0.0, 1.0))]
    figure = figure_from(Chart("", panels, True, "AUROC"))
    assert [axes.get_title() for axes in figure.axes] == ["Mass\nAUROC 0.812", "B"]
