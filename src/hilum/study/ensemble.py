"""Finished runs on the same films and split in; a run folder of their mean, localized, scored and reported."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64, Int

from hilum import recipe as recipes
from hilum.data.cohort import Cohort
from hilum.data.store import Progress, silent
from hilum.ensemble import AVERAGES, grid_over, mean_maps, scaled, squares_from
from hilum.errors import RunError, UsageError
from hilum.evaluate.comparison import refuse_others
from hilum.files import demand_space, disk_errors, sha256, write_text
from hilum.lookup import pick
from hilum.recipe import Recipe
from hilum.study.folder import RunFolder, read_json, read_probabilities, versions, write_csv, write_json
from hilum.study.heatmap_files import Places, maps_at, part_path, read_places, write_array, write_index
from hilum.study.opening import open_films
from hilum.study.run import Outcome, Show, stage

PART = 256
"""Maps a part; as many of each member are in memory at once."""


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


def ensemble(
    runs: Sequence[Path], out: Path, average: str = "probabilities", show: Show = lambda _: silent
) -> Outcome:
    """Averages finished runs, and localizes, scores and reports the mean as a run of its own.

    Findings are those that all members have, films those that all have scored, maps those of pairs of which
    all have one: each member's first method, each map in its own [0, 1] as a threshold would bring it there,
    so that no network's unit counts for more than another's. Where all members see the same part of a film,
    the mean covers it too; otherwise it covers the whole film. Box rules and draws are the first member's.
    The maps of one member alone stay raw.

    Args:
        runs: Run folders that are explained.
        out: The ensemble's folder.
        average: A name of `AVERAGES`.
        show: Where to tell of progress.

    Raises:
        UsageError: No run, one given twice, runs on other data or another split, or no finding in common;
            or `out` holds something else.
        RunError: A folder is no run, or is not explained.
    """
    pick(AVERAGES, average, "average")
    members = _opened(runs)
    findings = _shared(members)
    recipe = _recipe_of(members, findings, average)
    folder = _prepared(RunFolder(out), members, recipe, average)
    cohort = open_films(Path(read_json(folder.record)["data"]), recipe.data).cohort
    _write_probabilities(folder, cohort, members, average)
    _write_maps(folder, recipe, cohort, members, show("average maps"))
    for name in ("localize", "score"):
        stage(name, out, show)
    return stage("report", out, show)


def shown(folder: RunFolder, recipe: Recipe) -> tuple[str, dict[str, Any], list[tuple[str, str]]]:
    """What the page says of how a run was made: recipe as text, settings, and facts about members.

    Of an ensemble the text holds the recipe of every member, and the settings are those of the mean alone: it
    has no network and was not trained.
    """
    text, settings = recipes.toml_from(recipe), recipe.model_dump()
    if not _list_of(folder).is_file():
        return text, settings, []
    made = read_json(_list_of(folder))
    texts = [f"# {member['run']}\n{member['recipe']}" for member in made["members"]]
    for section in ("model", "training", "then"):
        del settings[section]
    facts = [("member", f"{member['run']}: {member['title']}, {member['method']}") for member in made["members"]]
    return "\n".join([f"# mean {made['average']} and maps of {len(texts)} runs\n", *texts]), settings, facts


def _list_of(folder: RunFolder) -> Path:
    """Whose mean it is; only ensembles have one."""
    return folder.path / "ensemble.json"


def _opened(runs: Sequence[Path]) -> list[Member]:
    if not runs:
        raise UsageError("give the run folders to average")
    paths = [run.resolve() for run in runs]
    if len(set(paths)) < len(paths):
        raise UsageError(f"{max(paths, key=paths.count)} is given twice; every member counts once")
    members = []
    for run in runs:
        folder = RunFolder(run)
        if not folder.recipe.is_file() or not folder.record.is_file():
            raise RunError(f"{run}: not a run folder; make one with `hilum study RECIPE --data DIR --out {run}`")
        recipe = recipes.parse(folder.recipe.read_text(encoding="utf-8"), str(folder.recipe))
        cohort = open_films(Path(read_json(folder.record)["data"]), recipe.data).cohort
        members.append(Member(folder, recipe, cohort))
    return members


def _shared(members: Sequence[Member]) -> tuple[str, ...]:
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


def _recipe_of(members: Sequence[Member], findings: tuple[str, ...], average: str) -> Recipe:
    """The first member's data, box rules and draws; the rest says what all members share."""
    first = members[0].recipe
    data = first.data.model_dump()
    if findings != members[0].cohort.findings:
        data["findings"] = findings
    if len({member.view for member in members}) > 1:  # the whole film
        data |= {"input_px": data["store_px"], "resize_px": data["store_px"], "fit": "stretch"}
    each = Counter(member.recipe.report.title for member in members)
    titles = [title if n == 1 else f"{title} ({n} runs)" for title, n in each.items()]
    pairs = {member.recipe.explain.pairs for member in members}
    content = first.model_dump(exclude_none=True) | {
        "data": data,
        "model": {
            "name": "ensemble",
            "backbone": " + ".join(member.recipe.model.backbone for member in members),
            "weights": " + ".join(dict.fromkeys(member.recipe.model.weights for member in members)),
        },
        "then": (),
        "explain": {
            "methods": ["+".join(dict.fromkeys(member.method for member in members))],
            "pairs": pairs.pop() if len(pairs) == 1 else "boxed",
        },
        "report": {
            "title": f"Ensemble of {', '.join(titles)}" + ("; mean logits" if average == "logits" else ""),
            "description": f"Mean {average} of {len(members)} finished runs, and the mean of their heatmaps.",
        },
        "grid": (),
        "published": (),
        "claims": (),
    }
    return Recipe.model_validate(content)


