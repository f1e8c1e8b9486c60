"""What weights have seen decides whether a score may be compared."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from hilum.errors import WeightsError
from hilum.study.seen import header_of, seen_before


def _file(path: Path, header: dict) -> str:
    save_file({"a": np.zeros(1, np.float32)}, path, metadata={"hilum": json.dumps(header)})
    return str(path)


@pytest.mark.parametrize(
    ("films", "source", "clean"),
    [
        (["CheXpert"], "ChestX-ray14", True),
        (["CheXpert", "ChestX-ray14"], "ChestX-ray14", False),
        (["RSNA Pneumonia stage 2"], "ChestX-ray14", False),
        (["ChestX-ray14"], "RSNA Pneumonia stage 2", False),
        (["CheXpert"], "CheXpert", False),
        (["CheXpert"], "phantoms", True),
    ],
)
def test_shared_films_are_found(tmp_path, films: list[str], source: str, clean: bool) -> None:
    start = _file(tmp_path / "w.safetensors", {"origin": {"films": films}})
    seen, contaminated = seen_before(start, source)
    assert seen == ", ".join(films)
    assert (contaminated == "no") is clean
    assert clean or contaminated.startswith("possibly: ")


@pytest.mark.parametrize("header", [{}, {"origin": {}}, {"model": {}}])
def test_what_says_nothing_counts_as_possibly(tmp_path, header: dict) -> None:
    start = _file(tmp_path / "w.safetensors", header)
    assert seen_before(start, "phantoms") == (
        f"unknown ({start})",
        f"possibly: what {start} saw is not known",
    )


def test_names_are_known() -> None:
    assert seen_before("none", "phantoms") == ("", "no")
    assert seen_before("imagenet", "phantoms") == ("ImageNet", "no")


def test_a_broken_file_is_named(tmp_path) -> None:
    path = tmp_path / "w.safetensors"
    assert header_of(path) == {}
    path.write_bytes(b"nonsense")
    with pytest.raises(WeightsError, match="not a whole safetensors file"):
        header_of(path)


def test_one_stained_member_stains_an_ensemble(tmp_path) -> None:
    seen = _file(tmp_path / "w.safetensors", {"origin": {"films": ["CheXpert", "ChestX-ray14"]}})
    words, contaminated = seen_before(f"imagenet + none + {seen}", "ChestX-ray14")
    assert words == "ImageNet, CheXpert, ChestX-ray14"
    assert contaminated == f"possibly: {seen} may have seen any film of ChestX-ray14"
