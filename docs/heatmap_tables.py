"""Writes heatmap-scores.md and heatmap-sanity.md again from runs of the demo.

python docs/heatmap_tables.py scores DEMO OWN VIT
python docs/heatmap_tables.py sanity DEMO OWN VIT DEMO_OF_OTHER_PHANTOMS...

DEMO has an average pooling head, OWN a head with maps of its own, VIT is a vision transformer.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from heatmap_texts import PAGES

from hilum import models, pipeline
from hilum.data.cohort import Cohort
from hilum.data.geometry import input_to_frame, input_to_store
from hilum.evaluate import Score, localization_scores
from hilum.explain import logits_and_heatmaps
from hilum.explain.sanity import (
    area_under,
    deletion_curve,
    insertion_curve,
    randomisation_curve,
    rank_correlations,
    repeatability,
)
from hilum.localize import BoxRule
from hilum.models import Classifier, network_input
from hilum.recipe import Recipe, parse
from hilum.study.folder import RunFolder
from hilum.study.opening import Films, decode, open_films
from hilum.study.score import protocol_of

HERE = Path(__file__).parent
RULE = BoxRule("dynamic(87.5)", "largest")
FINDINGS = ("Cardiomegaly", "Effusion", "Mass", "Nodule")
"""Two large and two small ones, so that few films hold enough boxes of each for an interval."""

COSTLY, WATCHED, WATCHED_COSTLY = 12, 6, 2
"""Films that are scored where it takes long, and films whose maps are put to the checks."""

OPTIONS = {
    "integrated_gradients": "integrated_gradients(16)",
    "occlusion": "occlusion(48, 24)",
    "rise": "rise(150)",
    "smooth_integrated_gradients": "smooth_integrated_gradients(2, 6)",
    "smoothgrad": "smoothgrad(10)",
}
"""Fewer samples than by default, so that the pages take minutes."""

SLOW = {*OPTIONS, "scorecam"}
SMOOTHED = ("gradcam-eigen", "gradcam-augmentation", "gradcam-eigen-augmentation")
NETWORK = {"own": "own", "attention_rollout": "vit"}
"""The network of a method that the demo's own cannot have."""

METHODS = (
    *("cam", "gradcam", "gradcam++", "xgradcam", "layercam", "hirescam", "scorecam", "eigencam"),
    *("eigencam_centred", *SMOOTHED, "own", "attention_rollout", "gradient", "smoothgrad"),
    *("integrated_gradients", "smooth_integrated_gradients", "guided_backprop", "guided_gradcam"),
    *("occlusion", "rise"),
)
"""Rows of the tables."""


@dataclass(frozen=True)
class Run:
    """What is needed of a run folder.

    Attributes:
        model: In eval mode.
        recipe: Of the run.
        films: Of the run.
        cohort: The test films with a reference box of `FINDINGS`, with these alone.
        images: These, as the network sees them.
        affine: From network input to frame, a film.
    """

    model: Classifier
    recipe: Recipe
    films: Films
    cohort: Cohort
    images: torch.Tensor
    affine: np.ndarray


def opened(path: Path) -> Run:
    """A run with its boxed test films."""
    folder = RunFolder(path)
    recipe = parse(folder.recipe.read_text(encoding="utf-8"), str(folder.recipe))
    data = Path(json.loads(folder.record.read_text(encoding="utf-8"))["data"])
    films, pixels = decode(open_films(data, recipe.data), recipe.data)
    model, geometry, _ = models.load(folder.weights)
    asked = films.cohort.of_findings(FINDINGS)
    rows = np.intersect1d(asked.side("test"), asked.reference.image)
    grey = torch.from_numpy(np.array(pixels.store.batch(pixels.rows[rows])))
    to_store = torch.from_numpy(input_to_store(geometry, len(rows)).astype(np.float32))
    cohort = asked.rows(rows)
    images = network_input(grey, to_store, geometry.input_hw)
    affine = input_to_frame(geometry, pixels.store.film_hw[pixels.rows[rows]], cohort.frame_hw)
    return Run(model, recipe, films, cohort, images, affine)


def spread(n_all: int, n: int) -> np.ndarray:
    """Some of all films, at equal distances."""
    return np.unique(np.linspace(0, n_all - 1, min(n, n_all)).round().astype(int))


