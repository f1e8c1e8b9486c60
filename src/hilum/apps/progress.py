"""Progress for people: a bar with time left on a terminal, a plain line now and then elsewhere."""

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

PLAIN_EVERY_S = 15.0


class Shown:
    """Gives each stage a place to tell how far it is; goes to standard error.

    Args:
        quiet: Shows nothing.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._console = Console(stderr=True)
        self._bars = None
        if not quiet and self._console.is_terminal:
            columns = (
                TextColumn("{task.description:14}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
            )
            self._bars = Progress(*columns, TimeRemainingColumn(), console=self._console)
        self._quiet = quiet

    def __enter__(self) -> "Shown":
        if self._bars:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars:
            self._bars.stop()

    def __call__(self, stage: str):
        """Where `stage` tells how many of how many are done."""
        if self._quiet:
            return lambda _done, _total: None
        return self._bar(stage) if self._bars else _Plain(stage)

    def _bar(self, stage: str):
        assert self._bars is not None
        bars, task = self._bars, self._bars.add_task(stage, total=None)
        return lambda done, total: bars.update(task, completed=done, total=total)


class _Plain:
    """Lines such as `train: 120 of 240, 35 s so far, 35 s left`."""

    def __init__(self, stage: str) -> None:
        self._stage, self._started, self._last = stage, time.monotonic(), 0.0
        print(f"{stage}: started", file=sys.stderr, flush=True)  # noqa: T201 - this is the app

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if done < total and now - self._last < PLAIN_EVERY_S:
            return
        self._last, passed = now, now - self._started
        left = passed * (total - done) / max(done, 1)
        line = f"{self._stage}: {done:,} of {total:,}, {passed:.0f} s so far, {left:.0f} s left"
        print(line, file=sys.stderr, flush=True)  # noqa: T201
