"""A cohort -> what is there and what is missing, as numbers and as text."""

from typing import Any

import numpy as np

from hilum.data.cohort import Cohort


def census_from(cohort: Cohort) -> dict[str, Any]:
    """Counts of films, patients, boxes and findings, listed and on disk, by side of the split."""
    here = cohort.on_disk
    sides = {
        "all": np.ones(len(cohort), bool),
        "train_val": np.isin(cohort.split, ("train", "val")),
        "test": cohort.split == "test",
    }
    boxed_here = here[cohort.reference.image]
    return {
        "source": cohort.source,
        "films": {
            name: {"listed": int(side.sum()), "on_disk": int((side & here).sum())}
            for name, side in sides.items()
        },
        "patients": {name: len(np.unique(cohort.patient[side])) for name, side in sides.items()},
        "boxes": {"listed": len(cohort.reference), "on_disk": int(boxed_here.sum())},
        "boxed_films": {
            "listed": len(np.unique(cohort.reference.image)),
            "on_disk": len(np.unique(cohort.reference.image[boxed_here])),
        },
        "findings": {
            finding: {
                **{name: int((cohort.labels[side, column] == 1).sum()) for name, side in sides.items()},
                "on_disk": int((cohort.labels[here, column] == 1).sum()),
            }
            for column, finding in enumerate(cohort.findings)
        },
        "mended": list(cohort.mended),
        "tables": cohort.tables,
    }


def text_from(census: dict[str, Any]) -> str:
    """A census as a table for the terminal."""
    films, boxes = census["films"], census["boxes"]
    lines = [
        f"{census['source']}: {films['all']['on_disk']:,} of {films['all']['listed']:,} films on disk",
        f"  train_val {films['train_val']['on_disk']:,} of {films['train_val']['listed']:,}, "
        f"test {films['test']['on_disk']:,} of {films['test']['listed']:,}; "
        f"{census['patients']['all']:,} patients",
        f"  reference boxes {boxes['on_disk']:,} of {boxes['listed']:,}, on "
        f"{census['boxed_films']['on_disk']:,} of {census['boxed_films']['listed']:,} films",
        "",
        f"{'finding':20}{'all':>9}{'train_val':>11}{'test':>9}{'on disk':>9}",
    ]
    for finding, counts in census["findings"].items():
        numbers = f"{counts['all']:>9,}{counts['train_val']:>11,}{counts['test']:>9,}{counts['on_disk']:>9,}"
        lines.append(f"{finding:20}{numbers}")
    lines += ["", f"{len(census['mended'])} rows mended", *(f"  {line}" for line in census["mended"])]
    return "\n".join(lines)
