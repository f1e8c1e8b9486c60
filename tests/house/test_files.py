"""Length, mirror, words and pictures: what can be read off the files themselves."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "hilum"
MAX_LINES = 400

WITHOUT_OWN_TEST = {
    "__main__": "one line that calls the command line",
    "evaluate/metric.py": "a table; tests/contracts/test_metrics.py reads it",
    "training/stepped.py": "two named tuples; every test of a step makes and reads them",
    "recipe/section.py": "one base class of two lines; every test of a section goes through it",
    "report/record.py": "columns without a line of logic; every test of the page fills them in",
}
"""Modules that have no test file of their name, with the reason; fronts and kernels have none either."""

PICTURES = {"docs/images/gallery.png", "docs/images/phantoms.png", "docs/images/reading.png"}
PICTURES |= {f"docs/images/heatmaps/{page.stem}.png" for page in (ROOT / "docs" / "heatmaps").glob("*.md")}
"""Every picture in the repository: made by the project, of phantoms or of figures; never of a person."""

PICTURE_SUFFIXES = {".bmp", ".dcm", ".gif", ".jpeg", ".jpg", ".npy", ".npz", ".pdf", ".png", ".tif", ".webp"}
TEXT_SUFFIXES = {"", ".cff", ".css", ".js", ".md", ".py", ".svg", ".toml", ".txt"}
PLACES = ("src/hilum", "tests", "docs", "scripts", "benchmarks", ".ci")

NO_MACHINE_PATH = re.compile(r"(?<![\w.~/])/(?:root|work|home|Users)\b")
NO_NUMBERED_SOURCE = re.compile(r"\b(?:seed|paper)s? 0\d\d\b", re.IGNORECASE)
NO_REGISTRY = re.compile(r"\b(?:pypi\.[a-z]|[p]ythonhosted)", re.IGNORECASE)
NO_PROMISES = re.compile(
    r"\b(?:TO" + r"DO|FIX" + r"ME|X" + r"XX|HA" + r"CK|NotImpl" + r"emented(?:Error)?)\b"
)


def _files() -> list[Path]:
    """Everything that belongs to the repository, run folders and caches left out."""
    top = [path for path in ROOT.iterdir() if path.is_file() and path.name != ".git"]
    inside = [path for place in PLACES for path in (ROOT / place).rglob("*") if path.is_file()]
    return sorted(path for path in (*top, *inside) if "__pycache__" not in path.parts)


def _named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


FILES = _files()
SOURCES = [path for path in FILES if PACKAGE in path.parents and path.suffix == ".py"]
TEXTS = [path for path in FILES if path.suffix in TEXT_SUFFIXES]


def test_there_is_something_to_look_at() -> None:
    assert len(SOURCES) > 60
    assert {"pyproject.toml", "LICENSE", "scripts/demo", ".ci/run"} <= {_named(path) for path in TEXTS}


def test_no_file_is_too_long() -> None:
    code = [path for path in FILES if path.suffix in (".py", ".css", ".js")]
    lengths = {_named(path): len(path.read_text(encoding="utf-8").splitlines()) for path in code}
    assert {name: n for name, n in lengths.items() if n > MAX_LINES} == {}


@pytest.mark.parametrize("place", ["scripts", ".ci"])
def test_scripts_are_short(place: str) -> None:
    for path in (ROOT / place).iterdir():
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 20, path


def test_tests_mirror_the_source() -> None:
    wanted = {}
    for path in SOURCES:
        inner = path.relative_to(PACKAGE)
        if path.stem in ("__init__", "__main__") or path.stem.endswith("_kernels"):
            continue
        wanted[inner.as_posix()] = ROOT / "tests" / inner.with_name(f"test_{inner.name}")
    assert len(wanted) > 50
    missing = [name for name, test in wanted.items() if not test.is_file() and name not in WITHOUT_OWN_TEST]
    assert missing == []


def test_every_test_has_its_module() -> None:
    """A module that was moved takes its test along."""
    apart = {"agreement", "contracts", "house", "papers", "properties", "scripts"}
    orphans = []
    for path in (ROOT / "tests").rglob("test_*.py"):
        inner = path.relative_to(ROOT / "tests")
        module = PACKAGE / inner.with_name(inner.name.removeprefix("test_"))
        front = module.with_suffix("") / "__init__.py"
        if inner.parts[0] not in apart and not module.is_file() and not front.is_file():
            orphans.append(inner.as_posix())
    assert orphans == []


@pytest.mark.parametrize(
    "pattern", [NO_MACHINE_PATH, NO_NUMBERED_SOURCE, NO_REGISTRY], ids=lambda p: p.pattern
)
def test_no_word_that_does_not_belong(pattern: re.Pattern[str]) -> None:
    assert _lines_with(pattern, TEXTS) == []


def test_no_promises_in_the_source() -> None:
    assert _lines_with(NO_PROMISES, SOURCES) == []


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (NO_MACHINE_PATH, "reads " + "/ro" + "ot/data"),
        (NO_NUMBERED_SOURCE, "as see" + "d 000 says"),
        (NO_REGISTRY, "https://py" + "pi.org/simple"),
        (NO_PROMISES, "# TO" + "DO later"),
    ],
)
def test_a_bad_line_would_be_found(pattern: re.Pattern[str], line: str) -> None:
    assert pattern.search(line)


def _lines_with(pattern: re.Pattern[str], files: list[Path]) -> list[str]:
    return [
        f"{_named(path)}:{number}: {line.strip()[:100]}"
        for path in files
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if pattern.search(line)
    ]


def test_the_library_does_not_print() -> None:
    found = []
    for path in SOURCES:
        if "apps" in path.relative_to(PACKAGE).parts:
            continue
        calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if _is_print(node)]
        found += [f"{_named(path)}:{call.lineno}" for call in calls]
    assert found == []


def _is_print(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"


def test_only_the_listed_pictures() -> None:
    assert {_named(path) for path in FILES if path.suffix.lower() in PICTURE_SUFFIXES} == PICTURES


def test_no_picture_hides_in_a_text() -> None:
    drawn = [path for path in FILES if path.suffix in (".svg", ".md", ".toml", ".css")]
    assert [_named(path) for path in drawn if "base64," in path.read_text(encoding="utf-8")] == []


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 150


def test_constraints_are_versions_and_nothing_else() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert len(lines) > 20
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line)] == []
