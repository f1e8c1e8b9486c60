"""A scored run in; one metric of some of its heatmap methods and box rules, with redrawn cohorts, out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from hilum.boxes import BoxTable, no_boxes
from hilum.data.cohort import Cohort
from hilum.evaluate.bootstrap import auroc_draws, mean_draws, sum_draws
from hilum.evaluate.classification import auroc
from hilum.evaluate.detection import FALSE_COLUMNS, false_boxes
from hilum.evaluate.detection_score import pointwise_precision
from hilum.evaluate.localization import COLUMNS, best_overlaps, statistics
from hilum.evaluate.pairs import PairMaps
from hilum.evaluate.pixelwise import map_auprc, union_masks
from hilum.evaluate.summary import mean_first
from hilum.findings import in_mean
from hilum.recipe import Recipe
from hilum.study.folder import RunFolder, read_boxes
from hilum.study.heatmap_files import read_maps
from hilum.study.opening import Films
from hilum.study.score import entry_rows, scored_films

System = tuple[str, str]
"""Heatmap method and box rule; empty where the metric has none."""


@dataclass(frozen=True)
class ScoredRun:
    """A scored run as far as claims look at it.

    Attributes:
        folder: Where its heatmaps lie.
        recipe: Its recipe.
        whole: All its films.
        cohort: Its scored films.
        probabilities: Of these.
        boxes: Of these, by heatmap method and box rule.
        branches: Probabilities of the networks of a composite model, by name.
    """

    folder: RunFolder
    recipe: Recipe
    whole: Cohort
    cohort: Cohort
    probabilities: Float[np.ndarray, "n f"]
    boxes: Mapping[System, BoxTable]
    branches: Mapping[str, Float[np.ndarray, "n f"]]

    def alone(self, branch: str) -> "ScoredRun":
        """The run with the probabilities of one network; itself for an empty name.

        Raises:
            LookupError: It has no such network.
        """
        if not branch:
            return self
        if branch not in self.branches:
            raise LookupError(f"no branch {branch!r}")
        return replace(self, probabilities=self.branches[branch])


@dataclass(frozen=True)
class Part:
    """Some findings of a run.

    Attributes:
        run: The whole.
        columns: Of these findings in the whole.
        cohort: Scored films with the labels and boxes of these findings alone.
    """

    run: ScoredRun
    columns: Int[np.ndarray, " g"]
    cohort: Cohort

    def boxes(self, system: System) -> BoxTable:
        """The predicted boxes of these findings, whose columns are numbered anew."""
        table = self.run.boxes.get(system, no_boxes())
        column = np.full(len(self.run.cohort.findings), -1)
        column[self.columns] = np.arange(len(self.columns))
        kept = table.rows(column[table.finding] >= 0)
        return BoxTable(kept.image, column[kept.finding], kept.xyxy, kept.score)


@dataclass(frozen=True)
class Scores:
    """One metric of a run; larger is better, so false boxes stand negated.

    Attributes:
        names: "" for the mean over findings, then the findings that have a score.
        values: A row for each system.
        draws: The same in each redrawn cohort.
        n: Box entries, or the rarer label's films, behind each name.
    """

    names: Sequence[str]
    values: Float[np.ndarray, "s g"]
    draws: Float[np.ndarray, "draws s g"]
    n: Int[np.ndarray, " g"]


def scored_run(folder: RunFolder, recipe: Recipe, films: Films) -> ScoredRun:
    """What claims need of a run.

    Raises:
        RunError: An earlier stage is missing.
    """
    cohort, probabilities = scored_films(folder, films)
    boxes = read_boxes(folder, cohort, films.cohort)
    branches = {name: scored_films(folder, films, branch=name)[1] for name in folder.branches}
    return ScoredRun(folder, recipe, films.cohort, cohort, probabilities, boxes, branches)


def headline_of(recipe: Recipe) -> System:
    """The first heatmap method and the first box rule, whose figures head a run's page."""
    return recipe.explain.methods[0], recipe.localize.rules[0].name


