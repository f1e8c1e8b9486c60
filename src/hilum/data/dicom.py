"""The bytes of a DICOM file -> what its header says, and its grey values with bright = dense.

Read are Computed and Digital Radiography and Secondary Capture of one frame. A file must begin with
the preamble and mark of DICOM Part 10. No message shows a text of the file: it could be a name.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Shaped

from hilum.data.dicom_frame import Layout, decoded, one_channel
from hilum.data.dicom_grey import Rescale, Table, Window, grey_scale, inverted
from hilum.data.dicom_stream import DEFLATED, IMPLICIT, Element, Stream, frame_of, item_of, stream_from
from hilum.data.raster import refuse_too_large
from hilum.data.tables import age_from
from hilum.errors import FilmError

TAGS = {
    "SOPClassUID": 0x00080016,
    "Modality": 0x00080060,
    "PatientID": 0x00100020,
    "PatientSex": 0x00100040,
    "PatientAge": 0x00101010,
    "BodyPartExamined": 0x00180015,
    "ImagerPixelSpacing": 0x00181164,
    "ViewPosition": 0x00185101,
    "SamplesPerPixel": 0x00280002,
    "PhotometricInterpretation": 0x00280004,
    "PlanarConfiguration": 0x00280006,
    "NumberOfFrames": 0x00280008,
    "Rows": 0x00280010,
    "Columns": 0x00280011,
    "PixelSpacing": 0x00280030,
    "BitsAllocated": 0x00280100,
    "BitsStored": 0x00280101,
    "HighBit": 0x00280102,
    "PixelRepresentation": 0x00280103,
    "WindowCenter": 0x00281050,
    "WindowWidth": 0x00281051,
    "RescaleIntercept": 0x00281052,
    "RescaleSlope": 0x00281053,
    "VOILUTFunction": 0x00281056,
    "ModalityLUTSequence": 0x00283000,
    "VOILUTSequence": 0x00283010,
    "PresentationLUTShape": 0x20500020,
}
"""All that is read of a file, by the names of the standard."""

FILM_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.1",  # Computed Radiography
    "1.2.840.10008.5.1.4.1.1.1.1",  # Digital X-Ray, for presentation
    "1.2.840.10008.5.1.4.1.1.1.1.1",  # Digital X-Ray, for processing
    "1.2.840.10008.5.1.4.1.1.7",  # Secondary Capture
    "1.2.840.10008.5.1.4.1.1.7.2",  # Secondary Capture, multi-frame, bytes
    "1.2.840.10008.5.1.4.1.1.7.3",  # Secondary Capture, multi-frame, words
}
OTHER_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.1.2": "a mammogram",
    "1.2.840.10008.5.1.4.1.1.1.2.1": "a mammogram",
    "1.2.840.10008.5.1.4.1.1.2": "a CT slice",
    "1.2.840.10008.5.1.4.1.1.2.1": "a CT series",
    "1.2.840.10008.5.1.4.1.1.4": "an MR slice",
    "1.2.840.10008.5.1.4.1.1.6.1": "an ultrasound image",
    "1.2.840.10008.5.1.4.1.1.12.1": "an angiogram",
    "1.2.840.10008.5.1.4.1.1.20": "a nuclear medicine image",
    "1.2.840.10008.5.1.4.1.1.128": "a PET slice",
}
OTHER_MODALITIES = {"CT", "ES", "IO", "MG", "MR", "NM", "PT", "PX", "SM", "US", "XA"}
OTHER_PARTS = {
    "ABDOMEN", "ANKLE", "ARM", "BREAST", "CALCANEUS", "CSPINE", "ELBOW", "EXTREMITY", "FEMUR", "FINGER",
    "FOOT", "FOREARM", "HAND", "HEAD", "HIP", "HUMERUS", "JAW", "KNEE", "LEG", "LSPINE", "MAXILLA", "NECK",
    "PELVIS", "SHOULDER", "SKULL", "SSPINE", "THUMB", "TOE", "WRIST",
}  # fmt: skip
"""Parts of the body that are not the chest; one that is unknown is no reason to refuse a film."""
SIDE_VIEWS = {"LL", "RL", "LLD", "RLD", "LLO", "RLO", "LAO", "LPO", "RAO", "RPO", "LAT", "LATERAL"}


@dataclass(frozen=True)
class Header:
    """What a file says of its film, its pixels not decoded.

    Attributes:
        hw: Height and width, in px.
        view: PA, AP, or empty.
        age: In years; NaN where unknown.
        sex: F, M, or empty.
        spacing_mm: Of pixels, down and across; at the detector if nothing else is said.
        patient: Number of the patient, or empty.
    """

    hw: tuple[int, int]
    view: str = ""
    age: float = math.nan
    sex: str = ""
    spacing_mm: tuple[float, float] | None = None
    patient: str = ""


def header(content: bytes) -> Header:
    """What a DICOM file says; its start is enough, up to the pixels.

    Raises:
        FilmError: It is damaged, or no frontal radiograph of a chest.
    """
    return _Fields(stream_from(content, _WANTED)).header()


def grey_codes(
    content: bytes,
) -> tuple[Header, Shaped[np.ndarray, "h w"], Float64[np.ndarray, " t"]]:
    """The film as places in a table of grey values: what every stored value becomes is worked out once.

    Source: DICOM PS3.3, C.11.1 (modality LUT), C.11.2 (VOI LUT), C.7.6.3 (pixels).

    A VOI LUT is preferred to a window and the first of several is taken; with neither, the whole
    range of the bits stored becomes [0, 1]. MONOCHROME1 and a presentation shape INVERSE say the
    same and invert once. Pixel padding is not treated apart.

    Returns:
        header: What the file says.
        codes: uint8 or uint16, each below the length of the table.
        table: Grey values in [0, 1], bright = dense, one for every pattern of the bits stored.

    Raises:
        FilmError: The file is damaged, is no film, or its scale makes no sense (slope 0 or NaN,
            window narrower than 1).
    """
    fields = _Fields(stream_from(content, _WANTED))
    head = fields.header()
    layout = fields.layout(head.hw)
    codes = fields.codes(layout)
    return head, codes, fields.table(layout)


_WANTED = frozenset(TAGS.values())
_UNCOMPRESSED = {IMPLICIT, "1.2.840.10008.1.2.1", DEFLATED}
_COLOURS = {"RGB", "YBR_FULL", "YBR_FULL_422"}


class _Fields:
    """The elements of one file, read as text and numbers."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def header(self) -> Header:
        self._refuse_other_objects()
        hw = (self._integer("Rows"), self._integer("Columns"))
        if 0 in hw:
            raise FilmError(f"DICOM of {hw[1]} x {hw[0]} pixels holds no film")
        refuse_too_large(*hw)
        view, sex = self._text("ViewPosition").upper(), self._text("PatientSex").upper()
        if view in SIDE_VIEWS:
            raise FilmError(f"a film of view {view}; PA and AP are read")
        return Header(
            hw=hw,
            view=view if view in ("PA", "AP") else "",
            age=age_from(self._text("PatientAge")),
            sex=sex if sex in ("F", "M") else "",
            spacing_mm=self._spacing("PixelSpacing") or self._spacing("ImagerPixelSpacing"),
            patient=self._text("PatientID"),
        )

    def _refuse_other_objects(self) -> None:
        kind, modality, part = map(self._text, ("SOPClassUID", "Modality", "BodyPartExamined"))
        if not kind:
            raise FilmError("DICOM without a SOP class, so that it does not say what it is; write it again")
        if kind not in FILM_CLASSES:
            raise FilmError(f"{OTHER_CLASSES.get(kind, 'a DICOM object of another kind')}, not a radiograph")
        if modality.upper() in OTHER_MODALITIES:
            raise FilmError(f"an image of modality {modality.upper()}, not a radiograph")
        if part.upper() in OTHER_PARTS:
            raise FilmError(f"a film of body part {part.upper()}, not of a chest")
        if (frames := self._text("NumberOfFrames") or "1") != "1":
            count = f"{int(frames)} frames" if frames.isdecimal() and len(frames) < 12 else "several frames"
            raise FilmError(f"DICOM of {count}; a film has one")

    def layout(self, hw: tuple[int, int]) -> Layout:
        """How pixels are stored; refuses what no film has."""
        container, depth = self._integer("BitsAllocated"), self._integer("BitsStored")
        high, channels = self._integer("HighBit", depth - 1), self._integer("SamplesPerPixel", 1)
        if container not in (8, 16) or not 1 <= depth <= container or not depth - 1 <= high < container:
            raise FilmError(f"DICOM of {depth} bits in {container}, the highest {high}; this cannot be")
        photometric = self._text("PhotometricInterpretation").upper()
        if photometric == "PALETTE COLOR":
            raise FilmError("DICOM in colours of a palette; a film is grey")
        grey = channels == 1 and photometric in ("MONOCHROME1", "MONOCHROME2")
        if not grey and not (channels == 3 and depth == 8 and photometric in _COLOURS):
            raise FilmError(f"DICOM of {channels} channels of an unknown kind; a film is grey")
        return Layout(hw, channels, container, depth, self._integer("PixelRepresentation", 0) == 1)

    def codes(self, layout: Layout) -> Shaped[np.ndarray, "h w"]:
        """Stored values with every bit that is not stored set to 0."""
        stream = self._stream
        if stream.syntax in _UNCOMPRESSED:
            values = _one_channel(self._native(layout), layout, self._integer("PlanarConfiguration", 0))
        else:
            values = decoded(frame_of(stream), stream.syntax, layout)
        shift = self._integer("HighBit", layout.depth - 1) + 1 - layout.depth
        if shift and stream.syntax in _UNCOMPRESSED:
            values = values >> shift
        if layout.depth < layout.container:
            values = values & ((1 << layout.depth) - 1)
        return values

    def _native(self, layout: Layout) -> Shaped[np.ndarray, " p"]:
        n_bytes = layout.hw[0] * layout.hw[1] * layout.channels * layout.container // 8
        length, there = self._stream.length, len(self._stream.content) - self._stream.place
        if length is None:
            raise FilmError("damaged DICOM: uncompressed pixels without a length; copy it again")
        if length not in (n_bytes, n_bytes + n_bytes % 2):
            raise FilmError(f"damaged DICOM: {length} bytes of pixels where its header asks for {n_bytes}")
        if there < n_bytes:
            raise FilmError(f"truncated DICOM: {there} bytes of pixels where {n_bytes} are needed")
        kind = np.dtype(f"<u{layout.container // 8}")
        return np.frombuffer(self._stream.content, kind, n_bytes // kind.itemsize, self._stream.place)

    def table(self, layout: Layout) -> Float64[np.ndarray, " t"]:
        """Grey value of every pattern of the bits stored."""
        modality, voi = self._lut("ModalityLUTSequence", layout), self._lut("VOILUTSequence", layout)
        rescale = Rescale(self._number("RescaleSlope", 1.0), self._number("RescaleIntercept", 0.0))
        if voi is None and "WindowCenter" in self and "WindowWidth" in self:
            function = self._text("VOILUTFunction").upper()
            voi = Window(self._number("WindowCenter", 0.0), self._number("WindowWidth", 0.0), function)
        table = grey_scale(layout.depth, layout.signed, modality or rescale, voi)
        dark = self._text("PhotometricInterpretation").upper() == "MONOCHROME1"
        return inverted(table) if dark or self._text("PresentationLUTShape") == "INVERSE" else table

    def __contains__(self, name: str) -> bool:
        return bool(self._text(name))

    def _text(self, name: str) -> str:
        return self._stream.elements.get(TAGS[name], b"").decode("utf-8", "replace").strip("\0 ")

    def _integer(self, name: str, default: int | None = None) -> int:
        value = self._stream.elements.get(TAGS[name])
        if value is None and default is not None:
            return default
        if value is None or len(value) != 2:
            raise FilmError(f"damaged DICOM: {name} is missing or no number; write it again")
        return int.from_bytes(value, "little")

    def _numbers(self, name: str) -> list[float]:
        try:
            return [float(part) for part in self._text(name).split("\\") if part.strip()]
        except ValueError:
            return [math.nan]

    def _number(self, name: str, default: float) -> float:
        return (self._numbers(name) or [default])[0]

    def _spacing(self, name: str) -> tuple[float, float] | None:
        spacing = self._numbers(name)
        if len(spacing) != 2 or not all(math.isfinite(side) and side > 0 for side in spacing):
            return None
        return spacing[0], spacing[1]

    def _lut(self, name: str, layout: Layout) -> Table | None:
        item = item_of(self._stream.elements.get(TAGS[name], b""))
        return _table_from(item, layout) if item else None


def _table_from(item: dict[int, Element], layout: Layout) -> Table:
    """A LUT of one item: how many entries, the first value mapped, bits of an entry; then the entries."""
    descriptor, data = item.get(0x00283002), item.get(0x00283006)
    if descriptor is None or data is None or len(descriptor.value) != 6:
        raise FilmError("damaged DICOM: a look-up table without its entries; write it again")
    n, first, bits = np.frombuffer(descriptor.value, "<u2").tolist()
    n = n or 2**16
    if first >= 2**15 and (descriptor.kind == "SS" or (not descriptor.kind and layout.signed)):
        first -= 2**16
    kind = np.dtype("<u2") if len(data.value) >= 2 * n else np.dtype(np.uint8)
    if not 8 <= bits <= 16 or len(data.value) < n * kind.itemsize:
        raise FilmError(f"damaged DICOM: a look-up table of {n} entries of {bits} bits is not whole")
    return Table(first, np.frombuffer(data.value, kind, n), bits)


def _one_channel(values: Shaped[np.ndarray, " p"], layout: Layout, planar: int) -> Shaped[np.ndarray, "h w"]:
    if layout.channels == 1:
        return values.reshape(layout.hw)
    shape = (3, *layout.hw) if planar else (*layout.hw, 3)
    return one_channel(np.moveaxis(values.reshape(shape), 0 if planar else 2, 0))
