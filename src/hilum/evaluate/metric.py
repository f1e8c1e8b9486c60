"""The metrics by name: what each divides by, and at which T it is taken."""

from dataclasses import dataclass

T_IOU = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
T_IOBB = (0.1, 0.25, 0.5, 0.75, 0.9)


@dataclass(frozen=True)
class Metric:
    """What a reader of a table must know of a metric; larger is better for each.

    Attributes:
        title: As tables print it.
        denominator: What the value is divided by, or ranked among.
        mean: What the score without a finding is.
        at: The T of the papers; empty for a metric without T.
    """

    title: str
    denominator: str
    mean: str
    at: tuple[float, ...] = ()


_OVER_FINDINGS = "unweighted mean over the findings"

METRICS: dict[str, Metric] = {
    "auroc": Metric("AUROC", "pairs of a positive and a negative film", _OVER_FINDINGS),
    "average_precision": Metric("average precision", "positive films", _OVER_FINDINGS),
    "ece": Metric("calibration error", "films", _OVER_FINDINGS),
    "ece_scaled": Metric("calibration error after scaling", "films", _OVER_FINDINGS),
    "sensitivity": Metric("sensitivity", "positive films", _OVER_FINDINGS),
    "specificity": Metric("specificity", "negative films", _OVER_FINDINGS),
    "t_iou": Metric("T(IoU)", "box entries of the finding", _OVER_FINDINGS, T_IOU),
    "t_iobb": Metric("T(IoBB)", "box entries of the finding", _OVER_FINDINGS, T_IOBB),
    "mean_iou_micro": Metric("mean IoU (micro)", "box entries", "mean over all box entries"),
    "mean_iou_macro": Metric("mean IoU (macro)", "box entries of the finding", _OVER_FINDINGS),
    "hit_rate": Metric("hit rate", "box entries of the finding", _OVER_FINDINGS),
}
