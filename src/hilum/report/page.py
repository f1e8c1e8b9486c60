"""A run's record in; one HTML page out that asks nobody for anything."""

import dataclasses
from collections.abc import Callable, Sequence
from importlib import resources

from hilum.evaluate.metric import METRICS
from hilum.evaluate.protocol import Protocol, Score
from hilum.report import (
    claims_table,
    entries,
    failure,
    neighbour_tables,
    operating_tables,
    score_tables,
    steps,
)
from hilum.report.classification_charts import calibration_chart, precision_recall_chart, roc_chart
from hilum.report.gallery import gallery_from
from hilum.report.inline import chart_from
from hilum.report.localisation_charts import localisation_chart
from hilum.report.markup import Html, facts, joined, table, tag
from hilum.report.prose import GLOSSARY, PROTOCOL_WORDS, methods_from
from hilum.report.record import RunRecord
from hilum.report.sweep import sweep_chart
from hilum.report.tables import SMALL, named, summary_from
from hilum.report.training_chart import training_chart

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
"""The browser itself refuses whatever the page does not carry along."""

BANNER = "For research, not for diagnosis."


def page_from(record: RunRecord) -> str:
    """The whole page as HTML; the same text for the same record. What the record lacks has no section."""
    absent = {name for name, needed in NEEDS.items() if not needed(record)}
    sections = [(name, title, write(record)) for name, title, write in SECTIONS if name not in absent]
    return document(record.title, record.description, record.warnings, sections)


def document(
    title: str, lead: str, warnings: Sequence[str], sections: Sequence[tuple[str, str, Html]]
) -> str:
    """A page with its head, its contents and its sections, each with anchor, heading and inside."""
    links = [tag("li", tag("a", heading, href=f"#{name}")) for name, heading, _ in sections]
    style = resources.files("hilum.report").joinpath("page.css").read_text(encoding="utf-8")
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{title} · hilum"),
        tag("style", Html(style)),
    )
    top = tag(
        "header",
        tag("h1", title),
        tag("p", lead, class_="lead"),
        tag("p", BANNER, class_="banner"),
        *(tag("p", tag("strong", "Note. "), words, class_="warning") for words in warnings),
    )
    contents = tag("nav", tag("ul", *links), aria_label="Contents")
    body = [
        tag(
            "section",
            tag("h2", heading, id=f"{name}-title"),
            inside,
            id=name,
            aria_labelledby=f"{name}-title",
        )
        for name, heading, inside in sections
    ]
    page = tag("html", head, tag("body", top, contents, tag("main", *body)), lang="en")
    return f"<!DOCTYPE html>\n{page}\n"


def _results(record: RunRecord) -> Html:
    rows = summary_from(record.scores, record.headline)
    given = record.headline[0] == record.headline[1]
    chance = "the same boxes on other patients' films" if given else "boxes from random heatmaps"
    floors = f"The upright stroke is the floor: 0.5 for AUROC, {chance} for localisation."
    boxes = "as they were given" if given else score_tables.system(*record.headline)
    return joined(
        tag("p", "Boxes: ", tag("b", boxes), ".") if any(record.headline) else Html(""),
        score_tables.summary_table(rows),
        tag(
            "p",
            f"{floors} ",
            score_tables.mark_of("below"),
            " marks a number that chance reaches as well, ",
            score_tables.mark_of("unsure"),
            f" one whose interval holds the floor. An en dash is undefined; below {SMALL} positives or boxes "
            "there is no interval.",
            class_="note",
        ),
    )


def _classification(record: RunRecord) -> Html:
    whole = [s for s in record.scores if s.method is None and s.stratum is None]
    if not whole:
        return tag("p", "This run holds no classification scores.")
    parts = []
    if any(s.metric == "auroc" for s in whole):
        parts.append(score_tables.auroc_table(whole))
    has_points = record.curves is not None and len(record.curves.points) > 0
    elsewhere = ("auroc", "sensitivity", "specificity") if has_points else ("auroc",)
    others = [s for s in whole if s.metric not in elsewhere]
    if others:
        caption = "Other measures of the probabilities"
        parts.append(_by_finding(caption, others))
    for heading, make in (
        ("ROC", roc_chart),
        ("Precision and recall", precision_recall_chart),
        ("Calibration", calibration_chart),
    ):
        drawn = chart_from(make(record))
        parts += [tag("h3", heading), drawn] if drawn else []
    return joined(*parts, operating_tables.section_from(record.curves, record.findings))


