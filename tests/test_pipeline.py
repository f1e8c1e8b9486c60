"""The three steps on arrays, and that one film and a study of many say the same."""

from pathlib import Path

import numpy as np
import pytest

from hilum.errors import FilmError
from hilum.localize import BoxRule
from hilum.pipeline import Reader, explain, predict
from hilum.study.folder import read_csv


@pytest.fixture(scope="module")
def reader(tiny_run: Path) -> Reader:
    return Reader(tiny_run / "weights.safetensors", "gradcam", BoxRule("dynamic(87.5)"))


def test_reader_and_study_give_the_same_boxes_for_the_same_film(
    reader: Reader, tiny_run: Path, phantoms: Path
) -> None:
    rows = [
        r
        for r in read_csv(tiny_run / "boxes.csv")
        if (r["method"], r["box_rule"]) == ("gradcam", "dynamic(87.5)+largest")
    ]
    assert len(rows) > 5
    film = rows[0]["image"]
    opinion = reader.read(phantoms / "images" / film)
    stated = next(r for r in read_csv(tiny_run / "probabilities.csv") if r["image"] == film)
    np.testing.assert_allclose(opinion.probabilities, [float(stated[f]) for f in opinion.findings], atol=1e-5)
    for row in (r for r in rows if r["image"] == film):
        ours = opinion.boxes.xyxy[opinion.boxes.finding == opinion.findings.index(row["finding"])]
        # The film is 64 px here and the study's frame 1024: the same box, to a pixel of the enlarged maps.
        in_frame = np.array([float(row[name]) for name in ("x_min", "y_min", "x_max", "y_max")])
        np.testing.assert_allclose(ours[0] * 16, in_frame, atol=32)


def test_probabilities_do_not_depend_on_the_way_taken(reader: Reader) -> None:
    films = np.random.default_rng(0).integers(0, 256, (3, 64, 64), dtype=np.uint8)
    alone = predict(reader._model, films, reader._geometry)
    with_maps, maps = explain(reader._model, films, reader._geometry, ("cam", "gradcam"))
    np.testing.assert_allclose(alone, with_maps, atol=1e-6)
    assert maps["cam"].shape == (3, 14, 4, 4)


def test_an_unreadable_film_is_one_clear_error(reader: Reader, tmp_path: Path) -> None:
    path = tmp_path / "film.png"
    path.write_text("<svg>")
    with pytest.raises(FilmError, match=r"film\.png.*PNG, JPEG or DICOM file"):
        reader.read(path)
