"""Writes chestxray14.md and its figure again from the published tables: `python docs/chestxray14.py DIR`."""

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from hilum.data import Cohort
from hilum.data.census import census_from, cooccurrence_from
from hilum.data.chestxray14 import load
from hilum.data.splits import split_from
from hilum.findings import CHESTXRAY14

HERE = Path(__file__).parent
SPLITS = (
    ("official(0.125)", 0),
    ("official_lines(0.125)", 0),
    ("official_shuffled(0.05)", 42),
    ("abnormal(5000, 0.2)", 0),
    *(("random(0.7, 0.1)", seed) for seed in range(5)),
)
USERS = {
    "official(0.125)": "Gascoigne-Burns and Katsigiannis 2021, official; Sorkhei et al. 2019, their text",
    "official_lines(0.125)": "Sorkhei et al. 2019, their code",
    "official_shuffled(0.05)": "Pun et al. 2021",
    "abnormal(5000, 0.2)": "D'Souza et al. 2022",
    "random(0.7, 0.1)": "Rajpurkar et al. 2017; Gascoigne-Burns and Katsigiannis 2021, random",
}


PAGE = """\
# ChestX-ray14 in numbers

`python docs/chestxray14.py DIR` writes this page from the tables of 2020 and the published lists, and a test
compares; films need not be on disk.

## Films

| | all | train_val list | test list |
|---|---|---|---|
{films}

Reference boxes: {n_boxes} on {n_boxed} films, all of them on the test list: {boxes}.

## Findings that come together

![Share of the films with one finding that have another](images/cooccurrence.svg)

Each row is a finding. A column gives the share of the row's films, in per cent, that also show another
finding; the last one the share that show no other. On the right, how many films the row has.

## Splits

| `[data] split` | `split_seed` | train | validation | test | patients | `split_hash` | used by |
|---|---|---|---|---|---|---|---|
{splits}

The published lists name no validation films. Where a paper drew its own and kept no list, hilum's are
others. The 82,736 and 3,788 films that Pun et al. 2021 print were met with none of 300 seeds of the generator
in their code (3,827 to 4,849 films validate); its own seed, 42, gives 82,257 and 4,267.
"""


def page(cohort: Cohort) -> str:
    """The page's text; figures of films on disk are left out, so that any download gives the same page."""
    census, sides = census_from(cohort), ("all", "train_val", "test")
    listed = {side: census["films"][side]["listed"] for side in sides}
    rows = {"films": listed, "patients": census["patients"]}
    return PAGE.format(
        films="\n".join(_row(name, counts, sides) for name, counts in (rows | census["findings"]).items()),
        n_boxes=census["boxes"]["listed"],
        n_boxed=census["boxed_films"]["listed"],
        boxes=", ".join(f"{name} {count}" for name, count in _boxes(cohort).items() if count),
        splits="\n".join(_split(cohort, text, seed) for text, seed in SPLITS),
    )


def _row(name: str, counts: dict[str, int], sides: tuple[str, ...]) -> str:
    return f"| {name} | " + " | ".join(f"{counts[side]:,}" for side in sides) + " |"


def _boxes(cohort: Cohort) -> dict[str, int]:
    counts = np.bincount(cohort.reference.finding, minlength=len(cohort.findings)).tolist()
    return dict(zip(cohort.findings, counts, strict=True))


def _split(cohort: Cohort, text: str, seed: int) -> str:
    split = split_from(text)(cohort, seed)
    sides = [len(split.side(side)) for side in ("train", "val", "test")]
    patients = [len(np.unique(split.patient[split.side(side)])) for side in ("train", "val", "test")]
    films, people = " | ".join(f"{n:,}" for n in sides), " / ".join(f"{n:,}" for n in patients)
    return f"| `{text}` | {seed} | {films} | {people} | `{split.split_hash}` | {USERS[text]} |"


def figure(cohort: Cohort) -> Figure:
    """Shares of films with one finding that show another, and that show no other."""
    labels = cohort.of_findings(CHESTXRAY14).labels
    together = cooccurrence_from(labels)
    n_films, alone = np.diag(together), ((labels == 1) & (labels.sum(axis=1, keepdims=True) == 1)).sum(axis=0)
    share = np.where(np.eye(len(together), dtype=bool), np.nan, together / n_films[:, None])
    share = 100 * np.column_stack([share, alone / n_films])
    names = [name.replace("_", " ") for name in CHESTXRAY14]
    drawn = Figure(figsize=(8.6, 6.4), layout="constrained")
    axes = drawn.subplots()
    edges = np.arange(16) - 0.5
    axes.pcolormesh(edges, edges[:15], share, cmap="Blues", vmin=0, vmax=60)  # a raster would hide in the SVG
    axes.invert_yaxis()
    for row, column in np.argwhere(np.isfinite(share)):
        value = share[row, column]
        colour = "white" if value > 35 else "#333333"
        axes.text(column, row, f"{value:.0f}", ha="center", va="center", color=colour, fontsize=8)
    axes.set_xticks(range(15), [*names, "alone"], rotation=45, ha="right", rotation_mode="anchor", fontsize=8)
    axes.set_yticks(range(14), names, fontsize=8)
    right = axes.secondary_yaxis("right")
    right.set_yticks(range(14), [f"{n:,}" for n in n_films], fontsize=8)
    for each in (axes, right):
        each.tick_params(length=0)
        each.spines[:].set_visible(False)
    axes.axvline(13.5, color="white", linewidth=3)
    axes.set_xlabel("also showing ... (% of the row's films)", fontsize=8)
    return drawn


if __name__ == "__main__":
    mpl.rcParams.update({"svg.hashsalt": "hilum", "svg.fonttype": "none"})
    tables = load(Path(sys.argv[1]), "no_finding")
    (HERE / "chestxray14.md").write_text(page(tables), encoding="utf-8")
    figure(tables).savefig(HERE / "images" / "cooccurrence.svg", metadata={"Date": None})
