"""Predictions that were made elsewhere and the tables of a data folder -> scores, without films and torch."""

import dataclasses
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from hilum.boxes import BoxTable
from hilum.data import Cohort, dataset_from
from hilum.data.store import Progress, silent
from hilum.errors import DataError, UsageError
from hilum.evaluate import Protocol, Score, classification_scores, json_from, localization_scores
from hilum.evaluate.given_boxes import AS_GIVEN, given_box_scores
from hilum.files import disk_errors, write_text
from hilum.localize import BoxRule, boxes_from
from hilum.report import RunRecord, csv_from, curves_from, page_from, save_figures, save_tables
from hilum.study.folder import versions, write_json
from hilum.study.predictions import Passed, read_boxes, read_maps, read_probabilities

N_DRAWS = 1000
SEED = 0


@dataclass(frozen=True)
class Predictions:
    """Files from elsewhere; at least one is given.

    Attributes:
        probabilities: CSV, see `read_probabilities`.
        boxes: CSV or COCO json, see `read_boxes`.
        heatmaps: Folder, see `read_maps`.
        frame_px: Side of the frame in which the boxes are given; None for the data's own frame.
    """

    probabilities: Path | None = None
    boxes: Path | None = None
    heatmaps: Path | None = None
    frame_px: float | None = None


@dataclass(frozen=True)
class Adopted:
    """What came of them.

    Attributes:
        scores: Every score, as of a run.
        cohort: The films that are scored.
        probabilities: Theirs; None where none were given.
        headline: Heatmap method and box rule that head the tables; None without boxes and maps.
        warnings: What a reader of the scores must know, and what was passed over.
    """

    scores: list[Score]
    cohort: Cohort
    probabilities: Float[np.ndarray, "n f"] | None
    headline: tuple[str, str] | None
    warnings: list[str]


def adopt(
    data: Path,
    given: Predictions,
    *,
    dataset: str,
    only_test: bool = False,
    progress: Progress = silent,
) -> Adopted:
    """Scores predictions under the protocol of the house.

    Every film with a prediction is scored, whatever list it is on, unless `only_test` is set. Without
    probabilities nobody knows which films were looked at, so all reference entries count.

    Args:
        data: Folder with the tables; films need not be there.
        given: The predictions.
        dataset: Entry of `DATASETS`.
        only_test: Whether only films of the data's own test side count.
        progress: Told how much is done.

    Raises:
        UsageError: Nothing was given, or a frame that makes no sense.
        TableError: A file makes no sense.
        DataError: The data has no test side, or no scored film.
    """
    if given.probabilities is None and given.boxes is None and given.heatmaps is None:
        raise UsageError("nothing to score; give --probabilities, --boxes or --heatmaps")
    if given.frame_px is not None and given.frame_px <= 0:
        raise UsageError(f"--frame {given.frame_px:g}; the side of a frame in px is above 0")
    listed, passed = dataset_from(dataset)(data), Counter()
    probabilities = None
    if given.probabilities is not None:
        probabilities, passed = read_probabilities(given.probabilities, listed)
    rows = _scored(listed, probabilities, only_test)
    cohort = listed.rows(rows)
    probabilities = None if probabilities is None else probabilities[rows]
    protocol = _protocol(listed, cohort, only_test)
    rng = np.random.Generator(np.random.Philox(SEED))
    progress(1, 4)
    scores = []
    if probabilities is not None:
        scores += classification_scores(cohort, probabilities, protocol, n_draws=N_DRAWS, rng=rng)
    progress(2, 4)
    if given.boxes is not None:
        boxes, of_boxes = read_boxes(given.boxes, listed, given.frame_px)
        passed += of_boxes
        scores += given_box_scores(cohort, _of_rows(boxes, rows), protocol, n_draws=N_DRAWS, rng=rng)
    progress(3, 4)
    if given.heatmaps is not None:
        maps, of_maps = read_maps(given.heatmaps, cohort)
        passed += of_maps
        scores += _map_scores(cohort, maps, probabilities, protocol, rng)
    progress(4, 4)
    headline = _headline(given) if any(score.metric == "t_iou" for score in scores) else None
    return Adopted(scores, cohort, probabilities, headline, _warnings(listed, cohort, passed, only_test))


def write(found: Adopted, out: Path) -> Path:
    """Writes `scores.json`, `scores.csv`, `report.html`, `tables/` and `figures/`; gives the page.

    Raises:
        DiskError: The folder cannot be written.
    """
    labels, likely = found.cohort.labels.astype(float), found.probabilities
    rng = np.random.Generator(np.random.Philox(SEED))
    record = RunRecord(
        title="Predictions made elsewhere",
        description="Scored by hilum under the protocol below; how they were made is not known.",
        recipe="",
        data=_facts(found.cohort),
        warnings=found.warnings,
        versions=versions(),
        history=[],
        scores=found.scores,
        examples=[],
        failures=[],
        headline=found.headline or ("", ""),
        probabilities=np.full(labels.shape, np.nan) if likely is None else likely,
        labels=labels,
        findings=found.cohort.findings,
        curves=None
        if likely is None
        else curves_from(likely, labels, found.cohort.patient, None, N_DRAWS, rng),
    )
    with disk_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        write_json(out / "scores.json", json_from(found.scores))
        write_text(out / "scores.csv", csv_from(found.scores))
        write_text(out / "report.html", page_from(record))
        save_tables(record, out / "tables")
        save_figures(record, out / "figures")
    return out / "report.html"


