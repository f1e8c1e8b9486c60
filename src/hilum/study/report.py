"""The reporting stage: a scored run -> `report.html`, `tables/` and `figures/`."""

import json
from collections.abc import Sequence

import numpy as np

from hilum.boxes import no_boxes, paired_iou
from hilum.data.cohort import Cohort
from hilum.data.store import Progress, silent
from hilum.evaluate import APART, Score, scores_from_json
from hilum.files import write_text
from hilum.recipe import Recipe
from hilum.report import (
    Example,
    RunRecord,
    SummaryRow,
    Sweep,
    curves_from,
    page_from,
    save_figures,
    save_tables,
    summary_from,
    swept,
)
from hilum.report.curves import POINTS
from hilum.report.sweep import THRESHOLDS
from hilum.study.claim_scores import scored_run
from hilum.study.claims import claims_of
from hilum.study.ensemble import shown
from hilum.study.failures import failures
from hilum.study.folder import RunFolder, read_boxes, read_csv, read_json
from hilum.study.heatmap_files import read_maps
from hilum.study.opening import Films, Pixels
from hilum.study.score import entry_rows, scored_films


def report(
    folder: RunFolder, recipe: Recipe, films: Films, pixels: Pixels, progress: Progress = silent
) -> Sequence[SummaryRow]:
    """Writes the page, the figures and the tables; returns the table that ends a run.

    Raises:
        RunError: The run is not scored yet.
    """
    record = record_of(folder, recipe, films, pixels)
    progress(1, 3)
    write_text(folder.report, page_from(record))
    save_tables(record, folder.path / "tables")
    progress(2, 3)
    save_figures(record, folder.path / "figures", recipe.report.figures)
    progress(3, 3)
    return summary_from(record.scores, record.headline)


def record_of(folder: RunFolder, recipe: Recipe, films: Films, pixels: Pixels) -> RunRecord:
    """All that the page, the figures and the tables of a scored run say.

    Raises:
        RunError: The run is not scored yet.
    """
    scores = scores_from_json(read_json(folder.demand(folder.scores, "score")))
    cohort, probabilities = scored_films(folder, films)
    labels = cohort.labels.astype(float)
    rng = np.random.Generator(np.random.Philox(recipe.evaluate.seed))
    seen, seen_probabilities = scored_films(folder, films, "val")
    validation = (seen_probabilities, seen.labels.astype(float)) if len(seen) else None
    n_draws = recipe.evaluate.bootstrap_draws
    points = list(dict.fromkeys([*recipe.evaluate.operating_points, *POINTS]))
    curves = curves_from(probabilities, labels, cohort.patient, validation, n_draws, rng, points)
    pictures = examples(folder, recipe, films, pixels, cohort, probabilities)
    text, settings, members = shown(folder, recipe)
    return RunRecord(
        title=recipe.report.title,
        description=recipe.report.description,
        recipe=text,
        data=[*_facts(films), *_size(scores), *members],
        warnings=_warnings(films),
        versions=read_json(folder.record)["versions"],
        history=[json.loads(line) for line in folder.history.read_text().splitlines()],
        scores=[score for score in scores if score.metric not in APART],
        examples=pictures,
        failures=[(line["film"], line["reason"]) for line in read_csv(folder.failures)],
        headline=(recipe.explain.methods[0], recipe.localize.rules[0].name),
        probabilities=probabilities,
        labels=labels,
        findings=cohort.findings,
        settings=settings,
        rule=recipe.localize.rules[0],
        curves=curves,
        sweep=_sweep(folder, recipe, films, cohort),
        cases=failures(folder, recipe, films, pixels, curves, pictures),
        claims=claims_of(scored_run(folder, recipe, films)) if recipe.claims else (),
        apart=[score for score in scores if score.metric in APART],
    )


