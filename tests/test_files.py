import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hilum.errors import DiskError
from hilum.files import demand_space, digest, disk_errors, header_in, sha256, stamp, whole, write_text

FULL = """
import resource, sys
from pathlib import Path
from hilum.files import write_text
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
write_text(Path(sys.argv[1]), "x" * 1001)
"""
"""No file may grow beyond 1,000 bytes, as on a full disk; in its own process, for pytest writes files too."""


def test_text_lies_there_whole(tmp_path) -> None:
    path = tmp_path / "new" / "folder" / "a.txt"
    write_text(path, "ä\nb\n")
    assert path.read_bytes() == "ä\nb\n".encode()
    write_text(path, "")
    assert path.read_bytes() == b""
    assert os.listdir(path.parent) == ["a.txt"]


def test_an_error_inside_leaves_the_old_file(tmp_path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(ZeroDivisionError), whole(path) as temporary:
        _ = temporary.write_text("half of the n") // 0
    assert (path.read_text(), os.listdir(tmp_path)) == ("old", ["a.txt"])


def test_the_old_file_stays_until_the_block_has_ended(tmp_path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with whole(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.parent == path.parent
    assert path.read_text() == "new"


def test_a_full_disk(tmp_path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    done = subprocess.run([sys.executable, "-c", FULL, path], capture_output=True, text=True, check=False)
    assert "DiskError" in done.stderr
    assert "a.txt: the disk is full; free some space" in done.stderr
    assert (path.read_text(), os.listdir(tmp_path)) == ("old", ["a.txt"])


@pytest.mark.parametrize(
    ("number", "message"),
    [
        *((number, "the disk is full") for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)),
        *((number, "cannot be written: ") for number in (errno.EACCES, errno.EPERM, errno.EROFS)),
    ],
)
def test_what_a_disk_raises_becomes_one_error(number, message) -> None:
    with pytest.raises(DiskError, match=f"^a/b: {message}"), disk_errors(Path("a/b")):
        raise OSError(number, os.strerror(number))


def test_other_errors_pass() -> None:
    with pytest.raises(FileNotFoundError), disk_errors(Path("a")):
        raise OSError(errno.ENOENT, "gone")
    with pytest.raises(KeyError), disk_errors(Path("a")):
        raise KeyError


def test_a_file_where_a_folder_should_be_and_the_reverse(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(DiskError, match="cannot be written"):
        write_text(tmp_path / "file" / "a.txt", "")
    with pytest.raises(DiskError, match="cannot be written"):
        write_text(tmp_path / "folder", "")
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_hashes(tmp_path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert len(digest()) == len(digest("a", 1)) == 16
    assert len({digest(), digest("a"), digest("a", ""), digest("", "a"), digest("a", 1), digest("a1")}) == 6


def test_space_is_asked_for_first(tmp_path, monkeypatch) -> None:
    asked = []
    usage = shutil.disk_usage(tmp_path)._replace(free=1_100)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: asked.append(place) or usage)
    demand_space(tmp_path / "not" / "yet", 1_000)
    assert asked == [tmp_path]
    with pytest.raises(DiskError, match=r"yet: needs 0\.00 GB, 0\.00 GB are free"):
        demand_space(tmp_path / "not" / "yet", 1_001)
    demand_space(Path("relative"), 0)


def test_a_stamp_changes_with_the_file(tmp_path) -> None:
    path = tmp_path / "a"
    assert stamp(str(path)) == "absent"
    path.write_text("12")
    before = stamp(str(path))
    os.utime(path, ns=(0, 5))
    assert stamp(str(path)) == "2:5" != before


def test_a_head_that_is_no_ones_and_files_that_are_not_whole(tmp_path) -> None:
    path = tmp_path / "a.safetensors"

    def written(head: object, n_bytes: int) -> Path:
        text = json.dumps(head).encode()
        path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(n_bytes))
        return path

    tensor = {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}
    assert header_in(written({"a": tensor, "__metadata__": {"hilum": '{"x": 1}'}}, 4)) == {"x": 1}
    assert header_in(written({"a": tensor}, 4)) == header_in(written({}, 0)) == {}
    for head, n_bytes, said in (
        ({"a": tensor}, 3, "bytes where its head tells of"),
        ({"a": tensor}, 5, "bytes where its head tells of"),
        ({"a": 4}, 4, "names no tensors"),
        ([tensor], 4, "names no tensors"),
        ({"__metadata__": {"hilum": "[1]"}}, 0, "no table"),
    ):
        with pytest.raises(ValueError, match=said):
            header_in(written(head, n_bytes))
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="ends within its head"):
        header_in(path)
