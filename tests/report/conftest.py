import math

import numpy as np
import pytest

from hilum.evaluate.claims import Verdict
from hilum.evaluate.protocol import Protocol, Score
from hilum.localize import BoxRule
from hilum.report.curves import curves_from
from hilum.report.failure import cases_from
from hilum.report.record import Example, JudgedClaim, RunRecord
from hilum.report.sweep import SHOWN, THRESHOLDS, Sweep

FINDINGS = ("Mass", "Nodule", "Pleural_Thickening")
RULES = ("dynamic(87.5), largest", "level(180), largest")
NAN = math.nan


def _classification(value=0.7, stratum=None):
    protocol = Protocol(films="phantoms, test list", split="official", denominator="pairs")
    floors = {"chance": 0.5, "view": 0.56}
    numbers = [
        (None, value, 60),
        ("Mass", value + 0.1, 30),
        ("Nodule", 0.45, 30),
        ("Pleural_Thickening", NAN, 0),
    ]
    for finding, number, n in numbers:
        ends = (number - 0.08, number + 0.08) if n else (NAN, NAN)
        yield Score("auroc", None, finding, None, None, number, *ends, n, 0.5, protocol, floors, stratum)


def _localisation(method, rule, stratum=None):
    protocol = Protocol(
        films="phantoms, test list", split="official", box_source="phantom", denominator="entries"
    )
    floors = {"random": 0.1, "class_mean_box": 0.3}
    for metric, ts in (("t_iou", (0.1, 0.3, 0.5)), ("t_iobb", (0.1,))):
        for t in ts:
            for finding, n in ((None, 14), ("Mass", 10), ("Nodule", 4)):
                value = 0.61 - t + 0.07 * (finding == "Mass")
                ends = (NAN, NAN) if n < 5 else (value - 0.04, value + 0.04)
                yield Score(metric, t, finding, method, rule, value, *ends, n, 0.1, protocol, floors, stratum)


@pytest.fixture(scope="session")
def scores():
    """Two methods, two rules, three findings, one stratum; undefined and at-floor numbers among them."""
    made = [*_classification(), *_classification(0.66, "sex=F")]
    for method in ("cam", "gradcam"):
        protocol = Protocol(
            films="phantoms, test list", split="official", map_size="frame", denominator="entries"
        )
        made.append(Score("hit_rate", None, None, method, None, 0.52, 0.4, 0.6, 14, 0.11, protocol))
        for rule in RULES:
            made += _localisation(method, rule)
    return [*made, *_localisation("cam", RULES[0], "size<1%")]


@pytest.fixture(scope="session")
def example():
    """A grey film of 64 px in a frame of 200 x 100, and a map that is hot in one corner."""

    def build(**changes):
        heat = np.zeros((4, 4), np.float32)
        heat[0, 3] = 2.0
        values = {
            "film": np.full((64, 64), 100, np.uint8),
            "heatmap": heat,
            "affine": np.array([[100 / 32, 0.0, 0.0], [0.0, 200 / 32, 0.0]]),
            "input_hw": (32, 32),
            "frame_hw": (200, 100),
            "finding": "Mass",
            "probability": 0.7,
            "predicted": np.array([[60.0, 0.0, 100.0, 40.0]]),
            "reference": np.array([[50.0, 10.0, 90.0, 50.0]]),
            "iou": 0.4,
            "name": "00090001_000.png",
        }
        return Example(**{**values, **changes})

    return build


@pytest.fixture(scope="session")
def record(scores, example):
    """A whole run; keywords change a part of it."""
    rng = np.random.default_rng(3)
    labels = (rng.random((40, 3)) < 0.4).astype(float)
    labels[:, 2] = 0.0
    labels[:4] = 0.0
    probabilities = rng.random((40, 3))
    films = np.array([f"{row:08d}_000.png" for row in range(40)])
    seen = rng.random((30, 3)), (rng.random((30, 3)) < 0.5).astype(float)
    curves = curves_from(probabilities, labels, films, seen, 40, rng)
    examples = [example(), example(iou=0.1, name="00090002_000.png"), example(finding="Nodule")]
    cut = np.full(3, 0.5)

    held = Verdict("holds", 0.1, 0.02, 0.2, 1)

    def build(**changes):
        values = {
            "title": "demo",
            "description": "A small network learns from phantoms.",
            "recipe": "[data]\nsize = 64\n",
            "data": [("films", "40"), ("patients", "31")],
            "warnings": ["A partial sample: not to be compared."],
            "versions": {"hilum": "0.1.0"},
            "history": [
                {
                    "epoch": 1,
                    "train_loss": 0.5,
                    "val_loss": 0.6,
                    "val_auroc": 0.6,
                    "learning_rate": 1e-3,
                    "seconds": 2.0,
                },
                {
                    "epoch": 2,
                    "train_loss": 0.4,
                    "val_loss": 0.5,
                    "val_auroc": 0.7,
                    "learning_rate": 1e-3,
                    "seconds": 2.0,
                },
            ],
            "scores": scores,
            "examples": examples,
            "failures": [("00090009_000.png", "the file is truncated")],
            "headline": ("cam", RULES[0]),
            "probabilities": probabilities,
            "labels": labels,
            "findings": FINDINGS,
            "settings": {"model": {"name": "average_pooling", "backbone": "densenet121"}},
            "rule": BoxRule(),
            "curves": curves,
            "sweep": Sweep(
                ("cam", "gradcam"), THRESHOLDS, "dynamic(87.5)", np.full((2, 13, len(SHOWN)), 0.4)
            ),
            "cases": cases_from(films, FINDINGS, probabilities, labels, cut, examples),
            "claims": [JudgedClaim("a beats b", "better", "t_iou", 0.1, "", held)],
        }
        return RunRecord(**{**values, **changes})

    return build


@pytest.fixture(scope="session")
def empty(record):
    """A run that has nothing to say."""
    nothing = {"history": [], "scores": [], "examples": [], "failures": [], "warnings": [], "data": []}
    arrays = {"probabilities": np.zeros((0, 3)), "labels": np.zeros((0, 3))}
    later = {"settings": {}, "rule": None, "curves": None, "sweep": None, "cases": [], "claims": []}
    return record(**nothing, **arrays, **later, versions={}, recipe="", description="")
