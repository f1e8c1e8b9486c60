"""Steps that learn from boxes, against sums written out."""

import math

import pytest
import torch
from torchvision.ops import sigmoid_focal_loss

from hilum.models import build
from hilum.models.patches import Patches
from hilum.models.retinanet import CODER, Answers, RetinaNet
from hilum.training.box_steps import BETWEEN, NOWHERE, detect, labelled, matched_boxes, patches
from hilum.training.losses import binary_cross_entropy, focal
from hilum.training.stepped import Seen

FINDINGS = ("Pneumonia", "Mass")
SIDE = 64


def _model(name: str) -> RetinaNet | Patches:
    torch.manual_seed(0)
    made = build(
        name=name,
        backbone="resnet10t",
        map_stride=32,
        metadata=False,
        findings=FINDINGS,
        input_hw=(SIDE, SIDE),
    ).eval()
    assert isinstance(made, (RetinaNet, Patches))
    return made


def _seen(labels: list[list[float]], boxes: list[list[float]]) -> Seen:
    n = len(labels)
    images = torch.randn(n, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    return Seen(images, torch.tensor(labels), torch.full((n, 3), 0.5), torch.tensor(boxes).reshape(-1, 6))


BOXED = _seen([[1.0, 0.0], [0.0, 0.0]], [[0.0, 0.0, 8.0, 8.0, 40.0, 40.0]])
EMPTY = _seen([[0.0, 0.0], [0.0, 0.0]], [])


def test_an_anchor_belongs_to_the_box_that_it_overlaps() -> None:
    """IoU 1, 0.5, 0.45, 0.4 and 0.1 with a box of 10 x 10; the box far away takes the best there is."""
    boxes = torch.tensor([[0.0, 0.0, 10.0, 10.0], [100.0, 0.0, 110.0, 10.0]])
    anchors = torch.tensor(
        [[0.0, 0.0, 10.0, height] for height in (10.0, 5.0, 4.5, 4.0, 1.0)] + [[107.0, 0.0, 117.0, 10.0]]
    )
    matched = matched_boxes(anchors, boxes)
    assert matched.tolist() == [0, 0, BETWEEN, BETWEEN, NOWHERE, 1]
    assert matched_boxes(anchors, boxes[:0]).tolist() == [NOWHERE] * 6


def test_the_focal_loss_is_that_of_the_table() -> None:
    logits, target = torch.randn(7, 2), torch.randint(0, 2, (7, 2)).float()
    mean = sigmoid_focal_loss(logits, target, 0.25, 2.0).mean()
    torch.testing.assert_close(mean, focal(logits, target))


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> tuple[RetinaNet, Answers]:
    """A detector of three anchors: on the box, apart from it, and between."""
    model = _model("retinanet(16)")
    assert isinstance(model, RetinaNet)
    anchors = torch.tensor([[8.0, 8.0, 40.0, 44.0], [50.0, 50.0, 60.0, 60.0], [8.0, 8.0, 40.0, 22.4]])
    logits = torch.tensor([[[0.3, -0.2], [-1.0, 0.4], [2.0, 2.0]], [[-0.5, 0.1], [0.0, 0.0], [0.2, -2.0]]])
    answers = Answers(logits, torch.full((2, 3, 4), 0.1), anchors, (3,))
    monkeypatch.setattr(model, "answers", lambda _: answers)
    return model, answers


def test_losses_of_the_detector_by_hand(said: tuple[RetinaNet, Answers]) -> None:
    """One anchor belongs to the box, one to none; the one between counts on the empty film alone."""
    model, answers = said
    stepped = detect(model, BOXED, binary_cross_entropy)
    target = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    first = sigmoid_focal_loss(answers.logits[0, :2], target, reduction="sum")
    second = sigmoid_focal_loss(answers.logits[1], torch.zeros(3, 2), reduction="sum")
    torch.testing.assert_close(stepped.parts["classification"], (first + second) / 2)
    wanted = CODER.encode_single(BOXED.boxes[:, 2:], answers.anchors[:1])[0]
    away = sum((0.1 - float(offset)) ** 2 / 2 for offset in wanted)  # all below 1: half the square
    assert stepped.parts["boxes"].item() == pytest.approx(away / 2)
    assert stepped.minimised == stepped.judged == sum(stepped.parts.values())
    torch.testing.assert_close(stepped.logits, answers.logits.amax(dim=1))


@pytest.mark.parametrize("label", [1.0, math.nan])
def test_a_label_without_its_box_says_nothing(said: tuple[RetinaNet, Answers], label: float) -> None:
    model, answers = said
    seen = EMPTY._replace(labels=torch.tensor([[0.0, label], [0.0, 0.0]]))
    assert labelled(seen).tolist() == [[True, False], [True, True]]
    all_known = detect(model, EMPTY, binary_cross_entropy).parts["classification"]
    one_less = detect(model, seen, binary_cross_entropy).parts["classification"]
    left_out = sigmoid_focal_loss(answers.logits[0, :, 1], torch.zeros(3), reduction="sum") / 2
    torch.testing.assert_close(all_known - one_less, left_out)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("seen", [BOXED, EMPTY], ids=["boxed", "empty"])
@pytest.mark.parametrize(("name", "step"), [("retinanet(16)", detect), ("patches(4)", patches)])
def test_a_batch_may_have_no_boxes_in_either_mode(name: str, step, seen: Seen, training: bool) -> None:
    model = _model(name).train(training)
    stepped = step(model, seen, binary_cross_entropy)
    assert stepped.minimised.isfinite()
    assert (stepped.parts["boxes"] > 0) == (seen is BOXED)
    stepped.minimised.backward()
    assert any(weight.grad is not None and weight.grad.any() for weight in model.parameters())


@pytest.mark.parametrize("least", [0.0, 0.98])
def test_losses_of_patches_by_hand(least: float) -> None:
    """The box covers the first 2 x 2 of 4 x 4 patches of 16 px, for the centre at 40 does not lie in it."""
    model = _model(f"patches(4, {least})")
    assert isinstance(model, Patches)
    stepped = patches(model, BOXED, binary_cross_entropy, 5.0)
    raw = model.patches(model.activations(BOXED.images)).sigmoid()
    p, other = (least + (1 - least) * each for each in (raw, 1 - raw))
    box = torch.zeros(4, 4, dtype=torch.bool)
    box[0:2, 0:2] = True
    of_box = -torch.where(box, p[0, 0], other[0, 0]).log().sum()
    film = 1 - other.prod(dim=3).prod(dim=2)
    image = -other.log().sum(dim=(2, 3))[[0, 1, 1], [1, 0, 1]].mean()  # none of them has the finding
    torch.testing.assert_close(stepped.parts["boxes"], 5 * of_box / 4)
    torch.testing.assert_close(stepped.parts["image"], image)
    torch.testing.assert_close(stepped.logits.sigmoid(), film)
    assert stepped.minimised == stepped.judged == sum(stepped.parts.values())


def test_without_weight_a_boxed_film_is_one_like_others() -> None:
    model = _model("patches(4)")
    assert isinstance(model, Patches)
    stepped = patches(model, BOXED, binary_cross_entropy, 0.0)
    torch.testing.assert_close(stepped.minimised, binary_cross_entropy(stepped.logits, BOXED.labels))
    assert stepped.parts["boxes"] == 0


@pytest.mark.slow
@pytest.mark.parametrize(("name", "step"), [("retinanet(32)", detect), ("patches(8)", patches)])
def test_bright_squares_are_learnt(name: str, step) -> None:
    """Squares of 20 to 40 px on four dark films of eight, the same in every step."""
    model = _model(name).train()
    optimiser = torch.optim.AdamW(model.parameters(), 1e-3)
    seen = _squares(torch.Generator().manual_seed(3))
    for _ in range(60):
        optimiser.zero_grad()
        step(model, seen, binary_cross_entropy).minimised.backward()
        optimiser.step()
    with torch.inference_mode():
        likely, maps = model.eval()(seen.images).sigmoid(), model.own_maps(seen.images)
    assert likely[:4, 0].amin() > likely[4:, 0].amax()
    inside = torch.zeros(8, SIDE, SIDE, dtype=torch.bool)
    for film, _, x0, y0, x1, y1 in seen.boxes.int().tolist():
        inside[film, y0:y1, x0:x1] = True
    large = torch.nn.functional.interpolate(maps, (SIDE, SIDE))[:4, 0]
    tops = large == large.amax(dim=(1, 2), keepdim=True)
    assert (tops & inside[:4]).sum() > 0.7 * tops.sum()


def _squares(generator: torch.Generator) -> Seen:
    """Eight films, the first four with a square."""
    images = 0.1 * torch.randn(8, 3, SIDE, SIDE, generator=generator)
    rows = []
    for film in range(4):
        side = int(torch.randint(20, 40, (), generator=generator))
        x, y = torch.randint(0, SIDE - side, (2,), generator=generator).tolist()
        images[film, :, y : y + side, x : x + side] += 2.0
        rows.append([film, 0, x, y, x + side, y + side])
    labels = torch.zeros(8, 2)
    labels[:4, 0] = 1
    return Seen(images, labels, torch.full((8, 3), 0.5), torch.tensor(rows, dtype=torch.float32))
