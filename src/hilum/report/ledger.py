"""The published numbers that a score may be held against: what was printed, what it is, how it came about.

The files in `published/` hold every number that five papers print in a table, and those of Wang et al. 2017
to which all five compare. `protocols.csv` says how each came about, `notes.csv` what is wrong in print.
"""

import csv
import dataclasses
import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from hilum.evaluate.metric import ALL_METRICS
from hilum.evaluate.protocol import BRANCH, NOT_APPLICABLE, UNKNOWN, Protocol, Score
from hilum.findings import CHESTXRAY14, canonical
from hilum.lookup import pick
from hilum.report.prose import PROTOCOL_WORDS
from hilum.report.tables import same_t

PAPERS = {
    "wang2017": "Wang et al. 2017",
    "sorkhei2019": "Sorkhei et al. 2019",
    "pun2021": "Pun et al. 2021",
    "gascoigne-burns2021": "Gascoigne-Burns and Katsigiannis 2021",
    "wildcat-rsna": "WILDCAT on RSNA",
    "dsouza2022": "D'Souza et al. 2022",
}
"""Citation by name of the file; the paper on WILDCAT names no author."""

TITLES = {name: metric.title for name, metric in ALL_METRICS.items()} | {"milliseconds_a_film": "ms a film"}
"""What each metric of the ledger is called in print."""

N_ENTRIES: dict[str, int] = dict(zip(CHESTXRAY14, (180, 146, 153, 123, 85, 79, 120, 98), strict=False))
N_MISCOUNTED: dict[str, int] = dict(zip(CHESTXRAY14, (174, 135, 128, 124, 94, 76, 141, 112), strict=False))
N_BOXED = 880
N_POSITIVE: dict[str, int] = dict(
    zip(
        CHESTXRAY14,
        (3279, 1069, 4658, 6112, 1748, 1623, 555, 2665, 1815, 925, 1093, 435, 1143, 86),
        strict=True,
    )
)
"""Box entries of ChestX-ray14, the same under the last finding of their film, the films that have some, and
positive films of its test list by the table of 2020."""

_COMPARED = ("films", "complete", "split", "box_source", "map_target", "boxes", "denominator")
_COMPARED += ("threshold_chosen", "weights_data")
_CLEAN = "no film scored"


@dataclass(frozen=True)
class Published:
    """One number of a paper.

    Attributes:
        paper: Citation of the paper that prints it.
        table: Its table; "text" for a number outside tables.
        whose: Citation of the paper that it was quoted from; empty for the paper's own result.
        system: What was measured.
        setting: Which variant of the system, by which heatmap and box rule, on which split.
        metric: A name of `TITLES`: what the number is, whatever the table calls it.
        at: The T of T(IoU) and T(IoBB); None elsewhere.
        finding: None for a mean over findings, and where there are none.
        printed: As printed, unit and digits kept.
        value: In the unit of the metric, with errors of the table put right; NaN where it is no number.
        printed_as: Finding or metric that heads the number in print, where that is wrong; else empty.
        protocol: How it came about.
        never: Why no recipe can recompute it; empty where one can.
        notes: Names of `notes()`.
    """

    paper: str
    table: str
    whose: str
    system: str
    setting: str
    metric: str
    at: float | None
    finding: str | None
    printed: str
    value: float
    printed_as: str
    protocol: Protocol
    never: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Note:
    """One error in print, and how the ledger reads what was printed."""

    name: str
    paper: str
    table: str
    printed: str
    reading: str


@dataclass(frozen=True)
class Neighbour:
    """A published number of a score's metric and finding; comparable where nothing speaks against it."""

    number: Published
    why_not: tuple[str, ...]


@functools.cache
def numbers() -> tuple[Published, ...]:
    """Every number of the ledger, paper by paper in the order of print.

    Example:
        >>> sum(number.paper != "Wang et al. 2017" for number in numbers())
        1934
    """
    protocols = {line.pop("name"): Protocol(**line) for line in _lines("protocols")}
    return tuple(_number(PAPERS[file], line, protocols) for file in PAPERS for line in _lines(file))


@functools.cache
def notes() -> dict[str, Note]:
    """What is wrong in print, by name."""
    return {line["name"]: Note(**line) for line in _lines("notes")}


def search(
    words: Sequence[str] = (), *, paper: str = "", finding: str = "", metric: str = "", system: str = ""
) -> list[Published]:
    """Numbers that meet every condition given; upper and lower case are the same.

    Args:
        words: Each stands somewhere in the number's paper, table, source, system, setting, metric, finding
            or value as printed.
        paper: Part of the citation.
        finding: Its name, or "mean".
        metric: A name of `TITLES`.
        system: Part of its name.

    Raises:
        ValueError: A paper, finding or metric that the ledger does not hold; the message says which exist.

    Example:
        >>> [number.value for number in search(["chexnet", "official"], finding="mean", metric="auroc")]
        [0.775]
    """
    if metric:
        pick(TITLES, metric, "metric")
    if finding and finding.casefold() != "mean":
        by_case: dict[str, str] = {name.casefold(): name for name in CHESTXRAY14}
        finding = pick(by_case, canonical(finding.title()).casefold(), "finding")
    if paper and not any(paper.casefold() in citation.casefold() for citation in PAPERS.values()):
        raise ValueError(f"unknown paper {paper!r}; known: {', '.join(PAPERS.values())}")
    return [
        number
        for number in numbers()
        if paper.casefold() in number.paper.casefold()
        and system.casefold() in number.system.casefold()
        and metric in ("", number.metric)
        and (not finding or finding.casefold() == finding_of(number).casefold())
        and all(word.casefold() in _text(number) for word in words)
    ]


