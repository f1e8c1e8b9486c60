"""Compiled loops of the bootstrap: ranked films and the draws' weights in, pair and precision sums out."""

import numpy as np

from hilum.jit import compiled

LANES = 256
"""Draws that one pass over the films carries along."""


@compiled
def weight_blocks(picks, n_patients):
    """How often each patient was picked in each draw, as (block, patient, lane).

    A byte holds the count: that one patient is picked 256 times has a chance below 1e-500.

    Args:
        picks: Patients picked, (draws, picks).
        n_patients: Patients there are.
    """
    n_draws = picks.shape[0]
    blocks = np.zeros(((n_draws + LANES - 1) // LANES, n_patients, LANES), np.uint8)
    for draw in range(n_draws):
        block = blocks[draw // LANES]
        lane = draw % LANES
        for pick in picks[draw]:
            block[pick, lane] += 1
    return blocks


@compiled
def pair_sums(negative, positive, above, times, blocks):
    """Three sums for each draw: weight of positives, of negatives, and of pairs in the wrong order.

    Args:
        negative: Patient of each film without the finding, in falling order of probability.
        positive: Patient of each film with it; twice where it ties with negatives.
        above: How many negatives stand above it, rising; once without and once with those that tie.
        times: 2 where it stands once, 1 where it stands twice, so that ties count one half.
        blocks: Weights as (block, patient, lane).
    """
    n_blocks = blocks.shape[0]
    n_events = positive.shape[0]
    sums = np.zeros((3, n_blocks * LANES))
    passed = np.zeros(LANES, np.int32)
    twice_positive = np.zeros(LANES, np.int32)
    twice_wrong = np.zeros(LANES, np.int64)
    for block in range(n_blocks):
        weights = blocks[block]
        passed[:] = 0
        twice_positive[:] = 0
        twice_wrong[:] = 0
        done = 0
        for event in range(n_events + 1):
            upto = above[event] if event < n_events else negative.shape[0]
            while done + 4 <= upto:  # four at a time: reading and writing the sum costs most
                one = weights[negative[done]]
                two = weights[negative[done + 1]]
                three = weights[negative[done + 2]]
                four = weights[negative[done + 3]]
                for lane in range(LANES):
                    passed[lane] += one[lane] + two[lane] + three[lane] + four[lane]
                done += 4
            while done < upto:
                one = weights[negative[done]]
                for lane in range(LANES):
                    passed[lane] += one[lane]
                done += 1
            if event < n_events:
                one = weights[positive[event]]
                factor = times[event]
                for lane in range(LANES):
                    own = np.int32(factor * one[lane])
                    twice_positive[lane] += own
                    twice_wrong[lane] += np.int64(own) * passed[lane]
        first = block * LANES
        sums[0, first : first + LANES] = 0.5 * twice_positive
        sums[1, first : first + LANES] = passed
        sums[2, first : first + LANES] = 0.5 * twice_wrong
    return sums


@compiled
def precision_sums(patient, present, tied, blocks):
    """Three sums for each draw over films in falling order of probability.

    Args:
        patient: Patient of each film, in that order.
        present: Whether the film has the finding.
        tied: Whether the film's probability equals that of the film before.
        blocks: Weights as (block, patient, lane).

    Returns:
        (3, draws): weight of positives, weight of negatives, and precision at each positive summed over
        the positives.
    """
    n_blocks = blocks.shape[0]
    sums = np.zeros((3, n_blocks * LANES))
    n_films = patient.shape[0]
    above_positive = np.zeros(LANES, np.int32)
    above_negative = np.zeros(LANES, np.int32)
    own_positive = np.zeros(LANES, np.int32)
    own_negative = np.zeros(LANES, np.int32)
    precision = np.zeros(LANES)
    for block in range(n_blocks):
        weights = blocks[block]
        above_positive[:] = 0
        above_negative[:] = 0
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
                    above_positive[lane] += own_positive[lane]
                    above_negative[lane] += own_negative[lane]
                    seen = max(above_positive[lane] + above_negative[lane], 1)
                    precision[lane] += own_positive[lane] * (above_positive[lane] / seen)
            film = after
        first = block * LANES
        sums[0, first : first + LANES] = above_positive
        sums[1, first : first + LANES] = above_negative
        sums[2, first : first + LANES] = precision
    return sums
