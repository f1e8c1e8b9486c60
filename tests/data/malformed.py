"""Every file that is no film, or an odd one, and what is said of it; run, it prints docs/malformed.md."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tests.data import malformed_dicom as dicom
from tests.data import malformed_raster as raster
from tests.data.malformed_film import GREY, png


@dataclass(frozen=True)
class Case:
    """One file.

    Attributes:
        family: Heading under which it stands.
        make: Makes it in a folder and returns its path.
        expected: Part of the message; or the pixels; None where the film is read, its pixels not looked at.
    """

    family: str
    make: Callable[[Path], Path]
    expected: str | np.ndarray | None


def _named(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(png())
        return path

    return make


def _loop(folder: Path) -> Path:
    (folder / "a.png").symlink_to(folder / "b.png")
    (folder / "b.png").symlink_to(folder / "a.png")
    return folder / "a.png"


def _link(folder: Path) -> Path:
    (folder / "a.png").symlink_to(_named("b.png")(folder))
    return folder / "a.png"


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "a.png")
    return folder / "a.png"


def _unreadable(folder: Path) -> Path:
    path = _named("a.png")(folder)
    path.chmod(0)
    return path


NO_FILE, NO_SUCH = "is no file but a folder, pipe or device", "no such file"
PATHS = {
    "absent": (lambda folder: folder / "absent.png", NO_SUCH),
    "folder": (lambda folder: folder, NO_FILE),
    "pipe": (_pipe, NO_FILE),
    "device that never ends": (lambda _: Path("/dev/zero"), NO_FILE),
    "device that is empty": (lambda _: Path("/dev/null"), NO_FILE),
    "links that go round": (_loop, NO_SUCH),
    "link to a film": (_link, GREY),
    "unreadable": (_unreadable, "cannot be read: Permission denied"),
    "name with a newline": (_named("a\nb.png"), GREY),
    "name with a newline, no film": (lambda folder: folder / "a\nb.png", r"a\nb.png: no such file"),
    "name that is no text": (_named(os.fsdecode(b"\xff\xfe.png")), GREY),
    "name of 255 bytes": (_named("n" * 251 + ".png"), GREY),
    "name of 256 bytes": (lambda folder: folder / ("n" * 256), "cannot be read: File name too long"),
    "name with a null": (lambda folder: folder / "a\0b.png", NO_SUCH),
    "other name than kind": (_named("film.dcm"), GREY),
}
FAMILIES = {
    "empty, tiny, wrong type": raster.WRONG_KIND,
    "truncated or corrupt raster": raster.CORRUPT,
    "raster bombs": raster.BOMBS,
    "odd but legal raster": raster.ODD,
    "DICOM truncated": dicom.TRUNCATED,
    "DICOM lengths": dicom.LENGTHS,
    "DICOM nesting, volume": dicom.NESTING,
    "DICOM dimensions": dicom.DIMENSIONS,
    "DICOM values": dicom.VALUES,
    "DICOM meaning": dicom.MEANING,
    "DICOM codecs": dicom.CODECS,
    "DICOM deflate bomb": dicom.DEFLATE,
    "strings": dicom.STRINGS,
}


def _file_of(content: Callable[[], bytes]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / "film.png"
        path.write_bytes(content())
        return path

    return make


def _cases(family: str, rows: Mapping[str, tuple], file_of: Callable = lambda make: make) -> dict[str, Case]:
    return {f"{family}: {name}": Case(family, file_of(make), told) for name, (make, told) in rows.items()}


CASES = {
    **{
        name: case
        for family, rows in FAMILIES.items()
        for name, case in _cases(family, rows, _file_of).items()
    },
    **_cases("raster bombs", {"file larger than any film": raster.LARGE_FILE}),
    **_cases("paths", PATHS),
}

INTRODUCTION = """# Files that are no films

What becomes of every file below when it is read as a film. Each is made by the tests, read in a process of
its own, and takes at most 1 s and 300 MB: it ends in pixels that are right, or in one line that begins with
the name of the file and goes on as the table says. The rest of a batch goes on. This page is printed by
`python -m tests.data.malformed`; a test compares the two.

| family | file | what is said |
|---|---|---|
"""


def page() -> str:
    """The page of the documentation."""
    return INTRODUCTION + "".join(f"| {' | '.join(row)} |\n" for row in rows())


def rows() -> list[tuple[str, str, str]]:
    """Family, file and outcome of every case, as the page shows them."""
    order = list(dict.fromkeys(case.family for case in CASES.values()))
    named = sorted(CASES.items(), key=lambda pair: order.index(pair[1].family))
    return [
        tuple(map(_cell, (case.family, name.removeprefix(f"{case.family}: "), _outcome(case))))
        for name, case in named
    ]


def _outcome(case: Case) -> str:
    return f"“{case.expected}”" if isinstance(case.expected, str) else "the film is read"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


if __name__ == "__main__":
    sys.stdout.write(page())
