"""A recipe's claim to a printed table."""

import pytest

CELLS = """
[[published]]
paper = "Gascoigne-Burns and Katsigiannis 2021"
table = "II"
system = "CheXNet"
setting = "official split; smoothed Eigen-CAM, dynamic(87.5)"
method = "gradcam"
box_rule = "dynamic(87.5)+largest"
"""


@pytest.fixture
def cells() -> str:
    """Names 63 numbers of one table; to be put behind the tiny recipe."""
    return CELLS
