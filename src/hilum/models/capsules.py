"""A feature map -> capsules that vote, by agreement, for a capsule of each finding; its length is the answer.

n films, i primary capsules, f findings; squash, routing and their letters as in Sabour et al. 2017.
"""

from abc import abstractmethod
from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from hilum.lookup import whole
from hilum.models.classifier import Body, Branch, LastMapClassifier
from hilum.models.inputs import BLACK, WHITE, resized
from hilum.models.shape import shape_after

SIDE_PX, WIDTH = 28, 256
"""Input and channels of the stem, as the source has them."""
KERNEL, STRIDE = 9, 2
N_MAPS, N_PRIMARY, N_CLASS = 32, 8, 16
"""Maps of primary capsules, numbers of one of these, and of one of a finding."""
N_ROUTINGS = 3
HIDDEN = (1568, 3528)
"""Widths of the decoder before the film itself."""
LEAST = 1e-6
"""Added to |s|^2 under the logarithm: least probability, and bound of the gradient where nothing votes."""
SPREAD = 0.1
"""Of the first weights of the votes."""


class Small(nn.Module):
    """Images at a side of their own; those of that side stay as they are."""

    def __init__(self, side_px: int) -> None:
        super().__init__()
        self.side_px = side_px

    def forward(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 s s"]:
        """Means over the pixels that become one."""
        return resized(images, (self.side_px, self.side_px))


class CapsuleStem(nn.Sequential):
    """The convolution before the capsules: 9 x 9, stride 1, without padding, ReLU; on small films.

    Source: Sabour et al., NeurIPS 2017 (arXiv:1710.09829), section 4.

    Args:
        width: Channels.
        side_px: To which a larger film, or a crop of one, is brought first.
    """

    def __init__(self, width: float = float(WIDTH), side_px: float = float(SIDE_PX)) -> None:
        n = whole(width, "width of the stem")
        super().__init__(Small(whole(side_px, "side of the stem")), nn.Conv2d(3, n, KERNEL), nn.ReLU())
        self.num_features = n


class CapsuleClassifier(LastMapClassifier, Branch):
    """A classifier whose probabilities are lengths of capsules, and that can say what they saw."""

    def start_at(self, prevalence: Float[Tensor, " f"]) -> None:
        """Changes nothing: a length has no bias that could be set."""

    @abstractmethod
    def reconstructed(
        self, capsules: Float[Tensor, "n p"], kept: Bool[Tensor, "n f"]
    ) -> Float[Tensor, "n 3 a b"]:
        """Films in [0, 1] as the capsules of some findings have them.

        Args:
            capsules: Of all findings, as `read` pools them.
            kept: The findings that speak; others are masked with 0.
        """


class CapsNet(CapsuleClassifier):
    """Primary capsules from the last map, routed to a capsule a finding; a decoder draws the film from these.

    It draws what the stem reads, which is 8 px more each way than its map has cells: these reach 4 px
    less far to each side than the film.

    |v| / (1 - |v|) is |s|^2, so the logit is its logarithm, exact at both ends.

    Source: Sabour et al., NeurIPS 2017 (arXiv:1710.09829), section 4, with the sizes of Pun et al. 2021.

    Args:
        body: What it is put on, a `CapsuleStem` in the source.

    Raises:
        ValueError: The last map is too small.
    """

    def __init__(self, body: Body) -> None:
        super().__init__(body.without_metadata().findings, body.input_hw)
        *_, height, width = shape_after(body.backbone, (1, 3, *body.input_hw))
        if min(height, width) < KERNEL:
            raise ValueError(
                f"capsules on a last map of {height} x {width} cells; they need {KERNEL} x {KERNEL}, as "
                f"backbone capsule_stem has from a side of 17 px on, or name capsule_cascade"
            )
        n_findings = len(body.findings)
        self.n_pooled = n_findings * N_CLASS
        self.backbone = body.backbone
        self.capsules = Capsules(body.n_channels, (height, width), n_findings)
        self.decoder = Decoder(self.n_pooled, (height + KERNEL - 1, width + KERNEL - 1))

    @property
    def parts(self) -> Mapping[str, nn.Module]:
        """The stem, the capsules, and the decoder, which only a step that reconstructs trains."""
        return {"stem": self.backbone, "capsules": self.capsules, "decoder": self.decoder}

    @property
    def blocks(self) -> list[nn.Module]:
        """Capsules with their decoder, then the stem's blocks, last first."""
        return [nn.ModuleList([self.capsules, self.decoder]), *reversed(list(self.backbone))]

    def logits_from(
        self,
        activations: Float[Tensor, "n d u v"],
        metadata: Float[Tensor, "n 3"] | None = None,  # noqa: ARG002
    ) -> Float[Tensor, "n f"]:
        """The logarithm of |s|^2 of each finding's capsule before it is squashed."""
        return logits_of(self.capsules(activations))

    def read(
        self, images: Float[Tensor, "n 3 h w"]
    ) -> tuple[Float[Tensor, "n d u v"], Float[Tensor, "n p"], Float[Tensor, "n f"]]:
        """Last feature map, the capsules of all findings in one row, and logits."""
        activations = self.activations(images)
        sums = self.capsules(activations)
        return activations, squash(sums).flatten(1), logits_of(sums)

    def reconstructed(
        self, capsules: Float[Tensor, "n p"], kept: Bool[Tensor, "n f"]
    ) -> Float[Tensor, "n 3 a b"]:
        """What the decoder draws."""
        return self.decoder(masked(capsules, kept))


class Capsules(nn.Module):
    """Primary capsules by a strided convolution, and their votes for one capsule a finding."""

    def __init__(self, n_channels: int, map_hw: tuple[int, int], n_findings: int) -> None:
        super().__init__()
        height, width = ((side - KERNEL) // STRIDE + 1 for side in map_hw)
        self.n_primary, self.n_findings = N_MAPS * height * width, n_findings
        self.primary = nn.Conv2d(n_channels, N_MAPS * N_PRIMARY, KERNEL, stride=STRIDE)
        # three axes: a fourth would be laid out as that of an image when a network is moved to channels_last
        self.weight = nn.Parameter(torch.empty(self.n_primary, n_findings * N_CLASS, N_PRIMARY))
        nn.init.normal_(self.weight, std=SPREAD)

    def forward(self, activations: Float[Tensor, "n d u v"]) -> Float[Tensor, "n f p"]:
        """The findings' capsules before they are squashed.

        Votes and routing are in fp32 at any precision: they add up thousands of small numbers.
        """
        made = self.primary(activations)
        with torch.autocast(activations.device.type, enabled=False):
            sums, _ = routed(self.votes(made.float()))
            return sums

    def votes(self, made: Float[Tensor, "n m a b"]) -> Float[Tensor, "n f i p"]:
        """The votes u_j|i = W_ij u_i, from what the convolution made of the map."""
        primary = squash(made.unflatten(1, (N_MAPS, N_PRIMARY)).movedim(2, -1).flatten(1, 3))
        votes = torch.einsum("iok,nik->nio", self.weight, primary)
        # laid out anew, so that each product of routing reads memory in order
        return votes.unflatten(2, (self.n_findings, N_CLASS)).transpose(1, 2).contiguous()


class Decoder(nn.Module):
    """Three layers from masked capsules to a film in [0, 1]."""

    def __init__(self, n_in: int, film_hw: tuple[int, int]) -> None:
        super().__init__()
        self.film_hw = film_hw
        first, second = HIDDEN
        self.layers = nn.Sequential(
            nn.Linear(n_in, first),
            nn.ReLU(),
            nn.Linear(first, second),
            nn.ReLU(),
            nn.Linear(second, 3 * film_hw[0] * film_hw[1]),
            nn.Sigmoid(),
        )

    def forward(self, capsules: Float[Tensor, "n p"]) -> Float[Tensor, "n 3 h w"]:
        """The film."""
        return self.layers(capsules).unflatten(1, (3, *self.film_hw))


def squash(s: Float[Tensor, "*n p"]) -> Float[Tensor, "*n p"]:
    """The direction of s with a length below 1: v = |s|^2 / (1 + |s|^2) s / |s|.

    Source: Sabour et al., NeurIPS 2017 (arXiv:1710.09829), equation 1.

    Example:
        >>> squash(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))  # |s| 5, |v| 25/26
        tensor([[0.5769, 0.7692],
                [0.0000, 0.0000]])
    """
    length = torch.linalg.vector_norm(s, dim=-1, keepdim=True)
    return s * length / (1 + length**2)


def logits_of(sums: Float[Tensor, "n f p"]) -> Float[Tensor, "n f"]:
    """The logit of |v|, of s before squash."""
    return (sums.square().sum(dim=2) + LEAST).log()


def routed(votes: Float[Tensor, "n f i p"]) -> tuple[Float[Tensor, "n f p"], Float[Tensor, "n f i"]]:
    """Sums s_j of the votes, weighted by agreement, and the weights c_ij.

    Each primary capsule shares itself out among the findings, film by film, and does so anew after it was
    seen whom its votes agree with. The code of Pun et al. 2021 takes the softmax over primary capsules and
    the mean of b over the batch.

    Source: Sabour et al., NeurIPS 2017 (arXiv:1710.09829), procedure 1.

    Args:
        votes: u_j|i.
    """
    b = votes.new_zeros(votes.shape[:3])
    for _ in range(N_ROUTINGS - 1):
        s = _summed(b.softmax(dim=1), votes)
        b = b + (votes @ squash(s).unsqueeze(3)).squeeze(3)
    c = b.softmax(dim=1)
    return _summed(c, votes), c


def _summed(c: Float[Tensor, "n f i"], votes: Float[Tensor, "n f i p"]) -> Float[Tensor, "n f p"]:
    return (c.unsqueeze(2) @ votes).squeeze(2)


def masked(capsules: Float[Tensor, "n p"], kept: Bool[Tensor, "n f"]) -> Float[Tensor, "n p"]:
    """Capsules of all findings in one row, those that are not kept set to 0."""
    return (capsules.unflatten(1, (-1, N_CLASS)) * kept[:, :, None]).flatten(1)


def grey_from(images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 h w"]:
    """Normalised films as they were, in [0, 1]."""
    black, white = (images.new_tensor(each)[:, None, None] for each in (BLACK, WHITE))
    return (images - black) / (white - black)
