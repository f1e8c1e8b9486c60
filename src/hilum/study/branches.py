"""What each network of a composite model would say alone, as probabilities beside the model's."""

import numpy as np
import torch

from hilum import models, pipeline
from hilum.data.metadata import metadata_from
from hilum.data.store import Progress, silent
from hilum.explain import class_maps
from hilum.study.folder import RunFolder, read_probabilities, write_csv
from hilum.study.opening import Films, Pixels

CHUNK = 32
"""Films a forward pass."""


def predict_branches(folder: RunFolder, films: Films, pixels: Pixels, progress: Progress = silent) -> None:
    """Writes `probabilities-NAME.csv` of each network, for the films of `probabilities.csv`; once.

    A model of one network has none.
    """
    model, geometry, scaling = models.load(folder.weights, class_maps)
    if not isinstance(model, models.Composite) or folder.branches:
        return
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    cohort, metadata = films.cohort, metadata_from(films.cohort, scaling)
    rows = np.flatnonzero(np.isfinite(read_probabilities(folder, cohort)).all(axis=1))
    said: dict[str, list[np.ndarray]] = {}
    for start in range(0, len(rows), CHUNK):
        chosen = rows[start : start + CHUNK]
        batch = pixels.store.batch(pixels.rows[chosen])
        for name, likely in pipeline.branches(model, batch, geometry, metadata[chosen]).items():
            said.setdefault(name, []).append(likely)
        progress(start + len(chosen), len(rows))
    for name, likely in said.items():
        lines = zip(cohort.films[rows], cohort.split[rows], np.concatenate(likely), strict=True)
        path = folder.branch_probabilities(name)
        write_csv(path, ("image", "split", *cohort.findings), ((film, side, *of) for film, side, of in lines))
