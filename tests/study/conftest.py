"""A copy of the tiny run that a test may change, with its recipe and its films."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from hilum import recipe as recipes
from hilum.data.cohort import Cohort
from hilum.study.folder import RunFolder
from hilum.study.opening import Films, Pixels, decode, open_films


@dataclass
class Run:
    """Everything that a stage is given."""

    folder: RunFolder
    recipe: recipes.Recipe
    films: Films
    pixels: Pixels

    @property
    def cohort(self) -> Cohort:
        return self.films.cohort


@pytest.fixture
def run(tiny_run: Path, tiny_recipe: Path, phantoms: Path, tmp_path: Path) -> Run:
    copy = tmp_path / "run"
    shutil.copytree(tiny_run, copy)
    recipe = recipes.load(str(tiny_recipe))
    films, pixels = decode(open_films(phantoms, recipe.data), recipe.data)
    return Run(RunFolder(copy), recipe, films, pixels)
