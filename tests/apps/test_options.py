"""What several commands share."""

from pathlib import Path

import pytest

from hilum.apps.options import aligned, dataset_named, printed
from hilum.errors import DataError, UsageError


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert aligned([("a", "bb", "c"), ("ddd", "", "e")]) == "a    bb  c\nddd      e"


def test_a_text_is_printed_as_it_is_and_anything_else_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    printed("one")
    printed({"two": [3]})
    assert capsys.readouterr().out == 'one\n{\n "two": [\n  3\n ]\n}\n'


def test_a_reader_is_named_or_told_by_the_tables(tmp_path: Path) -> None:
    (tmp_path / "films.csv").write_text("path,Mass\n")
    assert dataset_named(tmp_path, "auto") == "manifest"
    assert dataset_named(tmp_path, "rsna(keep)") == "rsna(keep)"
    with pytest.raises(UsageError, match="unknown dataset 'nih'"):
        dataset_named(tmp_path, "nih")
    with pytest.raises(DataError, match="no such folder"):
        dataset_named(tmp_path / "nowhere", "auto")
