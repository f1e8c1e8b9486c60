"""Trains every system on phantoms, or some on real films, and writes systems.md again.

python docs/system_table.py phantoms RUNS
python docs/system_table.py real RUNS --data DIR

A row that is done is not trained again. Films, epochs, rate, boxes and the start from scratch are the same
for all rows; head, loss, neck and maps are each recipe's own.
"""

import argparse
import json
import math
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from hilum import models
from hilum.data.phantom import write
from hilum.errors import HilumError
from hilum.evaluate import Score, scores_from_json
from hilum.explain import class_maps
from hilum.recipe import alone, load
from hilum.report.tables import same_t
from hilum.study.ensemble import ensemble
from hilum.study.folder import RunFolder, read_json
from hilum.study.run import run_recipe

HERE = Path(__file__).parent
FILMS, SIDE = 640, 128

SHARED = {
    "data.dataset": "chestxray14",
    "data.split": "official(0.125)",
    "data.input_px": str(SIDE),
    "data.resize_px": str(SIDE),
    "data.store_px": str(SIDE),
    "model.weights": "none",
    "training.epochs": "5",
    "training.batch_size": "16",
    "training.accumulate": "1",
    "training.optimiser": "adamw",
    "training.learning_rate": "1e-3",
    "training.weight_decay": "1e-2",
    "training.schedule": "one_cycle",
    "training.monitor": "val_auroc",
    "training.stop_patience": "100",
    "training.frozen_blocks": "0",
    "training.start_at_prevalence": "true",
    "localize.thresholds": "['dynamic(87.5)']",
    "localize.component": "largest",
    "localize.map_size": "frame",
    "evaluate.pixels": "false",
}
"""Laid over every recipe, so that rows share films and budget."""

SMALL = ("model.backbone", "resnet18")
BALANCED = ("training.start_at_prevalence", "false")
"""A loss that weighs both labels alike wants a start at even odds."""


AT_ONCE = ("training.unfreezing", "at_once")
PX_28 = tuple((f"data.{key}", "28") for key in ("input_px", "resize_px", "store_px"))
SECOND = (("then.1.epochs", "1"), ("then.1.learning_rate", "1e-3"))
CASCADE = (
    ("training.epochs", "2"),
    ("then.1.epochs", "2"),
    ("then.2.epochs", "1"),
    ("then.2.unfreezing", "at_once"),
)
"""Its three stages share the epochs."""

BOXED = ("data.split", "boxed(0.5, 0.125)")
DETECTOR = (("model.name", "retinanet(64)"), ("localize.thresholds", "['detector']"))


@dataclass(frozen=True)
class Row:
    """One system.

    Attributes:
        recipe: Its name; also that of its page.
        title: What the table calls it.
        method: The map that makes its boxes.
        changes: More than `SHARED`: its one backbone, where the recipe's own is too large for the time.
        members: Recipes of the rows whose soft vote it is, and "ensembles" its page; empty for a system.
    """

    recipe: str
    title: str
    method: str
    changes: tuple[tuple[str, str], ...] = ()
    members: tuple[str, ...] = ()


ROWS = (
    Row("chexnet", "CheXNet, DenseNet-121", "gradcam"),
    Row("r38lm", "R38LM, ResNet-38-large with metadata", "gradcam"),
    Row("wang2017", "Wang et al. 2017, ResNet-18, transition, LSE", "cam", (SMALL, BALANCED)),
    Row("sorkhei_baseline", "ResNet-34, transition, maximum", "cam", (BALANCED,)),
    Row("sorkhei_space", "ResNet-18, space attention", "own", (SMALL, BALANCED)),
    Row("sorkhei_gates", "ResNet-18, attention gates", "own", (SMALL, BALANCED)),
    Row("wildcat", "WILDCAT, ResNet-18", "own", (SMALL,)),
    Row("rsna_classifier", "Classifier, ResNet-18", "gradcam", (SMALL,)),
    Row("standard_resnet50", "Standard ResNet-18, LSE", "cam", (SMALL, BALANCED)),
    Row("multires_resnet50", "MultiRes-ResNet-18, LSE", "cam", (SMALL, BALANCED)),
    Row("pcam", "PCAM, ResNet-18", "own", (SMALL,)),
    Row("lse_lba", "LSE-LBA, merged ResNet-18", "own", (SMALL,)),
    Row("pylon", "PYLON-like, ResNet-18", "own", (SMALL,)),
    Row("modern", "ConvNeXt-T", "gradcam"),
    Row("pcm_resnet50", "MultiRes-ResNet-18 + PCM", "own", (SMALL, BALANCED, *SECOND)),
    Row("ag_cnn", "AG-CNN, ResNet-18 twice", "gradcam", (SMALL, BALANCED, AT_ONCE)),
    Row("capsules", "CapsNet, 28 px", "gradcam", (*PX_28, ("model.backbone", "capsule_stem(128)"))),
    Row("capsule_cascade", "ResNet-18 then CapsNet", "gradcam", (SMALL, *CASCADE)),
    Row("patch_mil", "Patches, ResNet-18, labels alone", "own", (SMALL, ("training.step", "patches(0)"))),
    Row(
        "soft_vote", "Soft vote of WILDCAT, PCAM and PYLON-like", "own", members=("wildcat", "pcam", "pylon")
    ),
    Row("retinanet", "RetinaNet, ResNet-18, taught by boxes ‡", "own", (SMALL, BOXED, *DETECTOR)),
)
PAGES = {"standard_": "multires", "multires_": "multires", "pcm_": "pcm", "capsule_cascade": "capsules"}
"""Pages that several recipes share, by what their names start with."""

