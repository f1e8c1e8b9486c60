"""Scored runs in; what the paper behind a run's recipe claims, each claim judged, out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Float

from hilum.evaluate.claims import Verdict, judge, unjudged
from hilum.evaluate.comparison import refuse_others
from hilum.recipe import Recipe
from hilum.recipe.compared import Claim, Side
from hilum.report import JudgedClaim
from hilum.study.claim_scores import Part, ScoredRun, Scores, System, part_of, scores_of

Whose = tuple[str, str]
"""Title of a recipe, empty for the claim's own, and one network of several, empty for the model."""


@dataclass(frozen=True)
class _One:
    """One score that a claim compares.

    Attributes:
        recipe: Title of another recipe; empty for the claim's own.
        branch: One network of several; empty for the model.
        method: Heatmap method.
        box_rule: Box rule.
        finding: Empty for the mean over findings.
        value: The score.
        draws: In each redrawn cohort.
        n: Box entries or films behind it.
    """

    recipe: str
    branch: str
    method: str
    box_rule: str
    finding: str
    value: float
    draws: Float[np.ndarray, " draws"]
    n: int

    @property
    def whose(self) -> tuple[str, ...]:
        """All that makes it another score than the others."""
        return self.recipe, self.branch, self.method, self.box_rule, self.finding


def claims_of(run: ScoredRun, others: Sequence[ScoredRun] = ()) -> list[JudgedClaim]:
    """The claims of the run's recipe, judged as far as the runs at hand allow.

    Args:
        run: Its recipe states the claims, how often patients are redrawn, and the random seed.
        others: Further runs, for claims that name the titles of their recipes.
    """
    judged = []
    for claim in run.recipe.claims:
        verdict = _judged(claim, run, others)
        judged.append(JudgedClaim(claim.text, claim.kind, claim.metric, claim.at, claim.expected, verdict))
    return judged


def _judged(claim: Claim, run: ScoredRun, others: Sequence[ScoredRun]) -> Verdict:
    runs = {"": run}
    for title in claim.others:
        of_title = [other for other in others if other.recipe.report.title == title]
        if not of_title:
            return unjudged(f"needs a run of {title!r} beside it: hilum compare")
        if len(of_title) > 1:
            return unjudged(f"{len(of_title)} runs of {title!r} are beside it; compare with one")
        runs[title] = of_title[0]
    shared = [f for f in run.cohort.findings if all(f in each.cohort.findings for each in runs.values())]
    try:
        parts = {whose: part_of(runs[whose[0]].alone(whose[1]), shared) for whose in _all_sides(claim)}
        first, second = _groups(claim, run, parts)
    except LookupError as missing:
        return unjudged(str(missing.args[0]))
    compared = [[_compared(claim, one, two) for two in second] for one in first]
    return judge(
        claim.kind,
        np.array([one.value for one in first], float),
        np.array([one.value for one in second], float),
        np.stack([one.draws for one in first], axis=1),
        np.stack([one.draws for one in second], axis=1),
        n_behind=min(one.n for one in (*first, *second)),
        compared=np.array(compared, bool),
    )


def _compared(claim: Claim, one: _One, two: _One) -> bool:
    """Whether two sides agree in what the claim asks for, and are not one and the same."""
    alike = not claim.same or getattr(one, claim.same) == getattr(two, claim.same)
    return alike and one.whose != two.whose


def _all_sides(claim: Claim) -> list[Whose]:
    return list(dict.fromkeys((side.recipe, side.branch) for side in (*claim.first, *claim.second)))


def _groups(claim: Claim, run: ScoredRun, parts: Mapping[Whose, Part]) -> tuple[list[_One], list[_One]]:
    """The scores of the first and of the second sides, all from the same redrawn patients.

    Args:
        claim: Whose sides.
        run: The claim's own.
        parts: What the sides are of.

    Raises:
        LookupError: A side that has no score, or runs on other films.
    """
    settings = run.recipe.evaluate
    scores: dict[Whose, tuple[list[System], Scores]] = {}
    for whose, part in parts.items():
        try:
            refuse_others(run.cohort.of_findings(part.cohort.findings), part.cohort)
        except ValueError as error:
            raise LookupError(f"{whose[0]}: {error}") from error
        sides = [side for side in (*claim.first, *claim.second) if (side.recipe, side.branch) == whose]
        systems = list(dict.fromkeys(s for side in sides for s in _systems(side, claim, part.run.recipe)))
        if systems:
            rng = np.random.Generator(np.random.Philox(settings.seed))  # the same patients for every run
            made = scores_of(part, claim.metric, claim.at, systems, settings.bootstrap_draws, rng)
            scores[whose] = systems, made
    first, second = (
        [
            one
            for side in sides
            for one in _ones(side, claim, parts[side.recipe, side.branch], *scores[side.recipe, side.branch])
        ]
        for sides in (claim.first, claim.second)
    )
    if not first or not second:
        raise LookupError("no finding has a score")
    return first, second


def _ones(side: Side, claim: Claim, part: Part, systems: Sequence[System], scores: Scores) -> Iterator[_One]:
    """A score for each system and finding of a side."""
    findings = scores.names[1:] if side.finding == "*" else [side.finding]
    for (method, rule), finding in product(_systems(side, claim, part.run.recipe), findings):
        if finding not in scores.names:
            raise LookupError(f"no score of {finding}")
        row, column = systems.index((method, rule)), scores.names.index(finding)
        value, n = float(scores.values[row, column]), int(scores.n[column])
        yield _One(side.recipe, side.branch, method, rule, finding, value, scores.draws[:, row, column], n)


def _systems(side: Side, claim: Claim, recipe: Recipe) -> list[System]:
    """The heatmap methods and box rules that a side stands for, as far as the metric has them.

    Raises:
        LookupError: The recipe, another than the claim's, makes none of that name.
    """
    rules = [rule.name for rule in recipe.localize.rules]
    if claim.metric == "auroc":
        return [("", "")]
    if claim.metric in ("localization_utility", "pointwise_map"):
        return [(method, "") for method in _named(side.method, recipe.explain.methods)]
    return list(product(_named(side.method, recipe.explain.methods), _named(side.box_rule, rules)))


def _named(name: str, made: Sequence[str]) -> Sequence[str]:
    """All for "*", the first for an empty name."""
    if name not in ("", "*", *made):
        raise LookupError(f"no score of {name}; there are {', '.join(made)}")
    return made if name == "*" else [name or made[0]]
