"""A folder of phantoms -> the same films in the layout of RSNA Pneumonia stage 2: DICOM, labels, classes."""

import hashlib
import json
import math
import uuid
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from hilum.data.chestxray14 import load
from hilum.data.cohort import Cohort
from hilum.data.phantom.canvas import FRAME_PX
from hilum.data.phantom.film import draw
from hilum.data.phantom.layout import VERSION
from hilum.errors import UsageError
from hilum.files import demand_space, disk_errors, write_text
from hilum.findings import CHESTXRAY14

OPACITIES = ("Infiltration", "Pneumonia", "Consolidation")
"""Findings that count as lung opacity here, with a box for each of their lesions."""

_FOLDER = "stage_2_train_images"
_PLATE_MM = 2048 * 0.171  # side of the square plate that the table of the phantoms states
_QUALITY = 90  # of the JPEG, out of 100


def write(phantoms: Path, out: Path, *, seed: int) -> None:
    """Writes every film of a phantom cohort again, training and test films alike, as the challenge did.

    The tables of labels and classes, the mapping from the new ids to the phantoms' NIH-like names, and
    8-bit baseline JPEG in DICOM files of class Secondary Capture, with ages such as `42` that the
    standard does not allow. The same arguments give the same bytes.

    Args:
        phantoms: A finished folder of `hilum.data.phantom.write`, of today's drawing.
        out: An empty or new folder.
        seed: Of the ids; another seed is another set of ids for the same films.

    Raises:
        UsageError: `phantoms` holds no phantoms of today's drawing, or `out` holds something else.
        DiskError: The disk is full or the folder cannot be written.
    """
    mark = phantoms / "phantom.json"
    drawn = json.loads(mark.read_text(encoding="utf-8")) if mark.is_file() else {}
    if drawn.get("version") != VERSION:
        raise UsageError(f"{phantoms} holds no phantoms of version {VERSION}; write them first")
    identity = {**drawn, "layout": "RSNA Pneumonia stage 2", "ids": seed}
    if (out / "phantom.json").is_file():
        if json.loads((out / "phantom.json").read_text(encoding="utf-8")) == identity:
            return
        raise UsageError(f"{out} holds other phantoms; name another folder")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is not empty; name another folder")
    cohort = load(phantoms)
    demand_space(out, len(cohort) * (drawn["size"] ** 2 + 4096))
    with disk_errors(out):
        (out / _FOLDER).mkdir(parents=True, exist_ok=True)
    labels, classes, mapping = ["patientId,x,y,width,height,Target"], ["patientId,class"], []
    for row, film in enumerate(cohort.films.tolist()):
        number = uuid.UUID(bytes=hashlib.sha256(f"{seed}:{film}".encode()).digest()[:16], version=4)
        with disk_errors(out):
            (out / _FOLDER / f"{number}.dcm").write_bytes(_dicom(cohort, row, number))
        boxes = _boxes(cohort, row, drawn)
        kind = (
            "Lung Opacity"
            if boxes
            else "No Lung Opacity / Not Normal"
            if cohort.labels[row].any()
            else "Normal"
        )
        labels += [f"{number},{x},{y},{w},{h},1" for x, y, w, h in boxes] or [f"{number},,,,,0"]
        classes += [f"{number},{kind}"] * max(1, len(boxes))
        mapping.append({"img_id": film, "subset_img_id": str(number)})
    write_text(out / "stage_2_train_labels.csv", "\n".join(labels) + "\n")
    write_text(out / "stage_2_detailed_class_info.csv", "\n".join(classes) + "\n")
    write_text(out / "pneumonia-challenge-dataset-mappings_2018.json", json.dumps(mapping, indent=1) + "\n")
    write_text(out / "phantom.json", json.dumps(identity, indent=1) + "\n")


def _boxes(cohort: Cohort, row: int, drawn: dict[str, int]) -> list[tuple[float, float, float, float]]:
    """Hulls of the opacities in whole pixels of the 1024 frame; drawn again: lists hold test films only."""
    wanted = [CHESTXRAY14.index(name) for name in OPACITIES]
    if not cohort.labels[row, wanted].any():
        return []
    patient, _, film = str(cohort.films[row]).removesuffix(".png").partition("_")
    phantom = draw(drawn["seed"], int(patient) - 1, int(film), drawn["size"])
    return [_whole(box) for box in phantom.boxes[np.isin(phantom.findings, wanted)]]


def _whole(box: Float[np.ndarray, "4"]) -> tuple[float, float, float, float]:
    """x, y, width, height of the least box with whole corners around a box."""
    left, top = (float(max(0, math.floor(edge))) for edge in box[:2])
    right, bottom = (float(min(FRAME_PX, math.ceil(edge))) for edge in box[2:])
    return left, top, right - left, bottom - top


def _dicom(cohort: Cohort, row: int, number: uuid.UUID) -> bytes:
    """The film as a DICOM file; its UIDs are numbers under 2.25, which belong to nobody."""
    from pydicom import config  # takes half a second to load, and only this needs it
    from pydicom.dataelem import DataElement
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.uid import UID, JPEGBaseline8Bit, SecondaryCaptureImageStorage

    study, series, instance, implementation = (
        UID(f"2.25.{uuid.uuid5(number, what).int}")
        for what in ("study", "series", "instance", "implementation")
    )
    grey = np.asarray(cv2.imread(str(cohort.paths[row]), cv2.IMREAD_GRAYSCALE))
    film = Dataset()
    film.file_meta = FileMetaDataset()
    film.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    film.file_meta.ImplementationClassUID = implementation
    film.file_meta.ImplementationVersionName = "HILUM_PHANTOM"
    film.SOPClassUID = film.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    film.SOPInstanceUID = film.file_meta.MediaStorageSOPInstanceUID = instance
    film.StudyInstanceUID, film.SeriesInstanceUID = study, series
    film.Modality, film.ConversionType, film.BodyPartExamined = "CR", "WSD", "CHEST"
    film.ViewPosition = str(cohort.view[row])
    film.SeriesDescription = f"view: {film.ViewPosition}"
    film.PatientName = film.PatientID = str(number)
    film.PatientSex = str(cohort.sex[row])
    age = f"{cohort.age[row]:.0f}"
    film.add(DataElement("PatientAge", "AS", age, validation_mode=config.IGNORE))
    film.SamplesPerPixel, film.PhotometricInterpretation = 1, "MONOCHROME2"
    film.Rows, film.Columns = grey.shape
    film.PixelSpacing = [round(_PLATE_MM / length, 6) for length in grey.shape]
    film.BitsAllocated, film.BitsStored, film.HighBit, film.PixelRepresentation = 8, 8, 7, 0
    film.LossyImageCompression, film.LossyImageCompressionMethod = "01", "ISO_10918_1"
    film.PixelData = encapsulate([_jpeg(grey)])
    stream = BytesIO()
    film.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def _jpeg(grey: UInt8[np.ndarray, "h w"]) -> bytes:
    return cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()
