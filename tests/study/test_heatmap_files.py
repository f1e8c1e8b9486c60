"""Maps on disk come back as they were, each with its film, its finding and its affine."""

import numpy as np
import pytest

from hilum.errors import RunError
from hilum.study.folder import RunFolder
from hilum.study.heatmap_files import part_path, read_maps, write_array, write_index


def test_maps_of_several_parts_read_back(run, tmp_path) -> None:
    folder = RunFolder(tmp_path / "other")
    maps = np.arange(5 * 6, dtype=np.float32).reshape(5, 2, 3)
    pairs = [np.array([[3, 0], [3, 2]]), np.zeros((0, 2), np.int64), np.array([[4, 1], [7, 0], [7, 13]])]
    affine = np.random.default_rng(0).normal(size=(len(run.cohort), 2, 3))
    for number, inside in enumerate((maps[:2], maps[:0], maps[2:])):
        write_array(part_path(folder, "cam", number), inside)
    write_index(folder, "cam", run.cohort, pairs, affine)
    back = read_maps(folder, "cam", run.cohort)
    assert np.array_equal(back.maps, maps)
    assert back.image.tolist() == [3, 3, 4, 7, 7]
    assert back.finding.tolist() == [0, 2, 1, 0, 13]
    assert np.array_equal(back.affine, affine[[3, 3, 4, 7, 7]])


def test_no_maps_are_no_maps(run, tmp_path) -> None:
    folder = RunFolder(tmp_path / "other")
    write_index(folder, "cam", run.cohort, [np.zeros((0, 2), np.int64)], np.zeros((len(run.cohort), 2, 3)))
    assert len(read_maps(folder, "cam", run.cohort).maps) == 0


def test_maps_of_other_films_and_no_maps_at_all_are_refused(run, tmp_path) -> None:
    index = run.folder.heatmaps / "cam" / "index.csv"
    index.write_text(index.read_text().replace("0000", "1111"))
    with pytest.raises(RunError, match="of other films"):
        read_maps(run.folder, "cam", run.cohort)
    with pytest.raises(RunError, match="run `hilum explain"):
        read_maps(run.folder, "eigencam", run.cohort)


def test_a_map_is_whole_or_absent(tmp_path, monkeypatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", fail)
    with pytest.raises(Exception, match="the disk is full"):
        write_array(tmp_path / "a.npy", np.zeros(3))
    assert not list(tmp_path.iterdir())
