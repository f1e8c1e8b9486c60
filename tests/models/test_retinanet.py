"""The detector's anchors, boxes and maps, worked by hand."""

import pytest
import torch

from hilum.models import build
from hilum.models.backbones import backbone_from
from hilum.models.classifier import Body
from hilum.models.pyramid import Pyramid
from hilum.models.retinanet import CODER, Answers, RetinaNet, _boxes_of

FINDINGS = ("Pneumonia", "Mass")
CELLS = (64 * 64, 32 * 32, 16 * 16, 8 * 8, 4 * 4)


@pytest.fixture(scope="module")
def model() -> RetinaNet:
    torch.manual_seed(0)
    return _model(64)


def _model(side: int, name: str = "retinanet(32)") -> RetinaNet:
    made = build(
        name=name,
        backbone="resnet10t",
        map_stride=32,
        metadata=False,
        findings=FINDINGS,
        input_hw=(side, side),
    ).eval()
    assert isinstance(made, RetinaNet)
    return made


def _sure(answers: Answers, logits: dict[tuple[int, int], float]) -> Answers:
    """Of no film but the first, and of no anchor and finding but those named."""
    empty = torch.full_like(answers.logits, -9.0)
    for (anchor, finding), logit in logits.items():
        empty[0, anchor, finding] = logit
    return answers._replace(logits=empty, offsets=torch.zeros_like(answers.offsets))


def test_anchors_of_512_px() -> None:
    """Nine a cell of P3 to P7; squares of 32 px and 2^(1/3), 2^(2/3) of that, twice as much a level."""
    with torch.inference_mode():
        answers = _model(512).answers(torch.zeros(1, 3, 512, 512))
    assert answers.n_of_level == tuple(9 * n for n in CELLS)
    assert answers.logits.shape == (1, 9 * sum(CELLS), 2)
    assert answers.anchors.shape == (9 * sum(CELLS), 4)
    size = answers.anchors[:, 2:] - answers.anchors[:, :2]
    start = 0
    for level, n in enumerate(answers.n_of_level):
        side, here = 32 * 2**level, size[start : start + 9]
        wanted = [
            [round(side * 2 ** (third / 3) / ratio**0.5), round(side * 2 ** (third / 3) * ratio**0.5)]
            for ratio in (0.5, 1, 2)
            for third in range(3)
        ]
        torch.testing.assert_close(here, torch.tensor(wanted).float(), atol=1.01, rtol=0)
        second = answers.anchors[start + 9 : start + 18] - answers.anchors[start : start + 9]
        assert second[:, [0, 2]].unique().tolist() == [8.0 * 2**level]
        assert not second[:, [1, 3]].any()
        start += n


def test_an_untrained_anchor_answers_its_prior(model: RetinaNet) -> None:
    model.start_at(torch.tensor([0.3, 0.1]))
    with torch.inference_mode():
        likely = model.answers(torch.zeros(1, 3, 64, 64)).logits.sigmoid()
    torch.testing.assert_close(likely, torch.full_like(likely, 0.01), rtol=0.2, atol=0)


def test_a_film_is_as_likely_as_its_best_anchor(model: RetinaNet) -> None:
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        answers, logits = model.answers(images), model(images)
    assert torch.equal(logits, answers.logits.amax(dim=1))


@pytest.fixture
def answers(model: RetinaNet) -> Answers:
    with torch.inference_mode():
        return model.answers(torch.zeros(1, 3, 64, 64))


def test_boxes_are_the_best_of_their_like(answers: Answers) -> None:
    """Two anchors of one size beside each other overlap by more than half; another finding's do not count."""
    middle = 9 * (3 * 8 + 4)
    neighbour = middle + 9
    said = {(middle, 0): 2.0, (neighbour, 0): 1.0, (neighbour, 1): 0.5, (0, 0): -3.5}
    found = _boxes_of(_sure(answers, said), 0, (64, 64))
    assert found[:, 1].tolist() == [0.0, 1.0]  # sigmoid(-3.5) is below 0.05
    torch.testing.assert_close(found[:, 6], torch.tensor([2.0, 0.5]).sigmoid())
    inside = answers.anchors.clamp(0, 64)
    torch.testing.assert_close(found[:, 2:6], inside[[middle, neighbour]])


def test_offsets_move_an_anchor(answers: Answers) -> None:
    """A shift of half its width to the right, and half as high."""
    place = 9 * (3 * 8 + 3)
    said = _sure(answers, {(place, 1): 3.0})
    said.offsets[0, place] = torch.tensor([0.5, 0.0, 0.0, 0.5]).where(
        torch.arange(4) < 3, torch.tensor(0.5).log()
    )
    (found,) = _boxes_of(said, 0, (1000, 1000))
    x0, y0, x1, y1 = answers.anchors[place].tolist()
    width, height = x1 - x0, y1 - y0
    wanted = [x0 + width / 2, y0 + height / 4, x1 + width / 2, y1 - height / 4]
    torch.testing.assert_close(found[2:6], torch.tensor(wanted).clamp(min=0))
    back = CODER.encode_single(torch.tensor([wanted]), answers.anchors[[place]])
    torch.testing.assert_close(back, said.offsets[0, [place]])


def test_the_map_is_the_score_of_the_best_box(model: RetinaNet, monkeypatch: pytest.MonkeyPatch) -> None:
    found = torch.tensor([[1.0, 0, 0, 0, 32, 64, 0.9], [1, 0, 16, 0, 64, 64, 0.4]])
    monkeypatch.setattr(model, "detections", lambda _: found)
    maps = model.own_maps(torch.zeros(2, 3, 64, 64))
    assert maps.shape == (2, 2, 8, 8)
    torch.testing.assert_close(maps[1, 0], torch.tensor([[0.9] * 4 + [0.4] * 4] * 8))
    assert maps.count_nonzero() == 64


def test_no_film_and_no_box(model: RetinaNet) -> None:
    none, black = torch.zeros(0, 3, 64, 64), torch.zeros(2, 3, 64, 64)
    with torch.inference_mode():
        assert model(none).shape == (0, 2)
        assert model.detections(none).shape == (0, 7)
        assert model.own_maps(none).shape == (0, 2, 8, 8)
        assert model.detections(black).shape == (0, 7)  # every anchor at its prior, below 0.05
        assert not model.own_maps(black).any()


def test_it_refuses_what_it_cannot_stand_on() -> None:
    blocks, n = backbone_from("resnet10t")
    with pytest.raises(ValueError, match="neck"):
        RetinaNet(Body(Pyramid(blocks, [(0, 1)], []), n, FINDINGS, (64, 64)))
    with pytest.raises(ValueError, match="metadata = false"):
        RetinaNet(Body(blocks, n, FINDINGS, (64, 64), 3))
    with pytest.raises(ValueError, match="sizes"):
        RetinaNet(Body(blocks[:2], n, FINDINGS, (64, 64)))
