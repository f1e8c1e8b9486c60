"""Films with heatmaps and boxes in; the best, the median and the worst of each finding as HTML out."""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from hilum.localize.scale import enlarged, unit_map
from hilum.report.markup import Html, data_uri, joined, tag
from hilum.report.record import Example

SIDE_PX = 360
"""Longest side of a picture in the gallery."""

BUDGET_BYTES = 4_000_000
"""What all pictures may weigh together, before base64 adds a third."""

JPEG_QUALITY = 82


def gallery_from(examples: Sequence[Example]) -> Html:
    """A section for each finding: its best, median and worst film, plain and with heatmap and boxes.

    Returns:
        At most `BUDGET_BYTES` of pictures; findings beyond that are counted, not shown.
    """
    if not examples:
        return tag("p", "No film was picked for the gallery.")
    spent, left_out, blocks = 0, 0, []
    for finding in dict.fromkeys(example.finding for example in examples):
        figures = []
        for place, example in chosen([e for e in examples if e.finding == finding]):
            figure = picture_of(example, f"{example.finding}, {place}", _words(place, example))
            spent += len(figure) * 3 // 4
            if spent > BUDGET_BYTES:
                left_out += 1
            else:
                figures.append(figure)
        if figures:
            blocks.append(tag("h3", finding.replace("_", " ")))
            blocks.append(tag("div", *figures, class_="films"))
    if left_out:
        blocks.append(tag("p", f"{left_out} more films are left out to keep this page small.", class_="note"))
    return joined(*blocks)


