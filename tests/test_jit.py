import linecache

import numpy as np

from hilum.jit import compiled

SOURCE = """
def total(values):
    result = 0.0
    for value in values:
        result += value
    return result
"""


def test_a_kernel_is_kept_on_disk(tmp_path, monkeypatch) -> None:
    path = tmp_path / "kernel.py"
    path.write_text(SOURCE)
    names = {}
    exec(compile(SOURCE, str(path), "exec"), names)
    assert compiled(names["total"])(np.array([1.0, 2.5])) == 3.5
    kept = [file.suffix for file in (tmp_path / "__pycache__").iterdir()]
    assert sorted(kept) == [".nbc", ".nbi"]


def test_a_kernel_works_where_no_folder_can_be_written() -> None:
    names = {}
    linecache.cache["<nowhere>"] = (len(SOURCE), None, SOURCE.splitlines(keepends=True), "<nowhere>")
    exec(compile(SOURCE, "<nowhere>", "exec"), names)  # numba finds no place beside a file that is not there
    kernel = compiled(names["total"])
    assert kernel(np.array([1.0, 2.5])) == 3.5
    assert kernel(np.zeros(0)) == 0.0


def test_a_checker_around_the_function_is_taken_off(tmp_path) -> None:
    path = tmp_path / "kernel.py"
    path.write_text(SOURCE)
    names = {}
    exec(compile(SOURCE, str(path), "exec"), names)

    def checked(values):
        raise AssertionError("numba must not read the wrapper")

    checked.__wrapped__ = names["total"]
    assert compiled(checked)(np.ones(3)) == 3.0