def _localisation(record: RunRecord) -> Html:
    boxed = [s for s in record.scores if s.method is not None and s.stratum is None]
    if not boxed:
        return tag("p", "This run holds no localisation scores.")
    parts = []
    for metric in ("t_iou", "t_iobb"):
        chosen = [s for s in boxed if s.metric == metric]
        if any(s.finding is None for s in chosen):
            parts.append(score_tables.means_table(f"{named(metric)} > T, means over findings", chosen))
    others = [s for s in boxed if s.at is None]
    if any(s.finding is None for s in others):
        parts.append(score_tables.means_table("Other measures, means over findings", others))
    parts += _further_means(boxed)
    parts.append(chart_from(localisation_chart(record)))
    swept = chart_from(sweep_chart(record.sweep))
    parts += [tag("h3", "Against the threshold"), swept] if swept else []
    floors = [s for s in boxed if s.method == record.headline[0]]
    floors = [s for s in floors if s.box_rule in (None, record.headline[1]) and s.floors]
    if any(s.finding is None for s in floors):
        parts.append(score_tables.floors_table("The headline beside all its floors", floors))
    parts.append(tag("h3", "By finding"))
    systems = dict.fromkeys((s.method, s.box_rule) for s in boxed)
    for pair in sorted(systems, key=lambda pair: (pair != record.headline, pair[0] != record.headline[0])):
        is_open = pair in (record.headline, (record.headline[0], None))
        parts.append(_system_details(boxed, pair, is_open))
    return joined(*parts, entries.section_from(record.examples))


def _further_means(boxed: Sequence[Score]) -> list[Html]:
    """Means of what else is read at several T, such as false boxes and FROC, folded away."""
    parts = []
    for metric in dict.fromkeys(s.metric for s in boxed if s.at is not None):
        means = [s for s in boxed if s.metric == metric and s.finding is None]
        if metric not in ("t_iou", "t_iobb") and means:
            title = f"{METRICS[metric].title}, means over findings"
            parts.append(tag("details", tag("summary", title), score_tables.means_table(title, means)))
    return parts


def _system_details(scores: Sequence[Score], pair: tuple[str | None, str | None], is_open: bool) -> Html:
    """All tables of one heatmap method and box rule, folded away unless they are the headline."""
    mine = [s for s in scores if (s.method, s.box_rule) == pair]
    tables = []
    for metric in ("t_iou", "t_iobb"):
        tables.append(_by_finding(f"{named(metric)} > T by finding", [s for s in mine if s.metric == metric]))
    rest = [s for s in mine if s.metric not in ("t_iou", "t_iobb")]
    tables.append(_by_finding("Other measures by finding", rest))
    state = {"open": "open"} if is_open else {}
    return tag("details", tag("summary", score_tables.system(*pair)), *tables, **state)


def _by_finding(caption: str, scores: Sequence[Score]) -> Html:
    """A row for each finding, a column for each measure; nothing where there is no score."""
    if not scores:
        return Html("")
    columns = list(dict.fromkeys((s.metric, s.at) for s in scores))
    heads = dict(zip(columns, score_tables.heads_of(columns), strict=True))
    return score_tables.grid(caption, scores, lambda s: heads[s.metric, s.at])


def _strata(record: RunRecord) -> Html:
    if all(s.stratum is None for s in record.scores):
        return tag("p", "This run holds no scores by sex, age, view or lesion size.")
    method, rule = record.headline
    mine = [s for s in record.scores if s.method in (None, method) and s.box_rule in (None, rule)]
    parts = [tag("p", "Localisation is that of the headline; all others are in scores.json.", class_="note")]
    for metric, at in dict.fromkeys((s.metric, s.at) for s in mine if s.stratum is not None):
        chosen = [s for s in mine if (s.metric, s.at) == (metric, at)]
        means = [s for s in chosen if s.finding is None]
        parts.append(score_tables.strata_table(f"{named(metric, at)}, mean over findings, by stratum", means))
        if any(s.stratum is not None and s.finding is not None for s in chosen):
            chosen.sort(key=lambda s: s.stratum is not None)
            by_finding = score_tables.grid(
                f"{named(metric, at)} of each finding by stratum", chosen, lambda s: s.stratum or "all"
            )
            parts.append(tag("details", tag("summary", f"{named(metric, at)} of each finding"), by_finding))
    return joined(*parts)


def _gallery(record: RunRecord) -> Html:
    key = tag(
        "p",
        "The best, the median and the worst film of each finding by IoU, plain and with its heatmap. ",
        tag("span", "solid blue", class_="key predicted"),
        ": predicted box; ",
        tag("span", "dashed yellow", class_="key reference"),
        ": reference box. Colour covers the film as the map's positive part grows, from none to its maximum; "
        "a map that is nowhere positive is coloured from its lowest value on.",
        class_="note",
    )
    return joined(key, gallery_from(record.examples))