def part_of(run: ScoredRun, findings: Sequence[str]) -> Part:
    """The named findings of a run."""
    columns = np.array([run.cohort.findings.index(finding) for finding in findings], np.int64)
    return Part(run, columns, run.cohort.of_findings(findings))


def scores_of(
    part: Part,
    metric: str,
    at: float | None,
    systems: Sequence[System],
    n_draws: int,
    rng: np.random.Generator,
) -> Scores:
    """A metric of some systems, as the run's own scores have it.

    Args:
        part: Of a run.
        metric: One that a claim may name.
        at: Its T, or None.
        systems: One row each; AUROC has one, which is not looked at.
        n_draws: How often the patients are redrawn.
        rng: One in an equal state redraws the same patients of another run.

    Raises:
        LookupError: There are no box entries to score.
    """
    if metric == "auroc":
        return _ranking(part, n_draws, rng)
    if not len(part.cohort.reference):
        raise LookupError("no box entries")
    if metric == "false_positives_iobb":
        return _false_positives(part, ("iobb", at), systems, n_draws, rng)
    if metric == "pointwise_map":
        return _pointwise(part, systems, n_draws, rng)
    if metric == "localization_utility":
        return _means(part, *_pixelwise(part, systems), n_draws, rng)
    column, reference = COLUMNS.index((metric, at)), part.cohort.reference
    overlaps = (best_overlaps(reference, part.boxes(system)) for system in systems)
    values = np.stack([statistics(*each)[:, column] for each in overlaps], axis=1)
    return _means(part, values, np.arange(len(reference)), n_draws, rng)


def _ranking(part: Part, n_draws: int, rng: np.random.Generator) -> Scores:
    """A finding with one label value only has no AUROC; "No Finding" stands in no mean."""
    cohort, probabilities = part.cohort, part.run.probabilities[:, part.columns]
    values = auroc(probabilities, cohort.labels)
    draws = auroc_draws(probabilities, cohort.labels, cohort.patient, n_draws, rng)
    averaged = ~np.isnan(values) & np.array(in_mean(cohort.findings), bool)
    rarer = np.minimum((cohort.labels == 1).sum(axis=0), (cohort.labels == 0).sum(axis=0))
    kept = np.append(True, ~np.isnan(values))
    return Scores(
        ["", *(finding for finding, there in zip(cohort.findings, kept[1:], strict=True) if there)],
        mean_first(values, averaged)[None, kept],
        mean_first(draws, averaged)[:, None, kept],
        np.append(rarer[averaged].sum(), rarer)[kept],
    )


def _means(
    part: Part,
    values: Float[np.ndarray, "k s"],
    entry: Int[np.ndarray, " k"],
    n_draws: int,
    rng: np.random.Generator,
) -> Scores:
    """Means of a number an entry, within each finding and over the findings."""
    cohort = part.cohort
    present, group = np.unique(cohort.reference.finding[entry], return_inverse=True)
    draws = mean_draws(values, group, cohort.patient[cohort.reference.image[entry]], n_draws, rng)
    n, every = np.bincount(group), np.ones(len(present), bool)
    means = np.stack([np.bincount(group, column) / n for column in values.T])
    return Scores(
        ["", *(cohort.findings[place] for place in present)],
        mean_first(means, every),
        mean_first(draws.transpose(0, 2, 1), every),
        np.append(n.sum(), n),
    )


