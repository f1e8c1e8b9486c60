"""What one step of training computes: a function for each kind of system, in `STEPS`."""

from collections.abc import Callable
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from hilum.lookup import call, call_from, pick
from hilum.models import Classifier
from hilum.training.losses import Loss


class Seen(NamedTuple):
    """A batch as the network sees it.

    Attributes:
        images: Normalised films.
        labels: Of every finding, NaN where unknown.
        metadata: View, age and sex.
        boxes: Rows of film, finding, x0, y0, x1, y1 in px of the images; for systems that learn from boxes.
    """

    images: Float[Tensor, "n 3 h w"]
    labels: Float[Tensor, "n f"]
    metadata: Float[Tensor, "n 3"]
    boxes: Float[Tensor, "b 6"]


class Stepped(NamedTuple):
    """What came of a batch.

    Attributes:
        minimised: The loss whose gradient is taken.
        judged: The loss that chooses epochs.
        parts: Losses by name, for the history; of a part of the model by that part's name.
        logits: Whose AUROC chooses epochs.
    """

    minimised: Float[Tensor, ""]
    judged: Float[Tensor, ""]
    parts: dict[str, Tensor]
    logits: Float[Tensor, "n f"]


Step = Callable[[Classifier, Seen, Loss], Stepped]


def classify(model: Classifier, seen: Seen, loss: Loss) -> Stepped:
    """Image-level labels against the model's logits."""
    logits = model(seen.images, seen.metadata).float()
    found = loss(logits, seen.labels)
    return Stepped(found, found, {}, logits)


STEPS: dict[str, tuple[type, Callable[..., Stepped]]] = {"classify": (Classifier, classify)}
"""The models that a step is for, and its function, by the name under `[training] step`, with options."""


def step_from(text: str, model: Classifier) -> Step:
    """The step written as text.

    Raises:
        ValueError: No such step, or options that it does not have.
        TypeError: It is for other models.
    """
    name, _ = call_from(text)
    kind, _ = pick(STEPS, name, "training step")
    step = call({name: function for name, (_, function) in STEPS.items()}, text, "training step", n_given=3)
    if not isinstance(model, kind):
        raise TypeError(f"training step {name} is for {kind.__name__}, not for {type(model).__name__}")
    return step
