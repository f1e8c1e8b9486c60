"""Tables of the run folder: whole, read back as written, safe to open in a spreadsheet."""

import json
import math

import numpy as np
import pytest

from hilum.boxes import BoxTable
from hilum.errors import RunError
from hilum.study.folder import (
    RunFolder,
    read_boxes,
    read_csv,
    read_json,
    read_probabilities,
    versions,
    write_boxes,
    write_csv,
    write_json,
)


def test_a_table_reads_back_and_unknown_numbers_are_empty(tmp_path) -> None:
    path = tmp_path / "t.csv"
    write_csv(path, ("name", "x"), [("a,b", 0.1), ("c\n", math.nan), ("=1+1", np.float32(0.25))])
    assert read_csv(path) == [
        {"name": "a,b", "x": "0.1"},
        {"name": "c\n", "x": ""},
        {"name": "'=1+1", "x": "0.25"},
    ]


def test_json_refuses_what_is_not_a_number(tmp_path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"x": math.nan})
    assert not list(tmp_path.iterdir())
    write_json(tmp_path / "a.json", {"x": None})
    assert read_json(tmp_path / "a.json") == {"x": None}


def test_boxes_read_back_by_method_and_rule(run) -> None:
    xyxy = np.array([[0.5, 1.0, 7.25, 9.0], [3.0, 3.0, 4.0, 4.0]])
    table = BoxTable(np.array([2, 0]), np.array([13, 1]), xyxy, np.array([0.5, 0.125]))
    write_boxes(run.folder.boxes, run.cohort, {("cam", "otsu+largest"): table})
    (key, back), *rest = read_boxes(run.folder, run.cohort).items()
    assert key == ("cam", "otsu+largest")
    assert not rest
    for column in ("image", "finding", "xyxy", "score"):
        assert np.array_equal(getattr(back, column), getattr(table, column))


def test_no_boxes_are_a_table_with_a_header(run) -> None:
    write_boxes(run.folder.boxes, run.cohort, {})
    assert run.folder.boxes.read_text().startswith("image,finding,x_min")
    assert read_boxes(run.folder, run.cohort) == {}


def test_probabilities_stand_in_the_row_of_their_film(run) -> None:
    values = read_probabilities(run.folder, run.cohort)
    line = read_csv(run.folder.probabilities)[3]
    row = run.cohort.films.tolist().index(line["image"])
    assert values[row, 4] == float(line[run.cohort.findings[4]])
    assert np.isnan(values[run.cohort.side("train")]).all()
    assert np.isfinite(values[run.cohort.side("test")]).all()


def test_probabilities_of_other_films_are_refused(run) -> None:
    text = run.folder.probabilities.read_text().splitlines()
    run.folder.probabilities.write_text("\n".join([text[0], "stranger.png" + text[1][text[1].index(",") :]]))
    with pytest.raises(RunError, match="of other films or findings"):
        read_probabilities(run.folder, run.cohort)


def test_a_missing_file_names_the_stage_that_makes_it(tmp_path) -> None:
    folder = RunFolder(tmp_path)
    with pytest.raises(RunError, match=r"boxes\.csv is missing; run `hilum localize"):
        folder.demand(folder.boxes, "localize")


def test_versions_name_what_computes() -> None:
    found = versions()
    assert {"python", "hilum", "numpy", "torch"} <= set(found)
    assert json.dumps(found)
