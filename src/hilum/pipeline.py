"""From a film to boxes, on arrays: `predict`, `explain`, `localize`. `Reader` does it for one film.

A study calls the same three functions in chunks and adds only the run folder, resuming and progress.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, Int, UInt8

from hilum.boxes import BoxTable, area, clip, moved
from hilum.data.geometry import Geometry, input_to_frame, input_to_store, squared
from hilum.data.metadata import N_METADATA
from hilum.data.radiograph import eight_bit_from
from hilum.explain import class_maps, logits_and_heatmaps
from hilum.localize import DETECTOR, BoxRule, boxes_from
from hilum.models import Classifier, Composite, load, network_input
from hilum.models.retinanet import RetinaNet

Probabilities = Float32[np.ndarray, "n f"]
Films = UInt8[np.ndarray, "n s s"]


def predict(
    model: Classifier, films: Films, geometry: Geometry, metadata: Float32[np.ndarray, "n 3"] | None = None
) -> Probabilities:
    """Probability of every finding on every film.

    Args:
        model: In eval mode.
        films: As squares of `geometry.store_px`.
        geometry: How they become network input.
        metadata: View, age and sex, for a model that takes them.
    """
    images, extras = _on_device(model, films, geometry, metadata)
    with torch.inference_mode():
        return model(images, extras).float().sigmoid().cpu().numpy()


def branches(
    model: Composite, films: Films, geometry: Geometry, metadata: Float32[np.ndarray, "n 3"] | None = None
) -> dict[str, Probabilities]:
    """Probabilities that the networks of a composite model would give alone, by name; see `predict`."""
    assert isinstance(model, Classifier)
    images, extras = _on_device(model, films, geometry, metadata)
    with torch.inference_mode():
        answers = model.answers(images, extras)
    *alone, _ = {name: logits.float().sigmoid().cpu().numpy() for name, logits in answers.items()}.items()
    return dict(alone)


def explain(
    model: Classifier,
    films: Films,
    geometry: Geometry,
    methods: Sequence[str],
    metadata: Float32[np.ndarray, "n 3"] | None = None,
    findings: Sequence[str] | None = None,
) -> tuple[Probabilities, dict[str, Float32[np.ndarray, "n c u v"]]]:
    """Probabilities of every finding, and raw heatmaps of those named by every method; all by default."""
    images, extras = _on_device(model, films, geometry, metadata)
    logits, maps = logits_and_heatmaps(model, images, methods, findings, extras)
    return torch.from_numpy(logits).sigmoid().numpy(), maps


def detect(
    model: Classifier,
    films: Films,
    geometry: Geometry,
    affine: Float64[np.ndarray, "n 2 3"],
    frame_hw: tuple[int, int],
) -> BoxTable:
    """Boxes that a detector makes by itself, with its scores; `image` counts the films.

    Args:
        model: In eval mode.
        films: As squares of `geometry.store_px`.
        geometry: How they become network input.
        affine: From network input to frame, in px.
        frame_hw: Of the frame in which boxes are given, in px.

    Raises:
        TypeError: The model is no detector.
    """
    images, _ = _on_device(model, films, geometry, None)
    with torch.inference_mode():
        found = detector_from(model).detections(images).double().cpu().numpy()
    film = found[:, 0].astype(np.int64)
    xyxy = clip(moved(found[:, 2:6], affine[film]), frame_hw)
    return BoxTable(film, found[:, 1].astype(np.int64), xyxy, found[:, 6]).rows(area(xyxy) > 0)


def detector_from(model: Classifier) -> RetinaNet:
    """The model itself.

    Raises:
        TypeError: It makes no boxes by itself.
    """
    if isinstance(model, RetinaNet):
        return model
    raise TypeError(
        f"{type(model).__name__} makes no boxes by itself; take another threshold than {DETECTOR!r}"
    )


def localize(
    heatmaps: Float32[np.ndarray, "k u v"],
    image: Int[np.ndarray, " k"],
    finding: Int[np.ndarray, " k"],
    probability: Float[np.ndarray, " k"],
    affine: Float64[np.ndarray, "k 2 3"],
    input_hw: tuple[int, int],
    rule: BoxRule,
    frame_hw: tuple[int, int],
    ranges: Float[np.ndarray, "k 2"] | None = None,
) -> BoxTable:
    """Boxes of one heatmap a row.

    Args:
        heatmaps: Raw, each covering the whole network input.
        image: Row of each map's film in its cohort.
        finding: Column of each map's finding.
        probability: Of that finding on that film.
        affine: From network input to frame, in px.
        input_hw: Of the network input, in px.
        rule: Threshold and component.
        frame_hw: Of the frame in which boxes are given, in px.
        ranges: Of each map's finding, for a rule with a cohort's scale; see `cohort_ranges`.

    Returns:
        Boxes whose score is the probability times the peak of the [0, 1] map inside them.
    """
    rows, xyxy, peaks = boxes_from(heatmaps, affine, input_hw, rule, frame_hw, probability, ranges)
    return BoxTable(image[rows], finding[rows], xyxy, probability[rows].astype(float) * peaks)


def _on_device(
    model: Classifier, films: Films, geometry: Geometry, metadata: Float32[np.ndarray, "n 3"] | None
) -> tuple[torch.Tensor, torch.Tensor | None]:
    device = next(model.parameters()).device
    affine = input_to_store(geometry, len(films)).astype(np.float32)
    films_there = torch.from_numpy(np.ascontiguousarray(films)).to(device)
    images = network_input(films_there, torch.from_numpy(affine).to(device), geometry.input_hw)
    return images, None if metadata is None else torch.from_numpy(metadata).to(device)


@dataclass(frozen=True)
class Opinion:
    """What is said of one film; for research, not for diagnosis.

    Attributes:
        findings: Names, in the order of every array here.
        probabilities: Of each finding.
        heatmaps: Raw, each covering the network input.
        boxes: In pixels of the film; `image` is 0.
        film_hw: Height and width of the film, in px.
    """

    findings: tuple[str, ...]
    probabilities: Float32[np.ndarray, " f"]
    heatmaps: Float32[np.ndarray, "f u v"]
    boxes: BoxTable
    film_hw: tuple[int, int]


class Reader:
    """Reads one film at a time with the weights of a run.

    Args:
        weights: `weights.safetensors` of a run folder.
        method: Heatmap method.
        rule: Threshold and component.
        ranges: Low and high of each finding, for a rule with a cohort's scale.
    """

    def __init__(
        self,
        weights: Path,
        method: str = "gradcam",
        rule: BoxRule | None = None,
        ranges: Float[np.ndarray, "f 2"] | None = None,
    ) -> None:
        self._model, self._geometry, _ = load(Path(weights), class_maps)
        self._method = method
        self._rule = rule or BoxRule()
        self._ranges = ranges

    def read(self, film: Path) -> Opinion:
        """The opinion on a film (PNG, JPEG or DICOM); view, age and sex count as unknown.

        Raises:
            FilmError: The file cannot be read as a film.
        """
        grey = eight_bit_from(Path(film))
        films = squared(grey, self._geometry.store_px, self._geometry.fit)[None]
        unknown = np.full((1, N_METADATA), 0.5, np.float32)
        probabilities, maps = explain(self._model, films, self._geometry, (self._method,), unknown)
        n_findings, film_hw = len(self._model.findings), (grey.shape[0], grey.shape[1])
        affine = input_to_frame(self._geometry, np.tile(film_hw, (n_findings, 1)), film_hw)
        if self._rule.of_model:
            boxes = detect(self._model, films, self._geometry, affine[:1], film_hw)
            boxes = boxes.rows(probabilities[0, boxes.finding] >= (self._rule.gate or 0))
        else:
            boxes = localize(
                maps[self._method][0],
                np.zeros(n_findings, np.int64),
                np.arange(n_findings),
                probabilities[0],
                affine,
                self._geometry.input_hw,
                self._rule,
                film_hw,
                self._ranges,
            )
        return Opinion(self._model.findings, probabilities[0], maps[self._method][0], boxes, film_hw)
