"""Names of films on standard input -> for each what came of it, how long it computed, how much memory."""

import json
import os
import sys
import tempfile
import time
from pathlib import Path

from hilum.data.radiograph import eight_bit_from
from hilum.errors import FilmError

MANY = 5_000
"""Pixels of which none are written out."""


def _status(field: str) -> int:
    """A line of the kernel's account of this process, in kB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))


def _outcome(path: Path) -> dict[str, object]:
    try:
        pixels = eight_bit_from(path)
    except FilmError as error:
        return {"error": str(error)}
    return {"hw": list(pixels.shape), "pixels": pixels.tolist() if pixels.size < MANY else None}


def _measured(path: Path, told: int) -> dict[str, object]:
    Path("/proc/self/clear_refs").write_text("5")  # sets the peak back to what is in use now
    before, length = _status("VmRSS"), os.fstat(told).st_size
    start = time.process_time()  # of this process alone, however busy the machine is
    outcome = _outcome(path)
    seconds = time.process_time() - start
    noise = os.pread(told, 2000, length).decode(errors="replace")
    return {**outcome, "seconds": seconds, "mb": (_status("VmHWM") - before) / 1000, "stderr": noise}


def main() -> None:
    names = [json.loads(line) for line in sys.stdin]
    with tempfile.TemporaryFile() as stream:
        os.dup2(stream.fileno(), 2)
        for name, path in names:
            result = _measured(Path(path), stream.fileno())
            sys.stdout.write(json.dumps([name, result]) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
