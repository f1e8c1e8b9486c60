"""Every reader of films: phantoms lie in its layout, so it must open them."""

from pathlib import Path

import numpy as np
import pytest

from hilum.boxes import area
from hilum.data import DATASETS, Cohort
from hilum.data.phantom import write
from hilum.errors import DataError
from hilum.findings import CHESTXRAY14

FILMS, SIDE = 24, 64
LAYOUTS = {"chestxray14": write}
"""What writes phantoms in each reader's layout."""


def test_the_table_is_whole() -> None:
    assert sorted(DATASETS) == sorted(LAYOUTS)
    assert len(DATASETS) == 1


@pytest.fixture(scope="module", params=DATASETS)
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    folder = tmp_path_factory.mktemp(request.param)
    LAYOUTS[request.param](folder, films=FILMS, size=SIDE, seed=5)
    return DATASETS[request.param](folder)


def test_every_film_is_there(opened: Cohort) -> None:
    assert len(opened) == FILMS
    assert opened.on_disk.all()
    assert all(Path(path).name == film for film, path in zip(opened.films, opened.paths, strict=True))


def test_labels_are_known(opened: Cohort) -> None:
    assert opened.findings == CHESTXRAY14
    assert set(np.unique(opened.labels)) == {0.0, 1.0}


def test_both_sides_have_films_and_their_own_patients(opened: Cohort) -> None:
    train, test = (set(opened.patient[opened.side(side)]) for side in ("train", "test"))
    assert train
    assert test
    assert not train & test


def test_boxes_lie_in_the_named_frame_on_films_that_show_the_finding(opened: Cohort) -> None:
    boxes = opened.reference
    assert len(boxes) > 0
    assert (area(boxes.xyxy) > 0).all()
    assert boxes.xyxy.min() >= 0
    assert (boxes.xyxy.max(axis=0) <= np.array(opened.frame_hw * 2)).all()
    assert (opened.labels[boxes.image, boxes.finding] == 1).all()


def test_what_was_read_is_on_record(opened: Cohort) -> None:
    assert opened.source
    assert opened.split_name
    assert opened.box_release
    assert all(len(checksum) == 64 for checksum in opened.tables.values())


@pytest.mark.parametrize("dataset", DATASETS)
def test_an_empty_folder_is_a_data_error(dataset: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=str(tmp_path)):
        DATASETS[dataset](tmp_path)


@pytest.mark.parametrize("dataset", DATASETS)
def test_findings_are_chosen_by_name(dataset: str, tmp_path: Path) -> None:
    LAYOUTS[dataset](tmp_path, films=8, size=SIDE, seed=1)
    every, some = DATASETS[dataset](tmp_path), DATASETS[dataset](tmp_path, findings=("Mass", "Effusion"))
    np.testing.assert_array_equal(some.labels, every.labels[:, [4, 2]])
