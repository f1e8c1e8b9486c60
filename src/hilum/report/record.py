"""What a page says of a run, as plain values that the study fills in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from hilum.evaluate.claims import Verdict
from hilum.evaluate.protocol import Score
from hilum.localize import BoxRule
from hilum.report.curves import Curves
from hilum.report.sweep import Sweep


@dataclass(frozen=True)
class Example:
    """One film with the heatmap of one finding, for the pictures of a page.

    Attributes:
        film: The whole film, squeezed into a square.
        heatmap: Raw; covers the network's input. None where none was made.
        affine: From network-input pixel to frame pixel.
        input_hw: Height and width of the network's input, in px.
        frame_hw: Height and width of the frame of the boxes, in px.
        finding: Whose heatmap it is.
        probability: What the network gives for the finding, in [0, 1].
        predicted: Boxes made from the heatmap, in the frame.
        reference: Radiologists' (or the phantom's true) boxes, in the frame.
        iou: The overlap that was scored; NaN where there is no reference.
        name: Name of the film.
    """

    film: UInt8[np.ndarray, "s s"]
    heatmap: Float[np.ndarray, "h w"] | None
    affine: Float[np.ndarray, "2 3"]
    input_hw: tuple[int, int]
    frame_hw: tuple[int, int]
    finding: str
    probability: float
    predicted: Float[np.ndarray, "k 4"]
    reference: Float[np.ndarray, "m 4"]
    iou: float
    name: str


@dataclass(frozen=True)
class Case:
    """One failure: a finding of a film that was called or boxed wrongly.

    Attributes:
        kind: A name of `failure.KINDS`.
        film: Its name.
        finding: Which one.
        probability: What the network gives for it.
        cut: Probability from which on it counts as called; NaN where there is none.
        iou: Best overlap with a reference box; NaN where the film has none.
        example: The film with its map and boxes; None where no picture is kept.
    """

    kind: str
    film: str
    finding: str
    probability: float
    cut: float
    iou: float
    example: Example | None = None


@dataclass(frozen=True)
class JudgedClaim:
    """What a paper says, and whether this run bears it out.

    Attributes:
        text: The claim.
        kind: Call of `hilum.evaluate.claims.CLAIMS`.
        metric: A name of `METRICS`.
        at: Its T, or None.
        expected: What the paper's own numbers say, where they do not bear the claim out.
        verdict: Whether it holds.
    """

    text: str
    kind: str
    metric: str
    at: float | None
    expected: str
    verdict: Verdict


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """Everything a page says.

    Attributes:
        title: Name of the recipe.
        description: One sentence on what was done.
        recipe: The resolved recipe as TOML.
        data: Facts about the cohort: what, how many.
        warnings: What a reader must know before any number.
        versions: Version of each package, and of hilum's own code.
        history: One entry an epoch: epoch, train_loss, val_loss, val_auroc, learning_rate, seconds, and
            stage where training has several; others are ignored.
        scores: Whole scores and strata.
        examples: Films for the gallery; the page takes the best, the median and the worst of each finding.
        failures: Film and reason, for films that could not be used.
        headline: Heatmap method and box rule whose localisation heads the page.
        probabilities: Of the scored films.
        labels: Of the same films: 1, 0 or NaN.
        findings: Names of the columns of both.
        settings: The recipe as plain values by section, for the methods paragraph.
        rule: How the headline's boxes are made.
        curves: Bands of the curves and operating points.
        sweep: Localisation under many thresholds.
        cases: Failures, the most telling of each kind first.
        claims: Of the paper, in the order of the recipe.
        apart: Scores of the metrics in `APART`: beside published numbers, and in no other table.
    """

    title: str
    description: str
    recipe: str
    data: Sequence[tuple[str, str]]
    warnings: Sequence[str]
    versions: Mapping[str, str]
    history: Sequence[Mapping[str, float | int | str]]
    scores: Sequence[Score]
    examples: Sequence[Example]
    failures: Sequence[tuple[str, str]]
    headline: tuple[str, str]
    probabilities: Float[np.ndarray, "n f"]
    labels: Float[np.ndarray, "n f"]
    findings: Sequence[str]
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    rule: BoxRule | None = None
    curves: Curves | None = None
    sweep: Sweep | None = None
    cases: Sequence[Case] = ()
    claims: Sequence[JudgedClaim] = ()
    apart: Sequence[Score] = ()
