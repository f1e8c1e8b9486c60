"""Progress without a terminal: plain lines on standard error, none when quiet."""

import pytest

from hilum.apps.progress import Shown


def test_plain_lines_say_how_far_and_how_long(capsys: pytest.CaptureFixture[str]) -> None:
    with Shown(quiet=False) as show:
        tell = show("train")
        tell(1, 4)
        tell(4, 4)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[0] == "train: started"
    assert "4 of 4" in err
    assert "left" in err


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Shown(quiet=True) as show:
        show("train")(1, 1)
    assert capsys.readouterr() == ("", "")