def chosen(examples: Sequence[Example]) -> list[tuple[str, Example]]:
    """The best, the median and the worst by IoU, without repeats; ties fall to the film's name.

    An undefined IoU counts as worst.
    """
    ranked = sorted(examples, key=lambda e: (math.inf if math.isnan(e.iou) else -e.iou, e.name))
    places = {"best": 0, "median": (len(ranked) - 1) // 2, "worst": len(ranked) - 1}
    if len(ranked) == 1:
        places = {"the only film": 0}
    if len(ranked) == 2:
        places = {"best": 0, "worst": 1}
    return [(name, ranked[place]) for name, place in places.items() if ranked]


def shown(film: UInt8[np.ndarray, "s s"]) -> UInt8[np.ndarray, "p p"]:
    """The film at the size of the gallery; a smaller one stays as it is."""
    side = min(SIDE_PX, len(film))
    return cv2.resize(film, (side, side), interpolation=cv2.INTER_AREA) if side < len(film) else film


def heat_on_film(example: Example) -> UInt8[np.ndarray, "p p 3"]:
    """The film with its heatmap in colour over it; where the map is at its zero the film stays bare.

    Returns:
        RGB. Colour and cover grow with the map's value, as a share of its own highest value.
    """
    film = shown(example.film)
    if example.heatmap is None:
        return np.repeat(film[..., None], 3, axis=2)
    heat = heat_in_film(example, len(film))
    place = np.rint(64 + 150 * heat).astype(np.uint8)  # the ends of the table are too dark or too pale
    colour = cv2.applyColorMap(place, cv2.COLORMAP_INFERNO)[..., ::-1].astype(np.float32)
    cover = (0.7 * heat)[..., None]
    return np.rint((1 - cover) * film[..., None] + cover * colour).astype(np.uint8)


def heat_in_film(example: Example, side: int) -> Float[np.ndarray, "p p"]:
    """The map's positive part in [0, 1], moved through network input and frame onto the square film.

    Returns:
        Zero outside the network's input. A map without a positive value is scaled from its lowest value on.
    """
    assert example.heatmap is not None
    raw = np.nan_to_num(example.heatmap.astype(np.float32), posinf=0.0, neginf=0.0)
    heat = unit_map(enlarged(raw, example.input_hw), signed=not (raw > 0).any()).astype(np.float32)
    return np.clip(in_film(heat, example, side), 0.0, 1.0)


def in_film(picture: Float[np.ndarray, "h w"], example: Example, side: int) -> Float[np.ndarray, "p p"]:
    """Something that covers the network's input, moved onto the square film; zero outside the input."""
    frame_h, frame_w = example.frame_hw
    matrix = example.affine.astype(np.float64)
    matrix[:, :2] *= np.array(example.input_hw[::-1]) / np.array(picture.shape[::-1])
    matrix = np.diag([side / frame_w, side / frame_h]) @ matrix
    matrix[:, 2] += matrix[:, :2] @ [0.5, 0.5] - 0.5  # from pixel edges to OpenCV's pixel centres
    return cv2.warpAffine(picture, matrix, (side, side), flags=cv2.INTER_LINEAR)


def jpeg(picture: UInt8[np.ndarray, "..."]) -> bytes:
    """A grey or RGB picture as JPEG."""
    pixels = picture[..., ::-1] if picture.ndim == 3 else picture
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()


def picture_of(example: Example, words: str, caption: str) -> Html:
    """A film plain and with its heatmap and boxes, side by side; once where nothing is to be laid over it.

    Args:
        example: The film.
        words: What it is an example of, for those who do not see it.
        caption: Under it; the film's name is added.
    """
    frame = f"0 0 {example.frame_hw[1]} {example.frame_hw[0]}"
    pictures = [picture(frame, jpeg(shown(example.film)), f"{words}: film {example.name}, as it is")]
    boxes = f"{len(example.predicted)} predicted, {len(example.reference)} reference"
    if example.heatmap is not None or len(example.predicted) or len(example.reference):
        said = f"{words}: film {example.name}, with heatmap and boxes ({boxes})"
        pictures.append(picture(frame, jpeg(heat_on_film(example)), said, boxes_over(example)))
    pair = tag("div", *pictures, class_="pair" if len(pictures) == 2 else "pair single")
    return tag("figure", pair, tag("figcaption", caption, tag("br"), tag("small", example.name)))


def _words(place: str, example: Example) -> Html:
    iou = "IoU undefined" if math.isnan(example.iou) else f"IoU {example.iou:.2f}"
    return joined(tag("b", place.capitalize()), f" · {iou} · probability {example.probability:.2f}")


def picture(frame: str, content: bytes, words: str, boxes: Html | None = None) -> Html:
    """A JPEG stretched over a frame, with boxes in that frame's pixels over it."""
    image = tag(
        "image",
        href=data_uri(content, "image/jpeg"),
        width="100%",
        height="100%",
        preserveAspectRatio="none",
    )
    return tag("svg", image, boxes or Html(""), viewBox=frame, role="img", aria_label=words)


def boxes_over(example: Example) -> Html:
    """Both kinds of boxes, told apart by colour, by stroke and by name; the dashed kind lies on top."""
    unit = example.frame_hw[1] / 100
    casings, strokes, labels = [], [], []
    for kind, boxes in (("predicted", example.predicted), ("reference", example.reference)):
        for x_min, y_min, x_max, y_max in boxes.astype(float).tolist():
            corner = {
                "x": f"{x_min:.1f}",
                "y": f"{y_min:.1f}",
                "width": f"{max(x_max - x_min, 0.0):.1f}",
                "height": f"{max(y_max - y_min, 0.0):.1f}",
            }
            casings.append(tag("rect", **corner, class_="casing", stroke_width=f"{1.9 * unit:.1f}"))
            strokes.append(tag("rect", **corner, class_=kind, stroke_width=f"{0.9 * unit:.1f}"))
            labels.append(_label(kind, (x_min, y_min, x_max, y_max), unit, example.frame_hw))
    return joined(*casings, *strokes, *labels)


def _label(kind: str, box: tuple[float, float, float, float], unit: float, frame_hw: tuple[int, int]) -> Html:
    """The name of a box: a prediction's above its left end, a reference's below its right end."""
    x_min, y_min, x_max, y_max = box
    height, width = frame_hw
    size, length = 6.5 * unit, 39 * unit
    if kind == "predicted":
        x, y, anchor = min(x_min, width - length), y_min - 1.5 * unit, "start"
    else:
        x, y, anchor = max(x_max, length), y_max + 6 * unit, "end"
    y = float(np.clip(y, size, height - unit))
    place = {"x": f"{x:.1f}", "y": f"{y:.1f}", "text_anchor": anchor, "font_size": f"{size:.1f}"}
    return tag("text", kind, **place, class_=kind, stroke_width=f"{1.2 * unit:.1f}")
