"""Sections that say what a recipe is compared with: printed numbers, and claims."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from hilum.evaluate.claims import claim_from
from hilum.evaluate.metric import METRICS
from hilum.recipe.laying import Grid
from hilum.recipe.section import Section
from hilum.report.ledger import Published, numbers


class PublishedCells(Section):
    """Numbers of one printed table that the recipe recomputes: those of one system under one setting.

    Method and box rule say which rows of `scores.json` they are; empty for classification, of which `branch`
    names one network of several. `where` says which cells of the grid, by section and key; `over` names the
    key over whose values they are pooled; `members` are titles of cells whose runs `hilum ensemble` joins.
    """

    paper: str
    table: str
    system: str
    setting: str
    method: str = ""
    box_rule: str = ""
    branch: str = ""
    where: Grid = Field(default_factory=dict)
    over: str = ""
    members: tuple[str, ...] = ()

    @property
    def numbers(self) -> list[Published]:
        """The ledger's numbers; the paper's own, never quoted ones."""
        wanted = (self.paper, self.table, self.system, self.setting, "")
        return [n for n in numbers() if (n.paper, n.table, n.system, n.setting, n.whose) == wanted]


class Side(Section):
    """One of the things that a claim compares, or several of them.

    Attributes:
        recipe: Title of another recipe's report; empty for this one.
        method: Of heatmaps; empty for the first, "*" for each.
        box_rule: Empty for the first, "*" for each.
        finding: Empty for the mean over findings, "*" for each.
        branch: One network of several, of which the AUROC is taken; empty for the model.
    """

    recipe: str = ""
    method: str = ""
    box_rule: str = ""
    finding: str = ""
    branch: str = ""


class Claim(Section):
    """What a paper says, as a comparison that can be judged.

    Attributes:
        text: The claim, in our words.
        kind: Entry of `hilum.evaluate.claims.CLAIMS`, with its numbers: "better", "similar(0.02)".
        metric: Name in `METRICS`.
        at: T, where the metric has one.
        same: Compares only sides of the same method, box rule or finding; empty for each with each.
        first: Sides that are said to be better, or alike.
        second: Than these.
        expected: What the paper's own numbers say, where they do not bear the claim out.
    """

    text: str
    kind: str = "better"
    metric: Literal[
        "auroc",
        "t_iou",
        "t_iobb",
        "mean_iou_macro",
        "localization_utility",
        "pointwise_map",
        "false_positives_iobb",
    ]
    at: Annotated[float, Field(ge=0, lt=1)] | None = None
    same: Literal["", "method", "box_rule", "finding"] = ""
    first: Annotated[tuple[Side, ...], Field(min_length=1)]
    second: Annotated[tuple[Side, ...], Field(min_length=1)]
    expected: str = ""

    @field_validator("kind")
    @classmethod
    def _known(cls, kind: str) -> str:
        claim_from(kind)
        return kind

    @model_validator(mode="after")
    def _at_a_t(self) -> "Claim":
        allowed = METRICS[self.metric].at
        if allowed and self.at not in allowed:
            raise ValueError(f"{self.metric} is taken at one of {', '.join(map(str, allowed))}")
        if not allowed and self.at is not None:
            raise ValueError(f"{self.metric} has no T; leave `at` out")
        return self

    @model_validator(mode="after")
    def _branches_rank(self) -> "Claim":
        if self.metric != "auroc" and any(side.branch for side in (*self.first, *self.second)):
            raise ValueError(f"{self.metric} is of no branch; branches have an auroc")
        return self

    @property
    def others(self) -> tuple[str, ...]:
        """Titles of the other recipes whose runs it needs."""
        return tuple(dict.fromkeys(side.recipe for side in (*self.first, *self.second) if side.recipe))
