"""Run folders in; members of an ensemble, as far as they belong together, out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hilum import recipe as recipes
from hilum.data.cohort import Cohort
from hilum.errors import RunError, UsageError
from hilum.evaluate.comparison import refuse_others
from hilum.recipe import Recipe
from hilum.study.folder import RunFolder, read_json
from hilum.study.opening import open_films


@dataclass(frozen=True)
class Member:
    """A finished run.

    Attributes:
        folder: Where it lies.
        recipe: Its recipe.
        cohort: All its films.
    """

    folder: RunFolder
    recipe: Recipe
    cohort: Cohort

    @property
    def method(self) -> str:
        """The heatmaps that take part: those that head its page."""
        return self.recipe.explain.methods[0]

    @property
    def view(self) -> tuple[float, str]:
        """What of a film its network sees: how much of each side, and of which square."""
        data = self.recipe.data
        return data.input_px / data.resize_px, data.fit


def list_of(folder: RunFolder) -> Path:
    """Says whose mean an ensemble is; no other run has one."""
    return folder.path / "ensemble.json"


def opened(runs: Sequence[Path]) -> list[Member]:
    """The members of an ensemble.

    Raises:
        UsageError: No run, or one given twice.
        RunError: A folder is no run.
    """
    if not runs:
        raise UsageError("give the run folders to average")
    paths = [run.resolve() for run in runs]
    if len(set(paths)) < len(paths):
        raise UsageError(f"{max(paths, key=paths.count)} is given twice; every member counts once")
    members = []
    for run in runs:
        folder = RunFolder(run)
        if not folder.recipe.is_file() or not folder.record.is_file():
            raise RunError(
                f"{run}: not a run folder; make one with `hilum study RECIPE --data DIR --out {run}`"
            )
        recipe = recipes.parse(folder.recipe.read_text(encoding="utf-8"), str(folder.recipe))
        cohort = open_films(Path(read_json(folder.record)["data"]), recipe.data).cohort
        members.append(Member(folder, recipe, cohort))
    return members


def shared_findings(members: Sequence[Member]) -> tuple[str, ...]:
    """The findings of all members, in the order of the first.

    Raises:
        UsageError: There is none, or two members are of other data, or of another split.
    """
    first, *others = members
    findings = tuple(f for f in first.cohort.findings if all(f in each.cohort.findings for each in others))
    if not findings:
        raise UsageError(f"{', '.join(str(each.folder.path) for each in members)}: no finding in common")
    record, ours = read_json(first.folder.record), first.cohort.of_findings(findings)
    for other in others:
        pair, theirs = f"{first.folder.path} and {other.folder.path}", read_json(other.folder.record)
        for key, what in (("tables", "tables of films"), ("split_hash", "splits")):
            if record[key] != theirs[key]:
                raise UsageError(f"{pair}: of other {what}; members of an ensemble must share them")
        try:
            refuse_others(ours, other.cohort.of_findings(findings))
        except ValueError as error:
            raise UsageError(f"{pair}: {error}") from error
    return findings


def one_view(members: Sequence[Member]) -> bool:
    """Whether all members see the same part of a film."""
    return len({member.view for member in members}) == 1
