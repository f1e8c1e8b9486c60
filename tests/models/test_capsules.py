import math

import numpy as np
import pytest
import torch
from torch import nn

from hilum.explain import heatmaps
from hilum.models import build
from hilum.models.backbones import backbone_from
from hilum.models.capsules import (
    LEAST,
    CapsNet,
    Capsules,
    CapsuleStem,
    grey_from,
    logits_of,
    masked,
    routed,
    squash,
)
from hilum.models.classifier import Body
from hilum.models.inputs import BLACK, WHITE
from hilum.training.losses import binary_cross_entropy

FINDINGS = ("Effusion", "Mass", "Hernia")


def _model(side: int = 28, width: int = 4, findings: tuple[str, ...] = FINDINGS) -> CapsNet:
    torch.manual_seed(0)
    stem = CapsuleStem(float(width), float(side))
    return CapsNet(Body(nn.Sequential(stem), width, findings, (side, side))).eval()


def _votes() -> torch.Tensor:
    """Of 3 films, for 4 findings, by 7 primary capsules."""
    return torch.randn(3, 4, 7, 16, generator=torch.Generator().manual_seed(0))


def test_squash_by_hand() -> None:
    """|s| = 5 becomes 25/26, along (3, 4) / 5."""
    made = squash(torch.tensor([[3.0, 4.0]]))
    torch.testing.assert_close(made, 25 / 26 * torch.tensor([[0.6, 0.8]]))
    long = squash(torch.tensor([[1e4, 0.0]]))
    assert 0.999 < long.norm() <= 1
    assert squash(torch.zeros(0, 16)).shape == (0, 16)


def test_squash_has_a_gradient_at_0() -> None:
    still = torch.zeros(2, 16, requires_grad=True)
    squash(still).sum().backward()
    assert still.grad is not None
    assert still.grad.isfinite().all()


def test_each_primary_capsule_shares_itself_out_among_the_findings() -> None:
    _, c = routed(_votes())
    torch.testing.assert_close(c.sum(dim=1), torch.ones(3, 7))
    assert c.std() > 0.05
    assert (c.sum(dim=2) - 1).abs().max() > 0.1  # not over the primary capsules


def test_routing_is_a_loop_over_capsules() -> None:
    """Procedure 1 of Sabour et al. 2017, written out for one film."""
    votes = _votes()
    made, _ = routed(votes)
    u = votes[1].transpose(0, 1).double().numpy()
    n_primary, n_findings, _ = u.shape
    b, s = np.zeros((n_primary, n_findings)), np.zeros((n_findings, 16))
    for turn in range(3):
        c = np.zeros_like(b)
        for i in range(n_primary):
            c[i] = np.exp(b[i]) / np.exp(b[i]).sum()
        for j in range(n_findings):
            s[j] = sum(c[i, j] * u[i, j] for i in range(n_primary))
        for j in range(n_findings if turn < 2 else 0):
            length = np.linalg.norm(s[j])
            v = length**2 / (1 + length**2) * s[j] / length
            for i in range(n_primary):
                b[i, j] += u[i, j] @ v
    np.testing.assert_allclose(made[1].numpy(), s, rtol=1e-5)


def test_a_film_is_routed_without_its_neighbours() -> None:
    votes = _votes()
    torch.testing.assert_close(routed(votes)[0][1:2], routed(votes[1:2])[0])
    assert routed(votes[:0])[0].shape == (0, 4, 16)


def test_agreeing_votes_win() -> None:
    """Capsules that vote alike for one finding and at random for another leave the other."""
    votes = torch.randn(1, 2, 40, 16, generator=torch.Generator().manual_seed(0)) * 0.3
    votes[:, 0] = votes[:, 0, :1]
    _, c = routed(votes)
    assert c[0, 0].mean() > 0.6


