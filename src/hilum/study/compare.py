"""Several scored runs on one data folder -> a page with them side by side, and a table of differences."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from jaxtyping import Float

from hilum import recipe as recipes
from hilum.boxes import no_boxes
from hilum.data.store import Progress, silent
from hilum.errors import RunError, UsageError
from hilum.evaluate.comparison import Difference, auroc_difference, mean_difference
from hilum.evaluate.localization import best_overlaps
from hilum.files import write_text
from hilum.report import (
    Comparison,
    JudgedClaim,
    Pairing,
    RunRecord,
    comparison_page,
    csv_of,
    differences_table,
    latex_of,
)
from hilum.study.claim_scores import ScoredRun, scored_run
from hilum.study.claims import claims_of
from hilum.study.folder import RunFolder, read_json
from hilum.study.opening import decode, open_films
from hilum.study.report import record_of

MEASURES = (("auroc", None), ("t_iou", 0.1), ("t_iou", 0.5), ("mean_iou_macro", None))
"""What is compared: metric and T."""


@dataclass(frozen=True)
class _Opened:
    """A run as far as it is compared.

    Attributes:
        record: All that its own page says.
        run: Its scored films, probabilities and boxes.
    """

    record: RunRecord
    run: ScoredRun


def compare(runs: Sequence[Path], out: Path, progress: Progress = silent) -> Comparison:
    """Writes `compared.html`, `differences.csv` and `differences.tex` of runs on the same test films.

    Every two runs are paired; those on other films or boxes are shown, and the page says why they have no
    difference. Runs are named by their folder.

    Args:
        runs: Two or more scored run folders.
        out: Where the page goes.
        progress: Told of every run that was read.

    Raises:
        UsageError: Fewer than two runs, or two of the same name.
        RunError: A folder is no run, or is not scored.
    """
    names = [run.resolve().name for run in runs]
    if len(runs) < 2:
        raise UsageError("give two runs or more to compare")
    if len(set(names)) < len(names):
        raise UsageError(f"two runs are named {max(names, key=names.count)!r}; rename one of the folders")
    opened = {}
    for name, run in zip(names, runs, strict=True):
        opened[name] = _open(run)
        progress(len(opened), len(runs))
    pairings, apart = [], []
    for first, second in combinations(names, 2):
        try:
            pairings += list(_pairings(first, opened[first], second, opened[second]))
        except ValueError as error:
            apart.append(f"{second} less {first}: {error}.")
    pairings.sort(key=lambda pairing: MEASURES.index((pairing.metric, pairing.at)))
    records = {name: each.record for name, each in opened.items()}
    claims = {name: _claims(name, opened) for name in names}
    comparison = Comparison(records, pairings, apart, claims)
    write_text(out / "compared.html", comparison_page(comparison))
    made = differences_table(comparison)
    if made is not None:
        write_text(out / "differences.csv", csv_of(made))
        write_text(out / "differences.tex", latex_of(made, "differences"))
    return comparison


def _open(run: Path) -> _Opened:
    folder = RunFolder(run)
    if not folder.recipe.is_file() or not folder.record.is_file():
        raise RunError(f"{run}: not a run folder; make one with `hilum study RECIPE --data DIR --out {run}`")
    recipe = recipes.parse(folder.recipe.read_text(encoding="utf-8"), str(folder.recipe))
    films, pixels = decode(open_films(Path(read_json(folder.record)["data"]), recipe.data), recipe.data)
    return _Opened(record_of(folder, recipe, films, pixels), scored_run(folder, recipe, films))


def _claims(name: str, opened: Mapping[str, _Opened]) -> Sequence[JudgedClaim]:
    """A run's claims: as its own page has them, unless one needs another run."""
    one = opened[name]
    if not any(claim.others for claim in one.run.recipe.claims):
        return one.record.claims
    return claims_of(one.run, [each.run for other, each in opened.items() if other != name])


def _pairings(first: str, a: _Opened, second: str, b: _Opened) -> Iterator[Pairing]:
    """Every measure of two runs; draws and seed are the first one's.

    Raises:
        ValueError: They were scored on other films, findings, patients, labels or boxes.
    """
    one, two, settings = a.run, b.run, a.run.recipe.evaluate

    def paired(metric: str, at: float | None) -> Difference:
        rng = np.random.Generator(np.random.Philox(settings.seed))
        if metric == "auroc":
            films = one.cohort, one.probabilities, two.cohort, two.probabilities
            return auroc_difference(*films, settings.bootstrap_draws, rng)
        values = (_values(each, at) for each in (a, b))
        return mean_difference(
            one.cohort, next(values), two.cohort, next(values), settings.bootstrap_draws, rng
        )

    for metric, at in MEASURES:
        if metric == "auroc" or len(one.cohort.reference) or len(two.cohort.reference):
            yield Pairing(first, second, metric, at, paired(metric, at))


def _values(opened: _Opened, at: float | None) -> Float[np.ndarray, " k"]:
    """Success at T, or the IoU itself, of each entry under the headline's boxes."""
    boxes = opened.run.boxes.get(opened.record.headline, no_boxes())
    iou, _ = best_overlaps(opened.run.cohort.reference, boxes)
    return iou if at is None else (iou > at).astype(float)
