"""Finished runs on the same films and split in; a run folder of their mean, scored and reported, out."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hilum import recipe as recipes
from hilum.data.cohort import Cohort
from hilum.data.store import silent
from hilum.ensemble import AVERAGES
from hilum.errors import UsageError
from hilum.files import disk_errors, sha256, write_text
from hilum.lookup import pick
from hilum.recipe import Recipe
from hilum.study.ensemble_maps import write_maps
from hilum.study.folder import RunFolder, read_json, read_probabilities, versions, write_csv, write_json
from hilum.study.members import Member, list_of, one_view, opened, shared_findings
from hilum.study.opening import open_films
from hilum.study.run import Outcome, Show, stage

HEAD = "# An ensemble of the runs in ensemble.json: [model] and [training] stand for no network."


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
    members = opened(runs)
    findings = shared_findings(members)
    recipe = _recipe_of(members, findings, average)
    folder = _prepared(RunFolder(out), members, recipe, average)
    cohort = open_films(Path(read_json(folder.record)["data"]), recipe.data).cohort
    _write_probabilities(folder, cohort, members, average)
    write_maps(folder, recipe, cohort, members, show("average maps"))
    for name in ("localize", "score"):
        stage(name, out, show)
    return stage("report", out, show)


def shown(folder: RunFolder, recipe: Recipe) -> tuple[str, dict[str, Any], list[tuple[str, str]]]:
    """What the page says of how a run was made: recipe as text, settings, and facts about members.

    Of an ensemble the text holds the recipe of every member, and the settings are those of the mean alone: it
    has no network and was not trained.
    """
    text, settings = recipes.toml_from(recipe), recipe.model_dump()
    if not list_of(folder).is_file():
        return text, settings, []
    made = read_json(list_of(folder))
    names = [Path(run).name for run in _runs(made)]
    texts = [f"# {name}\n{member['recipe']}" for name, member in zip(names, made["members"], strict=True)]
    for section in ("model", "training", "then"):
        del settings[section]
    for key in ("input_px", "resize_px"):
        del settings["data"][key]
    facts = [
        ("member", f"{name}: {member['title']}, {member['method']}")
        for name, member in zip(names, made["members"], strict=True)
    ]
    return "\n".join([f"# Mean {made['average']} of {', '.join(names)}.\n", *texts]), settings, facts


def _recipe_of(members: Sequence[Member], findings: tuple[str, ...], average: str) -> Recipe:
    """The first member's data, box rules and draws; the rest says what all members share."""
    first = members[0].recipe
    data = first.data.model_dump()
    if findings != members[0].cohort.findings:
        data["findings"] = findings
    if not one_view(members):  # the mean covers the whole film
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
        "report": first.report.model_dump()
        | {
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
    listed = list_of(folder)
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
    write_text(folder.recipe, f"{HEAD}\n{recipes.toml_from(recipe)}")
    return folder


def _runs(made: dict[str, Any]) -> list[str]:
    return [member["run"] for member in made["members"]]


def _write_probabilities(folder: RunFolder, cohort: Cohort, members: Sequence[Member], average: str) -> None:
    likely = np.stack([read_probabilities(member.folder, cohort) for member in members])
    rows = np.flatnonzero(np.isfinite(likely).all(axis=(0, 2)))
    mean = likely[0] if len(members) == 1 else AVERAGES[average](likely)
    lines = ((cohort.films[row], cohort.split[row], *mean[row]) for row in rows)
    write_csv(folder.probabilities, ("image", "split", *cohort.findings), lines)
