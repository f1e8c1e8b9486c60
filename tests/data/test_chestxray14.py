import math
import re
import shutil

import cv2
import numpy as np
import pytest

from hilum.data.chestxray14 import load
from hilum.errors import DataError, SplitError, TableError
from hilum.findings import CHESTXRAY14, NO_FINDING

from .conftest import BOX_HEADER, BOXES, HEADER, ROWS, image_table

TABLE, BOX_LIST = "Data_Entry_2017_v2020__csv", "BBox_List_2017__csv"


def _changed(row: int, **cells) -> list[tuple[str, ...]]:
    names = ("film", "findings", "patient", "age", "sex", "view")
    rows = list(ROWS)
    rows[row] = tuple(cells.get(name, cell) for name, cell in zip(names, rows[row], strict=True))
    return rows


def test_the_tiny_folder(nih_layout) -> None:
    folder = nih_layout()
    cohort = load(folder)
    assert len(cohort) == cohort.on_disk.sum() == 12
    assert cohort.labels.sum() == 14
    assert cohort.labels[4].nonzero()[0].tolist() == [3, 8]
    assert cohort.labels[2].sum() == 0
    assert np.unique(cohort.patient).tolist() == [f"9000{number}" for number in range(1, 7)]
    assert cohort.split.tolist() == ["train"] * 7 + ["test"] * 5
    assert cohort.age.tolist()[:3] == [33.0, 34.0, 47.0]
    assert (cohort.view[2], cohort.sex[2], cohort.frame_hw) == ("AP", "M", (1024, 1024))
    assert (cohort.source, cohort.box_release) == ("ChestX-ray14", "BBox_List_2017")
    assert (cohort.split_name, cohort.mended) == ("official lists", ())
    assert sorted(cohort.tables) == sorted(
        file.name for file in folder.iterdir() if file.is_file()
    )  # every table read is hashed
    assert len(cohort.tables) == 4


def test_boxes_are_corners_of_named_films(nih_layout) -> None:
    reference = load(nih_layout()).reference
    assert reference.image.tolist() == [7, 8, 9, 9]
    assert [CHESTXRAY14[finding] for finding in reference.finding] == [
        "Pleural_Thickening",
        "Infiltration",
        "Effusion",
        "Infiltration",
    ]
    assert reference.xyxy[0].tolist() == [10.5, 20.25, 110.5, 220.25]
    assert np.isnan(reference.score).all()


def test_no_finding_is_a_fifteenth_column_on_request(nih_layout) -> None:
    cohort = load(nih_layout(), "no_finding")
    assert cohort.findings == (*CHESTXRAY14, NO_FINDING)
    np.testing.assert_array_equal(cohort.labels[:, 14], (cohort.labels[:, :14] == 0).all(axis=1))
    assert cohort.labels[:, 14].sum() == 2


@pytest.mark.parametrize(
    "content",
    [
        image_table(end=","),
        image_table().replace("\n", "\r\n"),
        "\ufeff" + image_table(),
        image_table() + "\n\n,,,,,,,,,,\n",
        image_table(header=HEADER.replace(",", " , ")).replace("0,", "0 ,"),
    ],
    ids=["trailing comma", "CRLF", "byte order mark", "empty lines", "spaces"],
)
def test_the_same_cohort_however_it_was_saved(nih_layout, content) -> None:
    expected = load(nih_layout())
    cohort = load(nih_layout(**{TABLE: content}))
    for column in ("films", "paths", "labels", "patient", "view", "age", "sex", "split"):
        assert np.array_equal(getattr(cohort, column), getattr(expected, column)), column


def test_columns_are_found_by_name(nih_layout) -> None:
    lines = [line.split(",") for line in image_table().splitlines()]
    turned = "\n".join(",".join(line[::-1]) for line in lines)
    cohort = load(nih_layout(**{TABLE: turned}))
    assert (cohort.films[3], cohort.age[3], cohort.sex[3]) == ("00090003_000.png", 62.0, "M")


def test_the_2017_release_stands_in_only_where_2020_is_missing(nih_layout) -> None:
    older = image_table(_changed(0, age="032Y"), end=",")
    both = load(nih_layout(Data_Entry_2017__csv=older))
    assert both.age[0] == 33
    (nih_layout() / "Data_Entry_2017_v2020.csv").unlink()
    alone = load(nih_layout(**{TABLE: None, "Data_Entry_2017__csv": older}))
    assert alone.age[0] == 32
    assert "Data_Entry_2017.csv" in alone.tables


