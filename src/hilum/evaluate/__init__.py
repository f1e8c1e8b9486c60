"""Probabilities and boxes to scores, in numpy: each number with its interval, its floors and its protocol.

`classification_scores` and `localization_scores` make every row of the tables; the metrics behind them are
plain functions of arrays. Intervals come from redrawing patients, never films or boxes alone.
"""

from hilum.evaluate.as_printed import AS_PRINTED as AS_PRINTED
from hilum.evaluate.classification import auroc as auroc
from hilum.evaluate.classification import average_precision as average_precision
from hilum.evaluate.classification_score import branch_scores as branch_scores
from hilum.evaluate.classification_score import classification_scores as classification_scores
from hilum.evaluate.detection_score import detection_scores as detection_scores
from hilum.evaluate.detection_score import false_positive_scores as false_positive_scores
from hilum.evaluate.localization_score import localization_scores as localization_scores
from hilum.evaluate.metric import ALL_METRICS as ALL_METRICS
from hilum.evaluate.metric import APART as APART
from hilum.evaluate.metric import METRICS as METRICS
from hilum.evaluate.metric import Metric as Metric
from hilum.evaluate.oracle import oracle_scores as oracle_scores
from hilum.evaluate.pairs import PairMaps as PairMaps
from hilum.evaluate.protocol import Protocol as Protocol
from hilum.evaluate.protocol import Score as Score
from hilum.evaluate.protocol import differences as differences
from hilum.evaluate.protocol import json_from as json_from
from hilum.evaluate.protocol import reasons_apart as reasons_apart
from hilum.evaluate.protocol import scores_from_json as scores_from_json
from hilum.evaluate.random_splits import pooled_scores as pooled_scores
