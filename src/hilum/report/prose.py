"""The standing words of a page: methods paragraph, glossary, names of protocol fields."""

from collections.abc import Iterable

from hilum.evaluate.protocol import NOT_APPLICABLE, UNKNOWN, Score
from hilum.report.record import RunRecord

PROTOCOL_WORDS = {
    "films": "films scored",
    "complete": "share of that list",
    "split": "split",
    "split_hash": "digest of the split",
    "box_source": "reference boxes",
    "map_target": "heatmap scored",
    "boxes": "predicted boxes an entry",
    "denominator": "successes divided by",
    "threshold_chosen": "threshold chosen on",
    "resampler": "resampler",
    "map_size": "size at the threshold",
    "map_scale": "scaling before the threshold",
    "weights_data": "images behind the weights",
    "gate": "films that get boxes",
    "hit_rule": "a hit is",
    "contaminated": "weights may have seen these films",
}
"""What each field of a protocol is called in print."""

GLOSSARY = {
    "AUROC": "Chance that a film with the finding gets a higher probability than one without; 0.5 is a coin.",
    "average precision": "Mean precision at the positives, ranked by probability; its floor is their share.",
    "IoU": "Area shared by predicted and reference box, divided by the area of both together.",
    "IoBB": "Area shared by predicted and reference box, divided by the predicted box; a tiny box does well.",
    "T(IoU) > T": "Share of reference entries whose predicted box has an IoU strictly above T.",
    "T(IoBB) > T": "The same with IoBB.",
    "mean IoU": "IoU averaged over all entries at once (micro), or within each finding first (macro).",
    "pointing hit rate": "Share of entries whose hottest heatmap pixel lies inside a reference box.",
    "95 % interval": "From the bootstrap over patients: all films of a drawn patient go together.",
    "n": "Positive films for AUROC, entries of the box list for localisation.",
    "floor": "What chance reaches by the same rules: 0.5 for AUROC, boxes from random heatmaps otherwise.",
    "view alone": "AUROC of knowing only whether a film is AP or PA; what a shortcut reaches.",
    "shuffled map": "This system's boxes of the same finding, taken from other patients' films.",
    "class mean box": "Mean of the other patients' boxes of the finding, the same on every film.",
    "stratum": "The same score on a part of the films: one sex, view, age group or lesion size.",
}
"""One line for each word a reader may not know."""


def methods_from(record: RunRecord) -> list[str]:
    """Paragraphs for a methods section, from what the scores and the record say of themselves.

    Returns:
        Only sentences that the run supports; a protocol field nobody stated is not mentioned.
    """
    paragraphs = [record.description, _classified(record), _localised(record)]
    if record.scores:
        paragraphs.append(
            "Intervals are 95 % intervals of a bootstrap over patients. Each number stands beside what "
            "chance reaches under the same rules: 0.5 for AUROC, random heatmaps passed through the same "
            "threshold and component rule for localisation."
        )
    return [paragraph for paragraph in paragraphs if paragraph]


def _classified(record: RunRecord) -> str:
    """Training and classification, as far as the record tells."""
    sentences = []
    if record.history:
        sentences.append(f"The network was trained on image-level labels for {len(record.history)} epochs.")
    image_level = [s for s in record.scores if s.method is None and s.stratum is None]
    stated = _stated(image_level)
    if "weights_data" in stated:
        sentences.append(f"Images behind the weights: {stated['weights_data']}.")
    if "resampler" in stated:
        sentences.append(f"Films were brought to the network's input by {stated['resampler']}.")
    if "films" in stated:
        sentences.append(f"Scored films: {stated['films']} ({stated.get('complete', 'share not stated')}).")
    if "split" in stated:
        sentences.append(f"Split: {stated['split']}.")
    n_findings = len({s.finding for s in image_level if s.metric == "auroc" and s.finding is not None})
    if n_findings:
        sentences.append(f"AUROC was computed for {n_findings} findings; undefined ones count in no mean.")
    return " ".join(sentences)


def _localised(record: RunRecord) -> str:
    """Heatmaps, boxes and their scores, as far as the record tells."""
    boxed = [s for s in record.scores if s.method is not None and s.stratum is None]
    if not boxed:
        return ""
    stated = _stated(boxed)
    sentences = [f"Heatmaps were made with {_listed(s.method for s in boxed)}."]
    if any(s.box_rule is not None for s in boxed):
        sentences.append(f"Boxes were drawn by these rules: {_listed(s.box_rule for s in boxed)}.")
    for name, words in (
        ("map_scale", "Before the threshold, maps were scaled by {}."),
        ("map_size", "The threshold was applied at the size of the {}."),
        ("threshold_chosen", "The threshold was chosen on: {}."),
        ("map_target", "The heatmap scored was that of the {}."),
        ("boxes", "Predicted boxes counted an entry: {}."),
        ("box_source", "Reference boxes: {}."),
        ("denominator", "Successes were divided by {}."),
    ):
        if name in stated:
            sentences.append(words.format(stated[name]))
    if any(s.at is not None for s in boxed):
        sentences.append("A box counts as correct where its overlap is strictly greater than T.")
    return " ".join(sentences)


def _stated(scores: Iterable[Score]) -> dict[str, str]:
    """Protocol fields that somebody stated, with every value among the scores."""
    scores = list(scores)
    stated = {}
    for name in PROTOCOL_WORDS:
        values = dict.fromkeys(getattr(score.protocol, name) for score in scores)
        for nothing in (UNKNOWN, NOT_APPLICABLE):
            values.pop(nothing, None)
        if values:
            stated[name] = " or ".join(values)
    return stated


def _listed(names: Iterable[str | None]) -> str:
    """Names without repeats: "a, b and c"."""
    found = [name for name in dict.fromkeys(names) if name is not None]
    if len(found) < 2:
        return "".join(found)
    return f"{', '.join(found[:-1])} and {found[-1]}"
