import dataclasses

from hilum import recipe as recipes
from hilum.evaluate.protocol import NOT_APPLICABLE, Protocol
from hilum.report.prose import PROTOCOL_WORDS, methods_from


def test_every_field_of_a_protocol_has_its_words():
    assert set(PROTOCOL_WORDS) == {field.name for field in dataclasses.fields(Protocol)}


def test_methods_say_what_the_run_states_and_nothing_else(record):
    text = " ".join(methods_from(record()))
    assert "trained on image-level labels for 2 epochs" in text
    assert "Heatmaps were made with cam and gradcam." in text
    assert "AUROC was computed for 3 findings" in text
    assert "Reference boxes: phantom." in text
    assert "unknown" not in text
    assert "threshold was chosen" not in text


def test_what_does_not_apply_is_not_told(record, scores):
    absent = [
        dataclasses.replace(s, protocol=dataclasses.replace(s.protocol, boxes=NOT_APPLICABLE)) for s in scores
    ]
    assert NOT_APPLICABLE not in " ".join(methods_from(record(scores=absent)))


def test_an_empty_run_has_no_methods(empty):
    assert methods_from(empty) == []


SETTINGS = {
    "model": {"name": "average_pooling", "backbone": "densenet121", "weights": "imagenet"},
    "data": {"input_px": 224, "resize_px": 256, "split_seed": 3},
    "training": {"flip": 0.5, "rotate_degrees": 15.0, "crop_area": (0.8, 1.0), "seed": 7},
}


def test_methods_tell_the_recipe(record):
    text = " ".join(methods_from(record(settings=SETTINGS)))
    for words in (
        "The network was average_pooling on densenet121, started from these weights: imagenet.",
        "224 px a side, cut from the middle of films brought to 256 px",
        "flipped left to right with probability 0.5, rotated by up to 15 degrees either way and cropped to "
        "80 to 100 % of their area",
        "random seed 3",
        "Training used random seed 7.",
    ):
        assert words in text
    assert "It was trained with" not in text  # the recipe does not name all of it


def test_a_whole_recipe_leaves_no_sentence_out(record):
    recipe = recipes.load("demo")
    text = " ".join(methods_from(record(settings=recipe.model_dump())))
    assert f"learning rate {recipe.training.learning_rate:g}" in text
    assert "Training films were" in text
    assert f"from {recipe.evaluate.bootstrap_draws} redrawn cohorts" in text
    assert "{" not in text


def test_untouched_films_are_said_to_be(record):
    text = " ".join(methods_from(record(settings={"training": {"flip": 0.0, "rotate_degrees": 0.0}})))
    assert "Training films were not augmented." in text
    assert "augmented" not in " ".join(methods_from(record(settings={})))


def test_a_threshold_chosen_on_the_scored_boxes_is_told_apart(record, scores):
    oracle = [
        dataclasses.replace(
            s,
            box_rule="oracle of 2",
            protocol=dataclasses.replace(s.protocol, threshold_chosen="oracle: on the scored boxes"),
        )
        for s in scores
        if s.metric == "t_iou" and s.stratum is None
    ]
    gap = dataclasses.replace(oracle[0], metric="oracle_gap", box_rule="oracle less cross-fitted of 2")
    text = " ".join(methods_from(record(scores=[*scores, *oracle, gap])))
    assert "by these rules: dynamic(87.5), largest and level(180), largest." in text
    assert "as the oracle gap" in text
    assert "oracle: on" not in text
    assert "oracle gap" not in " ".join(methods_from(record()))
