"""A recipe: one experiment as data. Unknown keys are refused with file, section and key."""

import difflib
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from hilum.data import dataset_from
from hilum.data.geometry import Augmentation, Fit, Geometry
from hilum.data.splits import split_from
from hilum.errors import RecipeError
from hilum.localize import BoxRule
from hilum.report.ledger import Published, numbers

SHIPPED = Path(__file__).parent / "recipes"
"""The folder is the registry."""

Share = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]


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


class Section(BaseModel):
    """Settings that refuse keys they do not know and cannot be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


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
    weights: str = "imagenet"


class TrainingSettings(Section):
    """How it learns."""

    epochs: Positive
    batch_size: Annotated[int, Field(ge=2)]
    optimiser: str = "adam"
    learning_rate: Annotated[float, Field(gt=0)]
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    betas: tuple[Share, Share] = (0.9, 0.999)
    accumulate: Positive = 1
    schedule: str = "constant"
    plateau_patience: Positive = 20
    plateau_factor: Share = 0.1
    stop_patience: Positive = 100
    monitor: Literal["val_auroc", "val_loss"] = "val_auroc"
    loss: str = "bce"
    frozen_blocks: Count = 0
    start_at_prevalence: bool = False
    flip: Annotated[float, Field(ge=0, le=1)] = 0.0
    rotate_degrees: Annotated[float, Field(ge=0, le=180)] = 0.0
    crop_area: Area | None = None
    crop_aspect: Range = (1.0, 1.0)
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    seed: Count = 0

    @property
    def augmentation(self) -> Augmentation:
        """The geometry of training films."""
        return Augmentation(self.flip, self.rotate_degrees, self.crop_area, self.crop_aspect)


class ExplainSettings(Section):
    """Which heatmaps, of which test films and findings; the first method's figures head the report."""

    methods: Annotated[tuple[str, ...], Field(min_length=1)] = ("gradcam",)
    pairs: Literal["boxed", "all"] = "boxed"


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
    seed: Count = 0


class ReportSettings(Section):
    """What the page says on top."""

    title: str
    description: str


class PublishedCells(Section):
    """Numbers of one printed table that the recipe recomputes: those of one system under one setting.

    Method and box rule say which rows of `scores.json` they are; empty for classification.
    """

    paper: str
    table: str
    system: str
    setting: str
    method: str = ""
    box_rule: str = ""

    @property
    def numbers(self) -> list[Published]:
        """The ledger's numbers; the paper's own, never quoted ones."""
        wanted = (self.paper, self.table, self.system, self.setting, "")
        return [n for n in numbers() if (n.paper, n.table, n.system, n.setting, n.whose) == wanted]


class Recipe(Section):
    """One experiment, from films to page."""

    data: DataSettings
    model: ModelSettings
    training: TrainingSettings
    explain: ExplainSettings = ExplainSettings()
    localize: LocalizeSettings = LocalizeSettings()
    evaluate: EvaluateSettings = EvaluateSettings()
    report: ReportSettings
    published: tuple[PublishedCells, ...] = ()

    @model_validator(mode="after")
    def _made_here(self) -> "Recipe":
        rules = [rule.name for rule in self.localize.rules]
        for cells in self.published:
            for name, made in ((cells.method, self.explain.methods), (cells.box_rule, rules)):
                if name and name not in made:
                    raise ValueError(f"[[published]] names {name!r}; this recipe makes {', '.join(made)}")
            if not cells.numbers:
                raise ValueError(
                    f"[[published]]: the ledger holds no number of {cells.system!r}, {cells.setting!r}, "
                    f"in table {cells.table!r} of {cells.paper!r}; `hilum ledger` shows those it holds"
                )
        return self


