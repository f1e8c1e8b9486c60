"""A number and everything one must know to set it beside another number."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

UNKNOWN = "unknown"
"""A field that nobody stated; it equals nothing, itself included."""

NOT_APPLICABLE = "does not apply"
"""A field that this metric cannot have, such as the boxes of an AUROC; it equals itself."""


BRANCH = "branch="
"""What the stratum of a score begins with that is of one network of several, and of all films."""


@dataclass(frozen=True)
class Protocol:
    """How a score came about. Two scores may stand side by side only where these agree.

    Attributes:
        films: Which films were scored: "ChestX-ray14, test list", "phantoms, test list".
        complete: Whether all films of that list were scored, as "593 of 112,120 films".
        split: How the split was made.
        split_hash: Digest of which film is on which side.
        box_source: Who drew the reference boxes, and the release.
        map_target: Whose heatmap is scored: the "reference finding" of each entry, or the "predicted" one.
        boxes: Predicted boxes an entry: "any" of several, or the one that the rule keeps, as "largest".
        denominator: What the successes are divided by.
        threshold_chosen: Where and on what the heatmap threshold was chosen.
        resampler: How films were brought to the network's input.
        map_size: Size at which the threshold was applied or the maximum sought: "input" or "frame".
        map_scale: What came before the threshold: "relu, min-max", "signed, min-max" or "raw".
        weights_data: Every set of images behind the weights, pre-training included.
        gate: Of which films a heatmap of the finding is boxed where boxes beyond the entries count: those
            that have the "label", those with a probability of at least 0.5 ("score"), or all ("none"). Like
            the next field it applies only to detection.
        hit_rule: What makes a detection a hit: "centre" inside the reference, or "iou(T)".
        contaminated: Whether the weights may have seen the scored films: "no", or "possibly: ..." with the
            reason; unknown counts as possibly.
    """

    films: str = UNKNOWN
    complete: str = UNKNOWN
    split: str = UNKNOWN
    split_hash: str = UNKNOWN
    box_source: str = UNKNOWN
    map_target: str = UNKNOWN
    boxes: str = UNKNOWN
    denominator: str = UNKNOWN
    threshold_chosen: str = UNKNOWN
    resampler: str = UNKNOWN
    map_size: str = UNKNOWN
    map_scale: str = UNKNOWN
    weights_data: str = UNKNOWN
    gate: str = NOT_APPLICABLE
    hit_rule: str = NOT_APPLICABLE
    contaminated: str = UNKNOWN


def differences(first: Protocol, second: Protocol) -> list[str]:
    """Names of the fields in which two protocols disagree; unknown never agrees.

    Example:
        >>> differences(Protocol(split="official"), Protocol(split="official"))[:2]
        ['films', 'complete']
    """
    names = [f.name for f in dataclasses.fields(Protocol)]
    pairs = ((name, getattr(first, name), getattr(second, name)) for name in names)
    return [name for name, a, b in pairs if UNKNOWN in (a, b) or a != b]


@dataclass(frozen=True)
class Score:
    """One number of a run.

    Attributes:
        metric: A name of `ALL_METRICS`.
        at: The T of T(IoU) and T(IoBB); None elsewhere.
        finding: None for a mean over findings.
        method: Heatmap method; None for classification.
        box_rule: Threshold and component; None where no boxes are involved.
        value: NaN where undefined.
        low: Lower end of the 95 % interval, NaN where there is none.
        high: Upper end.
        n: Positives, or box entries, behind the value.
        floor: What chance reaches: 0.5 for AUROC, the random map for localisation; NaN where there is none.
        floors: All floors by name.
        protocol: How the number came about.
        stratum: "view=AP" and the like, or "branch=global" of a network that answers for itself; None for
            the whole.
        draws_left_out: Bootstrap draws in which the value was undefined; the interval is from the others.
    """

    metric: str
    at: float | None
    finding: str | None
    method: str | None
    box_rule: str | None
    value: float
    low: float
    high: float
    n: int
    floor: float
    protocol: Protocol
    floors: Mapping[str, float] = field(default_factory=dict)
    stratum: str | None = None
    draws_left_out: int = 0


def reasons_apart(first: Score, second: Score) -> list[str]:
    """Why two scores may not stand side by side, one sentence a reason; none where they may.

    What is compared may differ: heatmap method, box rule, value. What is measured, on what and how must
    agree, and neither system may have seen the scored films, not even both.

    Example:
        >>> score = Score("auroc", None, "Mass", None, None, 0.8, 0.7, 0.9, 40, 0.5, Protocol(split="a"))
        >>> reasons_apart(score, score)[0]
        'films: not stated for the first and the second'
        >>> reasons_apart(score, score)[-1]
        "the first's and the second's weights may have seen the scored films: unknown"
    """
    reasons = []
    for name in ("metric", "at", "finding", "stratum"):
        a, b = getattr(first, name), getattr(second, name)
        if a != b:
            reasons.append(f"{name}: {_said(a)} against {_said(b)}")
    for name in differences(first.protocol, second.protocol):
        a, b = getattr(first.protocol, name), getattr(second.protocol, name)
        silent = _which(a == UNKNOWN, b == UNKNOWN)
        if name != "contaminated":
            reasons.append(f"{name}: not stated for {silent}" if silent else f"{name}: {a!r} against {b!r}")
    stains = (first.protocol.contaminated, second.protocol.contaminated)
    seen = _which(*(stain != "no" for stain in stains), ending="'s")
    if seen:
        said = "; ".join(dict.fromkeys(stain for stain in stains if stain != "no"))
        reasons.append(f"{seen} weights may have seen the scored films: {said}")
    return reasons


def _said(value: object) -> str:
    return "none" if value is None else repr(value)


def _which(first: bool, second: bool, ending: str = "") -> str:
    return " and ".join(
        f"the {name}{ending}" for name, is_it in (("first", first), ("second", second)) if is_it
    )


def json_from(scores: list[Score]) -> dict[str, list[dict[str, Any]]]:
    """What `scores.json` holds: whole scores and strata apart, undefined numbers as null."""
    rows = [_without_nan(dataclasses.asdict(score)) for score in scores]
    whole = [row for row in rows if row["stratum"] is None]
    for row in whole:
        del row["stratum"]
    return {"scores": whole, "strata": [row for row in rows if row.get("stratum") is not None]}


def scores_from_json(content: Mapping[str, list[dict[str, Any]]]) -> list[Score]:
    """The inverse of `json_from`."""
    scores = []
    for row in [*content["scores"], *content["strata"]]:
        numbers = {name: _nan_from(row[name]) for name in ("value", "low", "high", "floor")}
        floors = {name: _nan_from(value) for name, value in row["floors"].items()}
        scores.append(Score(**{**row, **numbers, "floors": floors, "protocol": Protocol(**row["protocol"])}))
    return scores


def _nan_from(value: float | None) -> float:
    return math.nan if value is None else value


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(inner) for key, inner in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
