"""Files of films -> rows of an array on disk, by processes of their own.

A codec that crashes takes its process down and not the caller: the film is tried once more in a new
process, then listed as a failure. The processes are plain interpreters that run this module and read
jobs line by line, so that callers need no guard around their main program.
"""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hilum.data.geometry import Fit, squared
from hilum.data.radiograph import eight_bit_from
from hilum.errors import FilmError, StoreError

N_TRIES = 2
"""A process may have been killed for its memory by chance; a film that kills two is at fault."""
PATIENCE_S = 60.0
"""A film takes milliseconds; one that takes this long hangs."""
MAX_UNBORN = 5
"""Processes that may end before they have begun, as memory runs short; more mean a broken installation."""
_START_S = 60.0  # an interpreter may start slowly on a busy machine
_AHEAD = 2  # jobs a process holds, so that it never waits for the next


@dataclass(frozen=True)
class Decoded:
    """What became of one film.

    Attributes:
        row: Where it stands in the array.
        film_hw: Height and width of the file, in px; (0, 0) of a failure.
        crc32: Checksum of the row.
        failure: Why it could not be read; empty if it was.
    """

    row: int
    film_hw: tuple[int, int]
    crc32: int
    failure: str = ""


class Decoders:
    """Processes that decode films into rows of one file; a context that ends them.

    Args:
        target: File whose rows of `side_px` squared bytes are written; it has its final size.
        offset: Bytes before the first row.
        side_px: Side of the square films.
        fit: How films become square.
        n_processes: How many work at once.
    """

    def __init__(self, target: Path, offset: int, side_px: int, fit: Fit, n_processes: int) -> None:
        self._arguments = [str(target), str(offset), str(side_px), fit]
        self._processes = [_Process(self._arguments) for _ in range(n_processes)]
        self._n_unborn = 0

    def __enter__(self) -> "Decoders":
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.end()

    def decode(self, rows: Sequence[int], paths: Sequence[str]) -> Iterator[Decoded]:
        """Decodes films; each comes back once, in the order in which they are done.

        Raises:
            StoreError: Processes end before they have begun, so that no film is at fault.
        """
        waiting = deque((int(row), str(path), 1) for row, path in zip(rows, paths, strict=True))
        n_left = len(waiting)
        while n_left:
            for process in self._processes:
                while waiting and len(process.jobs) < _AHEAD and process.give(waiting[0]):
                    waiting.popleft()
            for number in self._ready():
                process = self._processes[number]
                done = process.answers()
                if done is None:
                    done = []
                    reason = process.end()
                    self._n_unborn += not process.started
                    if self._n_unborn > MAX_UNBORN:
                        raise StoreError(f"no process that decodes films can be started here: {reason}")
                    self._processes[number] = _Process(self._arguments)
                    row, path, n_tries = process.jobs.popleft()
                    waiting.extendleft(reversed(process.jobs))
                    if n_tries < N_TRIES:
                        waiting.appendleft((row, path, n_tries + 1))
                    else:
                        failure = f"{path}: {reason}, {N_TRIES} times; it is left out"
                        done = [Decoded(row, (0, 0), 0, failure)]
                n_left -= len(done)
                yield from done

    def _ready(self) -> list[int]:
        """Processes that have answered, have ended, or have worked on one film for too long."""
        with selectors.DefaultSelector() as selector:
            for number, process in enumerate(self._processes):
                if process.jobs:
                    selector.register(process.stdout, selectors.EVENT_READ, number)
            oldest = min(process.since for process in self._processes if process.jobs)
            events = selector.select(max(0.0, oldest + PATIENCE_S - time.monotonic()))
        if events:
            return [key.data for key, _ in events]
        return [n for n, process in enumerate(self._processes) if process.jobs and process.since == oldest]


class _Process:
    """One interpreter that runs `main`, and the jobs it holds."""

    def __init__(self, arguments: list[str]) -> None:
        package = Path(__file__).parents[2]
        paths = [str(package), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._popen = subprocess.Popen(
            [sys.executable, "-m", "hilum.data.decoding", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        )
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        self.stdin, self.stdout = self._popen.stdin, self._popen.stdout
        self.jobs: deque[tuple[int, str, int]] = deque()
        self.since = time.monotonic() + _START_S
        self._begun, self.started = b"", False

    @property
    def _hangs(self) -> bool:
        return bool(self.jobs) and time.monotonic() - self.since > PATIENCE_S

    def give(self, job: tuple[int, str, int]) -> bool:
        """Hands over a job; False where the process is no longer there to take it."""
        if not self.jobs:
            self.since = max(self.since, time.monotonic())
        self.jobs.append(job)
        try:
            self.stdin.write(json.dumps(job[:2]).encode() + b"\n")
            self.stdin.flush()
        except BrokenPipeError:
            if len(self.jobs) > 1:  # the jobs before it will tell
                self.jobs.pop()
                return False
        return True

    def answers(self) -> list[Decoded] | None:
        """What became of the first jobs; None where the process died on one or hangs."""
        said = b"" if self._hangs else os.read(self.stdout.fileno(), 1 << 16)
        if not said:
            return None
        *lines, self._begun = (self._begun + said).split(b"\n")
        done = []
        for line in filter(None, lines):
            row, film_hw, crc32, failure = json.loads(line)
            done.append(Decoded(row, (film_hw[0], film_hw[1]), crc32, failure))
            self.jobs.popleft()
        if lines:  # the first one is empty: it has started
            self.since, self.started = time.monotonic(), True
        return done

    def end(self) -> str:
        """Ends the process, and says what had happened to it."""
        for stream in (self.stdin, self.stdout):
            with contextlib.suppress(BrokenPipeError):
                stream.close()
        try:
            code = self._popen.wait(0 if self._hangs else 5)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
            return f"decoding it took over {PATIENCE_S:g} s"
        return f"its decoder died ({signal.Signals(-code).name if code < 0 else f'exit code {code}'})"


def main(target: str, offset: str, side_px: str, fit: Fit) -> None:
    """Decodes the jobs that come in on stdin until it ends."""
    import cv2

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller is told, and ends this process
    cv2.setNumThreads(1)
    side = int(side_px)
    descriptor = os.open(target, os.O_WRONLY)
    _say("")  # it has started
    for line in sys.stdin:
        row, path = json.loads(line)
        film_hw, failure = (0, 0), ""
        pixels = np.zeros((side, side), np.uint8)
        try:
            grey = eight_bit_from(Path(path))
            film_hw, pixels = grey.shape, squared(grey, side, fit)
        except FilmError as error:
            failure = str(error)
        os.pwrite(descriptor, pixels.data, int(offset) + row * side**2)
        _say(json.dumps([row, film_hw, zlib.crc32(pixels.data), failure]))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], "pad" if sys.argv[4] == "pad" else "stretch")
