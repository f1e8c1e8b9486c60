"""`hilum weights convert`: what it prints, and mistakes in one line with their code."""

import hashlib
import json
from pathlib import Path

import pytest
import timm
import torch

from hilum import models
from hilum.apps.cli import main

NAME = "resnet50-res512-all"


def told(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    with pytest.raises(SystemExit) as ended:
        main(["weights", "convert", *arguments])
    out, err = capsys.readouterr()
    assert ended.value.code == code, err
    return out if code == 0 else err


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "own.pt"
    torch.save(timm.create_model("resnet50", num_classes=18, in_chans=1).state_dict(), path)
    return path


def test_the_sum_and_the_films_are_told(capsys: pytest.CaptureFixture[str], state: Path) -> None:
    out = told(capsys, str(state), "--name", NAME)
    assert f"sha256 of own.pt: {hashlib.sha256(state.read_bytes()).hexdigest()}\n" in out
    assert "films behind the weights: ChestX-ray14, RSNA Pneumonia stage 2, PadChest" in out
    assert out.endswith(f"weights: {state.with_suffix('.safetensors')}\n")
    assert len(models.load(state.with_suffix(".safetensors"))[0].findings) == 16


def test_json_is_all_that_is_printed(capsys: pytest.CaptureFixture[str], state: Path, tmp_path: Path) -> None:
    content = json.loads(told(capsys, str(state), "--name", NAME, "--out", str(tmp_path / "a"), "--json"))
    assert content["weights"] == str(tmp_path / "a")
    assert len(content["findings"]) == 16
    assert content["origin"]["films"][0] == "ChestX-ray14"


def test_mistakes_are_one_line(capsys: pytest.CaptureFixture[str], state: Path, tmp_path: Path) -> None:
    torch.save(torch.nn.ReLU(), tmp_path / "module.pt")
    cases = {
        "no such weights file": [str(tmp_path / "none.pt")],
        "(--allow-pickle)": [str(tmp_path / "module.pt")],
        "nothing was read": [str(state), "--sha256", "abc"],
        "give --name": [str(state)],
    }
    for said, arguments in cases.items():
        line = told(capsys, *arguments, code=1)
        assert line.startswith("hilum: weights: ")
        assert said in line
        assert line.count("\n") == 1
    assert "requires an argument" in told(capsys, code=2)
