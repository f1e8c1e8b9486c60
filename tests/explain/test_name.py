"""What a map's name asks for; tests/contracts/test_methods.py makes the maps."""

import pytest

from hilum.explain.name import METHODS, costs_by_finding, plan_from

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


def test_what_costs_more_with_each_finding() -> None:
    costly = {name for name in METHODS if costs_by_finding(name)}
    assert costly == {
        *("scorecam", "gradient", "smoothgrad", "integrated_gradients", "smooth_integrated_gradients"),
        *("guided_backprop", "guided_gradcam", "occlusion", "rise"),
    }
    assert costs_by_finding("smoothgrad(10, 0.2)-eigen(map_rank1)")
    assert not costs_by_finding("gradcam++(pre_relu)-eigen-augmentation")


@pytest.mark.parametrize("name", ["", "-eigen", "gradcam-", "gradcam--eigen", "gradcam(last", "eigen"])
def test_half_a_name_is_refused(name) -> None:
    with pytest.raises(ValueError, match=r"unknown|cannot read"):
        plan_from(name)