def _sweep(folder: RunFolder, recipe: Recipe, films: Films, cohort: Cohort) -> Sweep:
    """Every heatmap method under every threshold of the figure, all else as in the headline's rule."""
    rule, lines = recipe.localize.rules[0], []
    for method in recipe.explain.methods:
        stored = read_maps(folder, method, cohort, films.cohort)
        wanted = np.unique(entry_rows(cohort, stored))
        lines.append(
            swept(
                stored.maps[wanted],
                stored.affine[wanted],
                stored.image[wanted],
                stored.finding[wanted],
                cohort.reference,
                recipe.data.geometry.input_hw,
                rule,
                cohort.frame_hw,
            )
        )
    return Sweep(recipe.explain.methods, THRESHOLDS, rule.threshold, np.stack(lines))


def _facts(films: Films) -> list[tuple[str, str]]:
    cohort = films.cohort
    facts = [
        ("films", f"{cohort.source}: {films.complete} of the table on disk and readable"),
        ("patients", f"{len(np.unique(cohort.patient)):,}"),
        ("split", f"{cohort.split_name} (hash {cohort.split_hash})"),
    ]
    for side in ("train", "val", "test"):
        rows = cohort.side(side)
        patients = len(np.unique(cohort.patient[rows]))
        listed = films.listed_by_split[side]
        facts.append((side, f"{len(rows):,} of {listed:,} films, {patients:,} patients"))
    boxed = len(np.unique(cohort.reference.image))
    boxes = f"{len(cohort.reference):,} of {films.n_listed_boxes:,} on {boxed:,} films"
    facts.append(("reference boxes", f"{boxes} ({cohort.box_release or 'no list'})"))
    return facts + [("how it was read", line) for line in cohort.chosen]


def _size(scores: Sequence[Score]) -> list[tuple[str, str]]:
    found = [score.value for score in scores if score.metric == "parameters"]
    return [("parameters of the network", f"{value:,.0f}") for value in found]


def _warnings(films: Films) -> list[str]:
    warnings = []
    if films.cohort.source == "phantoms":
        warnings.append(
            "Phantoms, not people: these figures test the software and say nothing about patients."
        )
    if films.partial:
        warnings.append(
            f"A partial sample ({films.complete}): its figures may not be compared with the literature."
        )
    if films.cohort.mended:
        warnings.append(
            f"{len(films.cohort.mended)} rows of the table were mended; the first: {films.cohort.mended[0]}"
        )
    return warnings


def examples(
    folder: RunFolder,
    recipe: Recipe,
    films: Films,
    pixels: Pixels,
    cohort: Cohort,
    probabilities: np.ndarray,
) -> list[Example]:
    """Every reference entry's film, heatmap and boxes under the headline method and rule."""
    method, rule = recipe.explain.methods[0], recipe.localize.rules[0]
    stored = read_maps(folder, method, cohort, films.cohort)
    boxes = read_boxes(folder, cohort, films.cohort).get((method, rule.name), no_boxes())
    store_row = dict(zip(films.cohort.films.tolist(), pixels.rows.tolist(), strict=True))
    found = []
    for row, (image, finding) in enumerate(zip(stored.image, stored.finding, strict=True)):
        same = (cohort.reference.image == image) & (cohort.reference.finding == finding)
        predicted = boxes.xyxy[(boxes.image == image) & (boxes.finding == finding)]
        reference = cohort.reference.xyxy[same]
        if not len(reference):  # a map made by --findings all
            continue
        name = str(cohort.films[image])
        found.append(
            Example(
                film=pixels.store.pixels[store_row[name]],
                heatmap=stored.maps[row],
                affine=stored.affine[row],
                input_hw=recipe.data.geometry.input_hw,
                frame_hw=cohort.frame_hw,
                finding=cohort.findings[finding],
                probability=float(probabilities[image, finding]),
                predicted=predicted,
                reference=reference,
                iou=_best_iou(predicted, reference),
                name=name,
            )
        )
    return found


def _best_iou(predicted: np.ndarray, reference: np.ndarray) -> float:
    """Greatest overlap of any predicted with any reference box; 0 without a prediction."""
    if not len(predicted):
        return 0.0
    pairs = np.repeat(predicted, len(reference), axis=0), np.tile(reference, (len(predicted), 1))
    return float(paired_iou(*pairs).max())
