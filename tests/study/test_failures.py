"""Failures of a run: every false call is there, and those that are shown have film, map and boxes."""

import dataclasses

import numpy as np
import pytest

from hilum.report.curves import curves_from
from hilum.report.failure import FALSE_CALL, LIT, picked
from hilum.study.failures import failures
from hilum.study.report import examples
from hilum.study.score import scored_films


@pytest.fixture
def curves(run):
    cohort, probabilities = scored_films(run.folder, run.films)
    films = probabilities, cohort.labels.astype(float), cohort.patient
    seen, likely = scored_films(run.folder, run.films, "val")
    return curves_from(*films, (likely, seen.labels.astype(float)), 20, np.random.default_rng(0))


def made(run, curves):
    cohort, probabilities = scored_films(run.folder, run.films)
    entries = examples(run.folder, run.recipe, run.films, run.pixels, cohort, probabilities)
    return failures(run.folder, run.recipe, run.films, run.pixels, curves, entries)


def test_false_calls_are_all_there_and_the_shown_ones_have_maps(run, curves) -> None:
    cohort, probabilities = scored_films(run.folder, run.films)
    cases = made(run, curves)
    false_calls = [case for case in cases if case.kind in (LIT, FALSE_CALL)]
    assert len(false_calls) == ((cohort.labels == 0) & (probabilities >= curves.points[0][0].cut)).sum() > 0
    shown = [case for kind in (LIT, FALSE_CALL) for case in picked(cases, kind)]
    assert shown
    for case in shown:
        example = case.example
        assert example is not None
        assert (example.name, example.finding) == (case.film, case.finding)
        assert example.heatmap is not None
        assert len(example.predicted) <= 1
        assert not len(example.reference)
    assert all(case.example is None for case in false_calls if not any(case is each for each in shown))


def test_without_weights_or_cuts_the_failures_are_still_counted(run, curves) -> None:
    n_with = len(made(run, curves))
    run.folder.weights.unlink()
    without = made(run, curves)
    assert len(without) == n_with
    assert all(case.example is None for case in without if case.kind == LIT)
    uncut = made(run, dataclasses.replace(curves, points=()))
    assert not [case for case in uncut if case.kind in (LIT, FALSE_CALL)]
