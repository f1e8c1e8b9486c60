"""Boxes of a CSV and of a COCO file, and everything that a box may not be."""

import json
from pathlib import Path

import numpy as np
import pytest

from hilum.data import box_lists
from hilum.data.box_lists import boxes_from, coco_entries, csv_entries, json_from, numbered_columns
from hilum.data.tables import lines_of
from hilum.errors import TableError

HEADER = "film,finding,x,y,width,height"
ROWS = {"a.png": 0, "b.png": 1}
FINDINGS = ("Mass", "Infiltration")


def _document(**instead) -> dict:
    return {
        "images": [
            {"id": 7, "file_name": "a.png", "width": 40, "height": 30},
            {"id": 8, "file_name": "b.png"},
        ],
        "annotations": [
            {"id": 1, "image_id": 8, "category_id": 3, "bbox": [1, 2, 3.5, 4], "iscrowd": 0},
            {"id": 2, "image_id": 7, "category_id": 4, "bbox": [0, 0, 40, 30]},
        ],
        "categories": [{"id": 3, "name": "Mass"}, {"id": 4, "name": "Infiltrate"}],
    } | instead


def _written(folder: Path, document: object) -> Path:
    (folder / "boxes.json").write_text(json.dumps(document))
    return folder / "boxes.json"


def _of(entries):
    return boxes_from(entries, ROWS, FINDINGS, FINDINGS, lambda _: (30, 40))


def test_a_csv_in_any_order_of_columns(tmp_path: Path) -> None:
    path = tmp_path / "boxes.csv"
    path.write_text(
        "\ufeffheight,finding,x,note,y,width,film,\r\n4, Infiltrate,1,sure,2,3.5,b.png,\r\n,,,,,,,\r\n"
    )
    boxes = _of(csv_entries(path))
    assert (boxes.image.tolist(), boxes.finding.tolist()) == ([1], [1])
    assert boxes.xyxy.tolist() == [[1.0, 2.0, 4.5, 6.0]]
    assert np.isnan(boxes.score).all()


def test_a_film_may_be_named_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "boxes.csv"
    path.write_text(HEADER.replace("film", "path") + "\na.png,Mass,1,2,3,4\n")
    assert _of(csv_entries(path)).image.tolist() == [0]


def test_a_list_without_boxes(tmp_path: Path) -> None:
    (tmp_path / "boxes.csv").write_text(HEADER)
    assert len(_of(csv_entries(tmp_path / "boxes.csv"))) == 0
    assert coco_entries(_written(tmp_path, {"images": [], "annotations": [], "categories": []})) == ([], {})


def test_a_coco_file(tmp_path: Path) -> None:
    entries, sizes = coco_entries(_written(tmp_path, _document()))
    boxes = _of(entries)
    assert (boxes.image.tolist(), boxes.finding.tolist()) == ([1, 0], [0, 1])
    assert boxes.xyxy.tolist() == [[1.0, 2.0, 4.5, 6.0], [0.0, 0.0, 40.0, 30.0]]
    assert sizes == {"a.png": (30, 40)}


def test_other_findings_are_checked_and_left_out() -> None:
    entries = [("here", ["a.png", "Mass", 1, 2, 3, 4]), ("there", ["a.png", "Nodule", 1, 2, 3, 4])]
    boxes = boxes_from(entries, ROWS, ("Mass",), ("Mass", "Nodule"), lambda _: (30, 40))
    assert boxes.finding.tolist() == [0]
    entries[1][1][4] = 40
    with pytest.raises(TableError, match=r"there: a box \[1, 2, 40, 4\] leaves the frame of \(30, 40\) px"):
        boxes_from(entries, ROWS, ("Mass",), ("Mass", "Nodule"), lambda _: (30, 40))