@pytest.mark.parametrize(
    ("text", "years"),
    [
        ("58", 58),
        ("058Y", 58),
        ("011M", 11 / 12),
        ("013W", 0.25),
        ("003D", 3 / 365),
        ("58.5", 58.5),
        ("0", 0),
        ("100", 100),
        ("414", math.nan),
        ("148Y", math.nan),
        ("", math.nan),
        ("-3", math.nan),
        ("nan", math.nan),
        ("58y", math.nan),
        ("²", math.nan),
    ],
)
def test_ages(nih_layout, text, years) -> None:
    cohort = load(nih_layout(**{TABLE: image_table(_changed(1, age=text))}))
    np.testing.assert_allclose(cohort.age[1], years, rtol=1e-12)
    mended = [f"00090001_001.png: age {text!r} set to unknown"] if math.isnan(years) else []
    assert list(cohort.mended) == mended


def test_unknown_view_and_sex_are_empty(nih_layout) -> None:
    cohort = load(nih_layout(**{TABLE: image_table(_changed(0, view="LL", sex="O"))}))
    assert (cohort.view[0], cohort.sex[0]) == ("", "")


WANTED = ("Image Index", "Finding Labels", "Patient ID", "Patient Age", "Patient Gender", "View Position")


@pytest.mark.parametrize("column", WANTED)
def test_a_missing_column_is_named(nih_layout, column) -> None:
    folder = nih_layout(**{TABLE: image_table(header=HEADER.replace(column, "Other"))})
    with pytest.raises(TableError, match=rf"Data_Entry_2017_v2020\.csv: column '{column}' is missing"):
        load(folder)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        (TABLE, "", "column 'Image Index' is missing"),
        (TABLE, HEADER, "holds no film"),
        (TABLE, b"\xff\xfe\x00", "not a UTF-8 table"),
        (TABLE, image_table() + "00090007_000.png,Mass\n", r"line 14: 2 fields where 11 are named"),
        (TABLE, image_table(_changed(1, findings="Mas")), r"film '00090001_001\.png': unknown finding 'Mas'"),
        (TABLE, image_table(_changed(1, findings="")), "unknown finding ''"),
        (TABLE, image_table(_changed(1, findings="Mass|No Finding")), "contradicts itself"),
        (TABLE, image_table([*ROWS, ROWS[2]]), r"film '00090002_000\.png' stands in it 2 times"),
        (
            TABLE,
            image_table(ROWS[:-1]),
            r"test_list\.txt: 1 films are not in the image table, first",
        ),
        ("train_val_list__txt", None, r"train_val_list\.txt: the official list is missing"),
        ("test_list__txt", None, r"test_list\.txt: the official list is missing"),
        ("test_list__txt", b"\xff", r"test_list\.txt: not a UTF-8 list"),
        (
            "test_list__txt",
            "00090001_000.png\n",
            r"1 films stand on both official lists, first '00090001",
        ),
        (BOX_LIST, "", "must come first"),
        (BOX_LIST, "\n".join(BOXES), "columns 'Image Index', 'Finding Label' must come first; found"),
    ],
)
def test_tables_that_make_no_sense(nih_layout, file, content, message) -> None:
    with pytest.raises(TableError, match=message):
        load(nih_layout(**{file: content}))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("00090009_000.png,Mass,1,2,3,4", "no box of a known film"),
        ("00090005_000.png,Mass,1,2,3", "no box of a known film"),
        ("00090005_000.png,Mass,1,2,3,x", "no box of a known film"),
        ("00090005_000.png,Mas,1,2,3,4", "unknown finding 'Mas'"),
        ("00090005_000.png,Mass,nan,2,3,4", "a box of"),
        ("00090005_000.png,Mass,1,2,3,nan", "a box of"),
        ("00090005_000.png,Mass,1,2,0,4", "a box of"),
        ("00090005_000.png,Mass,1,2,3,-4", "a box of"),
        ("00090005_000.png,Mass,1,2,inf,4", "a box of"),
        ("00090005_000.png,Mass,1000,2,30,4", ".* leaves the frame"),
        ("00090005_000.png,Mass,1,1000,3,40", ".* leaves the frame"),
        ("00090005_000.png,Mass,-5,1000,3,4", ".* leaves the frame"),
    ],
)
def test_a_box_that_makes_no_sense_is_named_by_its_line(nih_layout, line, message) -> None:
    folder = nih_layout(**{BOX_LIST: "\n".join((BOX_HEADER, *BOXES, "", line))})
    with pytest.raises(TableError, match=rf"BBox_List_2017\.csv, line 7: {message}"):
        load(folder)


