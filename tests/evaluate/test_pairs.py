import numpy as np
import pytest

from hilum.evaluate.pairs import PairMaps


def _pairs(image, finding) -> PairMaps:
    n = len(image)
    maps = np.arange(n, dtype=np.float32)[:, None, None] * np.ones((1, 2, 2), np.float32)
    affine = np.tile(np.eye(2, 3), (n, 1, 1))
    return PairMaps(maps, np.array(image, int), np.array(finding, int), affine, np.linspace(0.0, 1.0, n))


def test_the_marked_pairs() -> None:
    pairs = _pairs([0, 0, 2], [0, 1, 1])
    wanted = np.zeros((3, 2), bool)
    wanted[[0, 2], 1] = True
    few = pairs.of(wanted)
    assert (few.image.tolist(), few.finding.tolist(), few.maps[:, 0, 0].tolist()) == ([0, 2], [1, 1], [1, 2])
    assert len(pairs.of(np.zeros((3, 2), bool))) == 0


def test_a_missing_map_is_named() -> None:
    with pytest.raises(
        ValueError, match="3 of 6 wanted pairs have no heatmap, the first is film 1, finding 0"
    ):
        _pairs([0, 0, 2], [0, 1, 1]).of(np.ones((3, 2), bool))


def test_a_pair_stands_once() -> None:
    with pytest.raises(ValueError, match="film 2 has 2 maps of finding 1"):
        _pairs([2, 0, 2], [1, 1, 1])
    with pytest.raises((ValueError, TypeError)):
        PairMaps(
            np.zeros((1, 2, 2), np.float32),
            np.zeros(2, int),
            np.zeros(2, int),
            np.zeros((2, 2, 3)),
            np.zeros(2),
        )
