import dataclasses

import numpy as np

from hilum.data.census import census_from, cooccurrence_from, text_from
from hilum.data.chestxray14 import load

from .conftest import ROWS, image_table


def test_counts_of_a_partial_download(nih_layout) -> None:
    table = image_table([*ROWS[:-1], (*ROWS[-1][:3], "414", *ROWS[-1][4:])])
    films = [ROWS[row][0] for row in (0, 5, 6, 9)]
    cohort = load(nih_layout(films=films, Data_Entry_2017_v2020__csv=table))
    cohort = dataclasses.replace(cohort, split=np.where(cohort.patient == "90004", "val", cohort.split))
    census = census_from(cohort)
    assert census["films"] == {
        "all": {"listed": 12, "on_disk": 4},
        "train_val": {"listed": 7, "on_disk": 3},
        "test": {"listed": 5, "on_disk": 1},
    }
    assert census["patients"] == {"all": 6, "train_val": 4, "test": 2}
    assert census["boxes"] == {"listed": 4, "on_disk": 2}
    assert census["boxed_films"] == {"listed": 3, "on_disk": 1}
    assert len(census["findings"]) == 14
    assert census["findings"]["Mass"] == {"all": 2, "train_val": 2, "test": 0, "on_disk": 2, "unknown": 0}
    assert list(census["findings"]["Infiltration"].values()) == [3, 1, 2, 1, 0]
    assert not any(census["findings"]["Hernia"].values())
    assert census["missing"] == {"films": 8, "first": [ROWS[row][0] for row in (1, 2, 3, 4, 7, 8, 10, 11)]}
    assert census["split"] == {"name": "official lists", "hash": cohort.split_hash}
    assert census["mended"] == ["00090006_001.png: age '414' set to unknown"]
    assert len(census["tables"]) == 4

    lines = text_from(census).splitlines()
    assert lines[:3] == [
        "ChestX-ray14: 4 of 12 films on disk",
        "  train_val 3 of 7, test 1 of 5; 6 patients",
        "  reference boxes 2 of 4, on 1 of 3 films",
    ]
    assert lines[4].split() == ["finding", "all", "train_val", "test", "on", "disk", "unknown"]
    assert "Infiltration                       3          1        2        1        0" in lines
    assert f"8 films are not on disk, the first: {ROWS[1][0]}, {ROWS[2][0]}" in "\n".join(lines)
    assert lines[-2:] == ["1 rows mended", "  00090006_001.png: age '414' set to unknown"]


def test_a_label_that_is_not_mentioned_is_not_counted(nih_layout) -> None:
    cohort = load(nih_layout())
    labels = cohort.labels.copy()
    labels[5, 4] = np.nan
    counts = census_from(dataclasses.replace(cohort, labels=labels))["findings"]["Mass"]
    assert (counts["all"], counts["unknown"]) == (1, 1)


def test_films_without_sides_and_choices_are_told(nih_layout) -> None:
    cohort = load(nih_layout())
    unsided = dataclasses.replace(cohort, split=np.full(12, "", "<U5"), chosen=("taken from b",))
    lines = text_from(census_from(unsided)).splitlines()
    assert lines[1] == "  no official sides; 6 patients"
    assert "taken from b" in lines
    assert not any("not on disk" in line for line in lines)


def test_cooccurrence_of_the_real_table(real) -> None:
    """Labels a film: 1 on 30,963 films, 2 on 14,306, ... as counted from the table itself."""
    together = cooccurrence_from(real.labels[:, :14])
    assert np.diag(together).sum() == real.labels[:, :14].sum()
    np.testing.assert_array_equal(together, together.T)
    counts = np.bincount((real.labels[:, :14] == 1).sum(axis=1))
    assert counts[1:].tolist() == [30_963, 14_306, 4_856, 1_247, 301, 67, 16, 1, 2]
    pairs = sum(n * k * (k - 1) // 2 for k, n in enumerate(counts))
    assert together[np.triu_indices(14, 1)].sum() == pairs


def test_no_film(nih_layout) -> None:
    census = census_from(load(nih_layout()).rows(np.zeros(12, bool)))
    assert census["films"]["all"] == {"listed": 0, "on_disk": 0}
    assert census["boxes"] == census["boxed_films"] == {"listed": 0, "on_disk": 0}
    assert text_from(census).startswith("ChestX-ray14: 0 of 0 films on disk")


def test_the_real_census(real) -> None:
    census = census_from(real)
    assert census["films"]["all"] == {"listed": 112_120, "on_disk": 593}
    assert census["boxes"]["listed"] == 984
    assert census["boxed_films"]["listed"] == 880
    assert "112,120" in text_from(census)