def test_films_of_no_size_are_left_out() -> None:
    entries = [("here", ["a.png", "Mass", 1, 2, 3, 4]), ("there", ["b.png", "Mass", 1, 2, 3, 4])]
    boxes = boxes_from(entries, ROWS, FINDINGS, FINDINGS, lambda row: (30, 40) if row else None)
    assert boxes.image.tolist() == [1]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("c.png,Mass,1,2,3,4", "no box of a known film: .*'c.png'"),
        ("a.png,Mass,1,2,3,", "no box of a known film"),
        ("a.png,Mass,1,2,3,x", "no box of a known film"),
        ("a.png,Nodule,1,2,3,4", "unknown finding 'Nodule'"),
        ("a.png,,1,2,3,4", "unknown finding ''"),
        ("a.png,Mass,nan,2,3,4", "a box of 3.0 x 4.0 px at nan, 2.0"),
        ("a.png,Mass,1,2,3,NaN", "a box of"),
        ("a.png,Mass,1,-inf,3,4", "a box of"),
        ("a.png,Mass,1,2,inf,4", "a box of"),
        ("a.png,Mass,1,2,0,4", "a box of"),
        ("a.png,Mass,1,2,3,-4", "a box of"),
        ("a.png,Mass,-1,2,3,4", "leaves the frame"),
        ("a.png,Mass,1,-1,3,4", "leaves the frame"),
        ("a.png,Mass,1,2,40,4", "leaves the frame"),
        ("a.png,Mass,1,2,3,29", "leaves the frame"),
        ("a.png,Mass,1,2,3", "5 fields where 6 are named"),
    ],
)
def test_a_box_that_makes_no_sense_is_named_by_its_line(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "boxes.csv"
    path.write_text("\n".join((HEADER, "a.png,Mass,-0.9,-0.9,41.8,31.8", "", line)))
    with pytest.raises(TableError, match=rf"boxes\.csv, line 4: .*{message}"):
        _of(csv_entries(path))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_id": 9}, "annotation 2: of an image or a category that the file does not name"),
        ({"image_id": [7]}, "annotation 2: of an image or a category"),
        ({"category_id": None}, "annotation 2: of an image or a category"),
        ({"bbox": None}, "annotation 2: its bbox None is not x, y, width, height"),
        ({"bbox": [1, 2, 3]}, "annotation 2: its bbox"),
        ({"bbox": [1, 2, None, 4]}, "annotation 2: no box of a known film"),
        ({"bbox": [1, 2, {}, 4]}, "annotation 2: no box of a known film"),
        ({"bbox": [1, 2, 10**400, 4]}, "annotation 2: no box of a known film"),
        ({"bbox": [1, 2, float("nan"), 4]}, "annotation 2: a box of nan x 4.0 px"),
        ({"bbox": [1, 2, -3, 4]}, "annotation 2: a box of"),
        ({"bbox": [1, 2, 300, 4]}, "annotation 2: a box .* leaves the frame"),
    ],
)
def test_an_annotation_that_makes_no_sense_is_named_by_its_id(tmp_path, change, message) -> None:
    document = _document()
    document["annotations"][1] |= change
    with pytest.raises(TableError, match=rf"boxes\.json, {message}"):
        _of(coco_entries(_written(tmp_path, document))[0])


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "no list 'images'"),
        ({}, "no list 'images'"),
        (_document(annotations=None), "no list 'annotations'"),
        (_document(annotations=[1]), "no list 'annotations'"),
        (_document(categories=[{"id": 3}]), "one of 'categories' has the id 3 and the name None"),
        (_document(images=[{"file_name": "a.png"}]), "one of 'images' has the id None"),
        (_document(images=[{"id": 7, "file_name": "a.png"}] * 2), "'images' name 7 or 'a.png' twice"),
        (
            _document(categories=[{"id": n, "name": "Mass"} for n in (3, 4)]),
            "'categories' name 4 or 'Mass' twice",
        ),
        (_document(images=[{"id": 7, "file_name": "a.png", "width": 40}]), "image 7: a height and width of"),
        (_document(images=[{"id": 7, "file_name": "a.png", "width": 40, "height": 0}]), "image 7: a height"),
        (_document(images=[{"id": 7, "file_name": "a.png", "width": 4.5, "height": 3}]), "image 7: a height"),
    ],
)
def test_what_is_no_coco_file(tmp_path: Path, document: object, message: str) -> None:
    with pytest.raises(TableError, match=rf"boxes\.json[:,] .*{message}"):
        coco_entries(_written(tmp_path, document))


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"1" * 5_000],
    ids=["empty", "cut", "bytes", "deep", "digits"],
)
def test_what_is_no_json(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "boxes.json").write_bytes(content)
    with pytest.raises(TableError, match=r"boxes\.json: not a UTF-8 json file"):
        json_from(tmp_path / "boxes.json")
    with pytest.raises(TableError, match="not a UTF-8 json file"):
        json_from(tmp_path / "nowhere.json")


def test_a_json_file_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(box_lists, "MAX_JSON", 100)
    with pytest.raises(TableError, match="101 bytes; at most 100 are read"):
        json_from(_written(tmp_path, "x" * 99))
    assert json_from(_written(tmp_path, "x" * 98)) == "x" * 98


def test_columns_beside_the_numbers_of_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("b,a,a,\n1,2,3\n\n4,5,6,7\n")
    header, lines = lines_of(path)
    assert numbered_columns(path, header, lines, ("b",), ("c",)) == {"b": ["1", "4"]}
    assert [number for number, _ in lines] == [2, 4]
    with pytest.raises(TableError, match="column 'c' is missing"):
        numbered_columns(path, header, lines, ("c",))
    with pytest.raises(TableError, match="column 'a' stands in it twice"):
        numbered_columns(path, header, lines, ("b",), ("a",))
