"""RSNA stage 2: labels, classes and boxes agree or are refused; headers are read once; NIH patients."""

import json
import math
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hilum.data import radiograph, rsna
from hilum.data.phantom import rsna_layout
from hilum.data.rsna import load
from hilum.errors import DataError, TableError
from hilum.lookup import call

LABELS = """patientId,x,y,width,height,Target
aa,10.0,20.0,30.0,40.0,1
aa,500.0,600.0,524.0,424.0,1
bb,,,,,0
cc,,,,,0
dd,1.0,2.0,3.0,4.0,1
"""
CLASSES = """patientId,class
aa,Lung Opacity
aa,Lung Opacity
bb,No Lung Opacity / Not Normal
cc,Normal
dd,Lung Opacity
"""
MAPPING = [
    {"subset_img_id": film, "img_id": f"{patient:08d}_{number:03d}.png"}
    for film, patient, number in (("aa", 90001, 0), ("bb", 90002, 3), ("cc", 90001, 2), ("dd", 90003, 0))
]
HIDDEN = (
    "patients are RSNA ids, which hide repeated NIH patients: "
    "pneumonia-challenge-dataset-mappings_2018.json is not there"
)


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HILUM_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def layout(phantoms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """80 phantoms in the layout of the challenge."""
    folder = tmp_path_factory.mktemp("layout")
    rsna_layout.write(phantoms, folder, seed=3)
    return folder


@pytest.fixture
def folder(tmp_path: Path, layout: Path) -> Callable[..., Path]:
    """Four films; a text given by name takes the place of that file's, None leaves it out."""

    def write(labels: str | None = LABELS, classes: str | None = CLASSES, mapping: object = None) -> Path:
        place = tmp_path / "rsna"
        films = sorted((layout / "stage_2_train_images").iterdir())
        (place / "stage_2_train_images").mkdir(parents=True, exist_ok=True)
        for film, source in zip(("aa", "bb", "cc", "dd"), films, strict=False):
            shutil.copy(source, place / "stage_2_train_images" / f"{film}.dcm")
        texts = {
            "stage_2_train_labels.csv": labels,
            "stage_2_detailed_class_info.csv": classes,
            "pneumonia-challenge-dataset-mappings_2018.json": mapping
            if mapping is None
            else json.dumps(mapping),
        }
        for name, text in texts.items():
            if text is not None:
                (place / name).write_text(text)
        return place

    return write


def test_the_tiny_folder(folder) -> None:
    cohort = load(folder())
    assert cohort.films.tolist() == cohort.patient.tolist() == ["aa", "cc", "dd"]
    assert [Path(path).name for path in cohort.paths] == ["aa.dcm", "cc.dcm", "dd.dcm"]
    assert (cohort.findings, cohort.frame_hw) == (("Pneumonia",), (1024, 1024))
    assert cohort.labels.tolist() == [[1], [0], [1]]
    assert cohort.reference.image.tolist() == [0, 0, 2]
    assert cohort.reference.xyxy.tolist()[1] == [500, 600, 1024, 1024]
    assert np.isnan(cohort.reference.score).all()
    assert (set(cohort.split.tolist()), cohort.split_name) == ({""}, "")
    assert (cohort.source, cohort.box_release) == ("RSNA Pneumonia stage 2", "stage_2_train_labels")
    assert cohort.chosen == ("1 films of class 'No Lung Opacity / Not Normal' are left out", HIDDEN)
    assert list(cohort.tables) == ["stage_2_train_labels.csv", "stage_2_detailed_class_info.csv"]


def test_films_that_are_not_normal_may_be_kept(folder) -> None:
    cohort = load(folder(), "keep")
    assert cohort.films.tolist() == ["aa", "bb", "cc", "dd"]
    assert cohort.labels.tolist() == [[1], [0], [0], [1]]
    assert cohort.reference.image.tolist() == [0, 0, 3]
    assert cohort.chosen == (HIDDEN,)
    read = call({"rsna": load}, "rsna(keep)", "dataset", n_given=1)
    assert len(read(folder())) == 4
    with pytest.raises(ValueError, match="not_normal is one of drop, keep"):
        call({"rsna": load}, "rsna(kept)", "dataset", n_given=1)


def test_without_classes_nothing_can_be_dropped(folder) -> None:
    place = folder(classes=None)
    assert len(load(place, "keep")) == 4
    with pytest.raises(TableError, match=r"stage_2_detailed_class_info\.csv is not there"):
        load(place)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", ",\n"),
        lambda text: text + "\n,,,,\n",
        lambda text: "\n".join(",".join(line.split(",")[::-1]) for line in text.splitlines()),
        lambda text: text.replace(",0\n", ",0.0\n").replace(",1\n", ",1.0\n"),
    ],
    ids=["byte order mark", "CRLF", "trailing comma", "empty lines", "turned", "floats"],
)
def test_the_same_cohort_however_it_was_saved(folder, change) -> None:
    expected, cohort = load(folder()), load(folder(change(LABELS), change(CLASSES)))
    for column in ("films", "paths", "labels", "patient", "view", "age", "sex"):
        np.testing.assert_array_equal(getattr(cohort, column), getattr(expected, column))
    np.testing.assert_array_equal(cohort.reference.xyxy, expected.reference.xyxy)