def test_without_boxes(nih_layout) -> None:
    for content in (None, BOX_HEADER):
        (nih_layout() / "BBox_List_2017.csv").unlink()
        cohort = load(nih_layout(**{BOX_LIST: content}))
        assert len(cohort.reference) == 0
        assert cohort.box_release == ("" if content is None else "BBox_List_2017")


def test_another_header_of_the_box_list(nih_layout) -> None:
    header = "Image Index,Finding Label,Bbox x,Bbox y,Bbox w,Bbox h"
    cohort = load(nih_layout(**{BOX_LIST: "\r\n".join((header, *BOXES))}))
    assert len(cohort.reference) == 4


def test_patients_on_both_sides(nih_layout) -> None:
    with pytest.raises(SplitError, match="1 patients stand on two sides of the split, the first is '90005'"):
        load(nih_layout(**{TABLE: image_table(_changed(0, patient="90005"))}))


def test_films_on_no_list_have_no_side(nih_layout) -> None:
    cohort = load(nih_layout(test_list__txt="00090005_000.png"))
    assert (cohort.split == "").sum() == 4


def test_a_partial_download_keeps_its_rows(nih_layout) -> None:
    cohort = load(nih_layout(films=["00090003_001.png", "00090004_000.png"]))
    assert len(cohort) == 12
    assert np.flatnonzero(cohort.on_disk).tolist() == [4, 6]


def test_no_folder_no_table_no_film(nih_layout, tmp_path) -> None:
    with pytest.raises(DataError, match=r"no such folder; it should hold Data_Entry_2017_v2020\.csv"):
        load(tmp_path / "nowhere")
    with pytest.raises(TableError, match=r"neither Data_Entry_2017_v2020\.csv nor Data_Entry_2017\.csv"):
        load(tmp_path)
    assert not load(nih_layout(films=[])).on_disk.any()


def test_films_lie_anywhere_below(nih_layout, tmp_path) -> None:
    folder = nih_layout()
    (folder / "images_001").mkdir()
    (folder / "images").rename(folder / "images_001" / "images")
    away = tmp_path / "another disk"
    away.mkdir()
    shutil.move(folder / "images_001" / "images" / ROWS[0][0], away)
    (folder / "linked").symlink_to(away)
    (away / "round").symlink_to(folder)
    cohort = load(folder)
    assert cohort.on_disk.all()
    assert cohort.paths[0].endswith(f"linked/{ROWS[0][0]}")
    assert cohort.paths[1].endswith(f"images_001/images/{ROWS[1][0]}")


def test_of_several_copies_the_largest(nih_layout) -> None:
    folder, film = nih_layout(side_px=8), ROWS[0][0]
    for name, side in (("a", 4), ("b", 16), ("masks", 32), ("regions", 32), (".hidden", 32)):
        (folder / name).mkdir()
        cv2.imwrite(str(folder / name / film), np.zeros((side, side), np.uint8))
    (folder / "c").mkdir()
    (folder / "c" / film).write_text("<html>not found, and no film of any size</html>")
    (folder / "d").mkdir()
    (folder / "d" / film).symlink_to(folder / "gone")
    assert load(folder).paths[0] == str(folder / "b" / film)


def test_phantoms_say_so(nih_layout) -> None:
    cohort = load(nih_layout(phantom__json="{}"))
    assert (cohort.source, cohort.box_release) == ("phantoms", "phantom BBox_List_2017")
    assert "phantom.json" in cohort.tables


COUNTS = {  # all, train_val list, test list
    "Atelectasis": (11_559, 8_280, 3_279),
    "Cardiomegaly": (2_776, 1_707, 1_069),
    "Effusion": (13_317, 8_659, 4_658),
    "Infiltration": (19_894, 13_782, 6_112),
    "Mass": (5_782, 4_034, 1_748),
    "Nodule": (6_331, 4_708, 1_623),
    "Pneumonia": (1_431, 876, 555),
    "Pneumothorax": (5_302, 2_637, 2_665),
    "Consolidation": (4_667, 2_852, 1_815),
    "Edema": (2_303, 1_378, 925),
    "Emphysema": (2_516, 1_423, 1_093),
    "Fibrosis": (1_686, 1_251, 435),
    "Pleural_Thickening": (3_385, 2_242, 1_143),
    "Hernia": (227, 141, 86),
    NO_FINDING: (60_361, 50_500, 9_861),
}


