"""What maps that know nothing of the film reach, pixel by pixel."""

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Shaped

from hilum.evaluate import floors
from hilum.evaluate.pixelwise import crossed_auprc, union_masks

N_NOISE = 20
"""Noise maps behind the random floor; fewer than for boxes, for every pixel of them is ranked."""

N_OTHERS = 10
"""Maps of other patients behind the shuffled floor of each film."""


def pixel_floors(
    maps: Float32[np.ndarray, "k h w"],
    masks: Bool[np.ndarray, "k a b"],
    finding: Int[np.ndarray, " k"],
    patient: Shaped[np.ndarray, " k"],
    noise: Float32[np.ndarray, "u h w"],
    mean_box: Float[np.ndarray, "k 4"],
    affine: Float[np.ndarray, "k 2 3"],
    input_hw: tuple[int, int],
    rng: np.random.Generator,
) -> dict[str, Float[np.ndarray, " k"]]:
    """AUPRC of each film for each floor; NaN where no other patient has the finding.

    Args:
        maps: The system's maps.
        masks: True inside the reference.
        finding: Finding of each map.
        patient: Patient of each map.
        noise: Maps of noise at map resolution.
        mean_box: Mean box of the other patients, in the film's frame; NaN where there is none.
        affine: From pixels of the network's input to pixels of the film's frame.
        input_hw: Size of the network's input.
        rng: Says which other patients' maps are taken.
    """
    random = np.mean([crossed_auprc(one, masks) for one in noise[:N_NOISE]], axis=0)
    others = np.stack([floors.of_others(finding, patient, rng) for _ in range(N_OTHERS)])
    shuffled = np.zeros(len(maps))
    for source in np.unique(others[others >= 0]):
        rows = np.nonzero(others == source)[1]
        np.add.at(shuffled, rows, crossed_auprc(maps[source], masks[rows]) / len(others))
    known = ~np.isnan(mean_box[:, 0])
    boxed = np.full(len(maps), np.nan)
    hw = (masks.shape[1], masks.shape[2])
    inside = union_masks(mean_box[known], np.arange(known.sum()), affine[known], input_hw, hw)
    for row, box in zip(np.flatnonzero(known), inside.astype(np.float32), strict=True):
        boxed[row] = crossed_auprc(box, masks[[row]])[0]
    return {
        "random": np.nan_to_num(random),
        "shuffled": np.where(others[0] >= 0, np.nan_to_num(shuffled), np.nan),
        "centre": np.nan_to_num(crossed_auprc(floors.centre_map(noise.shape[1:])[0], masks)),
        "whole_image": masks.mean(axis=(1, 2)),
        "class_mean_box": np.where(known, np.nan_to_num(boxed), np.nan),
    }
