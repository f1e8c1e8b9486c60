"""A recipe: one experiment as data, or a grid of them."""

from hilum.recipe.coverage import STATES, Covered, covered
from hilum.recipe.grid import alone, axes_from, cells_over
from hilum.recipe.laying import flat
from hilum.recipe.reading import load, parse, shipped, toml_from
from hilum.recipe.sections import DataSettings, Recipe

__all__ = [
    "STATES",
    "Covered",
    "DataSettings",
    "Recipe",
    "alone",
    "axes_from",
    "cells_over",
    "covered",
    "flat",
    "load",
    "parse",
    "shipped",
    "toml_from",
]
