"""Boxes of a study are those that `hilum.localize` makes of the stored maps."""

import numpy as np
import pytest

from hilum.errors import RunError
from hilum.localize import boxes_from
from hilum.study.folder import read_boxes, read_probabilities
from hilum.study.heatmap_files import read_maps
from hilum.study.localize import localize


def test_boxes_of_every_method_and_rule(run) -> None:
    run.folder.boxes.unlink()
    localize(run.folder, run.recipe, run.films)
    boxes = read_boxes(run.folder, run.cohort)
    rule = run.recipe.localize.rules[0]
    assert set(boxes) == {(m, r.name) for m in ("gradcam", "cam") for r in run.recipe.localize.rules}
    stored, table = read_maps(run.folder, "gradcam", run.cohort), boxes["gradcam", rule.name]
    rows, xyxy, peak = boxes_from(stored.maps, stored.affine, (64, 64), rule, run.cohort.frame_hw)
    likely = read_probabilities(run.folder, run.cohort)[stored.image, stored.finding]
    assert np.array_equal(table.image, stored.image[rows])
    assert np.allclose(table.xyxy, xyxy)
    assert np.allclose(table.score, likely[rows] * peak, atol=1e-6)


def test_without_maps_it_says_what_to_run(run) -> None:
    (run.folder.heatmaps / "cam" / "index.csv").unlink()
    with pytest.raises(RunError, match="run `hilum explain"):
        localize(run.folder, run.recipe, run.films)