def _facts(cohort: Cohort) -> list[tuple[str, str]]:
    patients = len(np.unique(cohort.patient))
    return [
        ("films", f"{len(cohort):,} of {cohort.source}, of {patients:,} patients"),
        ("reference boxes", f"{len(cohort.reference):,} ({cohort.box_release or 'no list'})"),
    ]


def _scored(listed: Cohort, probabilities: Float[np.ndarray, "n f"] | None, only_test: bool) -> np.ndarray:
    chosen = np.ones(len(listed), bool)
    if probabilities is not None:
        chosen = np.isfinite(probabilities).any(axis=1)
    if only_test:
        if not (listed.split == "test").any():
            raise DataError(f"{listed.source} names no test films here; leave --split out")
        chosen &= listed.split == "test"
    if not chosen.any():
        raise DataError("no film of the test list has a prediction")
    return np.flatnonzero(chosen)


def _protocol(listed: Cohort, cohort: Cohort, only_test: bool) -> Protocol:
    """What is known of predictions from elsewhere: films, boxes and split, but not the weights."""
    which = listed.side("test") if only_test else np.arange(len(listed))
    n_scored, n_listed = len(cohort), len(which)
    if only_test and n_scored == n_listed:  # in the words of a study: nothing of the data is missing
        n_scored = n_listed = len(listed)
    return Protocol(
        films=f"{listed.source}, {'test films' if only_test else 'films with a prediction'}",
        complete=f"{n_scored:,} of {n_listed:,} films",
        split=listed.split_name if only_test else "films of any list",
        split_hash=listed.split_hash,
        box_source=listed.box_release or "no boxes",
        map_target="reference finding",
    )


def _map_scores(
    cohort: Cohort,
    maps: Float[np.ndarray, "k h w"],
    probabilities: Float[np.ndarray, "n f"] | None,
    protocol: Protocol,
    rng: np.random.Generator,
) -> list[Score]:
    """Maps cover the whole film, so the frame is their input."""
    reference, rule = cohort.reference, BoxRule()
    affine = np.tile(np.eye(2, 3), (len(reference), 1, 1))
    there = np.flatnonzero(np.isfinite(maps).all(axis=(1, 2)))
    row, xyxy, peak = boxes_from(maps[there], affine[there], cohort.frame_hw, rule, cohort.frame_hw)
    entry = there[row]
    image, finding = reference.image[entry], reference.finding[entry]
    sure = np.ones(len(entry)) if probabilities is None else np.nan_to_num(probabilities[image, finding])
    # an entry's map is that of its film and finding: two entries of one pair would give the box twice
    _, once = np.unique(np.column_stack([image, finding, xyxy]), axis=0, return_index=True)
    boxes = BoxTable(image, finding, xyxy, sure * peak).rows(np.sort(once))
    return localization_scores(
        cohort,
        maps,
        affine,
        {rule.name: boxes},
        input_hw=cohort.frame_hw,
        method=AS_GIVEN,
        rules=[rule],
        protocol=dataclasses.replace(protocol, threshold_chosen="fixed before any box was scored"),
        n_draws=N_DRAWS,
        rng=rng,
    )


def _headline(given: Predictions) -> tuple[str, str]:
    return AS_GIVEN, AS_GIVEN if given.boxes is not None else BoxRule().name


def _of_rows(boxes: BoxTable, rows: np.ndarray) -> BoxTable:
    """The boxes on the scored films, renumbered."""
    place = np.searchsorted(rows, boxes.image).clip(max=len(rows) - 1)
    inside = rows[place] == boxes.image
    return dataclasses.replace(boxes.rows(inside), image=place[inside])


def _warnings(listed: Cohort, cohort: Cohort, passed: Passed, only_test: bool) -> list[str]:
    warnings = [f"{n:,} {what}: passed over" for what, n in passed.items()]
    n_train = int(np.isin(cohort.split, ("train", "val")).sum())
    if n_train:
        warnings.append(
            f"{n_train:,} of the {len(cohort):,} scored films are on the train list of {listed.source}: "
            "a network that was trained on them scores too well; --split test leaves them out"
        )
    if only_test and len(cohort) < len(listed.side("test")):
        missing = len(listed.side("test")) - len(cohort)
        warnings.append(f"{missing:,} films of the test list have no prediction and are not scored")
    warnings.append("Which films the weights have seen is not known: these figures head no comparison.")
    return warnings
