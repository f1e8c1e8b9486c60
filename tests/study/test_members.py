"""Runs make an ensemble only where they are of the same films."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from hilum.errors import RunError, UsageError
from hilum.study.members import one_view, opened, shared_findings


@pytest.fixture
def runs(tiny_run: Path, tmp_path: Path) -> list[Path]:
    return [Path(shutil.copytree(tiny_run, tmp_path / name)) for name in ("first", "second")]


def _changed(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_members_of_one_recipe_share_everything(runs) -> None:
    members = opened(runs)
    assert shared_findings(members) == members[0].cohort.findings
    assert [member.method for member in members] == ["gradcam", "gradcam"]
    assert one_view(members)
    _changed(runs[1] / "recipe.toml", "input_px = 64", "input_px = 48")
    assert not one_view(opened(runs))


def test_findings_are_shared_in_the_order_of_the_first(runs) -> None:
    _changed(runs[1] / "recipe.toml", "findings = []", 'findings = ["Mass", "Effusion", "Atelectasis"]')
    assert shared_findings(opened(runs)) == ("Atelectasis", "Effusion", "Mass")
    assert shared_findings(opened(runs[::-1])) == ("Mass", "Effusion", "Atelectasis")
    _changed(runs[0] / "recipe.toml", "findings = []", 'findings = ["Hernia"]')
    with pytest.raises(UsageError, match=r"first.*second: no finding in common"):
        shared_findings(opened(runs))


@pytest.mark.parametrize(("key", "said"), [("split_hash", "splits"), ("tables", "tables of films")])
def test_other_data_and_other_splits_are_refused(runs, key: str, said: str) -> None:
    record = json.loads((runs[1] / "run.json").read_text())
    (runs[1] / "run.json").write_text(json.dumps(record | {key: {} if key == "tables" else "0"}))
    with pytest.raises(UsageError, match=f"first and .*second: of other {said}"):
        shared_findings(opened(runs))


def test_other_labels_are_refused_though_the_tables_are_the_same(runs) -> None:
    first, second = opened(runs)
    cohort = dataclasses.replace(second.cohort, labels=1 - second.cohort.labels)
    with pytest.raises(UsageError, match=r"first and .*second: the systems were scored on other labels"):
        shared_findings([first, dataclasses.replace(second, cohort=cohort)])


def test_no_run_twice_a_run_and_what_is_none(runs, tmp_path) -> None:
    with pytest.raises(UsageError, match="give the run folders"):
        opened([])
    with pytest.raises(UsageError, match="first is given twice"):
        opened([runs[0], runs[1], runs[0] / ".." / "first"])
    with pytest.raises(RunError, match="not a run folder"):
        opened([tmp_path / "nowhere"])
