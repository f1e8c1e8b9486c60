"""A detector's own boxes on their way from the weights to the page."""

import json
from pathlib import Path

import numpy as np
import pytest

from hilum import pipeline, recipe
from hilum.data.geometry import input_to_frame
from hilum.errors import RecipeError, RunError
from hilum.evaluate import scores_from_json
from hilum.localize import BoxRule
from hilum.models import load, retinanet
from hilum.study import study
from hilum.study.claim_scores import part_of, scored_run, scores_of
from hilum.study.detections import read_detections
from hilum.study.explain import explain
from hilum.study.folder import RunFolder, read_boxes, read_probabilities
from hilum.study.localize import localize
from hilum.study.opening import decode, open_films
from hilum.study.score import TAUGHT_BY_BOXES, protocol_of, scored_films
from hilum.study.train import check
from hilum.training.box_steps import detect, patches
from hilum.training.steps import STEPS

CHANGES = {
    "data.split": "random(0.5, 0.2)",
    "data.findings": '["Cardiomegaly", "Effusion", "Mass"]',
    "model.name": "retinanet(16)",
    "model.backbone": "resnet10t",
    "model.map_stride": "32",
    "model.weights": "none",
    "training.step": "detect",
    "training.epochs": "1",
    "explain.methods": '["own"]',
    "explain.pairs": "all",
    "localize.thresholds": '["detector", "dynamic(87.5)", "level(180)"]',
    "evaluate.pixels": "true",
}