def titled(number: Published) -> str:
    """Metric and T as tables print them.

    Example:
        >>> titled(search(["R38LM"], metric="t_iobb")[0])
        'T(IoBB) > 0.1'
    """
    title = TITLES[number.metric]
    return title if number.at is None else f"{title} > {number.at:g}"


def finding_of(number: Published) -> str:
    """The finding, "mean" for a mean over findings, nothing where the number is of no films at all."""
    return number.finding or ("" if number.protocol.films == NOT_APPLICABLE else "mean")


def as_plain(number: Published) -> dict[str, Any]:
    """A number as JSON holds it: an undefined value is null."""
    plain = dataclasses.asdict(number)
    return plain | {"value": None if math.isnan(number.value) else number.value}


def neighbours(score: Score) -> list[Neighbour]:
    """Published numbers of a score's metric, T and finding: the comparable ones first, then why not.

    A number that several papers quote from the same source stands once. Compared are the films and
    whether all of them are there, the split up to its validation films, the reference boxes, whose map is
    scored, one predicted box an entry or several, the denominator, where the threshold was chosen, and
    whether the weights may have seen the films. Network, input size, heatmap and box rule belong to the
    system and may differ.

    Returns:
        Empty where no paper prints such a number.
    """
    found = {}
    for number in numbers():
        same_metric = number.metric == score.metric or number.printed_as == TITLES[score.metric]
        if same_metric and same_t(number.at, score.at) and finding_of(number) == (score.finding or "mean"):
            found.setdefault(_origin(number), Neighbour(number, tuple(_why_not(score, number))))
    return sorted(found.values(), key=lambda each: bool(each.why_not))


def _why_not(score: Score, number: Published) -> Iterator[str]:
    """What forbids to set the score beside the number, in words."""
    if number.metric != score.metric:
        yield f"metric: {TITLES[score.metric]} here, {TITLES[number.metric]} there"
    if math.isnan(score.value):
        yield "the score is undefined"
    if score.stratum is not None and not score.stratum.startswith(BRANCH):
        yield f"films: only {score.stratum} here, all there"
    for name in _COMPARED:
        here, there = _essence(score.protocol, name), _essence(number.protocol, name)
        unclean = name == "weights_data" and _CLEAN not in (here, there)
        if UNKNOWN in (here, there) or here != there or unclean:
            yield f"{PROTOCOL_WORDS[name]}: {here} here, {there} there"
    if score.protocol.films == "ChestX-ray14, test films" and score.n != _n_of_list(score):
        yield f"n: {score.n:,} here, {_n_of_list(score):,} there"


def _essence(protocol: Protocol, name: str) -> str:
    """A field of a protocol as far as it decides whether two numbers may be compared."""
    value = getattr(protocol, name)
    if name == "split":  # which of the training patients validate is the system's own affair
        return value.partition(";")[0]
    if name == "boxes":
        return value if value in ("any", UNKNOWN, NOT_APPLICABLE) else "one"
    if name == "weights_data":
        source = protocol.films.removesuffix(", test films")
        clean = f"{source} train and validation films of this split"
        return _CLEAN if value.removeprefix("ImageNet, then ") == clean else value
    return value


def _n_of_list(score: Score) -> int:
    if score.metric == "false_positives_a_film_iobb":
        return N_BOXED
    by_last = score.metric in ("t_iou_mixed", "t_share_of_reference")
    counts = N_POSITIVE if score.method is None else N_MISCOUNTED if by_last else N_ENTRIES
    return sum(counts.values()) if score.finding is None else counts.get(score.finding, 0)


def _origin(number: Published) -> tuple[object, ...]:
    """The same for every copy of one result."""
    source = number.whose or number.paper
    return source, number.system, number.setting, number.metric, number.at, number.finding


def _text(number: Published) -> str:
    parts = (number.paper, number.table, number.whose, number.system, number.setting, titled(number))
    return " ".join((*parts, number.metric, finding_of(number), number.printed, number.printed_as)).casefold()


def _number(paper: str, line: dict[str, str], protocols: dict[str, Protocol]) -> Published:
    return Published(
        paper=paper,
        table=line["table"],
        whose=line["whose"],
        system=line["system"],
        setting=line["setting"],
        metric=line["metric"],
        at=float(line["at"]) if line["at"] else None,
        finding=line["finding"] or None,
        printed=line["printed"],
        value=float(line["value"]) if line["value"] else math.nan,
        printed_as=line["printed_as"],
        protocol=protocols[line["protocol"]],
        never=line["never"],
        notes=tuple(line["note"].split()),
    )


def _lines(name: str) -> Iterator[dict[str, str]]:
    text = resources.files("hilum.report").joinpath("published", f"{name}.csv").read_text(encoding="utf-8")
    return csv.DictReader(text.splitlines())
