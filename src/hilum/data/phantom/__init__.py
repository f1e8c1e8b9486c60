"""Synthetic frontal chests with all 14 findings, whose masks and boxes are known.

`draw` gives one film, `write` a cohort in the layout of ChestX-ray14 (so that the reader of the real films
opens it). A phantom tests software; it says nothing about people.
"""

from hilum.data.phantom.film import LESIONS, REGIONS, Phantom, draw
from hilum.data.phantom.layout import write

__all__ = ["LESIONS", "REGIONS", "Phantom", "draw", "write"]
