"""What all readers of tables rely on."""

import math
import os

import numpy as np
import pytest

from hilum.data import tables
from hilum.data.tables import age_from, ages_from, columns_of, files_below, known, lines_of, refuse_repeats
from hilum.errors import TableError


@pytest.fixture
def table(tmp_path):
    """Writes a table and says where it lies."""

    def write(content: str | bytes):
        path = tmp_path / "t.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.mark.parametrize(
    "content",
    [
        "a,b\n1,2\n3,4\n",
        "a,b\r\n1,2\r\n3,4",
        "\ufeffa,b\n1,2\n3,4\n",
        " a , b \n1 , 2\n\n3,4\n,\n",
        "b,a\n2,1\n4,3\n",
        "a,b,\n1,2,\n3,4,\n",
        "a,b,c\n1,2,x\n3,4,y\n",
    ],
    ids=["plain", "CRLF", "byte order mark", "spaces and empty lines", "turned", "trailing comma", "more"],
)
def test_the_same_columns_however_they_were_saved(table, content) -> None:
    assert columns_of(table(content), ("a", "b")) == {"a": ["1", "3"], "b": ["2", "4"]}


def test_lines_have_the_numbers_that_an_editor_shows(table) -> None:
    header, lines = lines_of(table('a,b\n\n1,"x\ny"\n2,z\n'))
    assert header == ["a", "b"]
    assert lines == [(4, ("1", "x\ny")), (5, ("2", "z"))]
    assert lines_of(table("")) == ([], [])


def test_optional_columns_are_taken_if_they_are_there(table) -> None:
    path = table("a,c\n1,3\n")
    assert columns_of(path, ("a",), ("b", "c")) == {"a": ["1"], "c": ["3"]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\n1\n", "column 'b' is missing; found \\['a'\\]"),
        ("", "column 'a' is missing"),
        ("a,b\n", "holds no film"),
        ("a,b\n1,2\n3\n", "line 3: 1 fields where 2 are named"),
        (b"a,b\n\xff\xfe,2\n", "not a UTF-8 table"),
        ("a,b\n" + "x" * (tables.MAX_LINE + 1) + ",2\n", "a line of more than 1,000,000 characters"),
        ("a,b\n" + "x" * 200_000 + ",2\n", "not a UTF-8 table: field larger than field limit"),
    ],
)
def test_a_table_that_is_none(table, content, message) -> None:
    path = table(content)
    with pytest.raises(TableError, match=message) as caught:
        columns_of(path, ("a", "b"))
    assert str(caught.value).startswith(str(path))


def test_a_table_that_cannot_be_read(tmp_path) -> None:
    with pytest.raises(TableError, match=r"gone\.csv: not a UTF-8 table: .*No such file"):
        lines_of(tmp_path / "gone.csv")
    with pytest.raises(TableError, match="not a UTF-8 table"):
        lines_of(tmp_path)


def test_a_film_stands_once(tmp_path) -> None:
    refuse_repeats(["a", "b"], tmp_path)
    refuse_repeats([], tmp_path)
    with pytest.raises(TableError, match="film 'b' stands in it 3 times"):
        refuse_repeats(np.array(["b", "a", "b", "b"]), tmp_path)


@pytest.mark.parametrize(
    ("text", "years"),
    [
        ("58", 58),
        (" 058Y ", 58),
        ("011M", 11 / 12),
        ("013W", 0.25),
        ("003D", 3 / 365),
        ("0", 0),
        ("100", 100),
    ],
)
def test_ages_as_they_are_written(text, years) -> None:
    assert age_from(text) == pytest.approx(years)


@pytest.mark.parametrize("text", ["411", "155", "100.5", "1201M", "", "-3", "nan", "5y", "Y", "٣"])
def test_ages_that_are_none(text) -> None:
    assert math.isnan(age_from(text))


def test_an_age_set_to_unknown_is_told() -> None:
    ages, mended = ages_from(["30", "411"], ["a", "b"])
    np.testing.assert_array_equal(ages, [30, math.nan])
    assert mended == ["b: age '411' set to unknown"]
    assert ages_from([], [])[1] == []


def test_known_values() -> None:
    assert known(["F", "f", "M", "O"], ("F", "M")).tolist() == ["F", "", "M", ""]


def _png(path, width: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + width.to_bytes(4, "big") * 2)


def test_of_two_sizes_the_larger_is_taken_and_told(tmp_path) -> None:
    for film in ("a.png", "b.png"):
        _png(tmp_path / "512" / film, 512)
        _png(tmp_path / "1024" / film, 1024)
    _png(tmp_path / "c.png", 256)
    (tmp_path / "512" / "other.png").write_bytes(b"")
    paths, chosen = files_below(tmp_path, {"a.png", "b.png", "c.png", "d.png"})
    assert paths == {
        "a.png": str(tmp_path / "1024" / "a.png"),
        "b.png": str(tmp_path / "1024" / "b.png"),
        "c.png": str(tmp_path / "c.png"),
    }
    assert chosen == ["2 films are in 1024 and in 512: taken from 1024"]


def test_folders_not_to_enter_and_links_in_a_circle(tmp_path) -> None:
    _png(tmp_path / "masks" / "a.png", 2048)
    _png(tmp_path / ".hidden" / "a.png", 2048)
    _png(tmp_path / "real" / "a.png", 8)
    os.symlink(tmp_path, tmp_path / "real" / "round")
    os.symlink(tmp_path / "real", tmp_path / "again")
    paths, chosen = files_below(tmp_path, {"a.png"}, skipped=("masks",))
    assert list(paths) == ["a.png"]
    assert paths["a.png"].endswith("/a.png")
    assert "masks" not in paths["a.png"]
    assert chosen == []