def _prepared(folder: RunFolder, members: Sequence[Member], recipe: Recipe, average: str) -> RunFolder:
    """The folder with what says how it is made; scores and page of an earlier mean are taken out.

    Raises:
        UsageError: It holds a run, or an ensemble of other runs.
    """
    made = {
        "average": average,
        "members": [
            {
                "run": str(member.folder.path.absolute()),
                "title": member.recipe.report.title,
                "method": member.method,
                "probabilities": sha256(member.folder.demand(member.folder.probabilities, "explain")),
                "recipe": recipes.toml_from(member.recipe),
            }
            for member in members
        ],
    }
    listed = _list_of(folder)
    if listed.is_file():
        before = read_json(listed)
        if before["average"] != average or _runs(before) != _runs(made):
            what = f"mean {before['average']} of {', '.join(_runs(before))}"
            raise UsageError(f"{folder.path}: holds the {what}; choose another --out")
    elif folder.recipe.is_file():
        raise UsageError(f"{folder.path}: holds a run that is no ensemble; choose another --out")
    with disk_errors(folder.path):
        folder.path.mkdir(parents=True, exist_ok=True)
        for old in (folder.scores, folder.report):
            old.unlink(missing_ok=True)
    of_first = read_json(members[0].folder.record)
    kept = {key: of_first[key] for key in ("data", "tables", "split_hash")}
    seeds = {"split": recipe.data.split_seed, "evaluation": recipe.evaluate.seed}
    write_json(listed, made)
    write_json(folder.record, kept | {"random_seeds": seeds, "versions": versions()})
    write_text(folder.history, "")  # nothing was trained
    write_text(folder.recipe, recipes.toml_from(recipe))
    return folder


def _runs(made: dict[str, Any]) -> list[str]:
    return [member["run"] for member in made["members"]]


def _write_probabilities(folder: RunFolder, cohort: Cohort, members: Sequence[Member], average: str) -> None:
    likely = np.stack([read_probabilities(member.folder, cohort) for member in members])
    rows = np.flatnonzero(np.isfinite(likely).all(axis=(0, 2)))
    mean = likely[0] if len(members) == 1 else AVERAGES[average](likely)
    lines = ((cohort.films[row], cohort.split[row], *mean[row]) for row in rows)
    write_csv(folder.probabilities, ("image", "split", *cohort.findings), lines)


def _write_maps(
    folder: RunFolder, recipe: Recipe, cohort: Cohort, members: Sequence[Member], progress: Progress
) -> None:
    """Part by part, so that memory holds one part of each member."""
    places = _in_common([read_places(m.folder, m.method, cohort, m.cohort) for m in members])
    first, sizes = places[0], [maps_at(m.folder, m.method, p.rows(np.arange(len(p))[:1])).shape[1:] for m, p in zip(members, places, strict=True)]
    views = [squares_from(p.affine, m.recipe.data.geometry.input_hw) for m, p in zip(members, places, strict=True)]
    affine, input_hw = np.zeros((len(cohort), 2, 3)), recipe.data.geometry.input_hw
    affine[first.image] = first.affine
    if len({member.view for member in members}) > 1:
        height, width = cohort.frame_hw
        affine[:] = [[width / input_hw[1], 0.0, 0.0], [0.0, height / input_hw[0], 0.0]]
    view = squares_from(affine[first.image], input_hw)
    hw = grid_over(sizes, views, view)
    method, pairs = recipe.explain.methods[0], np.column_stack([first.image, first.finding])
    demand_space(folder.path, 4 * hw[0] * hw[1] * len(pairs))
    starts = range(0, len(pairs), PART)
    for part, start in enumerate(starts):
        rows = np.arange(start, min(start + PART, len(pairs)))
        ...
