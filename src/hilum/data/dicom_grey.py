"""How a DICOM film scales its stored values -> the grey value of each of them, in [0, 1]."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Shaped

from hilum.errors import FilmError

Values = Float64[np.ndarray, " t"]


@dataclass(frozen=True)
class Rescale:
    """A straight line: slope times stored value plus intercept."""

    slope: float
    intercept: float


@dataclass(frozen=True)
class Table:
    """A look-up table: values below its first entry take the first, values above its last the last.

    Attributes:
        first: Value that the first entry stands for.
        entries: What values become.
        bits: Of an entry; the whole range of so many bits becomes [0, 1].
    """

    first: int
    entries: Shaped[np.ndarray, " e"]
    bits: int


@dataclass(frozen=True)
class Window:
    """The part of the range that is spread over [0, 1].

    Attributes:
        centre: Its middle, in rescaled values.
        width: At least 1; above 0 for LINEAR_EXACT and SIGMOID.
        function: LINEAR, LINEAR_EXACT or SIGMOID; empty is LINEAR.
    """

    centre: float
    width: float
    function: str = ""


def grey_scale(depth: int, signed: bool, modality: Rescale | Table, voi: Window | Table | None) -> Values:
    """Grey value of every pattern of `depth` bits, before any inversion.

    Source: DICOM PS3.3, C.11.1.1 (modality LUT), C.11.2.1.1 (VOI LUT), C.11.2.1.2 (window) and
    C.11.2.1.3 (window functions).

    Args:
        depth: Bits stored.
        signed: Whether patterns are numbers in two's complement.
        modality: From stored values to the scanner's scale.
        voi: From there to grey; None spreads the whole range of the bits stored.

    Returns:
        One value for each of the 2**depth patterns, read as unsigned numbers.

    Raises:
        FilmError: The slope is 0, a number is not finite, or the window is too narrow.

    Example:
        >>> grey_scale(2, True, Rescale(1.0, 0.0), None)  # patterns 0 1 2 3 are 0 1 -2 -1
        array([0.66666667, 1.        , 0.        , 0.33333333])
    """
    stored = np.arange(2**depth, dtype=np.float64)
    if signed:
        stored[2 ** (depth - 1) :] -= 2**depth
    if isinstance(modality, Table):
        values, low, high = _looked_up(stored, modality), 0.0, 2.0**modality.bits - 1
    else:
        values = _rescaled(stored, modality)
        low, high = float(values.min()), float(values.max())
    if isinstance(voi, Table):
        return _looked_up(values, voi) / (2.0**voi.bits - 1)
    if isinstance(voi, Window):
        return _windowed(values, voi)
    return np.clip((values - low) / (high - low), 0.0, 1.0)


def inverted(table: Values) -> Values:
    """Dark for bright."""
    return 1.0 - table


def _rescaled(stored: Values, line: Rescale) -> Values:
    if not (math.isfinite(line.slope) and math.isfinite(line.intercept)) or line.slope == 0:
        raise FilmError(f"a rescale slope of {line.slope:g} and intercept of {line.intercept:g} make no film")
    return line.slope * stored + line.intercept


def _looked_up(values: Values, table: Table) -> Values:
    place = np.clip(np.floor(values) - table.first, 0, len(table.entries) - 1).astype(np.int64)
    return np.minimum(table.entries[place].astype(np.float64), 2.0**table.bits - 1)


def _windowed(values: Values, window: Window) -> Values:
    centre, width = window.centre, window.width
    linear = window.function in ("", "LINEAR")
    if not (math.isfinite(centre) and math.isfinite(width)) or width <= 0 or (linear and width < 1):
        raise FilmError(f"a window of width {width:g} at {centre:g} shows nothing; it is at least 1 wide")
    if window.function == "SIGMOID":
        return 1.0 / (1.0 + np.exp(np.clip(-4.0 * (values - centre) / width, -700.0, 700.0)))
    if window.function == "LINEAR_EXACT":
        return np.clip((values - centre) / width + 0.5, 0.0, 1.0)
    if not linear:
        raise FilmError("a window function that does not exist; there are LINEAR, LINEAR_EXACT and SIGMOID")
    if width == 1:
        return (values > centre - 0.5).astype(np.float64)
    return np.clip((values - (centre - 0.5)) / (width - 1.0) + 0.5, 0.0, 1.0)
