"""Predictions as people write them, and the one clear error for those that make no sense."""

import json
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from hilum.boxes import BoxTable
from hilum.data import Cohort
from hilum.errors import TableError
from hilum.study.predictions import read_boxes, read_maps, read_probabilities

FINDINGS = ("Effusion", "Pleural_Thickening", "Infiltration")


@pytest.fixture
def cohort() -> Cohort:
    """Three films, two of them with a reference box."""
    return Cohort(
        films=np.array(["00000001_000.png", "00000001_001.png", "00000002_000.png"]),
        paths=np.full(3, ""),
        findings=FINDINGS,
        labels=np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32),
        patient=np.array(["1", "1", "2"]),
        view=np.array(["PA", "AP", "PA"]),
        age=np.array([30.0, 31.0, 60.0]),
        sex=np.array(["F", "F", "M"]),
        split=np.array(["train", "train", "test"]),
        reference=BoxTable(
            np.array([0, 2]),
            np.array([0, 2]),
            np.array([[0.0, 0, 512, 512], [100, 100, 300, 200]]),
            np.full(2, np.nan),
        ),
        frame_hw=(1024, 1024),
        source="ChestX-ray14",
    )


def _written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


HEADERS = {
    "as we write": "image,Effusion,Infiltration",
    "prefixes": "Image Index,prob_Effusion,prob_Infiltrate",
    "suffixes": "filename,Effusion_pred,infiltration_prob",
    "small letters": "path,effusion,infiltration",
    "points": "IMG,p.Effusion,p.Infiltration",
}
FILMS = {
    "as listed": "{}.png",
    "no ending": "{}",
    "a folder": "images_001/images/{}.png",
    "a windows folder": "D:\\cxr\\{}.jpg",
}


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("film", FILMS)
def test_probabilities_as_people_write_them(header, film, cohort, tmp_path) -> None:
    first, third = (FILMS[film].format(name) for name in ("00000001_000", "00000002_000"))
    text = f"{HEADERS[header]}\n{third},0.25,1\n{first},,0.5\nelsewhere.png,0.1,0.1\n"
    made, passed = read_probabilities(_written(tmp_path, "p.csv", text), cohort)
    np.testing.assert_array_equal(made[0], [np.nan, np.nan, 0.5])
    np.testing.assert_array_equal(made[1], [np.nan] * 3)
    np.testing.assert_array_equal(made[2], [0.25, np.nan, 1.0])
    assert passed == Counter({"films that the data does not list": 1})


def test_other_columns_are_passed_over(cohort, tmp_path) -> None:
    text = "image,patient,Effusion,Effusion_logit_std,Pneumothorax\n00000001_000.png,x,0.5,9,7\n"
    made, _ = read_probabilities(_written(tmp_path, "p.csv", text), cohort)
    np.testing.assert_array_equal(made[0], [0.5, np.nan, np.nan])


WRONG_PROBABILITIES = {
    "image,Effusion\n00000001_000.png,1.5\n": r"p.csv, line 2: probability 1.5 lies outside .*sigmoid",
    "image,Effusion\n00000001_000.png,-3\n": "lies outside",
    "image,Effusion\n00000001_000.png,high\n": "'high' is no number",
    "image,Effusion\n00000001_000.png,0.5\n00000001_000,1\n": "line 3: film '00000001_000' stands in",
    "image,Effusion\n00000001_000.png,\n00000001_000,\n": "twice",
    "image,Effusion,prob_Effusion\n00000001_000.png,0.5,0.5\n": "two columns are Effusion",
    "image,Mass\n00000001_000.png,0.5\n": "no column is one of Effusion, Pleural_Thickening, Infil",
    "Effusion\n0.5\n": "no column of films, as 'image'",
    "image,Effusion\nelsewhere.png,0.5\n": "it has elsewhere.png, the data 00000001_000.png",
    "image,Effusion\n": "it has nothing",
    "image,Effusion\n00000001_000.png\n": "1 fields where 2 are named",
    "": "no column of films",
}


@pytest.mark.parametrize("text", WRONG_PROBABILITIES)
def test_probabilities_that_make_no_sense(text, cohort, tmp_path) -> None:
    with pytest.raises(TableError, match=WRONG_PROBABILITIES[text]):
        read_probabilities(_written(tmp_path, "p.csv", text), cohort)


LISTS = {
    "sizes.csv": "image,finding,x,y,w,h,score\n00000001_000.png,Effusion,10,20,100,200,0.9\n",
    "corners.csv": "id,disease,x_min,y_min,x_max,y_max,confidence\n00000001_000,effusion,10,20,110,220,.9\n",
    "nih.csv": "Image Index,Finding Label,Bbox [x,y,w,h],,,\n00000001_000.png,Effusion,10,20,100,200,,,\n",
    "coco.json": json.dumps(
        {
            "images": [{"id": 7, "file_name": "00000001_000.png"}],
            "categories": [{"id": 1, "name": "Effusion"}],
            "annotations": [
                {"id": 1, "image_id": 7, "category_id": 1, "bbox": [10, 20, 100, 200], "score": 0.9}
            ],
        }
    ),
}


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize(("frame_px", "scale"), [(None, 1), (512.0, 2), (224.0, 1024 / 224)])
def test_boxes_as_people_write_them(name, frame_px, scale, cohort, tmp_path) -> None:
    table, passed = read_boxes(_written(tmp_path, name, LISTS[name]), cohort, frame_px)
    assert (table.image.tolist(), table.finding.tolist()) == ([0], [0])
    np.testing.assert_allclose(table.xyxy, np.array([[10, 20, 110, 220]]) * scale)
    np.testing.assert_array_equal(table.score, [np.nan if name == "nih.csv" else 0.9])
    assert not passed


