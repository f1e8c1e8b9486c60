"""What a sweep knows of its trials, as one small file in each run folder."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from hilum.report import Trial
from hilum.study.folder import RunFolder, read_json, write_json

TRIALS, FILE = "trials", "trial.json"


@dataclass(frozen=True)
class TrialFolder:
    """One trial on disk.

    Attributes:
        path: The run folder.
        values: What was drawn, by name.
        state: "running" until training ended, failed or was stopped; so after a kill as well.
        reason: Why it failed, or why it is still "running" when a sweep has ended.
    """

    path: Path
    values: Mapping[str, Any]
    state: Literal["running", "finished", "stopped", "failed"] = "running"
    reason: str = ""

    @property
    def done(self) -> bool:
        """Whether it is not to be run again."""
        return self.state != "running"

    def save(self, **changes: Any) -> "TrialFolder":
        """Writes it, with changes."""
        changed = replace(self, **changes)
        content = asdict(changed)
        del content["path"]
        write_json(self.path / FILE, content)
        return changed

    @property
    def history(self) -> list[dict[str, Any]]:
        """One record for each epoch so far."""
        path = RunFolder(self.path).history
        if not path.is_file():
            return []
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    @property
    def told(self) -> Trial:
        """The same for the page."""
        state = "interrupted" if self.state == "running" else self.state
        return Trial(self.path.name, self.values, state, self.reason, self.history)


def trials_in(out: Path) -> list[TrialFolder]:
    """The trials below a sweep's folder, in the order in which they began."""
    return [read_trial(path.parent) for path in sorted((out / TRIALS).glob(f"*/{FILE}"))]


def read_trial(path: Path) -> TrialFolder:
    """The inverse of `TrialFolder.save`."""
    return TrialFolder(path, **read_json(path / FILE))


def new_trial(out: Path, values: Mapping[str, Any]) -> TrialFolder:
    """The next trial, numbered, with its folder."""
    names = [int(path.name) for path in (out / TRIALS).glob("*") if path.name.isdecimal()]
    return TrialFolder(out / TRIALS / f"{max(names, default=0) + 1:04d}", values).save()
