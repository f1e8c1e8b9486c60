"""A small cohort to score: many films a patient, boxes in a frame of 64 px."""

from collections.abc import Callable

import numpy as np
import pytest

from hilum.boxes import BoxTable
from hilum.data.cohort import Cohort

FINDINGS = ("Mass", "Nodule", "Effusion")


@pytest.fixture
def cohort_of() -> Callable[..., Cohort]:
    """Makes a cohort of n films with random labels and as many box entries as asked for."""

    def make(n: int, n_entries: int = 0, *, films_a_patient: int = 2, seed: int = 0) -> Cohort:
        rng = np.random.default_rng(seed)
        low = rng.uniform(0, 40, (n_entries, 2))
        reference = BoxTable(
            image=rng.integers(0, max(n, 1), n_entries),
            finding=(rng.random(n_entries) < 0.3).astype(np.int64),  # nobody boxes Effusion
            xyxy=np.concatenate([low, low + rng.uniform(2, 20, (n_entries, 2))], axis=1),
            score=np.full(n_entries, np.nan),
        )
        return Cohort(
            films=np.array([f"{row:04d}.png" for row in range(n)], dtype="<U8"),
            paths=np.full(n, "", dtype="<U8"),
            findings=FINDINGS,
            labels=(rng.random((n, 3)) < (0.4, 0.2, 0.3)).astype(float),
            patient=np.array([f"p{row // films_a_patient}" for row in range(n)], dtype="<U8"),
            view=np.where(rng.random(n) < 0.5, "AP", "PA"),
            age=rng.uniform(20, 80, n),
            sex=np.where(rng.random(n) < 0.5, "F", "M"),
            split=np.full(n, "test"),
            reference=reference,
            frame_hw=(64, 64),
        )

    return make
