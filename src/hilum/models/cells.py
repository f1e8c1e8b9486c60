"""Boxes laid on a grid of cells over the network's input."""

import torch
from jaxtyping import Float
from torch import Tensor


def painted(
    boxes: Float[Tensor, "b 6"],
    values: Float[Tensor, " b"],
    shape: tuple[int, int, int, int],
    input_hw: tuple[int, int],
) -> Float[Tensor, "n f u v"]:
    """Maps in which each cell has the greatest value of the boxes that hold its centre, and 0 elsewhere.

    A box that holds no centre takes the one cell whose centre is nearest to its upper left corner.

    Args:
        boxes: Rows of film, finding, x0, y0, x1, y1 in px of the input.
        values: One a box, above 0.
        shape: Films, findings, rows and columns of the grid.
        input_hw: Height and width of the input, in px.

    Example:
        >>> box = torch.tensor([[0.0, 0.0, 0.0, 0.0, 8.0, 12.0]])
        >>> painted(box, torch.ones(1), (1, 1, 2, 2), (16, 16))[0, 0].tolist()
        [[1.0, 0.0], [0.0, 0.0]]
    """
    maps = torch.zeros(shape)
    per_px = torch.tensor([shape[3] / input_hw[1], shape[2] / input_hw[0]])
    table, order = boxes.detach().float().cpu(), values.detach().float().cpu().argsort()
    first = (table[:, 2:4] * per_px - 0.5).ceil().long().clamp(min=0)
    first = torch.minimum(first, torch.tensor([shape[3] - 1, shape[2] - 1]))
    stop = torch.maximum((table[:, 4:6] * per_px - 0.5).ceil().long(), first + 1)
    whose = table[:, :2].long()
    for place in order.tolist():  # rising, so that the greatest value is painted last
        film, finding = whose[place].tolist()
        (left, top), (right, bottom) = first[place].tolist(), stop[place].tolist()
        maps[film, finding, top:bottom, left:right] = values[place]
    return maps.to(boxes.device)
