"""Two runs side by side: the same run does not differ from itself, and other films are refused in words."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

from hilum.errors import RunError, UsageError
from hilum.study.compare import MEASURES, compare
from hilum.study.folder import read_csv, write_csv


@pytest.fixture
def twin(tiny_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_run, tmp_path / "twin"))


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_run_and_its_worse_twin(tiny_run: Path, twin: Path, tmp_path: Path) -> None:
    lines = read_csv(twin / "probabilities.csv")
    rng = np.random.default_rng(0)
    names = [name for name in lines[0] if name not in ("image", "split")]
    noisy = [(line["image"], line["split"], *rng.random(len(names))) for line in lines]
    write_csv(twin / "probabilities.csv", ("image", "split", *names), noisy)
    made = compare([tiny_run, twin], tmp_path / "out")
    assert [(p.metric, p.at) for p in made.pairings] == list(MEASURES)
    assert made.apart == []
    rows = _rows(tmp_path / "out" / "differences.csv")
    assert {row["difference"] for row in rows if row["measure"] != "AUROC"} <= {"0.000", "-"}
    assert {row["difference"] for row in rows if row["measure"] == "AUROC"} - {"0.000", "-"}
    assert {(row["first"], row["second"]) for row in rows} == {("tiny", "twin")}
    page = (tmp_path / "out" / "compared.html").read_text(encoding="utf-8")
    assert "2 runs side by side" in page
    assert "tiny · IoU" in page
    assert "twin · IoU" in page
    assert (tmp_path / "out" / "differences.tex").is_file()


def test_runs_on_other_films_are_shown_and_not_paired(tiny_run: Path, twin: Path, tmp_path: Path) -> None:
    lines = read_csv(twin / "probabilities.csv")
    boxed = {line["image"] for line in read_csv(twin / "boxes.csv")}
    tested = [n for n, line in enumerate(lines) if line["split"] == "test" and line["image"] not in boxed]
    last = tested[-1]
    kept = [list(line.values()) for n, line in enumerate(lines) if n != last]
    write_csv(twin / "probabilities.csv", list(lines[0]), kept)
    made = compare([tiny_run, twin], tmp_path / "out")
    assert made.pairings == []
    assert len(made.apart) == 1
    assert "they must be the same" in made.apart[0]
    assert "they must be the same" in (tmp_path / "out" / "compared.html").read_text(encoding="utf-8")
    assert not (tmp_path / "out" / "differences.csv").exists()


def test_what_cannot_be_compared_is_refused(tiny_run: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="two runs or more"):
        compare([tiny_run], tmp_path)
    with pytest.raises(UsageError, match="two runs are named 'tiny'"):
        compare([tiny_run, tiny_run], tmp_path)
    with pytest.raises(RunError, match="not a run folder"):
        compare([tiny_run, tmp_path], tmp_path)
