"""Crops of AG-CNN by every kind of attention, of one run on phantoms; writes the table of systems/ag_cnn.md.

python docs/system_table.py phantoms RUNS --only ag_cnn
python docs/crop_table.py RUNS/phantoms/ag_cnn
"""

import sys
import time
from pathlib import Path

import numpy as np
import torch

from hilum import models
from hilum.boxes import area, intersection, moved
from hilum.data.geometry import input_to_frame
from hilum.explain import class_maps
from hilum.models.attention_guided import AttentionGuided, crop_boxes
from hilum.recipe import parse
from hilum.study.folder import RunFolder, read_json
from hilum.study.opening import decode, open_films
from hilum.training.guided import attention_guided
from hilum.training.losses import binary_cross_entropy
from hilum.training.stepped import Seen

HERE = Path(__file__).parent
KINDS = ("max_abs", "sum", "gradcam", "gradcam++", "xgradcam")
N_STEP, N_ROUNDS = 16, 3


def main() -> None:
    """Writes the table into the page."""
    folder = RunFolder(Path(sys.argv[1]))
    recipe = parse(folder.recipe.read_text(encoding="utf-8"), str(folder.recipe))
    films, pixels = decode(open_films(Path(read_json(folder.record)["data"]), recipe.data), recipe.data)
    model, geometry, _ = models.load(folder.weights, class_maps)
    assert isinstance(model, AttentionGuided)
    cohort, reference = films.cohort, films.cohort.reference
    tested = np.isin(reference.image, cohort.side("test"))
    image, size = reference.image[tested], area(reference.xyxy[tested])
    largest = {film: np.flatnonzero(image == film)[size[image == film].argmax()] for film in np.unique(image)}
    rows = np.array(list(largest))
    lesion = reference.xyxy[tested][list(largest.values())]
    affine = input_to_frame(geometry, pixels.store.film_hw[pixels.rows[rows]], cohort.frame_hw)
    whole = float(np.prod(cohort.frame_hw))
    batch = torch.from_numpy(pixels.store.batch(pixels.rows[rows]))
    place = torch.eye(2, 3).expand(len(rows), 2, 3) * recipe.data.store_px / recipe.data.input_px
    images = models.network_input(batch, place, geometry.input_hw)
    seen = Seen(
        images[:N_STEP],
        torch.zeros(N_STEP, len(model.findings)),
        torch.full((N_STEP, 3), 0.5),
        torch.zeros(0, 6),
    )
    lines = ["| attention | lesion covered | film covered | s a step |", "|---|---|---|---|"]
    for kind in KINDS:
        model.attention = kind
        with torch.inference_mode():
            maps = model.eval().own_maps(images)[:, 0]
        crops = moved(crop_boxes(maps, geometry.input_hw, model.level).double().numpy(), affine)
        covered, share = (intersection(crops, lesion) / area(lesion)).mean(), (area(crops) / whole).mean()
        lines.append(f"| `{kind}` | {covered:.2f} | {share:.2f} | {_seconds(model, seen):.2f} |")
    text = "\n".join(lines)
    page = HERE / "systems" / "ag_cnn.md"
    before, _, rest = page.read_text(encoding="utf-8").partition("<!-- crops -->\n")
    after = rest[rest.index("<!-- end of crops -->") :]
    page.write_text(f"{before}<!-- crops -->\n{text}\n{after}", encoding="utf-8")


def _seconds(model: AttentionGuided, seen: Seen) -> float:
    """The median time of a training step."""
    took = []
    for _ in range(N_ROUNDS):
        begin = time.perf_counter()
        model.train().zero_grad()
        attention_guided(model, seen, binary_cross_entropy).minimised.backward()
        took.append(time.perf_counter() - begin)
    return float(np.median(took))


if __name__ == "__main__":
    main()
