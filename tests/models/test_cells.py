"""Boxes on a grid, worked by hand."""

import torch

from hilum.models.cells import painted

SHAPE, INPUT_HW = (2, 2, 4, 4), (32, 32)


def _boxes(*rows: tuple[float, ...]) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 6)


def test_a_cell_belongs_to_a_box_that_holds_its_centre() -> None:
    """Centres lie at 4, 12, 20, 28 px; the right and the lower edge do not belong to a box."""
    maps = painted(_boxes((1, 0, 4, 5, 20, 29)), torch.tensor([0.5]), SHAPE, INPUT_HW)
    wanted = torch.zeros(SHAPE)
    wanted[1, 0, 1:4, 0:2] = 0.5
    assert torch.equal(maps, wanted)


def test_the_better_of_two_overlapping_boxes_shows() -> None:
    boxes = _boxes((0, 1, 0, 0, 16, 32), (0, 1, 8, 0, 32, 32))
    for values, row in (((0.9, 0.3), [0.9, 0.9, 0.3, 0.3]), ((0.3, 0.9), [0.3, 0.9, 0.9, 0.9])):
        maps = painted(boxes, torch.tensor(values), SHAPE, INPUT_HW)
        torch.testing.assert_close(maps[0, 1], torch.tensor([row] * 4))
        assert maps.count_nonzero() == 16


def test_a_box_between_centres_has_one_cell() -> None:
    boxes = _boxes((0, 0, 5, 5, 6, 6), (1, 1, 30, 30, 32, 32))
    maps = painted(boxes, torch.tensor([0.2, 0.4]), SHAPE, INPUT_HW)
    assert maps.count_nonzero() == 2
    assert maps[1, 1, 3, 3] == maps.amax()


def test_no_boxes_make_dark_maps() -> None:
    assert not painted(_boxes(), torch.zeros(0), SHAPE, INPUT_HW).any()
    assert painted(_boxes(), torch.zeros(0), (0, 2, 4, 4), INPUT_HW).shape == (0, 2, 4, 4)
