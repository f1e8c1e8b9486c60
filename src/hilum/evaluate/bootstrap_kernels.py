"""Compiled loops of the bootstrap: ranked films and the draws' weights in, pair and precision sums out."""

import numpy as np

from hilum.jit import compiled

LANES = 128
"""Draws that one pass over the films carries along; 128 keep a block of weights in the second cache."""


@compiled
def weight_blocks(picks, n_patients):
    """How often each patient was picked in each draw, as (block, patient, lane).

    Args:
        picks: Patients picked, (draws, picks).
        n_patients: Patients there are.
    """
    n_draws = picks.shape[0]
    blocks = np.zeros(((n_draws + LANES - 1) // LANES, n_patients, LANES), np.int16)
    for draw in range(n_draws):
        block = blocks[draw // LANES]
        lane = draw % LANES
        for pick in picks[draw]:
            block[pick, lane] += 1
    return blocks


@compiled
def ranked_sums(patient, present, tied, blocks):
    """Four sums for each draw over films in falling order of probability.

    Args:
        patient: Patient of each film, in that order.
        present: Whether the film has the finding.
        tied: Whether the film's probability equals that of the film before.
        blocks: Weights as (block, patient, lane).

    Returns:
        (4, draws): weight of positives, weight of negatives, weighted pairs in the wrong order
        (ties one half), and precision at each positive summed over the positives.
    """
    n_blocks = blocks.shape[0]
    sums = np.zeros((4, n_blocks * LANES))
    n_films = patient.shape[0]
    above_positive = np.zeros(LANES, np.int32)
    above_negative = np.zeros(LANES, np.int32)
    own_positive = np.zeros(LANES, np.int32)
    own_negative = np.zeros(LANES, np.int32)
    wrong = np.zeros(LANES)
    precision = np.zeros(LANES)
    for block in range(n_blocks):
        weights = blocks[block]
        above_positive[:] = 0
        above_negative[:] = 0
        wrong[:] = 0.0
        precision[:] = 0.0
        film = 0
        while film < n_films:
            after = film + 1
            while after < n_films and tied[after]:
                after += 1
            if after == film + 1 and not present[film]:
                row = weights[patient[film]]
                for lane in range(LANES):
                    above_negative[lane] += row[lane]
            else:
                own_positive[:] = 0
                own_negative[:] = 0
                for member in range(film, after):
                    row = weights[patient[member]]
                    own = own_positive if present[member] else own_negative
                    for lane in range(LANES):
                        own[lane] += row[lane]
                for lane in range(LANES):
                    wrong[lane] += own_positive[lane] * (above_negative[lane] + 0.5 * own_negative[lane])
                    above_positive[lane] += own_positive[lane]
                    above_negative[lane] += own_negative[lane]
                    seen = max(above_positive[lane] + above_negative[lane], 1)
                    precision[lane] += own_positive[lane] * (above_positive[lane] / seen)
            film = after
        first = block * LANES
        sums[0, first : first + LANES] = above_positive
        sums[1, first : first + LANES] = above_negative
        sums[2, first : first + LANES] = wrong
        sums[3, first : first + LANES] = precision
    return sums