@pytest.fixture(scope="module")
def detected(phantoms: Path, tiny_recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run of a detector that has hardly learnt; the five best anchors of each level are its boxes."""
    folder = tmp_path_factory.mktemp("detector") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retinanet, "MIN_SCORE", 0.0)
        patch.setattr(retinanet, "TOP_OF_LEVEL", 5)
        study(str(tiny_recipe), phantoms, folder, CHANGES)
    return RunFolder(folder)


@pytest.fixture(scope="module")
def films(detected: RunFolder, phantoms: Path) -> tuple:
    made = recipe.parse(detected.recipe.read_text(), "run")
    return made, *decode(open_films(phantoms, made.data), made.data)


def test_boxes_are_those_of_the_model_on_test_films(detected: RunFolder, films, monkeypatch) -> None:
    monkeypatch.setattr(retinanet, "MIN_SCORE", 0.0)
    monkeypatch.setattr(retinanet, "TOP_OF_LEVEL", 5)
    _, of_run, pixels = films
    table = read_boxes(detected, of_run.cohort)["own", "detector"]
    assert set(table.image.tolist()) == set(of_run.cohort.side("test").tolist())
    model, geometry, _ = load(detected.weights)
    row = of_run.cohort.side("test")[:1]
    affine = input_to_frame(geometry, pixels.store.film_hw[pixels.rows[row]], of_run.cohort.frame_hw)
    batch = pixels.store.batch(pixels.rows[row])
    found = pipeline.detect(model, batch, geometry, affine, of_run.cohort.frame_hw)
    mine = table.rows(table.image == row[0])
    assert len(found) >= 3
    np.testing.assert_allclose(mine.xyxy, found.xyxy, atol=0.01)
    np.testing.assert_allclose(mine.score, found.score, atol=1e-5)
    likely = read_probabilities(detected, of_run.cohort)[row[0]]
    assert mine.score.max() == pytest.approx(likely.max(), abs=1e-5)


def test_parts_are_taken_up_again(detected: RunFolder, films) -> None:
    """A part that was changed by hand shows that it was read and not made."""
    made, of_run, pixels = films
    part = detected.heatmaps / "detector" / "part-00000.npy"
    before = np.load(part)
    np.save(part, before[:3])
    detected.detections.unlink()
    explain(detected, made, of_run, pixels)
    assert len(read_detections(detected, of_run.cohort, BoxRule("detector"))) == 3
    np.save(part, before)
    explain(detected, made, of_run, pixels)
    assert len(read_detections(detected, of_run.cohort, BoxRule("detector"))) == len(before)


def test_a_gate_shuts_films_out(detected: RunFolder, films) -> None:
    _, of_run, _ = films
    every = read_detections(detected, of_run.cohort, BoxRule("detector"))
    likely = read_probabilities(detected, of_run.cohort)[every.image, every.finding]
    gate = float(np.median(likely))
    gated = read_detections(detected, of_run.cohort, BoxRule("detector", gate=gate))
    assert 0 < len(gated) == (likely >= gate).sum() < len(every)


def test_without_them_it_says_what_to_run(detected: RunFolder, films) -> None:
    made, of_run, _ = films
    hidden = detected.detections.rename(detected.detections.with_suffix(".away"))
    try:
        with pytest.raises(RunError, match="run `hilum explain"):
            localize(detected, made, of_run)
    finally:
        hidden.rename(detected.detections)


def test_scores_of_boxes_stand_with_the_others(detected: RunFolder) -> None:
    scores = scores_from_json(json.loads(detected.scores.read_text()))
    whole = [score for score in scores if score.stratum is None and score.finding is None]
    by_rule = {(score.metric, score.at, score.box_rule): score for score in whole}
    own, of_map = by_rule["t_iou", 0.1, "detector"], by_rule["t_iou", 0.1, "dynamic(87.5)+largest"]
    assert (own.protocol.boxes, own.protocol.map_size) == ("any", "does not apply")
    assert list(own.floors) == ["shuffled", "whole_image", "class_mean_box"]
    assert next(iter(of_map.floors)) == "random"
    assert "random" not in by_rule["froc", 1.0, "detector"].floors
    points = by_rule["pointwise_map", None, None]
    assert points.protocol.boxes == "points, centres of all boxes"
    assert by_rule["localization_utility", None, None].value > 0
    chosen = [rule for _, _, rule in by_rule if rule and rule.startswith("oracle")]
    assert all("of 2 thresholds" in rule for rule in chosen)
    assert chosen
    assert all(
        "(box-supervised)" in score.protocol.weights_data for score in whole if score.metric == "t_iou"
    )
    assert "there is no heatmap to take apart" in detected.report.read_text()


def test_claims_point_at_the_centres_of_the_boxes(detected: RunFolder, films) -> None:
    made, of_run, _ = films
    part = part_of(scored_run(detected, made, of_run), of_run.cohort.findings)
    claimed = scores_of(part, "pointwise_map", None, [("own", "")], 20, np.random.default_rng(0))
    for score in scores_from_json(json.loads(detected.scores.read_text())):
        if score.metric == "pointwise_map" and score.stratum is None:
            place = claimed.names.index(score.finding or "")
            assert claimed.values[0, place] == pytest.approx(score.value)


@pytest.mark.parametrize(
    ("step", "split", "said"),
    [
        ("detect", "random(0.5, 0.2)", True),
        ("patches", "random(0.5, 0.2)", True),
        ("patches(0)", "random(0.5, 0.2)", False),
        ("patches(5)", "official(0.3)", False),
        ("patches(5)", "boxed(0.5)", True),
        ("classify", "boxed(0.5)", False),
    ],
)
def test_what_learns_from_boxes_says_so(step, split, said, tiny_recipe, phantoms, detected) -> None:
    """The official sides of phantoms have boxes on test films alone."""
    made = recipe.load(str(tiny_recipe), {"training.step": step, "data.split": split})
    of_run = open_films(phantoms, made.data)
    protocol = protocol_of(made, of_run, of_run.cohort)
    assert ("(box-supervised)" in protocol.weights_data) == said


def test_every_step_of_boxes_is_known_to_the_protocol() -> None:
    of_boxes = {name for name, (_, step) in STEPS.items() if step in (detect, patches)}
    assert set(TAUGHT_BY_BOXES) == of_boxes == {"detect", "patches"}


def test_a_model_without_boxes_is_refused_before_any_work(tiny_recipe: Path) -> None:
    made = recipe.load(str(tiny_recipe), {"localize.thresholds": '["detector"]'})
    with pytest.raises(RecipeError, match="AveragePooling makes no boxes by itself"):
        check(made)


def test_a_reader_shows_the_boxes(detected: RunFolder, films, phantoms: Path, monkeypatch) -> None:
    monkeypatch.setattr(retinanet, "MIN_SCORE", 0.0)
    monkeypatch.setattr(retinanet, "TOP_OF_LEVEL", 5)
    _, of_run, _ = films
    cohort, _ = scored_films(detected, of_run)
    opinion = pipeline.Reader(detected.weights, "own", BoxRule("detector")).read(Path(str(cohort.paths[0])))
    table = read_boxes(detected, cohort, of_run.cohort)["own", "detector"]
    mine = table.rows(table.image == 0)
    scale = cohort.frame_hw[0] / opinion.film_hw[0]
    np.testing.assert_allclose(opinion.boxes.xyxy * scale, mine.xyxy, atol=0.1)
    none = pipeline.Reader(detected.weights, "own", BoxRule("detector", gate=1.0)).read(
        Path(str(cohort.paths[0]))
    )
    assert not len(none.boxes)
