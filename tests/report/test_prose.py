import dataclasses

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