def test_a_vote_is_its_own_matrix_times_its_capsule() -> None:
    torch.manual_seed(0)
    capsules, map_ = Capsules(4, (13, 11), 3), torch.randn(2, 4, 13, 11)
    assert capsules.n_primary == 32 * 3 * 2
    matrix = capsules.weight.unflatten(1, (3, 16))  # i f 16 8
    assert matrix.shape == (192, 3, 16, 8)
    made = capsules.primary(map_)
    cell = made[1, 5 * 8 : 6 * 8, 2, 1]  # map 5, row 2, column 1
    place = 5 * 3 * 2 + 2 * 2 + 1
    expected = matrix[place, 2] @ squash(cell)
    torch.testing.assert_close(capsules.votes(made)[1, 2, place], expected)


def test_probability_is_the_length() -> None:
    model, images = _model(), torch.randn(2, 3, 28, 28)
    with torch.no_grad():
        map_, capsules, logits = model.read(images)
        assert torch.equal(logits, model(images))
        assert map_.shape == (2, 4, 20, 20)
    lengths = capsules.unflatten(1, (3, 16)).norm(dim=2)
    torch.testing.assert_close(logits.sigmoid(), lengths, atol=2 * LEAST, rtol=1e-4)
    assert (lengths > 1e-4).all()


def test_the_logit_is_exact_at_both_ends() -> None:
    """|s| = 1000: 1 - |v| is 1e-6, which 1 - fp32's |v| no longer is; nothing: the least."""
    sums = torch.zeros(1, 2, 16)
    sums[0, 0, 3] = 1000.0
    torch.testing.assert_close(logits_of(sums), torch.tensor([[math.log(1e6), math.log(LEAST)]]))


@pytest.mark.parametrize("scale", [0.0, 1e-6, 1.0, 1e6])
def test_cross_entropy_has_finite_gradients_at_any_length(scale: float) -> None:
    sums = (scale * torch.randn(4, 3, 16)).requires_grad_()
    labels = torch.tensor([[1.0, 0.0, math.nan]]).expand(4, 3)
    loss = binary_cross_entropy(logits_of(sums), labels)
    loss.backward()
    assert loss.isfinite()
    assert sums.grad is not None
    assert sums.grad.isfinite().all()
    assert sums.grad.abs().max() <= 1 / math.sqrt(LEAST)


def test_gradients_reach_stem_and_votes_and_decoder() -> None:
    model = _model()
    _, capsules, logits = model.read(torch.randn(2, 3, 28, 28))
    drawn = model.reconstructed(capsules, torch.ones(2, 3, dtype=torch.bool))
    (logits.sum() + drawn.sum()).backward()
    for weight in model.parameters():
        assert weight.grad is not None
        assert weight.grad.abs().sum() > 0


@pytest.mark.parametrize(("side", "n_primary"), [(28, 1152), (56, 12_800)])
def test_primary_capsules_of_a_film(side: int, n_primary: int) -> None:
    """9 x 9, then 9 x 9 by 2: 20 and 6 cells of 28 px, 48 and 20 of 56."""
    model = _model(side)
    assert model.capsules.n_primary == n_primary
    with torch.inference_mode():
        map_, capsules, logits = model.read(torch.randn(2, 3, side, side))
        drawn = model.reconstructed(capsules, logits > 0)
    assert (map_.shape, logits.shape) == ((2, 4, side - 8, side - 8), (2, 3))
    assert capsules.shape == (2, model.n_pooled) == (2, 48)
    assert drawn.shape == (2, 3, side, side)
    assert 0 < drawn.min() <= drawn.max() < 1


def test_parameters_of_pun_et_al() -> None:
    findings = tuple(f"f{number}" for number in range(14))
    with torch.device("meta"):
        settings = {"map_stride": 32, "metadata": False, "findings": findings, "input_hw": (28, 28)}
        model = build(name="capsules", backbone="capsule_stem", **settings)
    stem, primary = 256 * (3 * 81 + 1), 256 * (256 * 81 + 1)
    votes = 1152 * 14 * 16 * 8
    decoder = 1568 * (224 + 1) + 3528 * (1568 + 1) + 2352 * (3528 + 1)
    counted = {name: sum(p.numel() for p in part.parameters()) for name, part in model.parts.items()}
    assert counted == {"stem": stem, "capsules": primary + votes, "decoder": decoder}
    assert sum(counted.values()) == sum(p.numel() for p in model.parameters()) == 21_623_960


