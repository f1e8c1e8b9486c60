"""A tiny folder in the layout of ChestX-ray14: 12 films of 6 patients, 4 boxes."""

from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest

HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)
ROWS = (  # all invented; the patient numbers of ChestX-ray14 end at 30805
    ("00090001_000.png", "Edema", "90001", "033", "F", "PA"),
    ("00090001_001.png", "Edema|Fibrosis", "90001", "34", "F", "AP"),
    ("00090002_000.png", "No Finding", "90002", "47", "M", "AP"),
    ("00090003_000.png", "Emphysema", "90003", "62", "M", "PA"),
    ("00090003_001.png", "Consolidation|Infiltration", "90003", "62", "M", "PA"),
    ("00090003_002.png", "Mass", "90003", "63", "M", "AP"),
    ("00090004_000.png", "Mass|Nodule", "90004", "29", "F", "PA"),
    ("00090005_000.png", "Pleural_Thickening", "90005", "51", "M", "AP"),
    ("00090005_001.png", "Infiltration", "90005", "51", "M", "PA"),
    ("00090005_002.png", "Effusion|Infiltration", "90005", "52", "M", "AP"),
    ("00090006_000.png", "No Finding", "90006", "0", "F", "PA"),
    ("00090006_001.png", "Cardiomegaly", "90006", "1", "F", "AP"),
)
BOX_HEADER = "Image Index,Finding Label,Bbox [x,y,w,h],,,"
BOXES = (
    "00090005_000.png,Pleural_Thickening,10.5,20.25,100,200",
    "00090005_001.png,Infiltrate,0,0,1024,1024",
    "00090005_002.png,Effusion,500.1,600.2,24.3,23.4",
    "00090005_002.png,Infiltrate,1,2,3,4",
)
TEST_PATIENTS = ("90005", "90006")


def image_table(rows: Iterable[tuple[str, ...]] = ROWS, header: str = HEADER, end: str = "") -> str:
    """The table's text; `end` closes every line, as the comma of the 2017 release does."""
    lines = [
        f"{film},{findings},0,{patient},{age},{sex},{view},2500,2048,0.168,0.168"
        for film, findings, patient, age, sex, view in rows
    ]
    return "".join(f"{line}{end}\n" for line in (header, *lines))


@pytest.fixture
def nih_layout(tmp_path) -> Callable[..., Path]:
    """Writes the folder; a text given by name takes the place of that file's, None leaves it out."""

    def write(side_px: int = 8, films: Iterable[str] = tuple(row[0] for row in ROWS), **instead) -> Path:
        folder = tmp_path / "nih"
        sides = {True: [], False: []}
        for film, _, patient, *_ in ROWS:
            sides[patient in TEST_PATIENTS].append(film)
        texts = {
            "Data_Entry_2017_v2020.csv": image_table(),
            "BBox_List_2017.csv": "\n".join((BOX_HEADER, *BOXES)) + "\n",
            "train_val_list.txt": "\n".join(sides[False]),
            "test_list.txt": "\n".join(sides[True]),
        }
        texts |= {name.replace("__", "."): text for name, text in instead.items()}
        (folder / "images").mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            if text is not None:
                (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        for number, film in enumerate(films):
            pixels = np.random.default_rng(number).integers(0, 256, (side_px, side_px), np.uint8)
            cv2.imwrite(str(folder / "images" / film), pixels)
        return folder

    return write
