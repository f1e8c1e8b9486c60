"""Sections of a recipe; a key that none of them has is refused."""

import difflib
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from hilum.data import dataset_from
from hilum.data.geometry import Augmentation, Fit, Geometry
from hilum.data.splits import split_from
from hilum.evaluate.as_printed import AS_PRINTED
from hilum.localize import BoxRule
from hilum.lookup import pick
from hilum.recipe.compared import Claim, PublishedCells
from hilum.recipe.laying import Grid, flat
from hilum.recipe.section import Section

Share = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]
Rate = Annotated[float, Field(gt=0)]


def _rising(pair: tuple[float, float]) -> tuple[float, float]:
    if not 0 < pair[0] <= pair[1]:
        raise ValueError("write [low, high] with 0 < low <= high")
    return pair


def _at_most_one(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[1] > 1:
        raise ValueError("a crop is at most the whole film: high <= 1")
    return pair


Range = Annotated[tuple[float, float], AfterValidator(_rising)]
Area = Annotated[Range, AfterValidator(_at_most_one)]


class DataSettings(Section):
    """Which films, on which side, at which size."""

    dataset: str = "chestxray14"
    findings: tuple[str, ...] = ()
    split: str = "official"
    split_seed: Count = 0
    input_px: Positive
    resize_px: Positive
    store_px: Positive
    fit: Fit = "stretch"

    @field_validator("dataset")
    @classmethod
    def _known(cls, name: str) -> str:
        dataset_from(name)
        return name

    @field_validator("split")
    @classmethod
    def _split(cls, name: str) -> str:
        split_from(name)
        return name

    @model_validator(mode="after")
    def _ascending(self) -> "DataSettings":
        _ = self.geometry
        return self

    @property
    def geometry(self) -> Geometry:
        """How films are brought to the network's input."""
        return Geometry(self.input_px, self.resize_px, self.store_px, self.fit)


class ModelSettings(Section):
    """Which network, and what it starts from."""

    name: str
    backbone: str
    neck: str = "none"
    map_stride: Literal[16, 32] = 32
    metadata: bool = False
    branch: str = ""
    local_branch: str = ""
    local_backbone: str = ""
    weights: str = "imagenet"


class TrainingSettings(Section):
    """How it learns."""

    step: str = "classify"
    learns: tuple[str, ...] = ()
    epochs: Positive
    batch_size: Annotated[int, Field(ge=2)]
    optimiser: str = "adam"
    learning_rate: Rate
    part_rates: dict[str, Rate] = Field(default_factory=dict)
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    betas: tuple[Share, Share] = (0.9, 0.999)
    accumulate: Positive = 1
    schedule: str = "constant"
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.0
    clip_norm: Annotated[float, Field(gt=0)] | None = None
    stop_patience: Positive = 100
    monitor: Literal["val_auroc", "val_loss"] = "val_auroc"
    loss: str = "bce"
    frozen_blocks: Count = 0
    unfreezing: str = "at_once"
    start_at_prevalence: bool = False
    flip: Annotated[float, Field(ge=0, le=1)] = 0.0
    rotate_degrees: Annotated[float, Field(ge=0, le=180)] = 0.0
    crop_area: Area | None = None
    crop_aspect: Range = (1.0, 1.0)
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    devices: Positive = 1
    seed: Count = 0

    @property
    def augmentation(self) -> Augmentation:
        """The geometry of training films."""
        return Augmentation(self.flip, self.rotate_degrees, self.crop_area, self.crop_aspect)


Then = dict[str, Any]
"""Keys of `TrainingSettings` that another stage of training changes."""


class ExplainSettings(Section):
    """Which heatmaps, of which test films and findings; the first method's figures head the report."""

    methods: Annotated[tuple[str, ...], Field(min_length=1)] = ("gradcam",)
    pairs: Literal["boxed", "all", "every_box"] = "boxed"


class LocalizeSettings(Section):
    """Which box rules; the first one's figures head the report."""

    thresholds: Annotated[tuple[str, ...], Field(min_length=1)] = ("dynamic(87.5)",)
    component: str = "largest"
    map_size: Literal["input", "frame"] = "frame"
    signed: bool = False
    connectivity: Literal[4, 8] = 8
    min_area: Annotated[float, Field(ge=0, lt=1)] = 0.0
    gate: Annotated[float, Field(ge=0, le=1)] | None = None
    scale: Literal["film", "cohort"] = "film"
    threshold_chosen: str = "fixed before any box was scored"

    @model_validator(mode="after")
    def _readable(self) -> "LocalizeSettings":
        _ = self.rules
        return self

    @property
    def rules(self) -> tuple[BoxRule, ...]:
        """One box rule a threshold."""
        same = self.model_dump(exclude={"thresholds", "threshold_chosen"})
        return tuple(BoxRule(threshold, **same) for threshold in self.thresholds)


class EvaluateSettings(Section):
    """How intervals are made, and what is scored besides ranking and boxes."""

    bootstrap_draws: Annotated[int, Field(ge=100)] = 1000
    operating_points: tuple[str, ...] = ("youden",)
    pixels: bool = False
    as_printed: tuple[str, ...] = ()
    choose_among: tuple[str, ...] = ()
    seed: Count = 0

    @field_validator("as_printed")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            pick(AS_PRINTED, name, "way of counting")
        return names

    @field_validator("choose_among")
    @classmethod
    def _a_choice(cls, thresholds: tuple[str, ...]) -> tuple[str, ...]:
        if any(BoxRule(threshold).of_model for threshold in thresholds):
            raise ValueError("the boxes of a detector have no threshold to choose")
        if len(set(thresholds)) == 1:
            raise ValueError("one threshold leaves nothing to choose; give two or more, or none")
        return thresholds


class ReportSettings(Section):
    """What the page says on top, and the files in which each figure is written beside it."""

    title: str
    description: str
    figures: tuple[Literal["png", "svg", "pdf"], ...] = ("png", "svg", "pdf")


class Recipe(Section):
    """One experiment, from films to page."""

    data: DataSettings
    model: ModelSettings
    training: TrainingSettings
    then: tuple[Then, ...] = ()
    explain: ExplainSettings = ExplainSettings()
    localize: LocalizeSettings = LocalizeSettings()
    evaluate: EvaluateSettings = EvaluateSettings()
    report: ReportSettings
    grid: tuple[Grid, ...] = ()
    published: tuple[PublishedCells, ...] = ()
    claims: tuple[Claim, ...] = ()

    @field_validator("grid")
    @classmethod
    def _lists(cls, grids: tuple[Grid, ...]) -> tuple[Grid, ...]:
        for grid in grids:
            for key, values in flat(grid).items():
                if not isinstance(values, list) or not values:
                    raise ValueError(f"{key} of a grid is a list of values")
        return grids

    @property
    def stages(self) -> list[TrainingSettings]:
        """How the model is trained, stage by stage; each is `[training]` with its own keys laid over it."""
        base = self.training.model_dump()
        return [self.training, *(TrainingSettings(**{**base, **keys}) for keys in self.then)]

    @model_validator(mode="after")
    def _stages(self) -> "Recipe":
        for number, keys in enumerate(self.then, start=1):
            unknown = set(keys) - set(TrainingSettings.model_fields)
            if unknown:
                near = difflib.get_close_matches(min(unknown), TrainingSettings.model_fields, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise ValueError(f"[[then]] {number}: unknown key {min(unknown)!r}{hint}")
            try:
                TrainingSettings(**{**self.training.model_dump(), **keys})
            except ValidationError as error:
                first = error.errors()[0]
                key = ".".join(map(str, first["loc"]))
                raise ValueError(f"[[then]] {number}: {key}: {first['msg']}") from error
        return self

    @model_validator(mode="after")
    def _made_here(self) -> "Recipe":
        rules = [rule.name for rule in self.localize.rules]
        sides = [side for claim in self.claims for side in (*claim.first, *claim.second) if not side.recipe]
        named = [("published", cells, "") for cells in self.published]
        for where, cells, every in named + [("claims", side, "*") for side in sides]:
            for name, made in ((cells.method, self.explain.methods), (cells.box_rule, rules)):
                if name not in ("", every, *made):
                    raise ValueError(f"[[{where}]] names {name!r}; this recipe makes {', '.join(made)}")
        for cells in self.published:
            if not cells.numbers:
                raise ValueError(
                    f"[[published]]: the ledger holds no number of {cells.system!r}, {cells.setting!r}, "
                    f"in table {cells.table!r} of {cells.paper!r}; `hilum ledger` shows those it holds"
                )
        return self


def changed(content: dict[str, Any]) -> Recipe:
    """A recipe whose settings were changed; printed numbers and claims that it no longer makes are left out.

    Raises:
        ValidationError: It is none.
    """
    entries = {key: content.get(key, ()) for key in ("published", "claims")}
    Recipe.model_validate({**content, "published": (), "claims": ()})
    kept = {
        key: [entry for entry in of_key if _fits({**content, "published": (), "claims": (), key: [entry]})]
        for key, of_key in entries.items()
    }
    return Recipe.model_validate({**content, **kept})


def _fits(content: dict[str, Any]) -> bool:
    try:
        Recipe.model_validate(content)
    except ValidationError as error:
        if error.errors()[0]["loc"]:  # no misfit but a mistake
            raise
        return False
    return True
