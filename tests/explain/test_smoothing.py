"""Smoothed maps beside the same steps taken one film and one pass at a time."""

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from hilum.explain import heatmaps
from hilum.explain.smoothing import map_rank1
from hilum.localize.scale import enlarged, unit_map

from .conftest import HEADS, SIDE

CASES = [("gradcam", "six", "relu"), ("eigencam", "six", "signed"), ("layercam", "three_flipped", "relu")]


@pytest.mark.parametrize(("method", "passes", "sign"), CASES)
def test_augmentation_is_the_mean_of_scaled_maps(method, passes, sign, model, images, metadata) -> None:
    options = {"metadata": metadata}
    ours = heatmaps(model, images, None, method, f"augmentation({passes}, {sign})", **options)
    total, n = np.zeros((3, 3, SIDE, SIDE)), 0
    for flip in (False, True) if passes == "six" else (True,):
        for factor in (0.9, 1.0, 1.1):
            films = (images.flip(3) if flip else images) * factor
            raw = heatmaps(model, films, method=method, **options)
            raw = raw[..., ::-1] if flip else raw
            for film in range(3):
                for finding in range(3):
                    one = np.ascontiguousarray(raw[film, finding])
                    one = one if sign == "signed" else np.maximum(one, 0)
                    one = unit_map(one, signed=True).astype(np.float32)
                    total[film, finding] += unit_map(enlarged(one, (SIDE, SIDE)), signed=True)
            n += 1
    assert n == (6 if passes == "six" else 3)
    large = interpolate(torch.from_numpy(ours), (SIDE, SIDE), mode="bilinear", align_corners=False)
    np.testing.assert_allclose(large.numpy(), total / n, atol=2e-6)
    assert large.min() >= -1e-6


def test_a_flipped_film_has_the_flipped_map(model, images, metadata) -> None:
    def maps(films: torch.Tensor) -> np.ndarray:
        return heatmaps(model, films, None, "gradcam++", "augmentation", metadata)

    np.testing.assert_allclose(maps(images.flip(3)), maps(images)[..., ::-1], atol=1e-6)
    plain = heatmaps(model, images.flip(3), None, "gradcam++", None, metadata)
    assert not np.allclose(
        plain, heatmaps(model, images, None, "gradcam++", None, metadata)[..., ::-1], atol=1e-4
    )


def test_how_many_films_go_together_changes_nothing(model, images, metadata) -> None:
    def maps(rows: slice) -> np.ndarray:
        return heatmaps(model, images[rows], None, "gradcam", "augmentation", metadata[rows])

    np.testing.assert_allclose(maps(slice(1, 2)), maps(slice(None))[1:2], atol=1e-6)


@pytest.mark.parametrize("method", ["gradcam", "gradient"])
def test_maps_of_little_range_are_not_darkened(method, images) -> None:
    """A head of a ten-thousandth gives maps of that size, and the same maps in [0, 1]."""
    model = HEADS["average"]().double().eval()
    before = heatmaps(model, images, None, method, "augmentation")
    with torch.no_grad():
        model.map_weights.mul_(1e-4)
    np.testing.assert_allclose(heatmaps(model, images, None, method, "augmentation"), before, atol=1e-5)


def test_flat_maps_stay_flat(images) -> None:
    model = HEADS["average"]().double().eval()
    with torch.no_grad():
        model.map_weights.zero_()
    assert not heatmaps(model, images, None, "gradcam", "augmentation").any()


def test_the_films_as_they_are_run_once(model, images, metadata) -> None:
    rows = []
    model.blocks[-1].register_forward_hook(lambda *inputs: rows.append(len(inputs[1][0])))
    heatmaps(model, images, None, "gradcam", "augmentation", metadata)
    assert rows == [3, 15]  # as they are, and the five other copies of each at once
    heatmaps(model, images, None, "gradcam", "augmentation(three_flipped)", metadata)
    assert rows[2:] == [3, 9]


@pytest.mark.parametrize("method", ["gradcam", "gradcam++", "layercam"])
def test_eigen_is_the_main_direction_of_the_weighted_channels(method, model, images, metadata) -> None:
    from hilum.explain import WEIGHTS
    from hilum.explain.capture import capture

    ours = torch.from_numpy(heatmaps(model, images, None, method, "eigen", metadata)).double()
    captured = capture(model, images, metadata)
    weighted = WEIGHTS[method](captured, torch.arange(3)) * captured.at().activations[:, None]
    plain = weighted.sum(dim=2)
    for film in range(3):
        for finding in range(3):
            X = weighted[film, finding].flatten(1).T
            X = X - X.mean(dim=0)
            M = X @ torch.linalg.svd(X, full_matrices=False).Vh[0]
            sign = torch.corrcoef(torch.stack([M, plain[film, finding].flatten()]))[0, 1].sign()
            torch.testing.assert_close(ours[film, finding].flatten(), sign * M, atol=1e-6, rtol=1e-4)


def test_eigen_cam_smoothed_is_the_centred_one(model, images, metadata) -> None:
    smoothed = heatmaps(model, images, None, "eigencam", "eigen", metadata)
    np.testing.assert_allclose(
        smoothed, heatmaps(model, images, None, "eigencam_centred", None, metadata), atol=1e-6
    )


def test_rank_one_keeps_a_product_and_bends_all_else() -> None:
    column, row = torch.tensor([1.0, 2.0, -1.0]), torch.tensor([0.5, 0.0, 3.0, 1.0])
    product = (column[:, None] * row)[None, None]
    torch.testing.assert_close(map_rank1(product), product)
    eye = torch.diag(torch.tensor([3.0, 1.0]))[None, None]
    torch.testing.assert_close(map_rank1(eye), torch.diag(torch.tensor([3.0, 0.0]))[None, None])


def test_eigen_before_augmentation(images) -> None:
    """Each pass is smoothed, then the passes are averaged."""
    model = HEADS["average"]().double().eval()
    ours = heatmaps(model, images, None, "gradcam", "eigen-augmentation")
    total = 0
    for flip in (False, True):
        for factor in (0.9, 1.0, 1.1):
            raw = heatmaps(model, (images.flip(3) if flip else images) * factor, None, "gradcam", "eigen")
            raw = torch.from_numpy(np.ascontiguousarray(raw[..., ::-1] if flip else raw)).relu()
            low, high = raw.amin((2, 3), keepdim=True), raw.amax((2, 3), keepdim=True)
            small = (raw - low) / (high - low + 1e-7)
            large = interpolate(small, (SIDE, SIDE), mode="bilinear", align_corners=False)
            low, high = large.amin((2, 3), keepdim=True), large.amax((2, 3), keepdim=True)
            total = total + (small - low) / (high - low + 1e-7)
    np.testing.assert_allclose(ours, (total / 6).numpy(), atol=1e-5)
