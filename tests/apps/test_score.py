"""`hilum score` from the outside: both forms, what they print, and how they fail."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hilum.data.chestxray14 import load


def _hilum(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from hilum.apps.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(scope="module")
def tables(phantoms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    for path in phantoms.iterdir():
        if path.is_file():
            shutil.copy(path, folder / path.name)
    cohort = load(folder)
    lines = [f"{film},{0.2 + 0.6 * row[2]}" for film, row in zip(cohort.films, cohort.labels, strict=True)]
    (folder / "p.csv").write_text("\n".join(["Image Index,Effusion_prob", *lines]) + "\n")
    return folder


def test_json_is_all_that_is_printed(tables, tmp_path) -> None:
    done = _hilum("score", "--data", tables, "--probabilities", tables / "p.csv", "--json", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    content = json.loads(done.stdout)
    assert content == json.loads((tmp_path / "scores.json").read_text())
    (auroc,) = [s for s in content["scores"] if s["metric"] == "auroc" and s["finding"] == "Effusion"]
    assert auroc["value"] == 1.0
    assert "train list" in done.stderr


def test_the_table_and_the_page(tables, tmp_path) -> None:
    done = _hilum(
        "score", "--data", tables, "--probabilities", tables / "p.csv", "--out", tmp_path, "--split", "test"
    )
    assert done.returncode == 0, done.stderr
    assert "mean AUROC" in done.stdout
    assert str(tmp_path / "report.html") in done.stdout
    assert "not for diagnosis" in done.stdout


WRONG = {
    "neither": ((), 2, "either a run folder or --data"),
    "both": (("RUN", "--data", "TABLES"), 2, "either a run folder or --data"),
    "nothing to score": (("--data", "TABLES"), 2, "nothing to score"),
    "boxes of a run": (("RUN", "--boxes", "TABLES/p.csv"), 2, "--boxes belongs to --data"),
    "no such file": (("--data", "TABLES", "--probabilities", "TABLES/none.csv"), 4, "none.csv"),
    "no such dataset": (("--data", "TABLES", "--dataset", "nihh", "--boxes", "b.csv"), 2, "unknown dataset"),
}


@pytest.mark.parametrize("case", WRONG)
def test_one_clear_line(case, tables, tmp_path) -> None:
    given, code, message = WRONG[case]
    arguments = [part.replace("TABLES", str(tables)).replace("RUN", str(tmp_path)) for part in given]
    done = _hilum("score", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert len([line for line in done.stderr.splitlines() if line != "score: started"]) == 1
