"""Which films the weights of a run have seen, from the headers of weights files; loads no torch."""

from pathlib import Path
from typing import Any

from hilum.errors import WeightsError
from hilum.files import header_in

SAME_FILMS = {"ChestX-ray14", "RSNA Pneumonia stage 2", "SIIM-ACR Pneumothorax"}
"""The challenges drew from ChestX-ray14: who has seen one may have seen films of the others."""


def header_of(path: Path) -> dict[str, Any]:
    """The header of a weights file; empty where there is no file, or none that hilum wrote.

    Raises:
        WeightsError: The file is broken.
    """
    if not path.is_file():
        return {}
    try:
        return header_in(path)
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path}: not a whole safetensors file: {error}") from error


def seen_before(start: str, source: str) -> tuple[str, str]:
    """What weights had seen before training began, and whether that may hold scored films.

    Args:
        start: What the recipe starts from: "imagenet", "none" or a file; several, with " + " between them, of
            an ensemble whose members start from different weights.
        source: Which set of films is scored.

    Returns:
        Words for `Protocol.weights_data`, empty for nothing, and for `Protocol.contaminated`.

    Raises:
        WeightsError: The file is broken.

    Example:
        >>> seen_before("imagenet", "ChestX-ray14")
        ('ImageNet', 'no')
        >>> seen_before("imagenet + none", "ChestX-ray14")
        ('ImageNet', 'no')
    """
    words, stains = zip(*(_seen_by(each, source) for each in start.split(" + ")), strict=True)
    stained = "; ".join(dict.fromkeys(stain for stain in stains if stain != "no"))
    return ", ".join(dict.fromkeys(word for word in words if word)), stained or "no"


def _seen_by(start: str, source: str) -> tuple[str, str]:
    if start in ("imagenet", "none"):
        return {"imagenet": "ImageNet", "none": ""}[start], "no"
    films = header_of(Path(start)).get("origin", {}).get("films")
    if not films:
        return f"unknown ({start})", f"possibly: what {start} saw is not known"
    kin = SAME_FILMS if source in SAME_FILMS else {source}
    shared = [name for name in films if name in kin]
    said = f"possibly: {start} may have seen any film of {', '.join(shared)}" if shared else "no"
    return ", ".join(films), said
