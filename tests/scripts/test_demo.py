"""What the demo promises of its phantoms and its network, for three populations; minutes each."""

import json
import re
import subprocess
import sys
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hilum.data.chestxray14 import load
from hilum.data.cohort import Cohort

SCRIPT = Path(__file__).parents[2] / "scripts" / "demo"


def aurocs(cohort: Cohort, known: np.ndarray, strength: float) -> float:
    """Mean AUROC on test films of a logistic regression a finding."""
    train, test = cohort.split != "test", cohort.split == "test"
    found = []
    for labels in (cohort.labels == 1).T:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=400))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(known[train], labels[train])
        found.append(roc_auc_score(labels[test], model.predict_proba(known[test])[:, 1]))
    return float(np.mean(found))


def thumbnails(cohort: Cohort) -> np.ndarray:
    """Films of 16 x 16 pixels, one a row."""
    films = [cv2.imread(path, cv2.IMREAD_GRAYSCALE) for path in cohort.paths.tolist()]
    return np.array([cv2.resize(f, (16, 16), interpolation=cv2.INTER_AREA).ravel() for f in films], float)


def figures(data: Path, run: Path) -> dict[str, float]:
    """Everything that is promised, measured."""
    cohort = load(data)
    known = np.stack([cohort.age, cohort.sex == "F", cohort.view == "AP"], axis=1)
    whole = [row for row in json.loads((run / "scores.json").read_text())["scores"] if row["finding"] is None]
    auroc = next(row for row in whole if row["metric"] == "auroc")
    hits = next(row for row in whole if row["metric"] == "hit_rate")
    boxes = next(row for row in whole if row["metric"] == "t_iou" and row["at"] == 0.1)
    return {
        "auroc": auroc["value"],
        "thumbnails": max(aurocs(cohort, thumbnails(cohort), strength) for strength in (0.001, 0.01, 0.1)),
        "metadata": aurocs(cohort, known.astype(float), 1.0),
        "hits_over_floor": hits["value"] / hits["floor"],
        "t_iou_over_floor": boxes["value"] / boxes["floor"],
    }


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_demo_keeps_its_promises(seed: int, tmp_path: Path) -> None:
    films = re.search(r"--films \d+ --size \d+", SCRIPT.read_text())
    assert films is not None
    hilum = [sys.executable, "-c", "from hilum.apps.cli import main; main()"]
    data, run = tmp_path / "data", tmp_path / "run"
    subprocess.run([*hilum, "data", "phantom", data, *films[0].split(), "--seed", str(seed)], check=True)
    subprocess.run([*hilum, "study", "demo", "--data", data, "--out", run], check=True)
    found = figures(data, run)
    assert found["auroc"] >= 0.85, found
    assert found["thumbnails"] <= found["auroc"] - 0.10, found
    assert found["metadata"] < 0.65, found
    assert found["hits_over_floor"] >= 2, found
    assert found["t_iou_over_floor"] >= 2, found