def scored(run: Run, name: str, n_films: int) -> tuple[list[Score], float, float]:
    """Localisation scores of a method on some films, its cost in forward passes, a forward pass in s."""
    rows, of_model = spread(len(run.cohort), n_films), [run.model.findings.index(each) for each in FINDINGS]
    few, affine = run.cohort.rows(rows), run.affine[rows]
    entries = np.stack([few.reference.image, few.reference.finding], axis=1)
    pairs, entry = np.unique(entries, axis=0, return_inverse=True)
    maps, probability, seconds = [], [], []
    for film in range(len(few)):
        image, columns = run.images[rows[film]][None], pairs[pairs[:, 0] == film, 1]
        begin = time.process_time()
        with torch.inference_mode():
            run.model(image)
        between = time.process_time()
        findings = [FINDINGS[column] for column in columns]
        logits, made = logits_and_heatmaps(run.model, image, (OPTIONS.get(name, name),), findings)
        seconds.append((between - begin, time.process_time() - between))
        maps.append(next(iter(made.values()))[0])
        probability.append(1 / (1 + np.exp(-logits[0, of_model][columns].astype(float))))
    stacked, input_hw = np.concatenate(maps), run.model.input_hw
    boxes = pipeline.localize(
        stacked, *pairs.T, np.concatenate(probability), affine[pairs[:, 0]], input_hw, RULE, few.frame_hw
    )
    scores = localization_scores(
        few,
        stacked[entry.ravel()],
        affine[few.reference.image],
        {RULE.name: boxes},
        input_hw=input_hw,
        method=name,
        rules=[RULE],
        protocol=protocol_of(run.recipe, run.films, few),
        n_draws=run.recipe.evaluate.bootstrap_draws,
        rng=np.random.Generator(np.random.Philox(run.recipe.evaluate.seed)),
    )
    forward, whole = np.median(seconds, axis=0)
    return scores, whole / forward, forward


COLUMNS = (("hit_rate", None), ("t_iou", 0.1), ("t_iou", 0.3), ("t_iou", 0.5))


def headline(scores: Sequence[Score]) -> list[Score]:
    """The means over findings that the page prints."""
    whole = [score for score in scores if score.finding is None and score.stratum is None]
    return [next(s for s in whole if (s.metric, s.at) == column) for column in COLUMNS]


def score_row(name: str, scores: Sequence[Score], cost: float, n_films: int) -> str:
    """A line of the table of scores."""
    cells = []
    for score in headline(scores):
        mark = "" if score.low > score.floor else " †"
        cells.append(f"{score.value:.2f} ({score.low:.2f} to {score.high:.2f}) / {score.floor:.2f}{mark}")
    n = sum(s.n for s in scores if s.metric == "hit_rate" and s.finding and s.stratum is None)
    return " | ".join(
        [f"| {linked(name)}", f"{n_films}, {n}", *cells, f"{cost:.{0 if cost >= 10 else 1}f} |"]
    )


def linked(name: str) -> str:
    """A method's name as its page is called, with the options of this page."""
    shown = f"`{OPTIONS.get(name, name)}`"
    return shown if name in SMOOTHED else f"[{shown}](heatmaps/{name}.md)"


def floor_row(name: str, scores: Sequence[Score]) -> str:
    """What a box that knows nothing of the film reaches."""
    cells = " | ".join(f"{score.floors[name]:.2f}" for score in headline(scores))
    return f"| *{name.replace('_', ' ')}* | | {cells} | 0 |"


def write_scores(paths: Sequence[Path]) -> None:
    """Writes the page of scores."""
    runs = dict(zip(("demo", "own", "vit"), map(opened, paths), strict=True))
    rows, forwards, floors = [], [], []
    for name in METHODS:
        n_films = COSTLY if name in SLOW else len(runs["demo"].cohort)
        scores, cost, forward = scored(runs[NETWORK.get(name, "demo")], name, n_films)
        rows.append(score_row(name, scores, cost, n_films))
        if name == "gradcam":
            floors = [floor_row(each, scores) for each in ("centre", "class_mean_box")]
            few, _, _ = scored(runs["demo"], name, COSTLY)
            rows.append(score_row(name, few, cost, COSTLY))
        if name not in NETWORK:
            forwards.append(forward)
        tell(rows[-1])
    demo = runs["demo"]
    fields = {
        "rows": "\n".join([*rows, *floors]),
        "n_films": len(demo.cohort),
        "n_entries": len(demo.cohort.reference),
        "forward": f"{1000 * np.median(forwards):.0f}",
        "auroc": ", ".join(f"{aurocs(path):.3f}" for path in paths),
        "rule": RULE.name,
        "findings": " and ".join([", ".join(FINDINGS[:-1]), FINDINGS[-1]]),
    }
    write("heatmap-scores", fields)


def aurocs(path: Path) -> float:
    """The run's mean AUROC."""
    scores = json.loads((path / "scores.json").read_text(encoding="utf-8"))["scores"]
    return next(s["value"] for s in scores if s["metric"] == "auroc" and s["finding"] is None)


def surest(run: Run, n: int) -> list[tuple[int, int]]:
    """Some films, each with the column of its boxed finding that the network is surest of."""
    rows, found = spread(len(run.cohort), n), []
    for row in rows.tolist():
        boxed = run.cohort.reference.finding[run.cohort.reference.image == row]
        boxed = np.array([run.model.findings.index(FINDINGS[each]) for each in boxed])
        with torch.inference_mode():
            logits = run.model(run.images[row][None])[0].numpy()
        found.append((row, int(boxed[logits[boxed].argmax()])))
    return found


