"""The whole battery of files that are no films: one line each, within 1 s and 300 MB, nothing private."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.data.malformed import CASES, page
from tests.data.malformed_codec import run_lengths
from tests.data.malformed_film import GREY, PRIVATE, dicom, fragments, jpeg, png

from hilum.data.radiograph import eight_bit_from
from hilum.errors import FilmError

READER = Path(__file__).parents[1] / "data" / "malformed_reader.py"
PAGE = Path(__file__).parents[2] / "docs" / "malformed.md"
LOUD = {
    "truncated or corrupt raster: PNG, half the rows, checksums right",
    "truncated or corrupt raster: PNG, pixels that do not inflate, checksums right",
    "DICOM codecs: lossless JPEG without tables",
}
"""libpng inside OpenCV and libjpeg inside gdcm tell the terminal of pixels that are wrong in a whole file."""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict]:
    """What one process, which lives through all of it, made of every case."""
    lines = []
    for number, (name, case) in enumerate(CASES.items()):
        folder = tmp_path_factory.mktemp(f"case-{number}")
        lines.append([name, str(case.make(folder))])
    warm = tmp_path_factory.mktemp("warm")  # what the first film of a kind loads is not the malformed one's
    for name, content in {"png": png(), "jpeg": jpeg(), "dicom": _compressed()}.items():
        (warm / name).write_bytes(content)
        lines.insert(0, [name, str(warm / name)])
    done = subprocess.run(
        [sys.executable, READER],
        input="".join(json.dumps(line) + "\n" for line in lines),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-500:]
    return dict(json.loads(line) for line in done.stdout.splitlines())


def _compressed() -> bytes:
    return dicom(fragments(jpeg()), "1.2.840.10008.1.2.4.50")


@pytest.mark.parametrize("name", CASES)
def test_every_case(results: dict[str, dict], name: str) -> None:
    expected, result = CASES[name].expected, results[name]
    if name == "paths: unreadable" and os.geteuid() == 0:
        pytest.skip("nothing is unreadable to root")
    assert result["seconds"] <= 1
    assert result["mb"] <= 300
    if isinstance(expected, str):
        assert expected in result["error"]
        assert ": " in result["error"]
        assert "\n" not in result["error"]
        assert PRIVATE not in result["error"]
    else:
        assert "error" not in result, result["error"]
    if isinstance(expected, np.ndarray):
        assert result["pixels"] == expected.tolist()
    assert (result["stderr"] == "") == (name not in LOUD), result["stderr"]


def test_every_family_of_the_table_is_there() -> None:
    assert len(CASES) > 150
    assert len({case.family for case in CASES.values()}) == 14


def test_the_page_says_what_happens() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()


WHOLE = {  # codecs of gdcm are left to the battery, which has a process of its own
    "PNG": png(),
    "JPEG": jpeg(),
    "DICOM": dicom(),
    "DICOM, JPEG": dicom(fragments(jpeg()), "1.2.840.10008.1.2.4.50"),
    "DICOM, run lengths": dicom(fragments(run_lengths(GREY)), "1.2.840.10008.1.2.5"),
}


@pytest.mark.parametrize("kind", WHOLE)
def test_a_file_with_some_wrong_bytes_is_read_or_refused(kind: str, tmp_path: Path) -> None:
    """Whatever the bytes: pixels, or the one error that is promised."""
    chance, path, said = np.random.default_rng(0), tmp_path / "film", []
    for _ in range(100):
        content = bytearray(WHOLE[kind])
        for place in chance.integers(0, len(content), chance.integers(1, 5)):
            content[place] = chance.integers(0, 256)
        path.write_bytes(content[: chance.integers(1, len(content))] if chance.random() < 0.2 else content)
        try:
            assert eight_bit_from(path).dtype == np.uint8
        except FilmError as error:
            said.append(str(error))
    assert len(said) > 20
    assert all(line.startswith(f"{path}: ") and line.isprintable() for line in said)
