"""A run's record in; ROC, precision-recall and calibration charts out, one small panel a finding."""

import math
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from hilum.evaluate.curve import Band, precision_recall_curve, roc_curve
from hilum.report.chart import GUIDE, Chart, Line, Panel, nice_end
from hilum.report.record import RunRecord

CURVE_POINTS = 200
"""Points of a curve that are drawn."""

UNIT = (0.0, 1.0)


def roc_chart(record: RunRecord) -> Chart | None:
    """ROC curve of each finding that has both label values among the scored films."""
    panels = []
    diagonal = Line(np.array(UNIT), np.array(UNIT), GUIDE, dashes=2)
    for column, finding in enumerate(record.findings):
        x, y = (_thinned(axis) for axis in roc_curve(*_films(record, column)))
        if len(x):
            lines = [diagonal, *_band_line(record.curves and record.curves.roc, column), Line(x, y)]
            panels.append(_panel(record, finding, lines, "1 - specificity", "sensitivity", "auroc"))
    caption = "ROC curves with 95 % bands over redrawn patients, and AUROC; dotted: a coin"
    return Chart(caption, panels, True, "AUROC") if panels else None


def precision_recall_chart(record: RunRecord) -> Chart | None:
    """Precision against recall of each finding that has both label values among the scored films."""
    panels = []
    for column, finding in enumerate(record.findings):
        films = _films(record, column)
        x, y = (_thinned(axis) for axis in precision_recall_curve(*films))
        if len(x):
            share = float(np.nanmean(films[1]))
            floor = Line(np.array(UNIT), np.array([share, share]), GUIDE, dashes=2)
            band = _band_line(record.curves and record.curves.precision_recall, column)
            words = ("recall", "precision", "average_precision")
            panels.append(_panel(record, finding, [floor, *band, Line(x, y)], *words))
    caption = (
        "Precision against recall with 95 % bands, and average precision; dotted: share of films with the "
        "finding"
    )
    return Chart(caption, panels, True, "AP") if panels else None


def calibration_chart(record: RunRecord) -> Chart | None:
    """Share of films with the finding against the mean probability, in bins of equal mass."""
    curves = record.curves
    if curves is None or curves.reliability is None or curves.reliability_band is None:
        return None
    panels = []
    for column, finding in enumerate(record.findings):
        bins, (low, high) = curves.reliability, (end[column] for end in curves.reliability_band)
        x, y = bins.probability[column], bins.share[column]
        there = np.isfinite(x)
        if not there.any():
            continue
        order = np.flatnonzero(there)[np.argsort(x[there])]
        ends = low[order], high[order]
        lines = [Line(x[order], y[order], 0, "as it is", ends, dots=True, joined=False)]
        if curves.scaled is not None and np.isfinite(curves.scaled.probability[column]).any():
            after = curves.scaled.probability[column], curves.scaled.share[column]
            order = np.argsort(after[0])[: int(np.isfinite(after[0]).sum())]
            lines.append(
                Line(
                    after[0][order], after[1][order], 1, "after temperature scaling", dots=True, joined=False
                )
            )
        end = min(1.0, nice_end(max(float(np.nanmax([*line.x, *line.y])) for line in lines)))
        diagonal = Line(np.array([0.0, end]), np.array([0.0, end]), GUIDE, dashes=2)
        note = _note(record, finding, "ece")
        panels.append(
            Panel(
                finding.replace("_", " "),
                [diagonal, *lines],
                (0.0, end),
                (0.0, end),
                "mean probability",
                "share with the finding",
                note,
            )
        )
    caption = (
        "Calibration in 15 bins of equal mass with 95 % intervals, and calibration error; dotted: a "
        "probability that comes true; both axes end where the greatest number lies"
    )
    return Chart(caption, panels, True, "ECE") if panels else None


def _films(record: RunRecord, column: int) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    return record.probabilities[:, column], record.labels[:, column]


def _panel(record: RunRecord, finding: str, lines: list[Line], x: str, y: str, metric: str) -> Panel:
    note = _note(record, finding, metric)
    return Panel(finding.replace("_", " "), lines, UNIT, UNIT, x, y, note)


def _band_line(band: Band | None, column: int) -> Iterator[Line]:
    """The band alone, under the exact curve."""
    if band is not None and np.isfinite(band.low[column]).any():
        nothing = np.full(len(band.x), math.nan)
        yield Line(band.x, nothing, band=(band.low[column], band.high[column]))


def _note(record: RunRecord, finding: str, metric: str) -> str:
    """The score of the panel, so that curve and table are seen to agree."""
    whole = (s for s in record.scores if s.stratum is None and s.finding == finding and s.metric == metric)
    score = next(whole, None)
    return "" if score is None or math.isnan(score.value) else f"{score.value:.3f}"


def _thinned(axis: Float[np.ndarray, " k"]) -> Float[np.ndarray, " p"]:
    """Evenly chosen points, both ends among them."""
    keep = np.unique(np.linspace(0, len(axis) - 1, CURVE_POINTS).round().astype(int)) if len(axis) else []
    return axis[np.asarray(keep, int)].astype(float)
