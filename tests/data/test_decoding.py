"""Films are decoded by other processes, which may die."""

import os
import signal
import time
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from hilum.data import decoding
from hilum.data.decoding import Decoded, Decoders
from hilum.data.geometry import squared
from hilum.errors import StoreError

SIDE = 16
N = 12


def _grey(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(1, 256, (40 + number, 32), np.uint8)


@pytest.fixture
def films(tmp_path) -> list[str]:
    """Paths of films of different sizes."""
    paths = [str(tmp_path / f"{number}.png") for number in range(N)]
    for number, path in enumerate(paths):
        cv2.imwrite(path, _grey(number))
    return paths


@pytest.fixture
def target(tmp_path) -> Path:
    """A file of one leading byte and room for all rows."""
    path = tmp_path / "rows"
    path.write_bytes(bytes(1 + N * SIDE**2))
    return path


def _rows(target: Path) -> np.ndarray:
    return np.frombuffer(target.read_bytes()[1:], np.uint8).reshape(N, SIDE, SIDE)


@pytest.mark.parametrize("fit", ["stretch", "pad"])
def test_every_film_stands_in_its_row(films, target, fit) -> None:
    with Decoders(target, 1, SIDE, fit, 2) as decoders:
        done = list(decoders.decode(range(N), films))
        assert list(decoders.decode([], [])) == []
    expected = [squared(_grey(number), SIDE, fit) for number in range(N)]
    np.testing.assert_array_equal(_rows(target), expected)
    assert sorted(done, key=lambda each: each.row) == [
        Decoded(number, _grey(number).shape, zlib.crc32(expected[number])) for number in range(N)
    ]


def test_rows_may_come_in_any_order_and_number(films, target) -> None:
    with Decoders(target, 1, SIDE, "stretch", 1) as decoders:
        first = [each.row for each in decoders.decode([7, 2], [films[7], films[2]])]
        second = [each.row for each in decoders.decode([0], films[:1])]
    assert (first, second) == ([7, 2], [0])
    assert _rows(target).any(axis=(1, 2)).nonzero()[0].tolist() == [0, 2, 7]


def test_a_film_that_cannot_be_read_is_told_and_black(films, target) -> None:
    Path(films[3]).write_bytes(b"<html>")
    target.write_bytes(b"\x07" * target.stat().st_size)
    with Decoders(target, 1, SIDE, "stretch", 2) as decoders:
        done = {each.row: each for each in decoders.decode(range(N), films)}
    assert "3.png: starts with b'<htm'" in done[3].failure
    assert done[3].film_hw == (0, 0)
    assert not _rows(target)[3].any()
    assert [row for row, each in done.items() if each.failure] == [3]


def _stop(decoders: Decoders, number: int, how: signal.Signals) -> None:
    os.kill(decoders._processes[number]._popen.pid, how)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV])
def test_a_process_that_dies_by_chance_costs_no_film(films, target, how) -> None:
    with Decoders(target, 1, SIDE, "stretch", 2) as decoders:
        _stop(decoders, 0, how)
        done = sorted(decoders.decode(range(N), films), key=lambda each: each.row)
        _stop(decoders, 1, how)
        again = sorted(decoders.decode(range(N), films), key=lambda each: each.row)
    assert [each.row for each in done] == list(range(N))
    assert not any(each.failure for each in done)
    assert again == done


CRASHING = """
import os, signal
from hilum.data import decoding
true = decoding.eight_bit_from
def fatal(path):
    if path.name == "5.png":
        {what}
    return true(path)
decoding.eight_bit_from = fatal
import sys
decoding.main(sys.argv[1], sys.argv[2], sys.argv[3], "stretch")
"""


@pytest.fixture
def crashing(monkeypatch):
    """Decoders whose codec does something terrible with film 5."""

    def put(what: str) -> None:
        true = decoding.subprocess.Popen

        def popen(command, **settings):
            code = CRASHING.format(what=what)
            return true([command[0], "-c", code, *command[3:]], **settings)

        monkeypatch.setattr(decoding.subprocess, "Popen", popen)

    return put


def test_a_film_that_kills_its_decoder_is_left_out_and_the_others_go_on(films, target, crashing) -> None:
    crashing("os.kill(os.getpid(), signal.SIGSEGV)")
    with Decoders(target, 1, SIDE, "stretch", 2) as decoders:
        done = {each.row: each for each in decoders.decode(range(N), films)}
    assert sorted(done) == list(range(N))
    assert {row: each.failure for row, each in done.items() if each.failure} == {
        5: f"{films[5]}: its decoder died (SIGSEGV), 2 times; it is left out"
    }
    for number in set(range(N)) - {5}:
        np.testing.assert_array_equal(_rows(target)[number], squared(_grey(number), SIDE))


def test_a_film_that_hangs_is_left_out(films, target, crashing, monkeypatch) -> None:
    crashing("import time; time.sleep(60)")
    monkeypatch.setattr(decoding, "PATIENCE_S", 2.0)
    started = time.monotonic()
    with Decoders(target, 1, SIDE, "stretch", 2) as decoders:
        done = {each.row: each for each in decoders.decode(range(N), films)}
    assert time.monotonic() - started < 20
    assert {row: each.failure for row, each in done.items() if each.failure} == {
        5: f"{films[5]}: decoding it took over 2 s, 2 times; it is left out"
    }


def test_processes_that_cannot_start_blame_no_film(films, target, monkeypatch) -> None:
    true = decoding.subprocess.Popen

    def broken(command, **settings):
        return true([command[0], "-c", "1 / 0"], **settings)

    monkeypatch.setattr(decoding.subprocess, "Popen", broken)
    with Decoders(target, 1, SIDE, "stretch", 2) as decoders, pytest.raises(StoreError, match="exit code 1"):
        list(decoders.decode(range(N), films))


def test_processes_end_with_their_context(films, target) -> None:
    with Decoders(target, 1, SIDE, "stretch", 2) as decoders:
        list(decoders.decode(range(3), films[:3]))
        processes = [process._popen for process in decoders._processes]
    assert [process.poll() for process in processes] == [0, 0]