def test_tables_in_a_folder_of_their_name(folder) -> None:
    place, expected = folder(), load(folder())
    for inner in (Path("stage_2_train_labels.csv"), Path("stage_2_train_labels")):
        text = place / "stage_2_train_labels.csv"
        text.rename(place / "moved")
        (place / inner).mkdir()
        (place / "moved").rename(place / inner / "stage_2_train_labels.csv")
        assert load(place).films.tolist() == expected.films.tolist()
        shutil.move(place / inner / "stage_2_train_labels.csv", place / "moved")
        (place / inner).rmdir()
        (place / "moved").rename(text)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("ee,,,,,1", "Target 1 without a box"),
        ("ee,1,2,3,4,0", r"a box \['1', '2', '3', '4'\] with Target 0"),
        ("ee,1,,,,0", "a box .* with Target 0"),
        ("aa,1,2,3,,1", "no box of a known film"),
        ("ee,1,2,3,4,2", "film 'ee' with Target '2'; Target is 0 or 1"),
        (",1,2,3,4,1", "film '' with Target '1'"),
        ("bb,,,,,0", "film 'bb' stands above already"),
        ("bb,1,2,3,4,1", "film 'bb' stands above already"),
        ("aa,,,,,0", "film 'aa' stands above already"),
        ("aa,nan,2,3,4,1", "a box of"),
        ("aa,1,2,0,4,1", "a box of"),
        ("aa,1000,2,30,4,1", r".* leaves the frame of \(1024, 1024\) px"),
        ("aa,1,2,3", "4 fields where 6 are named"),
    ],
)
def test_a_label_that_makes_no_sense_is_named_by_its_line(folder, line: str, message: str) -> None:
    place = folder(f"{LABELS}\n{line}\n")
    with pytest.raises(TableError, match=rf"stage_2_train_labels\.csv, line 8: {message}"):
        load(place, "keep")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("cc,Normal", "cc,Lung Opacity", r"line 5: class 'Lung Opacity' where .* has Target 0"),
        ("dd,Lung Opacity", "dd,Normal", r"line 6: class 'Normal' where .* has Target 1"),
        ("dd,Lung Opacity", "ee,Normal", r"line 6: film 'ee' is not in stage_2_train_labels\.csv"),
        ("cc,Normal", "cc,normal", r"line 5: unknown class 'normal'"),
        (
            "cc,Normal",
            "bb,Normal",
            r"line 5: film 'bb' is 'Normal' here and 'No Lung Opacity / Not Normal' above",
        ),
        ("cc,Normal\n", "", r"1 films of stage_2_train_labels\.csv are missing, first 'cc'"),
    ],
)
def test_a_class_that_contradicts_is_named_by_its_line(folder, old: str, new: str, message: str) -> None:
    for way in ("keep", "drop"):
        with pytest.raises(TableError, match=rf"stage_2_detailed_class_info\.csv[:,] {message}"):
            load(folder(classes=CLASSES.replace(old, new)), way)