def _pixelwise(
    part: Part, systems: Sequence[System]
) -> tuple[Float[np.ndarray, "k s"], Int[np.ndarray, " k"]]:
    """AUPRC of the map of each film and finding with boxes, and the first entry of each."""
    run, reference = part.run, part.cohort.reference
    hw = run.recipe.data.geometry.input_hw
    pairs = np.stack([reference.image, reference.finding])
    _, first, row = np.unique(pairs, axis=1, return_index=True, return_inverse=True)
    kept = np.isin(run.cohort.reference.finding, part.columns)
    columns = []
    for method, _ in systems:
        stored = read_maps(run.folder, method, run.cohort, run.whole)
        place = entry_rows(run.cohort, stored)[kept][first]
        masks = union_masks(reference.xyxy, row.ravel(), stored.affine[place], hw, hw)
        columns.append(np.nan_to_num(map_auprc(stored.maps[place], masks)))
    return np.stack(columns, axis=1), first


def _pointwise(part: Part, systems: Sequence[System], n_draws: int, rng: np.random.Generator) -> Scores:
    """Pointwise mAP of each heatmap method, from the maps of all films."""
    run, cohort = part.run, part.cohort
    if run.recipe.explain.pairs != "all":
        raise LookupError('points need the maps of all films: [explain] pairs = "all"')
    column = np.full(len(run.cohort.findings), -1)
    column[part.columns] = np.arange(len(part.columns))
    rules, state = run.recipe.localize.rules, rng.bit_generator.state
    tables, findings = [], np.empty(0, np.int64)
    for method, _ in systems:
        stored = read_maps(run.folder, method, run.cohort, run.whole)
        kept = column[stored.finding] >= 0
        pairs = PairMaps(
            stored.maps[kept],
            stored.image[kept],
            column[stored.finding[kept]],
            stored.affine[kept],
            run.probabilities[stored.image, stored.finding][kept].astype(float),
        )
        boxes = {rule.name: part.boxes((method, rule.name)) for rule in rules}
        rng.bit_generator.state = state  # the same patients for every method
        findings, table = pointwise_precision(
            cohort,
            pairs,
            boxes,
            input_hw=run.recipe.data.geometry.input_hw,
            rules=rules,
            n_draws=n_draws,
            rng=rng,
        )
        tables.append(mean_first(table, np.ones(len(findings), bool)))
    n = np.bincount(cohort.reference.finding)[findings]
    return Scores(
        ["", *(cohort.findings[place] for place in findings)],
        np.stack([table[0] for table in tables]),
        np.stack([table[1:] for table in tables], axis=1),
        np.append(n.sum(), n),
    )


def _false_positives(
    part: Part,
    criterion: tuple[str, float | None],
    systems: Sequence[System],
    n_draws: int,
    rng: np.random.Generator,
) -> Scores:
    """False boxes on the boxed films that have the finding as label, over all box entries."""
    cohort, reference = part.cohort, part.cohort.reference
    films, present = np.unique(reference.image), np.unique(reference.finding)
    counts = np.zeros((len(films), len(systems), 1 + len(present)))
    for row, system in enumerate(systems):
        boxes = part.boxes(system)
        boxes = boxes.rows(np.isin(boxes.image, films) & np.isin(boxes.finding, present))
        boxes = boxes.rows(cohort.labels[boxes.image, boxes.finding] == 1)
        false = boxes.rows(false_boxes(reference, boxes)[:, FALSE_COLUMNS.index(criterion)])
        film, finding = np.searchsorted(films, false.image), np.searchsorted(present, false.finding)
        np.add.at(counts[:, row], (film, 1 + finding), -1.0)
    counts[:, :, 0] = counts[:, :, 1:].mean(axis=2)
    entries = np.bincount(np.searchsorted(films, reference.image)).astype(float)
    flat = np.column_stack([counts.reshape(len(films), -1), entries])
    drawn = sum_draws(flat, cohort.patient[films], n_draws, rng)
    n = np.bincount(reference.finding)[present]
    return Scores(
        ["", *(cohort.findings[place] for place in present)],
        counts.sum(axis=0) / len(reference),
        (drawn[:, :-1] / drawn[:, -1:]).reshape(n_draws, *counts.shape[1:]),
        np.append(n.sum(), n),
    )
