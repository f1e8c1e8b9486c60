"""What a step of training is given and what it gives back; every file of steps begins here."""

from collections.abc import Callable
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

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
