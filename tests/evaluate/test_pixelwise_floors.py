import numpy as np

from hilum.evaluate.pixelwise import map_auprc, union_masks
from hilum.evaluate.pixelwise_floors import pixel_floors

AFFINE = np.tile(np.array([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]]), (4, 1, 1))
BOXES = np.array([[0, 0, 16, 16], [16, 16, 48, 48], [0, 32, 64, 64], [8, 8, 24, 40]], float)


def _floors(patient, finding, maps, mean_box):
    masks = union_masks(BOXES, np.arange(4), AFFINE, (32, 32), (32, 32))
    noise = np.random.default_rng(1).random((30, 7, 7), dtype=np.float32)
    rng = np.random.default_rng(0)
    return masks, pixel_floors(
        maps, masks, np.array(finding), np.array(patient), noise, mean_box, AFFINE, (32, 32), rng
    )


def test_each_floor_is_that_of_maps_that_know_nothing() -> None:
    maps = np.random.default_rng(2).random((4, 7, 7), dtype=np.float32)
    masks, found = _floors(["a", "b", "a", "c"], [0, 0, 0, 1], maps, BOXES[[1, 0, 1, 3]])
    assert list(found) == ["random", "shuffled", "centre", "whole_image", "class_mean_box"]
    np.testing.assert_allclose(found["whole_image"], [1 / 16, 1 / 4, 1 / 2, 1 / 8])
    other = [map_auprc(maps[[1]], masks[[row]])[0] for row in (0, 2)]  # b alone is not a
    np.testing.assert_allclose(found["shuffled"][[0, 2]], other)
    of_a = [map_auprc(maps[[row]], masks[[1]])[0] for row in (0, 2)]
    assert min(of_a) < found["shuffled"][1] < max(of_a)
    assert np.isnan(found["shuffled"]).tolist() == [False, False, False, True]
    assert found["class_mean_box"][3] == 1.0
    assert found["centre"][1] == max(found["centre"])
    assert (found["random"] > found["whole_image"] * 0.8).all()


def test_a_box_of_nobody_is_unknown() -> None:
    mean_box = np.full((4, 4), np.nan)
    _, found = _floors(["a"] * 4, [0] * 4, np.zeros((4, 7, 7), np.float32), mean_box)
    assert np.isnan(found["class_mean_box"]).all()
    assert np.isnan(found["shuffled"]).all()
    assert np.isfinite(found["random"]).all()
