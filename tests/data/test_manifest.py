"""films.csv: what each column may say, where the boxes lie, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from hilum.data import chexpert
from hilum.data.manifest import cell_meanings, load
from hilum.errors import DataError, SplitError, TableError
from hilum.lookup import call

FILMS = """path,patient,view,age,sex,split,Mass,Infiltrate
a.png,p1,PA,58,F,train,1,0
b.png,p2,ap,006M,male,test,0.0,-1
in/c.jpg,p1,LL,,,train,,1.0
gone.png,p3,AP,411,x,val,-1.0,
"""
BOXES = "film,finding,x,y,width,height\na.png,Mass,4,2,8,4\nin/c.jpg,Infiltration,0,0,40,20\n"
SIZES = {"a.png": (20, 40), "b.png": (20, 40), "in/c.jpg": (20, 40)}


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """Writes the folder; a text given by name is the content of that file."""

    def write(films: str = FILMS, sizes: dict[str, tuple[int, int]] = SIZES, **texts: object) -> Path:
        for name, hw in sizes.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            cv2.imwrite(str(tmp_path / name), np.full(hw, 99, np.uint8))
        (tmp_path / "films.csv").write_text(films)
        for name, text in texts.items():
            content = text if isinstance(text, str) else json.dumps(text)
            (tmp_path / name.replace("__", ".")).write_text(content)
        return tmp_path

    return write


def test_every_column(folder) -> None:
    cohort = load(folder())
    assert cohort.films.tolist() == ["a.png", "b.png", "in/c.jpg", "gone.png"]
    assert [Path(path).name for path in cohort.paths] == ["a.png", "b.png", "c.jpg", ""]
    assert cohort.findings == ("Mass", "Infiltration")
    np.testing.assert_array_equal(
        cohort.labels, np.array([[1, 0], [0, np.nan], [np.nan, 1], [np.nan, np.nan]], np.float32)
    )
    assert cohort.patient.tolist() == ["p1", "p2", "p1", "p3"]
    assert cohort.view.tolist() == ["PA", "AP", "", "AP"]
    np.testing.assert_array_equal(cohort.age, [58, 0.5, np.nan, np.nan])
    assert cohort.sex.tolist() == ["F", "M", "", ""]
    assert cohort.split.tolist() == ["train", "test", "train", "val"]
    assert (cohort.split_name, cohort.source) == ("as given in films.csv", folder().name)
    assert (cohort.frame_hw, len(cohort.reference), cohort.box_release) == ((1024, 1024), 0, "")
    assert cohort.mended == ("gone.png: age '411' set to unknown",)
    assert cohort.chosen == ("1 films have a view other than PA or AP ('LL'): unknown",)
    assert list(cohort.tables) == ["films.csv"]


def test_no_more_than_a_path_and_a_finding(folder) -> None:
    cohort = load(folder("path,Mass\na.png,1\nb.png,\n"))
    assert cohort.patient.tolist() == ["a.png", "b.png"]
    assert cohort.split.tolist() == cohort.view.tolist() == cohort.sex.tolist() == ["", ""]
    assert np.isnan(cohort.age).all()
    assert (cohort.split_name, cohort.mended) == ("", ())
    assert cohort.chosen == ("2 films name no patient: each counts as a patient of its own",)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", ",\n"),
        lambda text: text.replace("\n", ",,,\n\n"),
        lambda text: "\n".join(",".join(line.split(",")[::-1]) for line in text.splitlines()),
        lambda text: text.replace("path,patient,view", "Path,PATIENT,View"),
        lambda text: "".join(f"{n},{line}\n" for n, line in enumerate(text.splitlines())).replace(
            "0,p", ",p", 1
        ),
    ],
    ids=[
        "byte order mark",
        "CRLF",
        "trailing comma",
        "empty columns and lines",
        "turned",
        "capitals",
        "row numbers",
    ],
)
def test_the_same_cohort_however_it_was_saved(folder, change) -> None:
    expected, cohort = load(folder()), load(folder(change(FILMS)))
    order = [cohort.findings.index(name) for name in expected.findings]
    np.testing.assert_array_equal(cohort.labels[:, order], expected.labels)
    for column in ("films", "paths", "patient", "view", "age", "sex", "split"):
        np.testing.assert_array_equal(getattr(cohort, column), getattr(expected, column))


@pytest.mark.parametrize(("uncertain", "label"), [("ones", 1.0), ("zeros", 0.0), ("ignore", np.nan)])
def test_uncertain_labels(folder, uncertain: str, label: float) -> None:
    labels = load(folder(), uncertain).labels
    np.testing.assert_array_equal(labels[[1, 3], [1, 0]], [label, label])
    assert np.isnan(labels[[2, 3], [0, 1]]).all()
    assert cell_meanings(uncertain, 0.0)[""] == 0


def test_another_reading_of_uncertain_labels_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown reading of uncertain labels 'one'; did you mean 'ones'"):
        cell_meanings("one", 0.0)
    for reader in (load, chexpert.load):
        call({"reader": reader}, "reader(zeros)", "dataset", n_given=1)
        with pytest.raises(ValueError, match="uncertain is one of ones, zeros, ignore"):
            call({"reader": reader}, "reader(one)", "dataset", n_given=1)


def test_names_of_films_of_their_own(folder) -> None:
    films = "film,path,Mass\nfirst,a.png,1\n,b.png,0\n"
    cohort = load(folder(films))
    assert cohort.films.tolist() == ["first", "b.png"]
    with pytest.raises(TableError, match=r"film 'b\.png' stands in it 2 times"):
        load(folder(films.replace("first", "b.png")))


@pytest.mark.parametrize(
    ("films", "message"),
    [
        ("", "column 'path' is missing; found"),
        ("path,Mass", "holds no film"),
        ("path," + ",".join(f"F{n}" for n in range(1000)), "1,001 columns; at most 1,000 are read"),
        ("Mass,film\n1,a.png\n", "column 'path' is missing"),
        ("path\na.png\n", "no column names a finding"),
        ("path,view,age\na.png,PA,58\n", "no column names a finding"),
        ("path,Mass,Mass\na.png,1,1\n", "column 'Mass' stands in it twice"),
        ("path,Path,Mass\na.png,a.png,1\n", "column 'path' stands in it twice"),
        ("path,Infiltrate,Infiltration\na.png,1,1\n", "'Infiltrate' and 'Infiltration' are the same finding"),
        ("path,Mass,Nodule\na.png,1\n", "line 2: 2 fields where 3 are named"),
        ("path,Mass\na.png,1\n\nb.png,yes\n", "line 4, column 'Mass': 'yes' is not 1, 0, -1 or empty"),
        ("path,Mass\na.png,nan\n", "line 2, column 'Mass': 'nan'"),
        ("path,Mass\na.png,2\n", "line 2, column 'Mass': '2'"),
        (
            "path,split,Mass\na.png,Train,1\n",
            "line 2, column 'split': 'Train' is not train, val, test or empty",
        ),
        ("path,Mass\na.png,1\na.png,1\n", r"film 'a\.png' stands in it 2 times"),
        ("path,film,Mass\na.png,1,1\na.png,2,1\n", r"film 'a\.png' stands in it 2 times"),
        ("path,Mass\n../a.png,1\n", r"line 2: path '\.\./a\.png' does not lie in the folder"),
        ("path,Mass\na.png,0\nin/../../a.png,1\n", "line 3: path 'in/../../a.png' does not lie"),
        ("path,Mass\n/etc/passwd,1\n", "line 2: path '/etc/passwd' does not lie"),
        ("path,Mass\n,1\n", "line 2: path '' does not lie"),
    ],
)
def test_a_table_that_makes_no_sense(folder, films: str, message: str) -> None:
    with pytest.raises(TableError, match=rf"films\.csv[:,] .*{message}|{message}"):
        load(folder(films))


def test_no_folder_no_table_no_film(folder, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no such folder; it should hold films\.csv"):
        load(tmp_path / "nowhere")
    with pytest.raises(TableError, match=r"films\.csv is not there"):
        load(tmp_path)
    assert not load(folder(sizes={})).on_disk.any()


def test_a_patient_on_two_sides(folder) -> None:
    with pytest.raises(SplitError, match="'p1'"):
        load(folder(FILMS.replace("in/c.jpg,p1,LL,,,train", "in/c.jpg,p1,LL,,,test")))


def test_boxes_in_films_of_one_size(folder) -> None:
    cohort = load(folder(boxes__csv=BOXES))
    assert cohort.frame_hw == (20, 40)
    assert (cohort.reference.image.tolist(), cohort.reference.finding.tolist()) == ([0, 2], [0, 1])
    assert cohort.reference.xyxy.tolist() == [[4.0, 2.0, 12.0, 6.0], [0.0, 0.0, 40.0, 20.0]]
    assert cohort.box_release == "boxes.csv"
    assert list(cohort.tables) == ["films.csv", "boxes.csv"]


def test_boxes_in_films_of_several_sizes_are_scaled(folder) -> None:
    cohort = load(folder(sizes={**SIZES, "a.png": (32, 64)}, boxes__csv=BOXES))
    assert cohort.frame_hw == (1024, 1024)
    assert cohort.reference.xyxy.tolist() == [[64.0, 64.0, 192.0, 192.0], [0.0, 0.0, 1024.0, 1024.0]]
    assert cohort.chosen[-1].startswith("boxes lie in films of several sizes")


def test_sizes_of_films_without_boxes_do_not_matter(folder) -> None:
    assert load(folder(sizes={**SIZES, "b.png": (64, 64)}, boxes__csv=BOXES)).frame_hw == (20, 40)


def test_boxes_of_films_that_are_not_there_are_left_out(folder) -> None:
    cohort = load(folder(boxes__csv=BOXES + "gone.png,Mass,1,2,3,4\n"))
    assert cohort.reference.image.tolist() == [0, 2]
    assert cohort.chosen[-1].startswith("the boxes of 1 films are left out")
    with pytest.raises(TableError, match="line 4: unknown finding 'Mas'"):
        load(folder(boxes__csv=BOXES + "gone.png,Mas,1,2,3,4\n"))


def test_a_list_without_boxes(folder) -> None:
    cohort = load(folder(boxes__csv="film,finding,x,y,width,height\n"))
    assert (len(cohort.reference), cohort.frame_hw, cohort.box_release) == (0, (1024, 1024), "boxes.csv")


COCO = {
    "images": [
        {"id": 1, "file_name": "first"},
        {"id": 2, "file_name": "gone.png", "width": 80, "height": 40},
        {"id": 3, "file_name": "of another set.png"},
    ],
    "annotations": [
        {"id": 5, "image_id": 1, "category_id": 1, "bbox": [4, 2, 8, 4]},
        {"id": 6, "image_id": 2, "category_id": 1, "bbox": [8, 4, 16, 8]},
    ],
    "categories": [{"id": 1, "name": "Mass"}, {"id": 2, "name": "Nodule"}],
}


def test_boxes_of_a_coco_file(folder) -> None:
    films = FILMS.replace("path", "film,path").replace("\n", "\n,").replace("\n,a.png", "\nfirst,a.png")
    cohort = load(folder(films.removesuffix(","), boxes__json=COCO))
    assert cohort.reference.image.tolist() == [0, 3]
    assert (cohort.frame_hw, cohort.box_release) == ((1024, 1024), "boxes.json")
    np.testing.assert_allclose(cohort.reference.xyxy, [[102.4, 102.4, 307.2, 307.2]] * 2)
    unknown = {"id": 7, "image_id": 3, "category_id": 1, "bbox": [4, 2, 8, 4]}
    with pytest.raises(TableError, match=r"annotation 7: no box of a known film: .*of another set"):
        load(folder(films.removesuffix(","), boxes__json={**COCO, "annotations": [unknown]}))


def test_two_box_lists_are_refused(folder) -> None:
    with pytest.raises(TableError, match=r"boxes\.csv and boxes\.json are both there"):
        load(folder(boxes__csv=BOXES, boxes__json=COCO))


def test_a_name_that_is_the_path_of_another_film(folder) -> None:
    films = "film,path,Mass\nb.png,a.png,1\nother,b.png,0\n"
    assert len(load(folder(films))) == 2
    with pytest.raises(TableError, match=r"'b\.png' is the name of one film and the path of another"):
        load(folder(films, boxes__csv=BOXES))
