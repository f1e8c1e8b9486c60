"""The command `sweep`: its table, its exit codes, and what it says where Ray is missing."""

import importlib.util
import json
from pathlib import Path

import pytest

from hilum.apps.cli import main
from hilum.distribute import sweep as module
from hilum.report import Searched, SearchRecord, Trial

DONE = Trial("0001", {"training.seed": 1}, "finished", "", [{"val_auroc": 0.7, "seconds": 2.0}])
FAILED = Trial("0002", {"training.seed": 2}, "failed", "training: diverged", ())


def _run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(each) for each in arguments])
    return int(ended.value.code or 0)


def _swept(monkeypatch: pytest.MonkeyPatch, *trials: Trial) -> dict:
    """The command with a sweep that is done already; what it was called with."""
    given: dict = {}

    def done(recipe: str, space: str, data: Path, out: Path, **more: object) -> SearchRecord:
        given.update(more, recipe=recipe, space=space, data=data, out=out)
        return SearchRecord("T", "val_auroc", {"training.seed": Searched("choice", (1, 2))}, trials, 0)

    monkeypatch.setattr(module, "sweep", done)
    return given


def test_a_sweep_ends_with_its_table(monkeypatch, tmp_path, capsys) -> None:
    given = _swept(monkeypatch, DONE)
    words = ("sweep", "small", "--space", "s.toml", "--data", "d", "--out", tmp_path, "--quiet")
    assert _run(*words, "--trials", 3, "--at-once", 2, "--seed", 5, "--set", "training.epochs=1") == 0
    assert (given["trials"], given["at_once"], given["seed"], given["address"]) == (3, 2, 5, "")
    assert given["changes"] == {"training.epochs": "1"}
    told = capsys.readouterr().out
    assert "0001   finished  1       0.7        2" in told
    assert "best val_auroc: 0001" in told
    assert "For research, not for diagnosis." in told
    assert _run(*words, "--json") == 0
    assert [row["training.seed"] for row in json.loads(capsys.readouterr().out)] == ["1"]


def test_a_failed_trial_ends_with_3(monkeypatch, tmp_path, capsys) -> None:
    _swept(monkeypatch, DONE, FAILED)
    assert _run("sweep", "small", "--space", "s", "--data", "d", "--out", tmp_path, "--quiet") == 3
    assert "skipped 0002: training: diverged" in capsys.readouterr().err


def test_without_ray_it_says_what_to_install(monkeypatch, tmp_path, capsys) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ray" else find(name))
    words = ("--space", "sorkhei", "--data", tmp_path, "--out", tmp_path / "o", "--quiet")
    assert _run("sweep", "sorkhei_baseline", *words) == 2
    assert "usage: a sweep needs ray: pip install 'hilum[sweep]'" in capsys.readouterr().err


def test_an_unknown_space_ends_with_2(tmp_path, capsys) -> None:
    pytest.importorskip("ray")
    pytest.importorskip("optuna")
    assert _run("sweep", "small", "--space", "sorkei", "--data", tmp_path, "--out", tmp_path / "o") == 2
    assert "did you mean 'sorkhei'" in capsys.readouterr().err
