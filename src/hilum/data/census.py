"""A cohort -> what is there and what is missing, as numbers and as text."""

from typing import Any

import numpy as np
from jaxtyping import Float, Int

from hilum.data.cohort import Cohort

N_NAMED = 10
"""Missing films that are named; the others are counted."""


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
        "missing": {"films": int((~here).sum()), "first": cohort.films[~here][:N_NAMED].tolist()},
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
                "unknown": int(np.isnan(cohort.labels[:, column]).sum()),
            }
            for column, finding in enumerate(cohort.findings)
        },
        "split": {"name": cohort.split_name, "hash": cohort.split_hash},
        "chosen": list(cohort.chosen),
        "mended": list(cohort.mended),
        "tables": cohort.tables,
    }


def cooccurrence_from(labels: Float[np.ndarray, "n f"]) -> Int[np.ndarray, "f f"]:
    """Films with both of two findings; on the diagonal, films with the finding at all.

    Example:
        >>> cooccurrence_from(np.array([[1.0, 1.0], [1.0, 0.0], [0.0, np.nan]])).tolist()
        [[2, 1], [1, 1]]
    """
    present = (labels == 1).astype(np.int64)
    return present.T @ present


def text_from(census: dict[str, Any]) -> str:
    """A census as a table for the terminal."""
    films, boxes, patients = census["films"], census["boxes"], census["patients"]["all"]
    sides = [
        f"{name} {counts['on_disk']:,} of {counts['listed']:,}"
        for name, counts in films.items()
        if name != "all" and counts["listed"]
    ]
    lines = [
        f"{census['source']}: {films['all']['on_disk']:,} of {films['all']['listed']:,} films on disk",
        f"  {', '.join(sides) or 'no official sides'}; {patients:,} patients",
        f"  reference boxes {boxes['on_disk']:,} of {boxes['listed']:,}, on "
        f"{census['boxed_films']['on_disk']:,} of {census['boxed_films']['listed']:,} films",
        "",
        f"{'finding':27}{'all':>9}{'train_val':>11}{'test':>9}{'on disk':>9}{'unknown':>9}",
    ]
    for finding, counts in census["findings"].items():
        numbers = f"{counts['all']:>9,}{counts['train_val']:>11,}{counts['test']:>9,}{counts['on_disk']:>9,}"
        lines.append(f"{finding:27}{numbers}{counts['unknown']:>9,}")
    missing, mended = census["missing"], census["mended"]
    if missing["films"]:
        lines += ["", f"{missing['films']:,} films are not on disk, the first: {', '.join(missing['first'])}"]
    if census["chosen"]:
        lines += ["", *census["chosen"]]
    return "\n".join([*lines, "", f"{len(mended):,} rows mended", *(f"  {line}" for line in mended)])
