"""The metrics by name: what each divides by, and at which T it is taken."""

from dataclasses import dataclass

T_IOU = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
T_IOBB = (0.1, 0.25, 0.5, 0.75, 0.9)
FALSE_A_FILM = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""False positives a film at which FROC is read."""


@dataclass(frozen=True)
class Metric:
    """What a reader of a table must know of a metric.

    Attributes:
        title: As tables print it.
        denominator: What the value is divided by, or ranked among.
        mean: What the score without a finding is.
        at: The T of the papers, or the false positives a film of FROC; empty for a metric without either.
        larger_is_better: False for what counts mistakes.
        sign: What stands between title and `at` in print.
    """

    title: str
    denominator: str
    mean: str
    at: tuple[float, ...] = ()
    larger_is_better: bool = True
    sign: str = ">"


_OVER_FINDINGS = "unweighted mean over the findings"

METRICS: dict[str, Metric] = {
    "auroc": Metric("AUROC", "pairs of a positive and a negative film", _OVER_FINDINGS),
    "average_precision": Metric("average precision", "positive films", _OVER_FINDINGS),
    "ece": Metric("calibration error", "films", _OVER_FINDINGS, larger_is_better=False),
    "ece_scaled": Metric("calibration error after scaling", "films", _OVER_FINDINGS, larger_is_better=False),
    "sensitivity": Metric("sensitivity", "positive films", _OVER_FINDINGS),
    "specificity": Metric("specificity", "negative films", _OVER_FINDINGS),
    "t_iou": Metric("T(IoU)", "box entries of the finding", _OVER_FINDINGS, T_IOU),
    "t_iobb": Metric("T(IoBB)", "box entries of the finding", _OVER_FINDINGS, T_IOBB),
    "mean_iou_micro": Metric("mean IoU (micro)", "box entries", "mean over all box entries"),
    "mean_iou_macro": Metric("mean IoU (macro)", "box entries of the finding", _OVER_FINDINGS),
    "hit_rate": Metric("hit rate", "box entries of the finding", _OVER_FINDINGS),
    "localization_utility": Metric("AUPRC of the map", "positive films", _OVER_FINDINGS),
    "false_positives_iou": Metric(
        "AFP, T(IoU)", "box entries of all findings", _OVER_FINDINGS, T_IOU, larger_is_better=False
    ),
    "false_positives_iobb": Metric(
        "AFP, T(IoBB)", "box entries of all findings", _OVER_FINDINGS, T_IOBB, larger_is_better=False
    ),
    "false_positives_a_map_iou": Metric(
        "FP a heatmap, T(IoU)", "heatmaps of the finding", _OVER_FINDINGS, T_IOU, larger_is_better=False
    ),
    "false_positives_a_map_iobb": Metric(
        "FP a heatmap, T(IoBB)", "heatmaps of the finding", _OVER_FINDINGS, T_IOBB, larger_is_better=False
    ),
    "froc": Metric(
        "FROC sensitivity", "box entries of the finding", _OVER_FINDINGS, FALSE_A_FILM, sign="at FP a film"
    ),
    "pointwise_map": Metric("pointwise mAP", "box entries of the finding", _OVER_FINDINGS),
    "oracle_gap": Metric(
        "oracle gap, T(IoU)", "box entries of the finding", _OVER_FINDINGS, T_IOU, larger_is_better=False
    ),
    "oracle_gap_mean_iou_macro": Metric(
        "oracle gap, mean IoU (macro)", "box entries of the finding", _OVER_FINDINGS, larger_is_better=False
    ),
    "oracle_gap_mean_iou_micro": Metric(
        "oracle gap, mean IoU (micro)", "box entries", "mean over all box entries", larger_is_better=False
    ),
}
"""The metrics that hilum stands for."""

_MISCOUNTED = "rows of the box list, counted under the last finding of their film"

APART: dict[str, Metric] = {
    "false_positives_a_film_iobb": Metric(
        "false boxes a film, T(IoBB)", "films with boxes", _OVER_FINDINGS, T_IOBB, larger_is_better=False
    ),
    "t_iou_mixed": Metric("T(IoU of mixed sides)", _MISCOUNTED, _OVER_FINDINGS, T_IOU),
    "t_share_of_reference": Metric("T(share of reference box)", _MISCOUNTED, _OVER_FINDINGS, T_IOBB),
    "parameters": Metric("parameters", "does not apply", "the number itself", larger_is_better=False),
}
"""As one paper prints them, mistakes kept, and the size of the network: nothing that hilum stands for.

They are in `scores.json` for the sake of printed numbers, without floors, and in no other table of a page.
"""

ALL_METRICS = METRICS | APART
