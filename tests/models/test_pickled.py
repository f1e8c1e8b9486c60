"""Pickles are read without anything in them being run, with and without leave."""

import os
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from hilum.errors import WeightsError
from hilum.models.pickled import checkpoint_from

ZIPPED = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])


def _saved(path: Path, what: object, zipped: bool = True) -> bytes:
    torch.save(what, path, _use_new_zipfile_serialization=zipped)
    return path.read_bytes()


def _module() -> nn.Module:
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Sequential(nn.ReLU(), nn.Linear(2, 2)))
    vars(module)["pathologies"] = ["Mass", "Hernia"]
    module.register_buffer("absent", None)
    return module


@ZIPPED
def test_a_state_needs_no_leave(tmp_path: Path, zipped: bool) -> None:
    state = _module().state_dict()
    found = checkpoint_from(_saved(tmp_path / "a.pt", state, zipped), allow_pickle=False)
    assert list(found.state) == list(state)
    assert all(torch.equal(tensor, state[name]) for name, tensor in found.state.items())
    assert found.labels == ()


@ZIPPED
def test_a_module_is_its_state_and_labels(tmp_path: Path, zipped: bool) -> None:
    module = _module()
    content = _saved(tmp_path / "a.pt", module, zipped)
    with pytest.raises(WeightsError, match=r"a pickle can run code; .* \(--allow-pickle\)"):
        checkpoint_from(content, allow_pickle=False)
    found = checkpoint_from(content, allow_pickle=True)
    assert list(found.state) == list(module.state_dict())
    assert all(torch.equal(tensor, module.state_dict()[name]) for name, tensor in found.state.items())
    assert not any(tensor.requires_grad for tensor in found.state.values())
    assert found.labels == ("Mass", "Hernia")


class _Payload:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self._path),)


@ZIPPED
@pytest.mark.parametrize("allow_pickle", [False, True])
def test_nothing_is_run(tmp_path: Path, zipped: bool, allow_pickle: bool) -> None:
    module = _module()
    vars(module)["payload"] = _Payload(tmp_path / "was run")
    content = _saved(tmp_path / "a.pt", module, zipped)
    with pytest.raises(WeightsError, match="asks for .*mkdir" if allow_pickle else "can run code"):
        checkpoint_from(content, allow_pickle=allow_pickle)
    assert not (tmp_path / "was run").exists()
    if not zipped and not allow_pickle:  # the same file does run, where it is let
        torch.load(tmp_path / "a.pt", weights_only=False)
        assert (tmp_path / "was run").exists()


@pytest.mark.parametrize("n_bytes", [0, 10, 500, -100])
def test_what_is_no_whole_file_is_refused(tmp_path: Path, n_bytes: int) -> None:
    content = _saved(tmp_path / "a.pt", _module())[:n_bytes]
    with pytest.raises(WeightsError, match="not a whole file of torch"):
        checkpoint_from(content, allow_pickle=True)


def test_a_program_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        archive.writestr("a/constants.pkl", b"")  # by which torch itself tells it
    with pytest.raises(WeightsError, match="TorchScript"):
        checkpoint_from((tmp_path / "a.pt").read_bytes(), allow_pickle=True)


def test_modules_within_themselves_are_refused(tmp_path: Path) -> None:
    module = nn.Sequential(nn.ReLU())
    module._modules["0"]._modules["again"] = module
    with pytest.raises(WeightsError, match="more than 20 deep"):
        checkpoint_from(_saved(tmp_path / "a.pt", module), allow_pickle=True)
