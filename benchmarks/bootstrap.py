"""A thousand redrawn cohorts of 14 AUROCs beside scikit-learn and torchmetrics, on one core.

25,596 films of 2,797 patients with as many positives as the test list of ChestX-ray14; probabilities are
drawn, float32 as a network gives them. The peers score the redrawn films one cohort at a time; they do
so for some cohorts only, and their time is scaled to a thousand. Their cohorts are redrawn beforehand; the
drawing is in our time.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torchmetrics.functional.classification import multilabel_auroc

from hilum.evaluate.bootstrap import auroc_draws
from timing import Ratio, machine, n_rounds, rounds

N_FILMS, N_PATIENTS = 25_596, 2_797
POSITIVES = (3279, 1069, 4658, 6112, 1748, 1623, 555, 2665, 1815, 925, 1093, 435, 1143, 86)
N_DRAWS = 1000
N_PEER_DRAWS = 20
"""Cohorts that a peer scores in a round."""

GOALS = {"scikit-learn": 800, "torchmetrics": 450}
CLOSEST = 1e-12
"""Greatest difference of an AUROC allowed."""

Peer = Callable[[np.ndarray, np.ndarray], np.ndarray]


def main() -> None:
    """Prints a line for each peer: ratio, goal, verdict and the greatest difference of an AUROC."""
    n = n_rounds(__doc__)
    torch.set_num_threads(1)
    print(machine("numpy", "numba", "scikit-learn", "torchmetrics", "torch"))
    print(f"{N_DRAWS} draws of {len(POSITIVES)} AUROCs on {N_FILMS:,} films, medians of {n} rounds;")
    print(f"peers timed on {N_PEER_DRAWS} draws, scaled to {N_DRAWS}\n")
    print("peer             peer, s   ours, s  times as fast            goal       verdict  difference")
    probabilities, labels, patient = films()
    drawn = redrawn(patient)
    for name, peer in {"scikit-learn": by_scikit_learn, "torchmetrics": by_torchmetrics}.items():
        print(_line(name, peer, probabilities, labels, patient, drawn, n))


def films() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities, labels and patients; patients have one film to many, as in the list."""
    rng = np.random.default_rng(0)
    labels = np.zeros((N_FILMS, len(POSITIVES)))
    for column, count in enumerate(POSITIVES):
        labels[rng.choice(N_FILMS, count, replace=False), column] = 1
    logits = rng.normal(-2.5, 1.0, labels.shape) + 1.2 * labels
    share = rng.lognormal(0, 1, N_PATIENTS)
    patient = np.concatenate(
        [np.arange(N_PATIENTS), rng.choice(N_PATIENTS, N_FILMS - N_PATIENTS, p=share / share.sum())]
    )
    return (1 / (1 + np.exp(-logits))).astype(np.float32), labels, patient


def redrawn(patient: np.ndarray) -> list[np.ndarray]:
    """Rows of the first cohorts that `auroc_draws` draws from a generator in the same state."""
    picks = np.random.default_rng(1).integers(0, N_PATIENTS, (N_DRAWS, N_PATIENTS), dtype=np.int32)
    counts = [np.bincount(pick, minlength=N_PATIENTS)[patient] for pick in picks[:N_PEER_DRAWS]]
    return [np.repeat(np.arange(N_FILMS), count) for count in counts]


def by_scikit_learn(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The 14 AUROCs of one cohort."""
    return np.asarray(roc_auc_score(labels, probabilities, average=None))


def by_torchmetrics(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The 14 AUROCs of one cohort, exact: without thresholds."""
    truth = torch.from_numpy(labels).long()
    return multilabel_auroc(torch.from_numpy(probabilities), truth, len(POSITIVES), average=None).numpy()


def _line(
    name: str,
    peer: Peer,
    probabilities: np.ndarray,
    labels: np.ndarray,
    patient: np.ndarray,
    drawn: list[np.ndarray],
    n: int,
) -> str:
    cohorts = [(probabilities[rows], labels[rows]) for rows in drawn]

    def theirs() -> np.ndarray:
        return np.stack([peer(*cohort) for cohort in cohorts])

    def ours() -> np.ndarray:
        return auroc_draws(probabilities, labels, patient, N_DRAWS, np.random.default_rng(1))

    torch.set_default_dtype(torch.float64)  # torchmetrics divides in this, and is timed as it comes
    difference = np.abs(theirs() - ours()[:N_PEER_DRAWS]).max()
    torch.set_default_dtype(torch.float32)
    ratio = _scaled(rounds(theirs, ours, n))
    fast = "reached" if ratio.median >= GOALS[name] else "missed"
    same = "agrees" if difference <= CLOSEST else "DISAGREES"
    return (
        f"{name:14s} {ratio.baseline_s:9.1f} {ratio.ours_s:9.3f}  {ratio!s:24s} >= {GOALS[name]:<7d} "
        f"{fast:7s}  {difference:.0e} {same} (<= {CLOSEST:.0e})"
    )


def _scaled(ratio: Ratio) -> Ratio:
    """The ratio for as many draws on the peer's side as on ours."""
    names = ("median", "low", "high", "baseline_s")
    return replace(ratio, **{name: getattr(ratio, name) * N_DRAWS / N_PEER_DRAWS for name in names})


if __name__ == "__main__":
    main()
