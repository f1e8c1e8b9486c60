"""The reporting stage: a scored run -> `report.html` and `figures/`."""

import json
from collections.abc import Sequence

import numpy as np

from hilum.boxes import no_boxes, paired_iou
from hilum.data.cohort import Cohort
from hilum.data.store import Progress, silent
from hilum.evaluate import scores_from_json
from hilum.files import write_text
from hilum.recipe import Recipe, toml_from
from hilum.report import Example, RunRecord, SummaryRow, page_from, save_figures, summary_from
from hilum.study.folder import RunFolder, read_boxes, read_csv, read_json
from hilum.study.heatmap_files import read_maps
from hilum.study.opening import Films, Pixels
from hilum.study.score import scored_films


def report(
    folder: RunFolder, recipe: Recipe, films: Films, pixels: Pixels, progress: Progress = silent
) -> Sequence[SummaryRow]:
    """Writes the page and the figures; returns the table that ends a run.

    Raises:
        RunError: The run is not scored yet.
    """
    scores = scores_from_json(read_json(folder.demand(folder.scores, "score")))
    headline = recipe.explain.methods[0], recipe.localize.rules[0].name
    cohort, probabilities = scored_films(folder, films)
    record = RunRecord(
        title=recipe.report.title,
        description=recipe.report.description,
        recipe=toml_from(recipe),
        data=_facts(films),
        warnings=_warnings(films),
        versions=read_json(folder.record)["versions"],
        history=[json.loads(line) for line in folder.history.read_text().splitlines()],
        scores=scores,
        examples=examples(folder, recipe, films, pixels, cohort, probabilities),
        failures=[(line["film"], line["reason"]) for line in read_csv(folder.failures)],
        headline=headline,
        probabilities=probabilities,
        labels=cohort.labels.astype(float),
        findings=cohort.findings,
    )
    write_text(folder.report, page_from(record))
    progress(1, 2)
    save_figures(record, folder.path / "figures")
    progress(2, 2)
    return summary_from(scores, headline)


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
    stored = read_maps(folder, method, cohort)
    boxes = read_boxes(folder, cohort).get((method, rule.name), no_boxes())
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
