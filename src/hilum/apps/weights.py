"""`hilum weights`: checkpoints of other tools, once made into files that hilum loads."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from hilum.apps.options import Json, printed

weights = App(name="weights", help="Make weights of other tools into files that hilum loads.")


@weights.command
def convert(
    file: Path,
    *,
    allow_pickle: Annotated[
        bool,
        Parameter(
            negative="",
            show_default=False,
            help="Read FILE though it is a pickle, which can run code: trust where it is from.",
        ),
    ] = False,
    sha256: Annotated[str | None, Parameter(help="Refuse FILE unless this is its checksum.")] = None,
    out: Annotated[Path | None, Parameter(help="File to write; FILE with the ending .safetensors.")] = None,
    name: Annotated[
        str | None, Parameter(help="What torchxrayvision calls these weights; told by FILE's name.")
    ] = None,
    json_: Json = False,
) -> int:
    """Make a checkpoint of torchxrayvision into a .safetensors file with the same logits.

    Parameters
    ----------
    file
        As torchxrayvision keeps it in ~/.torchxrayvision/models_data.
    """
    from hilum.models.conversion import convert as converted

    to = out or file.with_suffix(".safetensors")
    origin, findings = converted(file, to, allow_pickle=allow_pickle, sha256=sha256, name=name)
    if json_:
        printed({"weights": str(to), "findings": findings, "origin": vars(origin)})
        return 0
    seen = ", ".join(origin.films) or "unknown"
    printed(
        f"sha256 of {file.name}: {origin.sha256}\nfindings: {', '.join(findings)}\n"
        f"films behind the weights: {seen}; which of them, nobody kept\nweights: {to}"
    )
    return 0