def test_boxes_of_no_area_are_none_and_others_are_counted(cohort, tmp_path) -> None:
    lines = ["00000001_000.png,Effusion,5,5,0,9", "x.png,Effusion,1,1,2,2", "00000001_001.png,Mass,1,1,2,2"]
    text = "image,finding,x,y,w,h\n" + "\n".join(lines) + "\n"
    table, passed = read_boxes(_written(tmp_path, "b.csv", text), cohort)
    assert len(table) == 0
    assert passed == {"boxes on films that the data does not list": 1, "boxes of Mass": 1}
    assert len(read_boxes(_written(tmp_path, "none.csv", "image,finding,x,y,w,h\n"), cohort)[0]) == 0


WRONG_BOXES = {
    "image,finding,x,y,w,h\n00000001_000.png,Effusion,1,1,-2,2\n": "line 2: a box from 1, 1 to -1, 3",
    "image,finding,x,y,w,h\n00000001_000.png,Effusion,nan,1,2,2\n": "a box from nan",
    "image,finding,x,y,w,h\n00000001_000.png,Effusion,a,1,2,2\n": "'a' is no number",
    "image,finding,x,y\n00000001_000.png,Effusion,1,1\n": "no columns x, y, w, h or x_min",
    "image,x,y,w,h\n00000001_000.png,1,1,2,2\n": "no column of findings",
    "image,finding,x,y,w,h\nx.png,Effusion,1,1,2,2\n": "names no film and finding",
}


@pytest.mark.parametrize("text", WRONG_BOXES)
def test_boxes_that_make_no_sense(text, cohort, tmp_path) -> None:
    with pytest.raises(TableError, match=WRONG_BOXES[text]):
        read_boxes(_written(tmp_path, "b.csv", text), cohort)


@pytest.mark.parametrize("text", ["[]", "{", '{"images": []}', "null"])
def test_a_json_that_is_no_coco(text, cohort, tmp_path) -> None:
    with pytest.raises(TableError, match=r"b\.json"):
        read_boxes(_written(tmp_path, "b.json", text), cohort)


HEAT = np.arange(12.0).reshape(3, 4)


@pytest.mark.parametrize("form", ["npz", "npz with ending", "npy", "png"])
def test_maps_as_people_write_them(form, cohort, tmp_path) -> None:
    if form.startswith("npz"):
        name = "00000002_000.png" if "ending" in form else "00000002_000"
        np.savez(tmp_path / f"{name}.npz", Infiltrate=HEAT, Effusion=0 * HEAT)
    else:
        (tmp_path / "Infiltration").mkdir()
        path = tmp_path / "Infiltration" / f"00000002_000.{form}"
        np.save(path, HEAT) if form == "npy" else cv2.imwrite(str(path), HEAT.astype(np.uint8))
    maps, passed = read_maps(tmp_path, cohort)
    np.testing.assert_array_equal(maps[1], HEAT)
    assert maps.shape == (2, 3, 4)
    assert maps.dtype == np.float32
    assert np.isnan(maps[0]).all()
    assert passed == {"box entries without a map": 1}


def test_maps_that_make_no_sense(cohort, tmp_path) -> None:
    with pytest.raises(TableError, match=r"no map of any of the 2 box entries, as IMAGE\.npz"):
        read_maps(tmp_path, cohort)
    np.savez(tmp_path / "00000001_000.npz", Effusion=HEAT)
    np.savez(tmp_path / "00000002_000.npz", Infiltration=HEAT.T)
    with pytest.raises(TableError, match="maps of different sizes, 1 of 3 x 4 and 1 of 4 x 3"):
        read_maps(tmp_path, cohort)
    wrong = {
        "three axes": (HEAT[None], "an array of"),
        "words": (np.array([["a"]]), "an array of"),
        "NaN": (HEAT * np.nan, "NaN or infinite"),
        "objects": (np.array([[{}]], object), "no .npz of arrays"),
    }
    for made, message in wrong.values():
        np.savez(tmp_path / "00000002_000.npz", Infiltration=made)
        with pytest.raises(TableError, match=message):
            read_maps(tmp_path, cohort)
    (tmp_path / "00000002_000.npz").write_bytes(b"PK\3\4 nothing")
    with pytest.raises(TableError, match=r"no \.npz of arrays"):
        read_maps(tmp_path, cohort)
