import pytest

from hilum.lookup import call_from, pick

TABLE = {"cam": 1, "gradcam": 2, "zero": 0}


def test_every_entry_is_found_by_its_name() -> None:
    assert [pick(TABLE, name, "method") for name in TABLE] == [1, 2, 0]


def test_a_wrong_name_says_which_exist() -> None:
    with pytest.raises(ValueError, match=r"unknown method 'gradcm'; did you mean 'gradcam'\? known: cam, g"):
        pick(TABLE, "gradcm", "method")
    with pytest.raises(ValueError, match="unknown method 'xyz'; known: cam, gradcam, zero"):
        pick(TABLE, "xyz", "method")
    with pytest.raises(ValueError, match="unknown method ''; known: "):
        pick({}, "", "method")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("otsu", ("otsu", ())),
        (" otsu ( ) ", ("otsu", ())),
        ("otsu+largest", ("otsu+largest", ())),
        ("one-cycle(3)", ("one-cycle", (3.0,))),
        ("static_band( 60,180.5 )", ("static_band", (60.0, 180.5))),
        ("level(-1e-3)", ("level", (-0.001,))),
    ],
)
def test_calls_that_can_be_read(text, expected) -> None:
    assert call_from(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "write it as name"),
        ("(3)", "write it as name"),
        ("3(3)", "write it as name"),
        ("a(1", "write it as name"),
        ("a(1)(2)", "write it as name"),
        ("a(b(1))", "write it as name"),
        ("a b", "write it as name"),
        ("a(1;2)", "cannot read the numbers of 'a\\(1;2\\)'"),
        ("a(1,,2)", "cannot read the numbers"),
        ("a(,)", "cannot read the numbers"),
        ("a(x)", "cannot read the numbers"),
        ("a(nan)", "must be finite"),
        ("a(1, inf)", "must be finite"),
    ],
)
def test_calls_that_cannot(text, message) -> None:
    with pytest.raises(ValueError, match=message):
        call_from(text)
