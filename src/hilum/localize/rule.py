"""How a heatmap becomes boxes: one frozen value, checked where it is made."""

from dataclasses import dataclass, fields

from hilum.localize.component import COMPONENTS, REACH
from hilum.localize.threshold import DETECTOR, cuts_from
from hilum.lookup import pick

MAP_SIZES = ("frame", "input")
SCALES = ("film", "cohort")


@dataclass(frozen=True)
class BoxRule:
    """How a heatmap becomes boxes.

    Attributes:
        threshold: A name of `THRESHOLDS` with its numbers, or `DETECTOR` for the boxes that a model makes by
            itself: then all else but the gate plays no part.
        component: A name of `COMPONENTS`.
        map_size: "frame" enlarges the map to the pixels that its input covers in the film's frame,
            "input" to the network's input.
        signed: False sets negative evidence to 0 before the map is enlarged; True keeps it.
        connectivity: 8 joins pixels that touch by an edge or a corner, 4 only those that share an edge.
        min_area: Share of the film's frame. Components of fewer pixels are taken out of the mask before
            `component` looks at it.
        gate: Probability of the finding on the film below which there is no box; None for no gate.
        scale: "film" takes 0 and 1 of each map from its own minimum and maximum, "cohort" from a range that
            is fixed for the finding, so that a film of little evidence may stay without a box. The levels of
            `dynamic` and `otsu` are of the map itself under both.

    Example:
        >>> BoxRule("fraction(0.7)", component="hull").name
        'fraction(0.7)+hull'
        >>> BoxRule("level(180)", connectivity=4, gate=0.5).name
        'level(180)+largest+connectivity(4)+gate(0.5)'
        >>> BoxRule("detector", gate=0.5).name
        'detector+gate(0.5)'
        >>> BoxRule(map_size="film")
        Traceback (most recent call last):
        ValueError: unknown map size 'film'; known: frame, input
    """

    threshold: str = "dynamic(87.5)"
    component: str = "largest"
    map_size: str = "frame"
    signed: bool = False
    connectivity: int = 8
    min_area: float = 0.0
    gate: float | None = None
    scale: str = "film"

    def __post_init__(self) -> None:
        """Refuses names and numbers that do not exist."""
        cuts_from(self.threshold)
        pick(COMPONENTS, self.component, "component rule")
        for name, kind, known in (
            ("map_size", "map size", MAP_SIZES),
            ("connectivity", "connectivity", tuple(REACH)),
            ("scale", "scale", SCALES),
        ):
            if getattr(self, name) not in known:
                right = ", ".join(map(str, known))
                raise ValueError(f"unknown {kind} {getattr(self, name)!r}; known: {right}")
        if not 0 <= self.min_area < 1:
            raise ValueError(f"min_area {self.min_area:g} must be a share of the frame: at least 0, below 1")
        if self.gate is not None and not 0 <= self.gate <= 1:
            raise ValueError(f"gate {self.gate:g} must be a probability, 0 to 1")

    @property
    def of_model(self) -> bool:
        """Whether the boxes are a detector's own, with their own scores, and of no heatmap."""
        return self.threshold == DETECTOR

    @property
    def name(self) -> str:
        """Threshold, component and further choices that are not the default, as tables print them.

        Map size and sign are not in it: they belong to a score's protocol.
        """
        names = ("gate",) if self.of_model else ("connectivity", "min_area", "gate", "scale")
        further = [f for f in fields(self) if f.name in names]
        changed = [f.name for f in further if getattr(self, f.name) != f.default]
        first = [self.threshold] if self.of_model else [self.threshold, self.component]
        return "+".join([*first, *(f"{n}({getattr(self, n)})" for n in changed)])
