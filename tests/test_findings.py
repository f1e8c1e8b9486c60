import pytest

from hilum.findings import ALIASES, CHESTXRAY14, NO_FINDING, canonical, positions


def test_the_14_of_chestxray14() -> None:
    assert len(CHESTXRAY14) == len(set(CHESTXRAY14)) == 14
    assert NO_FINDING not in CHESTXRAY14
    assert (CHESTXRAY14[0], CHESTXRAY14[3], CHESTXRAY14[13]) == ("Atelectasis", "Infiltration", "Hernia")


def test_every_alias_leads_to_a_finding() -> None:
    assert len(ALIASES) == 2
    assert all(canonical(alias) in CHESTXRAY14 for alias in ALIASES)
    assert [canonical(name) for name in CHESTXRAY14] == list(CHESTXRAY14)
    assert canonical("Scoliosis ") == "Scoliosis"


@pytest.mark.parametrize(
    ("wanted", "among", "expected"),
    [
        ((), CHESTXRAY14, []),
        (CHESTXRAY14, CHESTXRAY14, list(range(14))),
        (("Hernia", "Infiltrate"), CHESTXRAY14, [13, 3]),
        (("Infiltration",), ("Mass", "Infiltrate"), [1]),
        (("Mass", "Mass"), ("Nodule", "Mass"), [1, 1]),
    ],
)
def test_positions_follow_names(wanted, among, expected) -> None:
    assert positions(wanted, among) == expected


def test_a_finding_that_is_not_there() -> None:
    with pytest.raises(ValueError, match=r"\['Scoliosis', 'mass'\] are not among \['Mass'\]"):
        positions(("Scoliosis", "Mass", "mass"), ("Mass",))
