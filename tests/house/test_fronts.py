"""What a package's front offers is there, is offered once, and is all that the front imports by name."""

import ast
import importlib
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"
FRONTS = sorted(
    ".".join(path.parent.relative_to(SOURCE).parts)
    for path in (SOURCE / "hilum").rglob("__init__.py")
    if path.parent.name != "__pycache__"
)


def _offered(module: str) -> list[str]:
    """Names of `__all__`, and those imported as themselves."""
    path = SOURCE.joinpath(*module.split(".")) / "__init__.py"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = []
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            names += [alias.asname for alias in node.names if alias.asname == alias.name]
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets
        ):
            names += ast.literal_eval(node.value)
    return [name for name in names if name is not None]


def test_there_are_fronts() -> None:
    assert len(FRONTS) >= 11


@pytest.mark.parametrize("module", FRONTS)
def test_every_offered_name_exists_once(module: str) -> None:
    offered = _offered(module)
    front = importlib.import_module(module)
    assert [name for name in offered if not hasattr(front, name)] == []
    assert len(offered) == len(set(offered))


@pytest.mark.parametrize("module", FRONTS)
def test_every_front_says_what_goes_in_and_out(module: str) -> None:
    assert importlib.import_module(module).__doc__


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("hilum.data", ["DATASETS", "Cohort"]),
        ("hilum.models", ["MODELS", "build", "load", "save"]),
        ("hilum.explain", ["METHODS", "heatmaps"]),
        ("hilum.localize", ["THRESHOLDS", "COMPONENTS", "BoxRule", "boxes_from"]),
        ("hilum.evaluate", ["METRICS", "Protocol", "Score"]),
        ("hilum.report", ["RunRecord", "page_from"]),
        ("hilum.training", ["fit"]),
        ("hilum.study", ["STAGES", "study", "stage"]),
    ],
)
def test_the_fronts_offer_what_the_papers_name(module: str, names: list[str]) -> None:
    assert set(names) <= set(_offered(module))