def test_nih_patients(folder) -> None:
    cohort = load(folder(mapping=MAPPING), "keep")
    assert cohort.patient.tolist() == ["00090001", "00090002", "00090001", "00090003"]
    assert cohort.chosen == ()
    assert "pneumonia-challenge-dataset-mappings_2018.json" in cohort.tables


@pytest.mark.parametrize("column", ["nih_image", "Image Index"])
def test_nih_patients_of_a_csv(folder, column: str) -> None:
    place = folder()
    lines = [f"{record['img_id']},{record['subset_img_id']}" for record in MAPPING]
    path = place / "pneumonia-challenge-dataset-mappings_2018.csv"
    path.write_text("\n".join((f"{column},patientId", *lines)))
    assert load(place).patient.tolist() == ["00090001", "00090001", "00090003"]
    path.write_text(f"{column},patientId\n00090001_000.png,aa\n00090009_000.png,aa\n")
    with pytest.raises(TableError, match=r"2018\.csv, line 3: film 'aa' is '00090009_000\.png' here"):
        load(place)


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({}, "no list of records with img_id and subset_img_id"),
        ([1], "record 0: no img_id and subset_img_id"),
        ([{"subset_img_id": "aa", "img_id": 5}], "record 0: no img_id"),
        (MAPPING[:1], "2 films are not in it, first 'cc'"),
        ([*MAPPING, {"subset_img_id": "aa", "img_id": "1_0.png"}], r"record 4: film 'aa' is '1_0\.png' here"),
        ([{"subset_img_id": "aa", "img_id": "1.png"}], r"record 0: '1\.png' is no name of an NIH film"),
    ],
)
def test_a_mapping_that_makes_no_sense(folder, mapping: object, message: str) -> None:
    with pytest.raises(TableError, match=rf"mappings_2018\.json[:,] {message}"):
        load(folder(mapping=mapping))


def test_films_lie_anywhere_below_and_may_be_missing(folder) -> None:
    place = folder()
    (place / "elsewhere").mkdir()
    (place / "stage_2_train_images").rename(place / "elsewhere" / "part")
    (place / "elsewhere" / "part" / "aa.dcm").unlink()
    cohort = load(place)
    assert cohort.on_disk.tolist() == [False, True, True]
    assert (cohort.view[0], cohort.sex[0], math.isnan(cohort.age[0])) == ("", "", True)
    assert not any("headers" in line for line in cohort.chosen)


