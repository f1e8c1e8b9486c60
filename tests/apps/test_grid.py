"""The command `grid`."""

import json
from pathlib import Path

import pytest

from hilum.apps.cli import main


def _run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(each) for each in arguments])
    return int(ended.value.code or 0)


def _words(recipe: Path, data: Path, out: Path) -> tuple[object, ...]:
    return ("grid", recipe, "--data", data, "--out", out, "--set", "training.epochs=1", "--quiet")


def test_a_grid_ends_with_its_table(tiny_recipe, phantoms, tmp_path, capsys) -> None:
    words = _words(tiny_recipe, phantoms, tmp_path)
    assert _run(*words, "--over", "training.seed=0,1") == 0
    told = capsys.readouterr().out
    assert "seed=0" in told
    assert "best val_auroc: seed=" in told
    assert "For research, not for diagnosis." in told
    assert _run(*words, "--over", "training.seed=0,1", "--json") == 0
    tables = json.loads(capsys.readouterr().out)
    assert [row["cell"] for row in tables["grid"]] == ["seed=0", "seed=1"]
    assert tables["pooled"]


def test_mistakes_end_with_2(tiny_recipe, phantoms, tmp_path, capsys) -> None:
    assert _run(*_words(tiny_recipe, phantoms, tmp_path), "--over", "seed=1") == 2
    assert "write section.key=VALUE" in capsys.readouterr().err


def test_a_failed_cell_ends_with_3(tiny_recipe, phantoms, tmp_path, capsys) -> None:
    words = _words(tiny_recipe, phantoms, tmp_path)
    assert _run(*words, "--over", "training.learning_rate=1e30") == 3
    assert "skipped learning_rate=1e+30: " in capsys.readouterr().err