def maps_of(run: Run, name: str, pairs: Sequence[tuple[int, int]]) -> Callable[[Classifier], np.ndarray]:
    """What `randomisation_curve` asks: the maps of these films by any model."""
    kept: dict[int, np.ndarray] = {}

    def maps(model: Classifier) -> np.ndarray:
        if model is run.model and kept:
            return kept[0]
        names, made = (OPTIONS.get(name, name),), []
        for row, column in pairs:
            findings = (run.model.findings[column],)
            made.append(logits_and_heatmaps(model, run.images[row][None], names, findings)[1][names[0]])
        if model is run.model:
            kept[0] = np.concatenate(made)
        return np.concatenate(made)

    return maps


def causal(run: Run, pairs: Sequence[tuple[int, int]], maps: np.ndarray) -> tuple[float, float]:
    """Mean areas under the curves of deletion and insertion."""
    areas, rng = [], np.random.default_rng(0)
    for (row, column), heatmap in zip(pairs, maps[:, 0], strict=True):

        def probability(films: np.ndarray, column: int = column) -> np.ndarray:
            with torch.inference_mode():
                return run.model(torch.from_numpy(films))[:, column].sigmoid().numpy()

        film = run.images[row].contiguous().numpy()
        both = [curve(probability, film, heatmap, rng) for curve in (deletion_curve, insertion_curve)]
        areas.append([float(area_under(curve)) for curve in both])
    deletion, insertion = np.mean(areas, axis=0)
    return deletion, insertion


def checked(run: Run, name: str) -> list[str]:
    """Cells of a method: how many films, its map's dependence on the weights, both areas."""
    pairs = surest(run, WATCHED_COSTLY if name in SLOW else WATCHED)
    maps, n_blocks = maps_of(run, name, pairs), len(run.model.blocks)
    depths = sorted({1, n_blocks // 2, n_blocks})
    curve = randomisation_curve(run.model, maps, np.random.default_rng(0), depths).mean(axis=(1, 2))
    cells = [f"{curve[0]:.2f}", f"{curve[1]:.2f}" if len(curve) == 3 else "-", f"{curve[-1]:.2f}"]
    return [str(len(pairs)), *cells, *(f"{area:.2f}" for area in causal(run, pairs, maps(run.model)))]


def again(run: Run, others: Sequence[Classifier], name: str) -> str:
    """The cell of repeatability."""
    maps = maps_of(run, name, surest(run, WATCHED_COSTLY if name in SLOW else WATCHED))
    return f"{repeatability(np.stack([maps(model) for model in (run.model, *others)])).mean():.2f}"


def blind_row(run: Run, name: str, n_films: int) -> str:
    """The same of maps that no network made: noise, or the film's own edges."""
    pairs, rng = surest(run, n_films), np.random.default_rng(1)
    if name == "noise":
        maps, other = rng.random((2, len(pairs), 1, 14, 14)).astype(np.float32)
    else:
        grey = run.images[[row for row, _ in pairs], 0].numpy()
        maps = np.stack([np.hypot(*np.gradient(film)) for film in grey])[:, None].astype(np.float32)
        other = maps
    same = f"{rank_correlations(maps, other).mean():.2f}"
    deletion, insertion = causal(run, pairs, maps)
    cells = [str(len(pairs)), same, same, same, f"{deletion:.2f}", f"{insertion:.2f}", same]
    return f"| *{name}* | " + " | ".join(cells) + " |"


def write_sanity(paths: Sequence[Path]) -> None:
    """Writes the page of checks."""
    runs = dict(zip(("demo", "own", "vit"), map(opened, paths[:3]), strict=True))
    others = [models.load(RunFolder(path).weights)[0] for path in paths[3:]]
    blind = ("noise", WATCHED), ("edges", WATCHED), ("noise", WATCHED_COSTLY)
    rows = [blind_row(runs["demo"], name, n_films) for name, n_films in blind]
    tell("\n".join(rows))
    for name in METHODS:
        cells = checked(runs[NETWORK.get(name, "demo")], name)
        cells.append("-" if name in NETWORK else again(runs["demo"], others, name))
        rows.append(" | ".join([f"| {linked(name)}", *cells]) + " |")
        tell(rows[-1])
    pairs = surest(runs["demo"], WATCHED)
    with torch.inference_mode():
        whole = [float(runs["demo"].model(runs["demo"].images[r][None])[0, c].sigmoid()) for r, c in pairs]
    fields = {
        "rows": "\n".join(rows),
        "n_networks": 1 + len(others),
        "n_watched": len(pairs),
        "whole": f"{np.mean(whole):.2f}",
        "half": len(runs["demo"].model.blocks) // 2,
        "n_blocks": len(runs["demo"].model.blocks),
    }
    write("heatmap-sanity", fields)


def write(page: str, fields: dict[str, object]) -> None:
    """A page from its template."""
    (HERE / f"{page}.md").write_text(PAGES[page].format(**fields), encoding="utf-8")


def tell(line: str) -> None:
    """A page takes minutes; each line is shown as it is made."""
    sys.stderr.write(line + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)  # costs are seconds of one core
    which, *folders = sys.argv[1:]
    {"scores": write_scores, "sanity": write_sanity}[which]([Path(folder) for folder in folders])