REAL = ("rsna_classifier", "sorkhei_space", "wildcat")
COLUMNS = (("auroc", None), ("hit_rate", None), ("t_iou", 0.1), ("t_iou", 0.3))
WORDS = ("mean AUROC", "hit rate", "T(IoU) 0.1", "T(IoU) 0.3")


def trained(row: Row, data: Path, runs: Path) -> tuple[RunFolder, float]:
    """The row's run, made now where it is not there, and the minutes it took."""
    folder, clock = RunFolder(runs / row.recipe), runs / row.recipe / "minutes.json"
    if row.members:
        if not folder.scores.is_file():
            ensemble([runs / member for member in row.members], folder.path)
        return folder, math.nan
    changes = {
        **SHARED,
        "explain.methods": f"['{row.method}']",
        "explain.pairs": "boxed",
        **dict(row.changes),
    }
    resolved = alone(load(row.recipe, changes))
    if not clock.is_file():
        begin = time.monotonic()
        run_recipe(resolved, data, folder.path)
        clock.write_text(json.dumps({"minutes": (time.monotonic() - begin) / 60}))
    return folder, json.loads(clock.read_text())["minutes"]


def means(folder: RunFolder) -> list[Score]:
    """The means over findings that the table prints."""
    scores = scores_from_json(read_json(folder.scores))
    scores = [score for score in scores if score.finding is None and score.stratum is None]
    return [next(s for s in scores if s.metric == m and same_t(s.at, at)) for m, at in COLUMNS]


def line(row: Row, folder: RunFolder, minutes: float) -> str:
    """The row of the table; numbers that do not clearly beat their floor carry a dagger."""
    found = means(folder)
    if row.members:
        return f"| [{row.title}](ensembles.md) | {' | '.join(map(_cell, found))} | | | |"
    model, _, _ = models.load(folder.weights, class_maps)
    n_parameters = sum(parameter.numel() for parameter in model.parameters())
    history = [json.loads(each) for each in folder.history.read_text(encoding="utf-8").splitlines()]
    pace = sum(record["seconds"] for record in history) / len(history)
    name = f"[{row.title}](systems/{_page(row.recipe)}.md)"
    cells = [name, *map(_cell, found), f"{n_parameters:,}", f"{pace:.0f}", f"{minutes:.1f}"]
    return f"| {' | '.join(cells)} |"


def curve(row: Row, folder: RunFolder) -> str:
    """AUROC on validation films by epoch, of a row that does not beat a floor."""
    history = [json.loads(each) for each in folder.history.read_text(encoding="utf-8").splitlines()]
    figures = ", ".join(f"{record['val_auroc']:.2f}" for record in history)
    losses = ", ".join(f"{record['train_loss']:.2f}" for record in history)
    return f"- {row.title}: validation AUROC {figures}; training loss {losses}."


def at_floor(folder: RunFolder) -> bool:
    """Whether one of its numbers does not clearly beat its floor."""
    return any(not score.low > score.floor for score in means(folder)[:3])


def _page(name: str) -> str:
    return next((page for start, page in PAGES.items() if name.startswith(start)), name)


def _cell(score: Score) -> str:
    if math.isnan(score.low):
        return f"{score.value:.2f} (too few for an interval) / {score.floor:.2f}"
    mark = "" if score.low > score.floor else " †"
    return f"{score.value:.2f} ({score.low:.2f} to {score.high:.2f}) / {score.floor:.2f}{mark}"


def tell(words: str) -> None:
    """A row takes minutes; each is shown as it is made."""
    sys.stderr.write(words + "\n")


def table(rows: list[Row], data: Path, runs: Path) -> tuple[list[str], list[str]]:
    """Lines of the table, and learning curves of those at a floor."""
    lines, curves = [], []
    for row in rows:
        try:
            folder, minutes = trained(row, data, runs)
        except HilumError as error:
            lines.append(f"| {row.title} | failed: {error} | | | | | | |")
            tell(lines[-1])
            continue
        lines.append(line(row, folder, minutes))
        curves += [curve(row, folder)] if at_floor(folder) and not row.members else []
        tell(lines[-1])
    return lines, curves


def main() -> None:
    """Trains what is missing, then writes the part of the page between its marks."""
    asked = argparse.ArgumentParser()
    asked.add_argument("which", choices=("phantoms", "real"))
    asked.add_argument("runs", type=Path)
    asked.add_argument("--data", type=Path)
    asked.add_argument("--only", nargs="*")
    given = asked.parse_args()
    rows = [row for row in ROWS if given.which == "phantoms" or row.recipe in REAL]
    rows = [row for row in rows if not given.only or row.recipe in given.only]
    if given.which == "phantoms":
        write(given.runs / "data", films=FILMS, size=SIDE, seed=0, workers=2)
    data = given.data or given.runs / "data"
    lines, curves = table(rows, data, given.runs / given.which)
    path = HERE / "systems.md"
    text = path.read_text(encoding="utf-8")
    for mark, made in ((given.which, lines), (f"{given.which}-curves", curves or ["- none"])):
        start, end = f"<!-- {mark} -->\n", f"<!-- end of {mark} -->"
        before, _, rest = text.partition(start)
        text = before + start + "\n".join(made) + "\n" + end + rest.partition(end)[2]
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    main()
