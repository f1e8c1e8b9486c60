"""Films with reference and predicted boxes in; a line for each reference box out."""

import math
from collections.abc import Sequence

import numpy as np

from hilum.boxes import area, paired_iobb, paired_iou
from hilum.report.markup import Html, table, tag
from hilum.report.record import Example
from hilum.report.tables import Table, printed

HEADER = ("film", "finding", "entry", "area", "probability", "boxes", "iou", "iobb")

MOST_SHOWN = 200
"""Lines of the page; the file has all of them."""


def entries_table(examples: Sequence[Example]) -> Table | None:
    """A line for each reference box: its share of the frame, and the best overlaps of a predicted box."""
    if not examples:
        return None
    rows = [line for example in examples for line in _lines(example)]
    words = "Reference boxes and the best overlaps of the headline's boxes; area: share of the frame"
    return Table(words, HEADER, sorted(rows, key=lambda row: (row[1], row[0], row[2])))


def _lines(example: Example) -> list[tuple[str, ...]]:
    n = len(example.predicted)
    lines = []
    for number, box in enumerate(example.reference):
        pairs = example.predicted.astype(float), np.tile(box.astype(float), (n, 1))
        best = [float(overlap(*pairs).max(initial=0.0)) for overlap in (paired_iou, paired_iobb)]
        share = float(area(box[None])[0]) / math.prod(example.frame_hw)
        numbers = (f"{share:.4f}", f"{example.probability:.4f}", str(n), *map(printed, best))
        lines.append((example.name, example.finding, str(number), *numbers))
    return lines


def section_from(examples: Sequence[Example]) -> Html:
    """The table folded away; a long one is cut, and says where the rest is."""
    made = entries_table(examples)
    if made is None:
        return Html("")
    n = len(made.rows)
    rest = "" if n <= MOST_SHOWN else f"; the first {MOST_SHOWN}, all of them in tables/entries.csv"
    shown = table(f"{made.caption}{rest}", made.header, made.rows[:MOST_SHOWN], "entries")
    words = f"All {n:,} reference boxes of the scored films"
    return tag("details", tag("summary", words), shown, class_="screen")
