"""What one step of training computes: a function for each kind of system, in `STEPS`."""

from collections.abc import Callable

from hilum.lookup import call, call_from, pick
from hilum.models import Classifier
from hilum.models.attention_guided import AttentionGuided
from hilum.models.capsule_cascade import CapsuleCascade
from hilum.models.capsules import CapsuleClassifier
from hilum.models.patches import Patches
from hilum.models.pixel_correlation import PixelCorrelation
from hilum.models.retinanet import RetinaNet
from hilum.training.box_steps import detect, patches
from hilum.training.capsule_steps import capsule_pretraining, reconstruct
from hilum.training.equivariant import equivariant
from hilum.training.guided import attention_guided
from hilum.training.losses import Loss
from hilum.training.stepped import Seen, Step, Stepped


def classify(model: Classifier, seen: Seen, loss: Loss) -> Stepped:
    """Image-level labels against the model's logits."""
    logits = model(seen.images, seen.metadata).float()
    found = loss(logits, seen.labels)
    return Stepped(found, found, {}, logits)


STEPS: dict[str, tuple[type, Callable[..., Stepped]]] = {
    "attention_guided": (AttentionGuided, attention_guided),
    "capsule_pretraining": (CapsuleCascade, capsule_pretraining),
    "classify": (Classifier, classify),
    "detect": (RetinaNet, detect),
    "equivariant": (PixelCorrelation, equivariant),
    "patches": (Patches, patches),
    "reconstruct": (CapsuleClassifier, reconstruct),
}
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
