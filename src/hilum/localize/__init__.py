"""Heatmaps to boxes, in numpy: scale the map, cut it at a threshold, join pixels to components, box them.

Four steps, one protocol: `BoxRule` says which, `boxes_from` does it for many maps at once. The enlarged map
is never built; the result is that of building it.
"""

from hilum.localize.component import COMPONENTS as COMPONENTS
from hilum.localize.peaks import peaks_from as peaks_from
from hilum.localize.regions import boxes_from as boxes_from
from hilum.localize.regions import sweep_from as sweep_from
from hilum.localize.rule import BoxRule as BoxRule
from hilum.localize.scale import cohort_ranges as cohort_ranges
from hilum.localize.scale import enlarged as enlarged
from hilum.localize.scale import extremes_from as extremes_from
from hilum.localize.scale import unit_map as unit_map
from hilum.localize.threshold import DETECTOR as DETECTOR
from hilum.localize.threshold import THRESHOLDS as THRESHOLDS