def test_masks_keep_whole_capsules() -> None:
    capsules = torch.arange(1.0, 2 * 48 + 1).reshape(2, 48)
    kept = torch.tensor([[True, False, True], [False, False, False]])
    made = masked(capsules, kept)
    assert torch.equal(made[0, :16], capsules[0, :16])
    assert torch.equal(made[0, 32:], capsules[0, 32:])
    assert made[0, 16:32].eq(0).all()
    assert made[1].eq(0).all()


def test_a_masked_capsule_draws_nothing() -> None:
    model = _model()
    capsules, kept = torch.randn(1, 48), torch.tensor([[True, False, False]])
    other = capsules.clone()
    other[:, 16:] += 1
    with torch.inference_mode():
        assert torch.equal(model.reconstructed(capsules, kept), model.reconstructed(other, kept))
        assert not torch.equal(model.reconstructed(capsules, ~kept), model.reconstructed(other, ~kept))


def test_grey_is_what_was_normalised() -> None:
    black, white = (torch.tensor(each)[None, :, None, None].expand(1, 3, 2, 2) for each in (BLACK, WHITE))
    made = grey_from(torch.cat([black, white, (black + 3 * white) / 4]))
    torch.testing.assert_close(made, torch.tensor([0.0, 1.0, 0.75])[:, None, None, None].expand(3, 3, 2, 2))


def test_grad_cam_of_its_map() -> None:
    made = heatmaps(_model(), torch.randn(2, 3, 28, 28), method="gradcam(pre_relu)")
    assert made.shape == (2, 3, 20, 20)
    assert made.std(axis=(2, 3)).min() > 0


def test_bf16_routes_in_fp32() -> None:
    model, images = _model(), torch.randn(2, 3, 28, 28)
    with torch.inference_mode():
        whole = model(images)
        with torch.autocast("cpu", torch.bfloat16):
            rough = model(images)
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough, whole, atol=0.1, rtol=0.05)


def test_nothing_to_start_at() -> None:
    model = _model()
    before = [weight.clone() for weight in model.parameters()]
    model.start_at(torch.tensor([0.1, 0.2, 0.3]))
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_the_stem_is_one_block() -> None:
    body, n_channels = backbone_from("capsule_stem(8)")
    assert ([name for name, _ in body.named_children()], n_channels) == (["stem"], 8)
    assert body(torch.zeros(1, 3, 28, 28)).shape == (1, 8, 20, 20)
    assert backbone_from("capsule_stem")[1] == 256
    assert backbone_from("capsule_stem(8, 40)")[0](torch.zeros(1, 3, 56, 56)).shape == (1, 8, 32, 32)
    with pytest.raises(ValueError, match="no other map stride"):
        backbone_from("capsule_stem", 16)
    with pytest.raises(ValueError, match="width of the stem is 0"):
        backbone_from("capsule_stem(0)")
    with pytest.raises(ValueError, match=r"side of the stem is 0\.5"):
        backbone_from("capsule_stem(8, 0.5)")


def test_a_large_film_or_a_crop_is_read_at_28_px() -> None:
    small = _model()
    torch.manual_seed(0)
    large = CapsNet(Body(nn.Sequential(CapsuleStem(4.0)), 4, FINDINGS, (56, 56))).eval()
    films = torch.randn(2, 3, 56, 56)
    with torch.inference_mode():
        _, capsules, logits = large.read(films)
        means = films.unflatten(3, (28, 2)).unflatten(2, (28, 2)).mean(dim=(3, 5))
        torch.testing.assert_close(logits, small(means))
        assert large.reconstructed(capsules, logits > 0).shape == (2, 3, 28, 28)


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match="last map of 8 x 8 cells; they need 9 x 9"):
        _model(16)
    assert _model(17).capsules.n_primary == 32
    with pytest.raises(ValueError, match="metadata = false"):
        CapsNet(Body(nn.Sequential(CapsuleStem(4.0)), 4, FINDINGS, (28, 28), 3))
