import numpy as np
import pytest
from skimage.filters import threshold_otsu

from hilum.localize.threshold import THRESHOLDS, Cut, cuts_from, otsu_level

CUTS = {
    "dynamic(87.5)": (Cut(87.5, of="percentile"),),
    "fraction(0.7)": (Cut(0.7),),
    "level(51)": (Cut(0.2, closed=True),),
    "static_band(51, 204)": (Cut(0.2, 0.8, closed=True),),
    "two_level(51, 204)": (Cut(0.2, closed=True), Cut(0.8, closed=True)),
}

ENDS = ["level(0)", "level(255)", "static_band(0, 255)", "static_band(7, 7)", "fraction(0)", "dynamic(0.1)"]

REFUSED = {
    "dynamic(0)": "between 0 and 100",
    "dynamic(100)": "between 0 and 100",
    "fraction(1)": "below 1",
    "fraction(-0.1)": "at least 0",
    "level(256)": "0 to 255",
    "level(-1)": "0 to 255",
    "static_band(180, 60)": "must rise",
    "static_band(60, 256)": "0 to 255",
    "two_level(60, 60)": "must rise",
    "level": r"has 0 numbers; write level\(low\)",
    "two_level(60)": r"has 1 numbers; write two_level\(low, high\)",
    "otsu(1)": "has 1 numbers; write otsu$",
    "dynamics(5)": "did you mean 'dynamic'",
    "level(nan)": "finite",
    "level[60]": "cannot read",
}


@pytest.mark.parametrize("text", CUTS)
def test_levels_of_the_papers_are_fractions_of_255(text) -> None:
    assert cuts_from(text) == CUTS[text]


def test_every_threshold_has_a_line_here() -> None:
    assert {text.partition("(")[0] for text in CUTS} | {"otsu"} == set(THRESHOLDS)
    (cut,) = cuts_from("otsu")
    assert (cut.of, cut.closed) == ("otsu", False)
    assert np.isnan(cut.low)


@pytest.mark.parametrize("text", ENDS)
def test_the_ends_of_the_ranges_are_allowed(text) -> None:
    assert len(cuts_from(text)) == 1


@pytest.mark.parametrize("text", REFUSED)
def test_what_makes_no_sense_is_refused(text) -> None:
    with pytest.raises(ValueError, match=REFUSED[text]):
        cuts_from(text)


@pytest.mark.parametrize("seed", range(8))
def test_otsu_is_the_level_of_scikit_image(seed) -> None:
    rng = np.random.default_rng(seed)
    cold, warm = rng.normal(0.2, 0.05, (30, 20)), rng.normal(0.7, 0.02 * (seed + 1), (30, 4 * seed + 1))
    unit = np.clip(np.concatenate([cold, warm], axis=1), 0.0, 1.0)
    assert otsu_level(unit) == pytest.approx(threshold_otsu(unit), abs=1e-12)


def test_otsu_parts_two_values_just_above_the_lower() -> None:
    """All pixels of 0 lie in the first of 256 bins, of which the centre is 1/512."""
    assert otsu_level(np.array([[0.0, 0.0, 0.0, 1.0]])) == 1 / 512


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_otsu_of_a_flat_map_leaves_nothing_above(value) -> None:
    assert otsu_level(np.full((3, 4), value)) == value
