import itertools

import pytest

from hilum.localize import BoxRule

NAMES = {
    "dynamic(87.5)+largest": BoxRule(),
    "fraction(0.7)+hull": BoxRule("fraction(0.7)", "hull"),
    "otsu+all+connectivity(4)": BoxRule("otsu", "all", connectivity=4),
    "dynamic(87.5)+largest+min_area(0.002)": BoxRule(min_area=0.002),
    "dynamic(87.5)+largest+gate(0.0)": BoxRule(gate=0.0),
    "detector": BoxRule("detector", "hull", connectivity=4, min_area=0.1, scale="cohort"),
    "detector+gate(0.5)": BoxRule("detector", gate=0.5),
    "level(180)+largest+scale(cohort)": BoxRule("level(180)", scale="cohort"),
    "level(180)+all+connectivity(4)+min_area(1e-05)+gate(0.5)+scale(cohort)": BoxRule(
        "level(180)", "all", connectivity=4, min_area=1e-5, gate=0.5, scale="cohort"
    ),
}

REFUSED = [
    ({"threshold": "dynamic"}, "write dynamic"),
    ({"component": "biggest"}, "unknown component rule 'biggest'"),
    ({"map_size": "film"}, "unknown map size 'film'; known: frame, input"),
    ({"connectivity": 6}, "unknown connectivity 6; known: 4, 8"),
    ({"scale": "frame"}, "unknown scale 'frame'; known: film, cohort"),
    ({"min_area": -0.1}, "min_area -0.1 must be a share of the frame"),
    ({"min_area": 1.0}, "min_area 1 must be a share of the frame"),
    ({"min_area": float("nan")}, "min_area nan"),
    ({"gate": 1.5}, "gate 1.5 must be a probability"),
    ({"gate": -0.5}, "gate -0.5 must be a probability"),
    ({"gate": float("nan")}, "gate nan"),
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_says_what_is_not_the_default(name) -> None:
    assert NAMES[name].name == name


def test_rules_that_differ_in_what_tables_print_have_different_names() -> None:
    """Map size and sign are in a score's protocol."""
    rules = [
        BoxRule(t, c, connectivity=n, min_area=area, gate=gate, scale=scale)
        for t, c, n, area, gate, scale in itertools.product(
            ("otsu", "level(60)"),
            ("all", "hull"),
            (4, 8),
            (0.0, 0.1, 0.1000000001),
            (None, 0.0, 0.5),
            ("film", "cohort"),
        )
    ]
    assert len({rule.name for rule in rules}) == len(set(rules)) == 2 * 2 * 2 * 3 * 3 * 2


@pytest.mark.parametrize(("wrong", "message"), REFUSED)
def test_a_rule_that_does_not_exist_is_refused(wrong, message) -> None:
    with pytest.raises(ValueError, match=message):
        BoxRule(**wrong)


@pytest.mark.parametrize("ends", [{"gate": 0.0}, {"gate": 1.0}, {"min_area": 0.0}])
def test_the_ends_of_the_ranges_are_allowed(ends) -> None:
    assert BoxRule(**ends)
