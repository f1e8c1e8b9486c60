"""A checkpoint that torch saved, as tensors; nothing in it is run, whatever it asks for."""

import io
import pickle
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from torch._utils import _rebuild_parameter, _rebuild_tensor_v2

from hilum.errors import WeightsError

NO_CODE = "a pickle can run code; if you know where the file is from, allow it (--allow-pickle)"


@dataclass(frozen=True)
class Checkpoint:
    """What a file of torch holds.

    Attributes:
        state: Tensors by name.
        labels: Names of the outputs, where a pickled module carries them itself; else none.
    """

    state: dict[str, Tensor]
    labels: tuple[str, ...] = ()


def checkpoint_from(content: bytes, *, allow_pickle: bool) -> Checkpoint:
    """The tensors of a plain state, or, if pickles are allowed, of a whole pickled module.

    A module is not brought to life: every class of torch.nn and torchxrayvision becomes an empty shell
    that keeps its attributes, so torchxrayvision need not be installed, and any other name is refused.

    Raises:
        WeightsError: The file is a pickle and none is allowed, or no network can be read from it.
    """
    try:
        found = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file raises whatever it likes
        if not allow_pickle:
            raise WeightsError(f"not a plain state of tensors: {NO_CODE}") from error
        found = _shells_from(content)
    if isinstance(found, _Shell):
        labels = vars(found).get("pathologies", vars(found).get("targets", ()))
        named = isinstance(labels, list | tuple) and all(isinstance(label, str) for label in labels)
        return Checkpoint(_tensors_of(found), tuple(labels) if named else ())
    if not isinstance(found, Mapping) or not all(isinstance(each, Tensor) for each in found.values()):
        raise WeightsError(f"holds a {type(found).__name__}, not the tensors of a network or a module")
    return Checkpoint(dict(found))


class _Shell:
    """Stands for an object of any class: takes everything, does nothing."""

    dump_patches = False  # torch asks this of the classes of old files

    def __init__(self, *_: object) -> None:
        """Keeps nothing of what it would have been made from."""

    def __setstate__(self, state: object) -> None:
        if isinstance(state, dict):
            vars(self).update(state)


_MADE: dict[tuple[str, str], Any] = {
    ("__builtin__", "set"): set,
    ("builtins", "set"): set,
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor_v2,
}
"""All that a checkpoint may really call; storages are torch's own affair."""

_SHELLS = ("torch.nn.", "torchxrayvision.")
"""What the names of classes begin with that become shells."""


class _Reader(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        """One of a few functions, or a shell."""
        made = _MADE.get((module_name, global_name))
        if made is None and not module_name.startswith(_SHELLS):
            raise WeightsError(
                f"it asks for {module_name}.{global_name}, which no network of torchxrayvision needs; "
                "nothing was run; do not trust this file"
            )
        return made or _Shell


def _shells_from(content: bytes) -> object:
    stream = io.BytesIO(content)
    if zipfile.is_zipfile(stream) and any(
        name.endswith("constants.pkl") for name in zipfile.ZipFile(stream).namelist()
    ):
        raise WeightsError("a TorchScript archive, which is a program; only checkpoints are read")
    reader: Any = SimpleNamespace(
        __name__=__name__, Unpickler=_Reader, load=lambda file, **how: _Reader(file, **how).load()
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # old files carry sources, which are not those of a shell
            return torch.load(
                io.BytesIO(content), map_location="cpu", weights_only=False, pickle_module=reader
            )
    except WeightsError:
        raise
    except Exception as error:
        raise WeightsError(f"not a whole file of torch: {type(error).__name__}") from error


def _tensors_of(module: _Shell, prefix: str = "", depth: int = 0) -> dict[str, Tensor]:
    """What `state_dict` of the module would give."""
    if depth > 20:
        raise WeightsError("its modules lie more than 20 deep in each other")
    inside = {kind: vars(module).get(kind) for kind in ("_parameters", "_buffers", "_modules")}
    state: dict[str, Tensor] = {}
    for kind, members in inside.items():
        for name, member in (members if isinstance(members, Mapping) else {}).items():
            if kind == "_modules" and isinstance(member, _Shell):
                state |= _tensors_of(member, f"{prefix}{name}.", depth + 1)
            elif isinstance(member, Tensor):
                state[f"{prefix}{name}"] = member.detach()
    return state
