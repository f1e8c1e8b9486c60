import pytest
import torch

from hilum.explain.capture import capture


def test_one_pass_keeps_the_map_and_the_logits(model, images, metadata) -> None:
    passes = []
    model.blocks[-1].register_forward_hook(lambda *_: passes.append(1))
    captured = capture(model, images, metadata)
    assert len(passes) == 1
    with torch.no_grad():
        torch.testing.assert_close(captured.at().activations, model.activations(images))
        torch.testing.assert_close(captured.logits, model(images, metadata))
    assert captured.metadata is metadata
    assert captured.at().activations.shape == (3, 6, 6, 6)
    assert captured.at().activations.min() == 0  # after its activation function


def test_no_graph_is_kept(model, images, metadata) -> None:
    captured = capture(model, images, metadata)
    assert captured.at().activations.is_inference()
    assert not captured.logits.requires_grad
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_model_in_training_is_refused(model, images, metadata) -> None:
    statistics = [buffer.clone() for buffer in model.buffers()]
    with pytest.raises(ValueError, match=r"in training mode; call model\.eval\(\) before explaining"):
        capture(model.train(), images, metadata)
    assert all(torch.equal(old, new) for old, new in zip(statistics, model.buffers(), strict=True))


def test_no_film(model, images, metadata) -> None:
    captured = capture(model, images[:0], metadata[:0])
    assert (len(captured.at().activations), tuple(captured.logits.shape)) == (0, (0, 3))
