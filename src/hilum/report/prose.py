"""The standing words of a page: methods paragraph, glossary, names of protocol fields."""

from collections.abc import Iterable, Mapping
from string import Formatter
from typing import Any

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

RECIPE_WORDS = (
    ("model", "The network was {name} on {backbone}, started from these weights: {weights}."),
    ("data", "Its input was {input_px} px a side, cut from the middle of films brought to {resize_px} px."),
    (
        "training",
        "It was trained with {optimiser} (learning rate {learning_rate:g}, weight decay {weight_decay:g}, "
        "schedule {schedule}), the loss {loss}, batches of {batch_size} films and at most {epochs} epochs; "
        "the weights of the best epoch by {monitor} were kept.",
    ),
    ("data", "The split was drawn with random seed {split_seed}."),
    ("training", "Training used random seed {seed}."),
    ("evaluate", "Intervals are from {bootstrap_draws} redrawn cohorts, random seed {seed}."),
)
"""A sentence for each section of a recipe that names all of its keys."""

ENTRY_METRICS = ("t_iou", "t_iobb", "mean_iou_micro", "mean_iou_macro")
"""The measures of a methods paragraph's boxes: those of the box list's entries."""

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
    paragraphs = [record.description, _trained(record.settings), _classified(record), _localised(record)]
    if record.scores:
        paragraphs.append(
            "Intervals are 95 % intervals of a bootstrap over patients. Each number stands beside what "
            "chance reaches under the same rules: 0.5 for AUROC, random heatmaps passed through the same "
            "threshold and component rule for localisation."
        )
    return [paragraph for paragraph in paragraphs if paragraph]


def _trained(settings: Mapping[str, Mapping[str, Any]]) -> str:
    """Network, training and augmentation, from the recipe; only what it names."""
    sentences = []
    for section, words in RECIPE_WORDS:
        known = {key: value for key, value in settings.get(section, {}).items() if value is not None}
        if all(key in known for key in _keys(words)):
            sentences.append(words.format(**known))
    return " ".join([*sentences, *_augmented(settings.get("training", {}))])


def _keys(words: str) -> list[str]:
    """The names in braces."""
    return [key for _, key, _, _ in Formatter().parse(words) if key]


def _augmented(training: Mapping[str, Any]) -> list[str]:
    """How training films were changed; nothing where the recipe does not say."""
    if "flip" not in training:
        return []
    done = []
    if training["flip"]:
        done.append(f"flipped left to right with probability {training['flip']:g}")
    if training.get("rotate_degrees"):
        done.append(f"rotated by up to {training['rotate_degrees']:g} degrees either way")
    if training.get("crop_area"):
        low, high = training["crop_area"]
        done.append(f"cropped to {100 * low:g} to {100 * high:g} % of their area")
    return [f"Training films were {_listed(done)}." if done else "Training films were not augmented."]


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
    entries = [s for s in boxed if s.metric in ENTRY_METRICS and s.box_rule is not None]
    chosen = {s.protocol.threshold_chosen for s in entries if (s.method, s.box_rule) == record.headline}
    as_headline = [s for s in entries if s.protocol.threshold_chosen in chosen]
    stated = _stated(as_headline or boxed)
    sentences = [f"Heatmaps were made with {_listed(s.method for s in boxed)}."]
    if as_headline:
        sentences.append(f"Boxes were drawn by these rules: {_listed(s.box_rule for s in as_headline)}.")
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
    if any(s.metric == "oracle_gap" for s in boxed):
        sentences.append(
            "What choosing among thresholds on the scored boxes themselves would gain is given beside "
            "the choice on the other half of the patients, as the oracle gap."
        )
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
