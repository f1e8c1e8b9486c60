"""The sheet shows as many films as asked for, boxes in colour, and nothing when there is nothing to show."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from hilum.data.phantom.contact_sheet import contact_sheet


def test_a_sheet_has_a_tile_a_film_and_coloured_boxes(cohort_folder: Path, tmp_path: Path) -> None:
    contact_sheet(cohort_folder, tmp_path / "a.png", films=6, seed=0)
    contact_sheet(cohort_folder, tmp_path / "b.png", films=6, seed=0)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    sheet = cv2.imread(str(tmp_path / "a.png"))
    assert sheet is not None
    assert sheet.shape == (4 + 2 * 294, 4 + 5 * 260, 3)
    tiles = [sheet[4:260, 4 + 260 * k : 260 + 260 * k] for k in range(5)]
    coloured = [(np.ptp(tile.astype(int), axis=2) > 60).any() for tile in tiles]
    assert coloured == [False, True, True, True, True]  # the first one is healthy


def test_no_film_is_refused(cohort_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="ask for 1 or more"):
        contact_sheet(cohort_folder, tmp_path / "a.png", films=0, seed=0)