def shipped() -> dict[str, Path]:
    """Recipes that come with the package, by name."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.toml"))}


def load(recipe: str, changes: Mapping[str, str] | None = None) -> Recipe:
    """A recipe by its shipped name or its file, with changes laid over it.

    Environment variables such as HILUM_TRAINING_EPOCHS change a key too; `changes` come after them.

    Args:
        recipe: "small", or a path that ends in .toml.
        changes: TOML values as text by dotted key: {"training.epochs": "2"}.

    Raises:
        RecipeError: No such recipe, no TOML, an unknown key, or a value of a wrong kind; names file,
            section and key.
    """
    known = shipped()
    path = Path(recipe)
    if path.suffix == ".toml":
        if not path.is_file():
            raise RecipeError(f"{path}: no such recipe file")
    elif recipe in known:
        path = known[recipe]
    else:
        near = difflib.get_close_matches(recipe, known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise RecipeError(
            f"unknown recipe {recipe!r}; {hint}shipped: {', '.join(known)}; or give a .toml file"
        )
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: not TOML: {error}") from error
    return _validated(content, str(path), {**_environment(), **(changes or {})})


def parse(text: str, name: str) -> Recipe:
    """A recipe from its text, for the record of a run; nothing is laid over it."""
    try:
        return _validated(tomllib.loads(text), name, {})
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{name}: not TOML: {error}") from error


def toml_from(recipe: Recipe) -> str:
    """A recipe as TOML with every default written out, but for keys that say nothing when left out."""
    parts = []
    for section, settings in recipe.model_dump().items():
        several = isinstance(settings, tuple)
        for each in settings if several else (settings,):
            lines = [f"{key} = {_toml_value(value)}" for key, value in each.items() if value is not None]
            parts.append("\n".join([f"[[{section}]]" if several else f"[{section}]", *lines]))
    return "\n\n".join(parts) + "\n"


def _toml_value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_toml_value, value)) + "]"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'"{escaped}"'
    return repr(value)


def _environment() -> dict[str, str]:
    """HILUM_<SECTION>_<KEY> of every section, as changes."""
    changes = {}
    for name, value in os.environ.items():
        for section in Recipe.model_fields:
            prefix = f"HILUM_{section.upper()}_"
            if name.startswith(prefix):
                changes[f"{section}.{name.removeprefix(prefix).lower()}"] = value
    return changes


def _validated(content: dict[str, Any], name: str, changes: Mapping[str, str]) -> Recipe:
    for dotted, text in changes.items():
        section, _, key = dotted.partition(".")
        if not key:
            raise RecipeError(f"cannot set {dotted!r}; write section.key=value, as training.epochs=2")
        if not isinstance(content.setdefault(section, {}), dict):
            raise RecipeError(f"{name}: {section} must be a section")
        content[section][key] = _value(text)
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        dotted = ".".join(map(str, error.errors()[0]["loc"][:2]))
        source = f"{name}, with {dotted}={changes[dotted]} laid over it" if dotted in changes else name
        raise RecipeError(f"{source}: {_explained(error)}") from error


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _explained(error: ValidationError) -> str:
    """The first complaint, with section and key, and the nearest key that exists."""
    first = error.errors()[0]
    place = [str(part) for part in first["loc"]]
    where = f"[{place[0]}] {'.'.join(place[1:])}".strip() if place else "recipe"
    if first["type"] == "extra_forbidden":
        fields = _keys(place[0]) if len(place) > 1 else list(Recipe.model_fields)
        near = difflib.get_close_matches(place[-1], fields, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(fields)}"
        return f"{where}: unknown {'key' if len(place) > 1 else 'section'}; {hint}"
    if first["type"] == "missing":
        return f"{where}: missing"
    if "ctx" in first and "error" in first["ctx"]:  # our own words, which already say what was found
        return f"{where}: {first['ctx']['error']}"
    return f"{where}: {first['msg']}, found {first['input']!r}"


def _keys(section: str) -> list[str]:
    annotation = Recipe.model_fields[section].annotation
    settings = get_args(annotation)[0] if get_args(annotation) else annotation
    return list(settings.model_fields) if isinstance(settings, type) and issubclass(settings, Section) else []


STATES = ("recipe", "no recipe yet", "quoted", "never")
"""What may be said of recomputing a published number."""


@dataclass(frozen=True)
class Covered:
    """Whether a published number is recomputed.

    Attributes:
        number: The number.
        state: One of `STATES`.
        because: The recipe with method and box rule; the system that has none; whose it is; why never.
    """

    number: Published
    state: str
    because: str


def covered(found: Sequence[Published]) -> list[Covered]:
    """For each number the shipped recipe that recomputes it, or why there is none."""
    by_recipe = {}
    for name, path in shipped().items():
        for cells in parse(path.read_text(encoding="utf-8"), str(path)).published:
            rows = " ".join(part for part in (name, cells.method, cells.box_rule) if part)
            by_recipe |= dict.fromkeys(cells.numbers, rows)
    return [Covered(number, *_state(number, by_recipe)) for number in found]


def _state(number: Published, by_recipe: Mapping[Published, str]) -> tuple[str, str]:
    if number in by_recipe:
        return "recipe", by_recipe[number]
    if number.whose:
        return "quoted", number.whose
    return ("never", number.never) if number.never else ("no recipe yet", number.system)
