from typing import Literal

import pytest

from hilum.lookup import call, call_from, pick

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
        ("rsna(keep)", ("rsna", ("keep",))),
        ("mixed(2, a_b)", ("mixed", (2.0, "a_b"))),
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
        ("a(x-y)", "cannot read the numbers"),
        ("a(nan)", "must be finite"),
        ("a(1, inf)", "must be finite"),
    ],
)
def test_calls_that_cannot(text, message) -> None:
    with pytest.raises(ValueError, match=message):
        call_from(text)


def _share(given: int, share: float, whole: float = 1.0) -> tuple[int, float, float]:
    return given, share, whole


def _read(folder: str, unsure: Literal["ones", "zeros"] = "ones") -> str:
    return f"{folder} {unsure}"


CALLS = {"share": _share, "read": _read, "nothing": lambda: 0}


def test_a_call_binds_what_its_text_names() -> None:
    assert call(CALLS, "share(0.5)", "split", n_given=1)(7) == (7, 0.5, 1.0)
    assert call(CALLS, "share(0.5, 2)", "split", n_given=1)(7) == (7, 0.5, 2.0)
    assert call(CALLS, "read", "dataset", n_given=1)("there") == "there ones"
    assert call(CALLS, "read(zeros)", "dataset", n_given=1)("there") == "there zeros"
    assert call(CALLS, "nothing", "thing")() == 0


@pytest.mark.parametrize(
    ("text", "n_given", "message"),
    [
        ("share", 1, r"split 'share' has 0 numbers; write share\(share, whole\)"),
        ("share(1,2,3)", 1, r"has 3 numbers; write share\(share, whole\)"),
        ("share(half)", 1, r"split 'share\(half\)': share is a number; write share\(share, whole\)"),
        ("read(twos)", 1, r"unsure is one of ones, zeros"),
        ("read(1)", 1, r"unsure is one of ones, zeros"),
        ("read(ones, ones)", 1, "has 2 words or numbers"),
        ("nothing(1)", 0, "split 'nothing\\(1\\)' has 1 numbers; write nothing"),
        ("shar(1)", 1, "unknown split 'shar'; did you mean 'share'"),
    ],
)
def test_a_call_that_does_not_fit_is_refused_before_it_is_made(text, n_given, message) -> None:
    with pytest.raises(ValueError, match=message):
        call(CALLS, text, "split", n_given)