def _training(record: RunRecord) -> Html:
    if not record.history:
        return tag("p", "This run holds no record of training.")
    names = [name for name in HISTORY if any(name in entry for entry in record.history)]
    rows = [
        [f"{float(entry[name]):.5g}" if name in entry else score_tables.DASH for name in names]
        for entry in record.history
    ]
    heads = [name.replace("_", " ") for name in names]
    return joined(
        chart_from(training_chart(record.history)),
        tag("details", tag("summary", "Epochs"), table("Training by epoch", heads, rows, "history")),
    )


def _films(record: RunRecord) -> Html:
    parts = [facts("What was read", ("fact", "number"), record.data)]
    if record.failures:
        words = f"{len(record.failures)} films could not be used"
        parts.append(table(words, ("film", "reason"), record.failures, "facts"))
    else:
        parts.append(tag("p", "Every film could be used."))
    return joined(*parts)


def _protocol(record: RunRecord) -> Html:
    """What all scores share, then, a row for each kind of score, what they do not."""
    used: dict[Protocol, list[Score]] = {}
    for score in record.scores:
        used.setdefault(score.protocol, []).append(score)
    if not used:
        return tag("p", "No score, no protocol.")
    fields = [field.name for field in dataclasses.fields(Protocol)]
    shared = [name for name in fields if len({getattr(protocol, name) for protocol in used}) == 1]
    first = next(iter(used))
    rows = [(PROTOCOL_WORDS[name], getattr(first, name)) for name in shared]
    words = "Numbers may stand side by side only where all of these agree; unknown agrees with nothing."
    parts = [tag("p", words, class_="note"), facts("The same for every score", ("field", "value"), rows)]
    others = [name for name in fields if name not in shared]
    if others:
        heads = ("scores", *(PROTOCOL_WORDS[name] for name in others))
        lines = [(_covered(s), *(getattr(p, name) for name in others)) for p, s in used.items()]
        parts.append(table("What differs", heads, lines, "facts"))
    return joined(*parts)


def _covered(scores: Sequence[Score]) -> str:
    """The metrics and box rules among scores of one protocol."""
    metrics = ", ".join(dict.fromkeys(named(s.metric) for s in scores))
    rules = "; ".join(dict.fromkeys(s.box_rule for s in scores if s.box_rule is not None))
    return f"{metrics}: {rules}" if rules else metrics


def _methods(record: RunRecord) -> Html:
    return joined(*(tag("p", paragraph) for paragraph in methods_from(record)))


def _recipe(record: RunRecord) -> Html:
    return tag("pre", tag("code", record.recipe), tabindex="0", aria_label="Recipe")


def _versions(record: RunRecord) -> Html:
    return facts("Software behind this run", ("package", "version"), tuple(record.versions.items()))


def _glossary(_: RunRecord) -> Html:
    pairs = (part for word, line in GLOSSARY.items() for part in (tag("dt", word), tag("dd", line)))
    return tag("dl", *pairs)


def _published(record: RunRecord) -> Html:
    scores = (*record.scores, *record.apart)
    return neighbour_tables.section_from(neighbour_tables.beside(scores, record.headline))


def _claims(record: RunRecord) -> Html:
    return claims_table.section_from(record.claims)


def _steps(record: RunRecord) -> Html:
    return steps.section_from(record.examples, record.rule)


def _failures(record: RunRecord) -> Html:
    return failure.section_from(record.cases)


HISTORY = ("epoch", "train_loss", "val_loss", "val_auroc", "learning_rate", "seconds")

SECTIONS: tuple[tuple[str, str, Callable[[RunRecord], Html]], ...] = (
    ("results", "Results", _results),
    ("published", "Published numbers", _published),
    ("claims", "Claims of the paper", _claims),
    ("classification", "Classification", _classification),
    ("localisation", "Localisation", _localisation),
    ("strata", "Strata", _strata),
    ("gallery", "Gallery", _gallery),
    ("steps", "Step by step", _steps),
    ("failures", "Failures", _failures),
    ("training", "Training", _training),
    ("films", "Films", _films),
    ("protocol", "Protocol", _protocol),
    ("methods", "Methods", _methods),
    ("recipe", "Recipe", _recipe),
    ("versions", "Versions", _versions),
    ("glossary", "Glossary", _glossary),
)
"""Anchor, heading and writer of each section, in the order of the page."""

NEEDS: dict[str, Callable[[RunRecord], object]] = {
    "claims": lambda record: record.claims,
    "gallery": lambda record: record.examples,
    "steps": lambda record: record.examples,
    "failures": lambda record: record.cases or record.failures or record.examples,
    "training": lambda record: record.history,
    "methods": lambda record: record.settings,
    "recipe": lambda record: record.recipe,
}
"""What a section is about; predictions from elsewhere have neither pictures nor a recipe."""
