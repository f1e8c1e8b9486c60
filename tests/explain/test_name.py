"""What a map's name asks for; tests/contracts/test_methods.py makes the maps."""

import pytest

from hilum.explain.name import plan_from

NAMES = {
    "gradcam": (False, None),
    "gradcam++": (False, None),
    "xgradcam(pre_relu)": (True, None),
    "gradcam-augmentation": (False, ("six", "relu")),
    "gradcam++-eigen-augmentation(three_flipped, signed)": (False, ("three_flipped", "signed")),
    "eigencam(pre_relu)-eigen": (True, None),
    "smoothgrad(10, 0.2)-eigen(map_rank1)": (False, None),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_read(name) -> None:
    plan = plan_from(name)
    assert (plan.pre_relu, plan.augmentation) == NAMES[name]


@pytest.mark.parametrize("name", ["", "-eigen", "gradcam-", "gradcam--eigen", "gradcam(last", "eigen"])
def test_half_a_name_is_refused(name) -> None:
    with pytest.raises(ValueError, match=r"unknown|cannot read"):
        plan_from(name)