def test_no_folder_no_table_no_film(folder, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no such folder; it should hold stage_2_train_labels\.csv"):
        load(tmp_path / "nowhere")
    with pytest.raises(TableError, match=r"stage_2_train_labels\.csv is not there"):
        load(tmp_path)
    place = folder()
    shutil.rmtree(place / "stage_2_train_images")
    assert not load(place).on_disk.any()
    with pytest.raises(TableError, match="holds no film"):
        load(folder(labels=LABELS.splitlines()[0]))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the films whose headers were read."""
    names, read = [], radiograph.header_from

    def counting(path: Path):
        names.append(path.name)
        return read(path)

    monkeypatch.setattr(radiograph, "header_from", counting)
    return names


def test_headers_are_read_once(folder, asked: list[str]) -> None:
    place = folder()
    first = load(place)
    assert sorted(asked) == ["aa.dcm", "cc.dcm", "dd.dcm"]
    again = load(place)
    assert len(asked) == 3
    for column in ("view", "age", "sex"):
        np.testing.assert_array_equal(getattr(again, column), getattr(first, column))
    assert set(first.view.tolist()) <= {"PA", "AP"}
    assert set(first.sex.tolist()) <= {"F", "M"}
    (place / "stage_2_train_images" / "aa.dcm").touch()
    load(place)
    assert len(asked) == 6


@pytest.mark.parametrize("damage", [b"", b"[]", b"{", b"\xff", b'{"facts": "[]", "digest": "0"}', None])
def test_a_damaged_cache_is_rebuilt(folder, asked: list[str], tmp_path: Path, damage: bytes | None) -> None:
    place = folder()
    first = load(place)
    (kept,) = (tmp_path / "cache" / "headers").iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(whole.replace(b"PA", b"AP").replace(b"M", b"F") if damage is None else damage)
    again = load(place)
    assert len(asked) == 6
    assert (again.view.tolist(), again.sex.tolist()) == (first.view.tolist(), first.sex.tolist())
    assert kept.read_bytes() == whole


def test_a_header_that_cannot_be_read_leaves_the_film_in(folder) -> None:
    place = folder()
    (place / "stage_2_train_images" / "aa.dcm").write_bytes(b"<html>not found</html>")
    cohort = load(place)
    assert cohort.on_disk.all()
    assert (cohort.view[0], cohort.sex[0], math.isnan(cohort.age[0])) == ("", "", True)
    assert cohort.view[1]
    assert cohort.chosen[-1] == "1 headers could not be read: view, age and sex of these films are unknown"


def test_phantoms_in_the_layout(phantoms: Path, layout: Path) -> None:
    from hilum.data import chestxray14

    original, cohort = chestxray14.load(phantoms), load(layout, "keep")
    assert (cohort.source, cohort.box_release) == ("phantoms", "phantom stage_2_train_labels")
    assert "phantom.json" in cohort.tables
    assert cohort.on_disk.all()
    for column in ("view", "sex", "age"):
        np.testing.assert_array_equal(getattr(cohort, column), getattr(original, column))
    assert cohort.patient.tolist() == [film.partition("_")[0] for film in original.films.tolist()]
    opacity = [original.findings.index(name) for name in rsna_layout.OPACITIES]
    np.testing.assert_array_equal(cohort.labels[:, 0], original.labels[:, opacity].max(axis=1))
    assert (cohort.labels[np.unique(cohort.reference.image), 0] == 1).all()
    assert len(np.unique(cohort.reference.image)) == cohort.labels.sum()
    fewer = load(layout)
    assert len(fewer) == len(cohort) - (original.labels.any(axis=1) & (cohort.labels[:, 0] == 0)).sum()


def test_the_real_sample(rsna_sample: Path) -> None:
    cohort, fewer = load(rsna_sample, "keep"), load(rsna_sample)
    assert (len(cohort), cohort.on_disk.sum(), len(fewer)) == (110, 110, 110 - 48)
    assert (cohort.labels.sum(), fewer.labels.sum()) == (33, 33)
    for part in (cohort, fewer):
        assert (len(part.reference), len(np.unique(part.reference.image))) == (45, 33)
    assert np.bincount(np.unique(cohort.reference.image, return_counts=True)[1]).tolist() == [0, 21, 12]
    assert (set(cohort.view.tolist()), set(cohort.sex.tolist())) == ({"PA", "AP"}, {"F", "M"})
    assert np.isfinite(cohort.age).all()
    assert ((cohort.age > 0) & (cohort.age <= 100)).all()


def test_the_whole_table(published_tables: Path, tmp_path: Path) -> None:
    """The counts that the challenge's own table gives, without its films and classes."""
    with zipfile.ZipFile(published_tables / "kaggle_stage_2_train_labels.csv.zip") as packed:
        (name,) = packed.namelist()
        table = packed.read(name)
    (tmp_path / rsna.LABEL_TABLE).write_bytes(table)
    assert table.count(b"\n") == 30_228
    (tmp_path / f"{table.splitlines()[1].split(b',')[0].decode()}.dcm").write_bytes(b"")  # one must be there
    cohort = load(tmp_path, "keep")
    assert (len(cohort), cohort.labels.sum(), len(cohort.reference)) == (26_684, 6_012, 9_555)
    n_boxes = np.unique(cohort.reference.image, return_counts=True)[1]
    assert np.bincount(n_boxes).tolist() == [0, 2_614, 3_266, 119, 13]
    xyxy = cohort.reference.xyxy
    sizes = xyxy[:, 2:] - xyxy[:, :2]
    assert (xyxy[:, :2].min(axis=0).tolist(), xyxy[:, :2].max(axis=0).tolist()) == ([2, 2], [835, 881])
    assert (sizes.min(axis=0).tolist(), sizes.max(axis=0).tolist()) == ([40, 45], [528, 942])
    assert sizes.mean(axis=0).round(1).tolist() == [218.5, 329.3]
    share = sizes.prod(axis=1) / 1024**2
    assert round(float(np.median(share)), 3) == 0.062
    assert round(float(share.sum() / 6_012), 4) == 0.1175
