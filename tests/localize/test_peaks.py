import numpy as np

from hilum.localize import peaks_from

IDENTITY = np.array([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])


def affine(scale_x: float, scale_y: float, x: float = 0.0, y: float = 0.0) -> np.ndarray:
    """Input pixels to frame pixels."""
    return np.array([[[scale_x, 0.0, x], [0.0, scale_y, y]]])


def test_a_plateau_has_every_pixel_and_only_those_on_the_film() -> None:
    """Two equal nodes side by side in the corner: 2 px of held edge and 4 px between them, 2 px high."""
    heatmap = np.zeros((1, 3, 4), np.float32)
    heatmap[0, 0, :2] = 1.0
    row, xy = peaks_from(heatmap, affine(1.0, 1.0), (12, 16), (12, 16))
    assert set(map(tuple, xy.tolist())) == {(x + 0.5, y + 0.5) for x in range(6) for y in range(2)}
    _, shifted = peaks_from(heatmap, affine(1.0, 1.0, -3.0), (12, 16), (12, 16))
    assert set(map(tuple, shifted.tolist())) == {(x + 0.5, y + 0.5) for x in range(3) for y in range(2)}
    assert row.tolist() == [0] * 12


def test_peaks_of_many_maps_come_in_their_order_and_each_through_its_affine() -> None:
    maps = np.zeros((3, 8, 8), np.float32)
    maps[[0, 1, 2], [2, 0, 7], [5, 0, 3]] = 1.0
    there = np.concatenate([affine(4.0, 4.0, 1.0), affine(6.0, 6.0), affine(4.0, 4.0)])
    row, xy = peaks_from(maps, there, (8, 8), (48, 48))
    assert (np.diff(row) >= 0).all()
    # nodes span 4, 6 and 4 px; at the edge the maximum is held over half a node
    means = [xy[row == one].mean(axis=0).tolist() for one in range(3)]
    np.testing.assert_allclose(means, [[23.0, 10.0], [1.5, 1.5], [14.0, 31.0]])


def test_a_large_flat_map_is_left_at_once() -> None:
    flat = np.full((1, 512, 512), 2.0, np.float32)
    assert len(peaks_from(flat, IDENTITY, (512, 512), (512, 512))[0]) == 0
