"""The page of a sweep: what chooses, what failed, where values lie."""

import math

import pytest

from hilum.report import Searched, SearchRecord, Trial, best_so_far, csv_of, search_page, search_table

RATE, POOL = "training.learning_rate", "model.name"
SEARCHED = {RATE: Searched("log_uniform", (1e-5, 1e-2)), POOL: Searched("choice", ("max_pooling", "pcam"))}


def _history(*figures: float) -> list[dict[str, float]]:
    return [
        {"epoch": float(n), "val_auroc": figure, "val_loss": 1 - figure / 2, "seconds": 2.0}
        for n, figure in enumerate(figures)
    ]


TRIALS = [
    Trial("0001", {RATE: 1e-3, POOL: "pcam"}, "finished", "", _history(0.6, 0.7, 0.65)),
    Trial("0002", {RATE: 1e-5, POOL: "max_pooling"}, "stopped", "", _history(0.9)),
    Trial("0003", {RATE: 1e-2, POOL: "pcam"}, "failed", "training: <b> diverged", ()),
    Trial("0004", {RATE: 2e-3, POOL: "pcam"}, "interrupted", "", _history(0.95)),
    Trial("0005", {RATE: 2e-4, POOL: "pcam"}, "finished", "", _history(0.6, 0.72)),
]


def _record(trials: list[Trial] = TRIALS, monitor: str = "val_auroc") -> SearchRecord:
    return SearchRecord("Title", monitor, SEARCHED, trials, 7)


@pytest.mark.parametrize("monitor", ["val_auroc", "val_loss"])
def test_the_best_finished_trial_is_chosen(monitor: str) -> None:
    """Not one that was stopped or interrupted, though its figure is better."""
    record = _record(monitor=monitor)
    assert record.chosen == "0005"
    page = search_page(record)
    assert 'href="trials/0005/report.html"' in page
    assert "no test film, no box" in page


def test_trials_stand_in_order_of_their_figures_below_the_chosen_one() -> None:
    page = search_page(_record())
    heads = [page.index(f'scope="row">{name}') for name in ("✓ 0005", "0004", "0002", "0001", "0003")]
    assert heads == sorted(heads)


def test_a_failed_trial_says_why_and_is_escaped() -> None:
    page = search_page(_record())
    assert "0003: training: &lt;b&gt; diverged" in page
    assert "the same command goes on" in page


def test_the_lead_counts_what_became_of_them() -> None:
    page = search_page(_record())
    assert "5 trials: 2 trained to the end, 1 stopped early, 1 failed, 1 not ended." in page


def test_an_empty_sweep_has_a_page() -> None:
    page = search_page(_record([]))
    assert "No trial was begun" in page
    assert "none is chosen" in page
    assert "<svg" not in page


def test_without_a_figure_nothing_is_chosen_or_drawn() -> None:
    nan = Trial("0001", {RATE: 1e-3, POOL: "pcam"}, "finished", "", _history(math.nan))
    record = _record([nan, TRIALS[2]])
    assert record.chosen == ""
    assert "<svg" not in search_page(record)


def test_charts_show_every_value_and_every_curve() -> None:
    page = search_page(_record())
    assert all(f'aria-label="{title}' in page for title in ("learning_rate", "name", "Validation AUROC"))
    assert all(f">1e-{power}<" in page for power in (2, 3, 4, 5))
    assert ">max_pooling<" in page
    assert "1e-05 to 0.01, even in the exponent" in page


def test_the_table_has_a_line_a_trial_in_the_order_of_their_beginning() -> None:
    lines = csv_of(search_table(_record())).splitlines()
    assert lines[0] == f"trial,{RATE},{POOL},state,epochs,val_auroc,seconds,chosen,reason"
    assert lines[1] == "0001,0.001,pcam,finished,3,0.7,6,false,"
    assert lines[3] == "0003,0.01,pcam,failed,0,,0,false,training: <b> diverged"
    assert lines[5] == "0005,0.0002,pcam,finished,2,0.72,4,true,"
    assert len(lines) == 6


def test_best_so_far_skips_what_is_no_number() -> None:
    history = [{"val_auroc": figure} for figure in (math.nan, 0.6, 0.5, 0.7)]
    assert best_so_far(history, "val_auroc")[1:] == [0.6, 0.6, 0.7]
    assert math.isnan(best_so_far(history, "val_auroc")[0])
    assert best_so_far([], "val_loss") == []
