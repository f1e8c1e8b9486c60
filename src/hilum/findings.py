"""Label sets: which findings there are, in which order, and under which other names."""

from collections.abc import Sequence

CHESTXRAY14 = (
    "Atelectasis",
    "Cardiomegaly",
    "Effusion",
    "Infiltration",
    "Mass",
    "Nodule",
    "Pneumonia",
    "Pneumothorax",
    "Consolidation",
    "Edema",
    "Emphysema",
    "Fibrosis",
    "Pleural_Thickening",
    "Hernia",
)
"""The 14 findings of ChestX-ray14 in the order of its authors; every array carries its names along."""

NO_FINDING = "No Finding"

ALIASES = {"Infiltrate": "Infiltration", "Pleural Thickening": "Pleural_Thickening"}
"""Other spellings in circulation; the NIH box list itself says Infiltrate."""


def canonical(name: str) -> str:
    """The one name a finding has in hilum.

    Example:
        >>> canonical(" Infiltrate")
        'Infiltration'
    """
    name = name.strip()
    return ALIASES.get(name, name)


def in_mean(findings: Sequence[str]) -> list[bool]:
    """Which findings a mean over findings is taken of: "No Finding" is an output of some networks, and none.

    Example:
        >>> in_mean(("Mass", "No Finding"))
        [True, False]
    """
    return [name != NO_FINDING for name in findings]


def positions(wanted: Sequence[str], among: Sequence[str]) -> list[int]:
    """Where each wanted finding stands among the others.

    Raises:
        ValueError: A finding is not there; findings are never matched by position.

    Example:
        >>> positions(("Mass", "Effusion"), CHESTXRAY14)
        [4, 2]
    """
    places = {canonical(name): place for place, name in enumerate(among)}
    missing = [name for name in wanted if canonical(name) not in places]
    if missing:
        raise ValueError(f"findings {missing} are not among {list(among)}")
    return [places[canonical(name)] for name in wanted]