def test_real_labels(real) -> None:
    assert real.findings == tuple(COUNTS)
    assert len(COUNTS) == 15
    sides = (np.ones(len(real), bool), real.split == "train", real.split == "test")
    for column, (finding, expected) in enumerate(COUNTS.items()):
        assert tuple(int(real.labels[side, column].sum()) for side in sides) == expected, finding
    abnormal = real.labels[:, :14].any(axis=1)
    assert [int((abnormal & side).sum()) for side in sides] == [51_759, 36_024, 15_735]
    n_labels = np.bincount(real.labels[:, :14].sum(axis=1).astype(int))
    assert n_labels.tolist() == [60_361, 30_963, 14_306, 4_856, 1_247, 301, 67, 16, 1, 2]


def test_real_films_and_patients(real) -> None:
    train, test = real.split == "train", real.split == "test"
    assert (len(real), train.sum(), test.sum()) == (112_120, 86_524, 25_596)
    assert [len(np.unique(real.patient[side])) for side in (train | test, train, test)] == [
        30_805,
        28_008,
        2_797,
    ]
    for side, counts in (
        (train | test, {"M": 63_340, "F": 48_780, "PA": 67_310, "AP": 44_810}),
        (train, {"M": 48_458, "F": 38_066, "PA": 56_214, "AP": 30_310}),
        (test, {"M": 14_882, "F": 10_714, "PA": 11_096, "AP": 14_500}),
    ):
        found = {name: int((real.sex[side] == name).sum()) for name in ("M", "F")}
        found |= {name: int((real.view[side] == name).sum()) for name in ("PA", "AP")}
        assert found == counts


def test_real_ages(real) -> None:
    assert real.mended == ()
    assert (real.age.min(), real.age.max()) == (0, 95)
    assert ((real.age == 0).sum(), (real.age < 10).sum(), (real.age == 95).sum()) == (14, 1_538, 1)
    for side, mean, sd in ((real.split != "", 46.63, 16.60), (real.split == "train", 46.60, 16.67)):
        assert (round(real.age[side].mean(), 2), round(real.age[side].std(), 2)) == (mean, sd)
    test = real.age[real.split == "test"]
    assert (round(test.mean(), 2), round(test.std(), 2)) == (46.72, 16.37)


def test_real_boxes(real) -> None:
    boxes = real.reference
    assert len(boxes) == 984
    films, per_film = np.unique(boxes.image, return_counts=True)
    assert (len(films), len(np.unique(real.patient[films]))) == (880, 726)
    assert np.bincount(per_film).tolist() == [0, 787, 83, 9, 1]
    assert (real.split[films] == "test").all()
    assert (real.labels[boxes.image, boxes.finding] == 1).all()
    assert len(np.unique(np.stack([boxes.image, boxes.finding]), axis=1).T) == 984
    names = [real.findings[finding] for finding in boxes.finding]
    expected = {
        "Atelectasis": (180, 0.0188, 302),
        "Cardiomegaly": (146, 0.1709, 185),
        "Effusion": (153, 0.0557, 312),
        "Infiltration": (123, 0.0566, 312),
        "Mass": (85, 0.0148, 138),
        "Nodule": (79, 0.0046, 162),
        "Pneumonia": (120, 0.0572, 131),
        "Pneumothorax": (98, 0.0358, 163),
    }
    assert set(names) == set(expected)
    sizes = boxes.xyxy[:, 2:] - boxes.xyxy[:, :2]
    share = sizes.prod(axis=1) / 1024**2
    for finding, (n_boxes, median, n_labelled) in expected.items():
        column = real.findings.index(finding)
        own = boxes.finding == column
        assert (own.sum(), real.labels[films, column].sum()) == (n_boxes, n_labelled)
        assert abs(np.median(share[own]) - median) < 1e-4
    low, high = np.concatenate([boxes.xyxy[:, :2], sizes], 1).min(0), boxes.xyxy.max(axis=0)
    assert low.round(1).tolist() == [5.4, 12.8, 27.3, 21.6]
    assert [*high[:2].round(1), *sizes.max(axis=0).round(1)] == [905.9, 877.0, 901.1, 873.4]
    assert high.max() <= 1024


def test_real_files(real) -> None:
    assert real.on_disk.sum() == 593
    assert [int((real.on_disk & (real.split == side)).sum()) for side in ("train", "test")] == [481, 112]
    large = [path for path in real.paths[real.on_disk] if "1024" in path]
    assert len(large) == 72
    assert len(np.unique(real.reference.image[real.on_disk[real.reference.image]])) == 11
    assert all(re.fullmatch(r"\d{8}_\d{3}\.png", film) for film in real.films)
