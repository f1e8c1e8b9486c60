"""What a stored value becomes: worked by hand, and beside pydicom."""

import numpy as np
import pytest

from hilum.data.dicom_grey import Rescale, Table, Window, grey_scale, inverted
from hilum.errors import FilmError

PLAIN = Rescale(1.0, 0.0)


@pytest.mark.parametrize(
    ("depth", "signed", "modality", "voi", "pattern", "expected"),
    [
        (8, False, PLAIN, None, 51, 0.2),
        (12, False, PLAIN, None, 4095, 1.0),
        (12, False, PLAIN, None, 819, 0.2),
        (1, False, PLAIN, None, 1, 1.0),
        (12, True, PLAIN, None, 0xFFF, 2047 / 4095),  # -1
        (12, True, PLAIN, None, 0x800, 0.0),  # -2048
        (16, True, PLAIN, None, 0x7FFF, 1.0),
        (12, True, Rescale(2.0, -100.0), None, 0x7FF, 1.0),  # the range follows the line
        (12, False, Rescale(-1.0, 4095.0), None, 0, 1.0),  # a falling line inverts
        # PS3.3 C.11.2.1.2.1: centre 2048, width 4096 maps 0 to 0 and 4095 to the top
        (12, False, PLAIN, Window(2048.0, 4096.0), 0, 0.0),
        (12, False, PLAIN, Window(2048.0, 4096.0), 4095, 1.0),
        (12, False, PLAIN, Window(2048.0, 4096.0), 2048, 0.5 + 0.5 / 4095),
        # centre 2048, width 1: 2047 and less are dark, 2048 and more are bright
        (12, False, PLAIN, Window(2048.0, 1.0), 2047, 0.0),
        (12, False, PLAIN, Window(2048.0, 1.0), 2048, 1.0),
        (12, False, PLAIN, Window(0.0, 100.0), 4000, 1.0),
        # signed, slope 2, intercept -100: -150 -> -400; centre 0.5, width 1001 is -500 to 500
        (12, True, Rescale(2.0, -100.0), Window(0.5, 1001.0), 4096 - 150, 0.1),
        (12, False, PLAIN, Window(2048.0, 4096.0, "LINEAR_EXACT"), 0, 0.0),
        (12, False, PLAIN, Window(2048.0, 4096.0, "LINEAR_EXACT"), 1024, 0.25),
        (12, False, PLAIN, Window(10.0, 0.5, "LINEAR_EXACT"), 10, 0.5),
        (12, False, PLAIN, Window(2048.0, 4096.0, "SIGMOID"), 2048, 0.5),
        (12, False, PLAIN, Window(2048.0, 4096.0, "SIGMOID"), 3072, 1 / (1 + np.exp(-1))),
        (16, False, PLAIN, Window(0.0, 1e-3, "SIGMOID"), 65_535, 1.0),  # no overflow
        (8, False, PLAIN, Table(100, np.array([0, 255, 510]), 9), 99, 0.0),
        (8, False, PLAIN, Table(100, np.array([0, 255, 510]), 9), 101, 255 / 511),
        (8, False, PLAIN, Table(100, np.array([0, 255, 510]), 9), 255, 510 / 511),
        (8, True, PLAIN, Table(-2, np.array([0, 100, 255]), 8), 255, 100 / 255),  # -1
        (8, False, Table(0, np.arange(256) // 2, 8), None, 200, 100 / 255),
        (8, False, Table(0, np.arange(256) // 2, 8), Window(50.5, 101.0), 200, 1.0),
        (8, False, PLAIN, Table(0, np.full(256, 900), 8), 3, 1.0),  # an entry above its bits
    ],
)
def test_by_hand(depth, signed, modality, voi, pattern, expected) -> None:
    table = grey_scale(depth, signed, modality, voi)
    assert table.shape == (2**depth,)
    assert table.min() >= 0
    assert table.max() <= 1
    assert table[pattern] == pytest.approx(expected)
    assert inverted(table)[pattern] == pytest.approx(1 - expected)


@pytest.mark.parametrize(
    ("modality", "voi", "reason"),
    [
        (Rescale(0.0, 5.0), None, "a rescale slope of 0 and intercept of 5 make no film"),
        (Rescale(np.nan, 0.0), None, "a rescale slope of nan"),
        (Rescale(1.0, np.inf), None, "intercept of inf"),
        (PLAIN, Window(5.0, 0.0), "a window of width 0 at 5 shows nothing; it is at least 1 wide"),
        (PLAIN, Window(5.0, 0.9), "a window of width 0.9"),
        (PLAIN, Window(5.0, -3.0, "SIGMOID"), "a window of width -3"),
        (PLAIN, Window(np.nan, 3.0), "at nan"),
        (PLAIN, Window(5.0, np.nan), "a window of width nan"),
        (PLAIN, Window(5.0, 3.0, "CUBIC"), "a window function that does not exist"),
    ],
)
def test_a_scale_without_sense(modality, voi, reason) -> None:
    with pytest.raises(FilmError, match=reason):
        grey_scale(8, False, modality, voi)


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize(("centre", "width"), [(40.0, 400.0), (-600.5, 1500.0), (3000.0, 90.0)])
@pytest.mark.parametrize("signed", [False, True])
def test_windows_beside_pydicom(function, centre, width, signed) -> None:
    """pydicom scales a window to the range of the rescaled values; ours ends at 1."""
    pixels = pytest.importorskip("pydicom.pixels")
    header = pytest.importorskip("pydicom").Dataset()
    header.BitsStored, header.BitsAllocated, header.PixelRepresentation = 12, 16, int(signed)
    header.PhotometricInterpretation = "MONOCHROME2"
    header.RescaleSlope, header.RescaleIntercept = "2.5", "-1000"
    header.WindowCenter, header.WindowWidth, header.VOILUTFunction = str(centre), str(width), function
    stored = np.arange(4096, dtype=np.int16)
    stored = stored - 4096 * (stored > 2047) if signed else stored
    rescaled = pixels.apply_modality_lut(stored.astype(np.int16 if signed else np.uint16), header)
    peer = pixels.apply_voi_lut(rescaled, header).astype(float)
    low = 2.5 * (-2048 if signed else 0) - 1000
    high = low + 2.5 * 4095
    ours = grey_scale(12, signed, Rescale(2.5, -1000.0), Window(centre, width, function))
    np.testing.assert_allclose(ours * (high - low) + low, peer, atol=2.6)
    assert np.corrcoef(ours, peer)[0, 1] > 1 - 1e-9
