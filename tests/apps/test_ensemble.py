"""The command `ensemble`."""

import json
import shutil
from pathlib import Path

import pytest

from hilum.apps.cli import main


def _told(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> str:
    with pytest.raises(SystemExit) as ended:
        main(["ensemble", *map(str, arguments), "--quiet"])
    out, err = capsys.readouterr()
    assert ended.value.code == code, err
    return out if code == 0 else err


def test_two_runs_end_with_the_table_of_one(tiny_run: Path, tmp_path: Path, capsys) -> None:
    second = shutil.copytree(tiny_run, tmp_path / "second")
    out = tmp_path / "out"
    told = _told(capsys, tiny_run, second, "--out", out, "--average", "logits")
    assert "mean AUROC" in told
    assert told.endswith(f"report: {out / 'report.html'}\nFor research, not for diagnosis.\n")
    scores = json.loads((out / "scores.json").read_text())["scores"]
    own = json.loads((tiny_run / "scores.json").read_text())["scores"]
    mean, alone = (_mean_auroc(each) for each in (scores, own))
    assert mean == pytest.approx(alone)


def _mean_auroc(scores: list[dict]) -> float:
    (mean,) = [s for s in scores if s["metric"] == "auroc" and s["finding"] is None and not s.get("stratum")]
    return mean["value"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "give the run folders"),
        (("nowhere",), 1, "not a run folder"),
        (("nowhere", "--average", "median"), 2, "median"),
    ],
)
def test_mistakes_are_one_line(words, code: int, said: str, tmp_path: Path, capsys) -> None:
    assert said in _told(capsys, *words, "--out", tmp_path / "out", code=code)
    assert not (tmp_path / "out").exists()
